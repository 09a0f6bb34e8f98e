"""What is said to Telnyx's fax API and what its answers prove: JSON in, our words out. No I/O."""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from gateway.attempt import Handle
from gateway.carrier_event import CarrierFax
from gateway.carriers.carrier import Accepted, CarrierError, HandingOver, Order, Rejected, Throttled, Unknown
from gateway.dialects import telnyx as dialect

#: Statuses that say for certain that no fax was made.
_REFUSALS = frozenset({400, 401, 403, 404, 422})
_SHORTEST_WAIT, _USUAL_WAIT, _LONGEST_WAIT = timedelta(seconds=1), timedelta(seconds=30), timedelta(minutes=10)
_NOT_IN_DISPLAY_NAME = re.compile(r"[^A-Za-z0-9 _~!.+-]")


def fax_request(order: Order) -> dict[str, object]:
    """Return the body of ``POST /faxes``; media_name excludes store_media, which is off by default."""
    request: dict[str, object] = {
        "connection_id": order.connection_id,
        "to": order.to_number,
        "from": order.from_number,
        "client_state": order.client_state,
        "quality": order.quality.value,
    }
    if order.handle_kind is Handle.MEDIA:
        request["media_name"] = order.handle
    else:
        request |= {"media_url": order.handle, "store_media": False}
    if display_name := _display_name(order.from_name):
        request["from_display_name"] = display_name
    if not order.t38:
        request["t38_enabled"] = False
    if order.monochrome:
        request["monochrome"] = True
    if order.webhook_url:
        request["webhook_url"] = order.webhook_url
    return request


def _display_name(name: str) -> str:
    """Return *name* in the characters that Telnyx takes, letters without their accents; at most 128."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return " ".join(_NOT_IN_DISPLAY_NAME.sub(" ", plain).split())[:128]


def outcome(status: int, headers: Mapping[str, str], body: bytes | None, order: Order) -> HandingOver:
    """Say what an answer to ``POST /faxes`` proves. The detail shows no handle: who has it can read the document."""
    if 200 <= status < 300:
        fax_id = _fax_id(body)
        return Accepted(fax_id) if fax_id else Unknown(f"the carrier answered {status} without the id of a fax")
    if status == 429:
        return Throttled(_wait(headers))
    detail = told(status, body, secret=order.handle)
    if status in _REFUSALS:
        return Rejected(dialect.UNAUTHENTICATED if status == 401 else dialect.REJECTED, detail)
    return Unknown(f"the carrier answered {detail}")


def _fax_id(body: bytes | None) -> str:
    answer = read_json(body)
    data = answer.get("data") if isinstance(answer, dict) else None
    try:
        return dialect.carrier_fax(data).id if isinstance(data, dict) else ""
    except ValueError:
        return ""


def _wait(headers: Mapping[str, str]) -> timedelta:
    """Return how long a 429 asks to wait: Retry-After (seconds or a date) or x-ratelimit-reset (seconds)."""
    for name in ("Retry-After", "x-ratelimit-reset"):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
            return _clamped(timedelta(seconds=float(value)))
        try:
            date = parsedate_to_datetime(value)
        except ValueError:
            continue
        return _clamped((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC))
    return _USUAL_WAIT


def _clamped(wait: timedelta) -> timedelta:
    return min(max(wait, _SHORTEST_WAIT), _LONGEST_WAIT)


def listed_faxes(answer: dict[str, Any]) -> list[CarrierFax]:
    """Return the faxes on one page of the list. Raises CarrierError when it is none or cannot be read whole."""
    listed = answer.get("data")
    if not isinstance(listed, list):
        raise CarrierError("the carrier's list is no list", 200)
    return [read_fax(obj) for obj in listed]


def read_fax(obj: object) -> CarrierFax:
    """Return the fax of an answer's ``data``. Raises CarrierError when it is none."""
    try:
        return dialect.carrier_fax(obj if isinstance(obj, dict) else {})
    except ValueError as error:
        raise CarrierError(f"the carrier names a fax that cannot be read: {error}", 200) from error


def is_last(answer: dict[str, Any], page: int, listed: list[CarrierFax], seen: int) -> bool:
    """Whether *page* ends the list: it is empty, or meta says so and what it counts has all been seen."""
    if not listed:
        return True
    meta = answer.get("meta")
    total_pages = meta.get("total_pages") if isinstance(meta, dict) else None
    total = meta.get("total_results") if isinstance(meta, dict) else None
    complete = not isinstance(total, int) or seen >= total
    return isinstance(total_pages, int) and page >= total_pages and complete


def read_json(body: bytes | None) -> object:
    """Return what *body* holds, None when it is missing or no JSON."""
    try:
        answer: object = json.loads(body or b"")
    except (ValueError, RecursionError):
        return None
    return answer


def told(status: int, body: bytes | None, secret: str = "") -> str:
    """Return the status and what the error envelope ``{"errors": [{code, title, detail, source}]}`` says."""
    answer = read_json(body)
    errors = answer.get("errors") if isinstance(answer, dict) else None
    sentences = [_sentence(error) for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
    text = "; ".join(sentences)
    return shortened(f"{status} {text.replace(secret, '(the document)') if secret else text}")


def _sentence(error: dict[str, Any]) -> str:
    source = error.get("source")
    pointer = source.get("pointer") or source.get("parameter") if isinstance(source, dict) else None
    text = str(error.get("detail") or error.get("title") or error.get("code") or "")
    return f"{pointer}: {text}" if pointer else text


def shortened(text: str) -> str:
    """Return *text* as one printable line of at most 300 characters."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:300]
