"""The answers of confined processes, checked before they are believed."""

from dataclasses import asdict
from typing import Any, TypeVar

from gateway.document import (
    MOST_DOCUMENTS,
    OFFICE,
    Automatic,
    Inspection,
    Offers,
    Part,
    Reading,
    RenderedDocument,
    Report,
    Signature,
    StampedDocument,
)
from gateway.sandbox.wire import Garbled, Header, reason_from

#: Beyond any document that is opened.
_MOST_PAGES = 1_000_000

T = TypeVar("T", str, int, bool)


def reading_header(reading: Reading) -> Header:
    """Return *reading* as the answer of a reader."""
    told = {name: getattr(reading, name) for name in Reading.__slots__}
    told["parts"] = [part.facts() for part in reading.parts]
    told["refusal"] = None if reading.refusal is None else asdict(reading.refusal)
    return {"reading": told}


def reading_from(value: object) -> Reading:
    """Read a ``reading``; raises Garbled."""
    known = _header(value)
    parts = known.get("parts")
    if not isinstance(parts, list):
        raise Garbled("no parts")
    refusal = known.get("refusal")
    return Reading(
        parts=tuple(_part(part) for part in parts),
        message_id=_get(known, "message_id", str),
        header_from=_get(known, "header_from", str),
        subject=_get(known, "subject", str),
        automatic=_automatic(known),
        body_digest=_get(known, "body_digest", str),
        refusal=None if refusal is None else reason_from(refusal),
    )


def _part(value: object) -> Part:
    known = _header(value)
    return Part(
        index=_get(known, "index", int),
        name=_get(known, "name", str),
        media_type=_get(known, "media_type", str),
        size=_get(known, "size", int),
        used=_get(known, "used", bool),
        pages=_get(known, "pages", int),
        why=_get(known, "why", str),
    )


def note_from(value: object) -> str:
    """Read a ``note``; raises Garbled."""
    return _get({"note": value}, "note", str)


def inspection_from(value: object) -> Inspection:
    """Read an ``inspection``; raises Garbled."""
    known = _header(value)
    return Inspection(_get(known, "media_type", str), _get(known, "pages", int), _get(known, "size", int))


def rendered_from(value: object) -> RenderedDocument:
    """Read a ``rendered``; raises Garbled."""
    known = _header(value)
    sizes = (_get(known, name, int) for name in ("pages", "tiff_bytes", "pdf_bytes", "preview_bytes"))
    return RenderedDocument(*sizes)


def foreign_from(value: object) -> list[tuple[int, str, str]]:
    """Read a ``foreign``: place, ending and label of each document that LibreOffice must open; raises Garbled."""
    if not isinstance(value, list) or not 0 < len(value) <= MOST_DOCUMENTS:
        raise Garbled("no documents")
    known = [_header(entry) for entry in value]
    found = [(_get(one, "at", int), _get(one, "ending", str), _get(one, "label", str)[:200]) for one in known]
    if any(ending not in OFFICE.values() for _, ending, _ in found):
        raise Garbled("no such ending")
    return found


def stamped_from(value: object) -> StampedDocument:
    """Read a ``stamped``; raises Garbled."""
    known = _header(value)
    return StampedDocument(_get(known, "pages", int), _get(known, "pdf_bytes", int))


def step_from(value: object) -> tuple[int, int, str, int]:
    """Read a ``step``: pages done, pages in all, and the document and page that come next; raises Garbled."""
    known = _header(value)
    done, total, page = (_get(known, name, int) for name in ("done", "total", "page"))
    if not done <= total <= _MOST_PAGES:
        raise Garbled("no such progress")
    return done, total, _get(known, "label", str)[:200], page


def converted_from(value: object) -> int:
    """Read the pages of a ``converted``; raises Garbled."""
    return _get({"pages": value}, "pages", int)


def pictured_from(value: object) -> int:
    """Read the bytes of a ``pictured``; raises Garbled."""
    return _get({"bytes": value}, "bytes", int)


def offers_from(value: object) -> Offers:
    """Read the ``offers`` of a mail; raises Garbled."""
    known = _header(value)
    relayed = _list(known, "relayed")
    if not all(isinstance(found, list) and [type(part) for part in found] == [str, str, str] for found in relayed):
        raise Garbled("no results")
    signatures = tuple(_signature(signature) for signature in _list(known, "signatures"))
    results = tuple((found[0], found[1], found[2]) for found in relayed)
    header_from, body_digest, doubled = (_get(known, name, str) for name in ("header_from", "body_digest", "doubled"))
    return Offers(header_from, _get(known, "written_at", int), body_digest, doubled, signatures, results)


def report_from(value: object) -> Report:
    """Read the ``report`` of a bounce; raises Garbled."""
    known = _header(value)
    return Report(_get(known, "message_id", str), _get(known, "failed", bool), _get(known, "why", str)[:1000])


def _signature(value: object) -> Signature:
    known = _header(value)
    domain, selector = (_get(known, name, str) for name in ("domain", "selector"))
    addressed = _list(known, "addressed")
    if not all(isinstance(address, str) for address in addressed):
        raise Garbled("no addresses")
    return Signature(_get(known, "number", int), domain, selector, tuple(addressed))


def verified_from(value: object) -> dict[int, str]:
    """Read the ``verified`` signatures of a mail; raises Garbled."""
    if not isinstance(value, list):
        raise Garbled("no verdicts")
    pairs = [{"number": pair[0], "fault": pair[1]} for pair in value if isinstance(pair, list) and len(pair) == 2]
    return {_get(pair, "number", int): _get(pair, "fault", str) for pair in pairs}


def _list(known: Header, name: str) -> list[Any]:
    value = known.get(name)
    if not isinstance(value, list):
        raise Garbled(f"no {name}")
    return value


def _automatic(known: Header) -> Automatic:
    try:
        return Automatic(_get(known, "automatic", str))
    except ValueError:
        raise Garbled("no such kind of automatic mail") from None


def _header(value: object) -> Header:
    if not isinstance(value, dict):
        raise Garbled("no object")
    return value


def _get(known: Header, name: str, kind: type[T]) -> T:
    value = known.get(name)
    if type(value) is not kind or (isinstance(value, int) and value < 0):
        raise Garbled(f"no {name}")
    return value
