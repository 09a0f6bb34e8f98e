"""Error answers of the API: ``{"errors": [{code, title, detail, source: {pointer}}]}``.

The fax resource uses the HTTP status as code, the platform in front of it five digits.
"""

from typing import Any

from aiohttp import web


class ApiError(Exception):
    """Ends a request with an error. ``field`` names the field of the body that is wrong."""

    def __init__(self, status: int, title: str, detail: str, code: str = "", field: str = "") -> None:
        super().__init__(detail)
        self.status = status
        self.headers: dict[str, str] = {}
        self._error: dict[str, Any] = {"code": code or str(status), "title": title, "detail": detail}
        if field:
            self._error["source"] = {"pointer": f"/{field}"}

    def response(self) -> web.Response:
        """Return the answer."""
        return web.json_response({"errors": [self._error]}, status=self.status, headers=self.headers)


def invalid(field: str, detail: str) -> ApiError:
    """Return the error for a field that is missing or wrong."""
    return ApiError(422, "Unprocessable Entity", detail, field=field)


def not_found(what: str) -> ApiError:
    """Return the error for an unknown id."""
    return ApiError(404, "Not Found", f"The requested {what} could not be found.")


def unauthenticated() -> ApiError:
    """Return the error for a missing or wrong API key."""
    return ApiError(401, "Authentication failed", "The required authentication headers were invalid.", "10009")


def unavailable(status: int) -> ApiError:
    """Return the error of a carrier that is down or busy."""
    if status == 429:
        error = ApiError(429, "Too many requests", "You have exceeded the rate limit.", "10011")
        error.headers["Retry-After"] = "1"
        return error
    return ApiError(status, "Service unavailable", "The service is temporarily unavailable.", "10007")
