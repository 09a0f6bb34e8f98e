"""What the tests of Kazoo's API share: asking, with a look at what every envelope must have."""

from typing import Any

from tests.integration.web_house import House


async def ask(house: House, path: str, token: str = "", method: str = "GET", **request: Any) -> tuple[int, Any]:
    """Ask and return status and envelope, after a look at what every envelope must have."""
    headers = {"X-Auth-Token": token} if token else {}
    headers |= request.pop("headers", {})
    async with house.client.request(method, f"{house.origin}{path}", headers=headers, **request) as response:
        envelope = await response.json()
        well = response.status < 400
        assert envelope["status"] == ("success" if well else "error")
        assert envelope["request_id"] == response.headers["X-Request-ID"]
        assert well or envelope["error"] == str(response.status)
        assert well or {"message", "data"} <= envelope.keys()
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, envelope
