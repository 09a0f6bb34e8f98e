"""Bodies of requests: JSON objects, and forms with files."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, web

from gateway.dialects.telnyx import clean
from gateway.document import media_type_in
from gateway.store.blobs import Blobs, Spool
from gateway.web.body import FIRST_SECONDS, MAX_JSON, MIN_RATE, parsed, read_body
from gateway.web.errors import Fault
from gateway.web.telnyx.answers import invalid

_MAX_PARTS, _MAX_TEXT = 64, 65_536
_CHUNK = 1 << 16
_FORM, _URLENCODED = "multipart/form-data", "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, written and not yet sealed."""

    spool: Spool
    media_type: str
    name: str


@dataclass(slots=True)
class Form:
    """A body. The fields of a form are texts, of which a repeated one is a list; ``typed`` is True for JSON."""

    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, list[Upload]] = field(default_factory=dict)
    typed: bool = True

    def add(self, name: str, text: str) -> None:
        """Add a field; one that comes again, or is called ``name[]``, makes a list."""
        plain = name.removesuffix("[]")
        if plain not in self.fields:
            self.fields[plain] = [text] if name != plain else text
        else:
            had = self.fields[plain]
            self.fields[plain] = [*(had if isinstance(had, list) else [had]), text]


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the JSON object of the body. Raises the fault 400 for anything else."""
    raw = await read_body(request, MAX_JSON)
    try:
        value = clean(parsed(raw))
    except ValueError as error:
        raise Fault(400, str(error)) from None
    if not isinstance(value, dict):
        raise Fault(400, "the body of the request must be a JSON object")
    return value


@asynccontextmanager
async def reading(request: web.Request, blobs: Blobs, limits: Mapping[str, int]) -> AsyncIterator[Form]:
    """Read a body in any of the three encodings. *limits* names the fields that are files, with their bytes at most.
    Files that nobody has sealed when the block ends are dropped."""
    form = Form()
    try:
        await _fill(form, request, blobs, limits)
        yield form
    finally:
        for upload in [each for uploads in form.files.values() for each in uploads]:
            upload.spool.discard()


async def _fill(form: Form, request: web.Request, blobs: Blobs, limits: Mapping[str, int]) -> None:
    if request.content_type == _FORM:
        form.typed = False
        await _parts(form, request, blobs, limits)
    elif request.content_type == _URLENCODED:
        form.typed = False
        await _pairs(form, request)
    else:
        form.fields = await read_object(request)


async def _pairs(form: Form, request: web.Request) -> None:
    raw = await read_body(request, MAX_JSON)
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=_MAX_PARTS)
    except ValueError:
        raise Fault(400, "the body of the request is no form that can be read") from None
    for name, text in pairs:
        form.add(str(clean(name)), str(clean(text)))


async def _parts(form: Form, request: web.Request, blobs: Blobs, limits: Mapping[str, int]) -> None:
    patience = FIRST_SECONDS + sum(limits.values()) / MIN_RATE
    try:
        async with asyncio.timeout(patience):
            reader = await request.multipart()
            count = 0
            while (part := await reader.next()) is not None:
                count += 1
                if count > _MAX_PARTS or not isinstance(part, BodyPartReader) or not part.name:
                    raise Fault(400, f"the form must have at most {_MAX_PARTS} parts, each with a name")
                await _part(form, part, blobs, limits)
    except TimeoutError:
        raise Fault(408, "the form came too slowly; send it again over a faster connection") from None
    except (ValueError, AssertionError, RuntimeError, KeyError):  # what aiohttp raises for a form that is none
        raise Fault(400, "the body of the request is no form that can be read") from None


async def _part(form: Form, part: BodyPartReader, blobs: Blobs, limits: Mapping[str, int]) -> None:
    name = str(clean(part.name or ""))
    if name not in limits:
        form.add(name, str(clean((await _text(part, name)).decode(errors="replace"))))
        return
    media_type, file_name = media_type_in(part.headers.get("Content-Type", "")), str(clean(part.filename or ""))[:255]
    spool = blobs.spool()
    form.files.setdefault(name, []).append(Upload(spool, media_type, file_name))
    while chunk := await part.read_chunk(_CHUNK):
        if spool.size + len(chunk) > limits[name]:
            raise invalid(f"/{name}", f"{name} may have at most {limits[name]:,} bytes", status=422)
        spool.write(chunk)


async def _text(part: BodyPartReader, name: str) -> bytes:
    text = bytearray()
    while chunk := await part.read_chunk(_CHUNK):
        text += chunk
        if len(text) > _MAX_TEXT:
            raise invalid(f"/{name}", f"{name} is longer than {_MAX_TEXT:,} bytes")
    return bytes(text)


def truth(value: object) -> object:
    """Return what a form's text means as true or false, and anything else as it is."""
    with contextlib.suppress(AttributeError):
        return {"true": True, "false": False}.get(value.strip().lower(), value)  # type: ignore[attr-defined]
    return value
