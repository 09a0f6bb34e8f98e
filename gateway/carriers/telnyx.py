"""The carrier Telnyx: a client of its Programmable Fax API, v2 (https://developers.telnyx.com/api).

Telnyx has no idempotency key for faxes, so ``hand_over`` makes one request and says exactly what is known after it.
Every request has a connection of its own: a kept one that the carrier has just closed would make the outcome of a
POST unknown without need.
"""

import json
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from gateway.carrier_event import CarrierEvent, CarrierFax
from gateway.carriers import telnyx_answers as answers
from gateway.carriers.carrier import CarrierError, HandingOver, Order, Rejected, Unknown
from gateway.carriers.signature import (
    SIGNATURE_HEADER,
    TIMESTAMP_HEADER,
    TOLERANCE,
    Signature,
    public_key,
    sign,
    verify,
    verify_any,
)
from gateway.dialects import telnyx as dialect
from gateway.errors import ConfigurationError, Kind, refuse
from gateway.fax import Direction

__all__ = [
    "SIGNATURE_HEADER",
    "TIMESTAMP_HEADER",
    "TOLERANCE",
    "Signature",
    "Telnyx",
    "public_key",
    "sign",
    "verify",
    "verify_any",
]

#: Media storage takes 20 MB; whether those are 1000 or 1024 kB is not said.
MAX_MEDIA_BYTES = 20_000_000
#: Long enough for every try of a fax; what is not removed by us expires by itself.
MEDIA_TTL = timedelta(days=3)

PAGE_SIZE = 250
_MAX_PAGES = 4000
_MAX_ANSWER = 16 * 1024 * 1024
_UPLOAD_TIMEOUT = aiohttp.ClientTimeout(total=300, connect=10)


class Telnyx:
    """The carrier ``telnyx``: see ``Carrier`` for what each method promises.

    ``base_url`` includes the version (``https://api.telnyx.com/v2``); times are in seconds. Raises
    ConfigurationError for a base_url that is none.
    """

    name = "telnyx"

    def __init__(self, base_url: str, api_key: str, timeout: float = 60, connect_timeout: float = 10) -> None:
        self._base_url = _checked(base_url)
        self._api_key = api_key.strip()
        # Who was not reached in half the time is known not to have been asked.
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(connect_timeout, timeout / 2))
        self._session: aiohttp.ClientSession | None = None

    async def rest(self) -> datetime | None:
        """The carrier itself says in each answer whether it wants a pause."""
        return None

    async def hand_over(self, order: Order) -> HandingOver:
        """Make the one request that may start a fax (``POST /faxes``)."""
        try:
            status, headers, body = await self._ask("POST", "/faxes", json=answers.fax_request(order))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            # Nothing was sent yet: the name, the connection or TLS failed.
            detail = answers.shortened(f"no connection to the carrier: {error}")
            return Rejected(dialect.UNREACHABLE, detail, passing=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Unknown(f"no answer from the carrier ({type(error).__name__})")
        return answers.outcome(status, headers, body, order)

    async def faxes(
        self, direction: Direction, since: datetime, to: str = "", from_: str = ""
    ) -> AsyncIterator[CarrierFax]:
        """List faxes created at or after *since* (``GET /faxes``), to the end, each once."""
        filters = {
            "filter[direction][eq]": direction.value,
            "filter[created_at][gte]": dialect.write_time(since),
            **({"filter[to][eq]": to} if to else {}),
            **({"filter[from][eq]": from_} if from_ else {}),
            "page[size]": str(PAGE_SIZE),
        }
        seen: set[str] = set()
        for page in range(1, _MAX_PAGES + 1):
            answer = await self._call("GET", "/faxes", params=filters | {"page[number]": str(page)})
            listed = answers.listed_faxes(answer)
            new = {fax.id: fax for fax in listed if fax.id not in seen}
            seen.update(new)
            for fax in new.values():
                yield fax
            if answers.is_last(answer, page, listed, len(seen)):
                return
            if not new:
                raise CarrierError("the carrier's list repeats itself, so its end cannot be reached", 200)
        raise CarrierError(f"the carrier's list does not end after {_MAX_PAGES} pages", 200)

    async def fax(self, carrier_fax_id: str) -> CarrierFax | None:
        """Return one fax (``GET /faxes/{id}``), or None when the carrier knows none by this id."""
        try:
            answer = await self._call("GET", f"/faxes/{_segment(carrier_fax_id)}")
        except CarrierError as error:
            if error.status == 404:
                return None
            raise
        return answers.read_fax(answer.get("data"))

    async def cancel(self, carrier_fax_id: str) -> bool:
        """Ask to stop a fax; False when it is too late, or when the carrier has no such fax any more."""
        try:
            await self._call("POST", f"/faxes/{_segment(carrier_fax_id)}/actions/cancel")
        except CarrierError as error:
            if error.status in (404, 422):
                return False
            raise
        return True

    async def refresh(self, carrier_fax_id: str) -> None:
        """Renew the link to a received document; the new one is in ``fax()``."""
        await self._call("POST", f"/faxes/{_segment(carrier_fax_id)}/actions/refresh")

    async def upload(self, name: str, content: bytes, media_type: str) -> None:
        """Put a document into media storage (``POST /media``), or ``PUT`` where the name is taken: safe to repeat.

        Raises Refusal(DOCUMENT_TOO_LARGE) beyond 20 MB.
        """
        if len(content) > MAX_MEDIA_BYTES:
            raise refuse(
                Kind.DOCUMENT_TOO_LARGE,
                f"the document has {len(content):,} bytes as a fax; the carrier stores at most {MAX_MEDIA_BYTES:,}. "
                "Please send it in parts, or with fewer pictures",
            )
        try:
            await self._store("POST", "/media", name, content, media_type)
        except CarrierError as refused:
            if refused.status not in (409, 422):
                raise
            await self._replace(name, content, media_type, refused)

    async def remove(self, name: str) -> None:
        """Delete a document from media storage; a missing one is no error."""
        try:
            await self._call("DELETE", f"/media/{_segment(name)}")
        except CarrierError as error:
            if error.status != 404:
                raise

    async def forget(self, carrier_fax_id: str) -> None:
        """Delete a fax that is at its end (``DELETE /faxes/{id}``); a missing one is no error."""
        try:
            await self._call("DELETE", f"/faxes/{_segment(carrier_fax_id)}")
        except CarrierError as error:
            if error.status != 404:
                raise

    async def text(self, from_number: str, to_number: str, words: str) -> None:
        """Send a text (``POST /messages``)."""
        await self._call("POST", "/messages", json={"from": from_number, "to": to_number, "text": words})

    async def check(self) -> str:
        """List one fax, which needs a valid API key and changes nothing."""
        try:
            await self._call("GET", "/faxes", params={"page[size]": "1", "page[number]": "1"})
        except CarrierError as error:
            if error.status not in (401, 403):
                raise
            message = f"{self._base_url} does not accept the API key ({error.status})"
            raise CarrierError(message, error.status) from None
        return f"{self._base_url} answers and accepts the API key"

    def event(self, raw: bytes) -> CarrierEvent:
        """Read the body of a webhook (already verified). Raises ValueError when it is malformed."""
        try:
            return dialect.event(json.loads(raw, parse_constant=_no_constant))
        except RecursionError:
            raise ValueError("the event is nested too deeply") from None

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()

    async def _store(self, method: str, path: str, name: str, content: bytes, media_type: str) -> None:
        form = aiohttp.FormData({"media_name": name, "ttl_secs": str(int(MEDIA_TTL.total_seconds()))})
        form.add_field("media", content, filename=name, content_type=media_type)
        await self._call(method, path, data=form, timeout=_UPLOAD_TIMEOUT)

    async def _replace(self, name: str, content: bytes, media_type: str, refused: CarrierError) -> None:
        """Replace a stored document; when there is none, it was refused for another reason, which is raised."""
        try:
            await self._store("PUT", f"/media/{_segment(name)}", name, content, media_type)
        except CarrierError as error:
            raise (refused if error.status == 404 else error) from None

    async def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """Return the JSON object of a 2xx answer ({} when it has no body). Raises CarrierError for all else."""
        try:
            status, _, body = await self._ask(method, path, **request)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            message = f"no answer from the carrier: {str(error) or type(error).__name__}"
            raise CarrierError(answers.shortened(message)) from error
        if not 200 <= status < 300:
            raise CarrierError(f"the carrier answered {answers.told(status, body)}", status)
        answer = {} if body == b"" else answers.read_json(body)
        if not isinstance(answer, dict):
            raise CarrierError(f"the carrier answered {status} without the JSON it should have", status)
        return answer

    async def _ask(self, method: str, path: str, **request: Any) -> tuple[int, Mapping[str, str], bytes | None]:
        """Make one request and return status, headers and body; the body is None when it did not come whole."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                headers={"Authorization": f"Bearer {self._api_key}", "Accept": "application/json"},
            )
        url = URL(self._base_url + path, encoded=True)
        async with self._session.request(method, url, allow_redirects=False, **request) as response:
            return response.status, response.headers, await _body(response)


def _checked(base_url: str) -> str:
    try:
        url = URL(base_url)
        usable = url.scheme in ("http", "https") and bool(url.host) and not url.query_string
    except ValueError:
        usable = False
    if not usable:
        raise ConfigurationError(
            f"[carrier.telnyx] base_url {base_url!r} is no URL; it is usually https://api.telnyx.com/v2"
        )
    return base_url.rstrip("/")


def _no_constant(word: str) -> float:
    """NaN and Infinity are no JSON (RFC 8259, section 6), and no database takes them as such."""
    raise ValueError(f"{word} is no JSON")


def _segment(name: str) -> str:
    """Return *name* as one segment of a path; an empty one would address the whole list."""
    if name in ("", ".", ".."):
        raise CarrierError("the carrier has nothing without a name", 404)
    return quote(name, safe="")


async def _body(response: aiohttp.ClientResponse) -> bytes | None:
    body = bytearray()
    try:
        async for chunk in response.content.iter_chunked(1 << 16):
            body += chunk
            if len(body) > _MAX_ANSWER:
                return None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None
    return bytes(body)
