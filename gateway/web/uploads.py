"""Requests in several parts: each file goes straight to the disk, and the whole stays within a size and a time."""

import asyncio
import base64
import binascii
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, MultipartReader, web

from gateway.dialects.telnyx import clean
from gateway.document import MOST_DOCUMENTS, media_type_in
from gateway.intake.submit import Supplied
from gateway.store.blobs import Blobs, Spool
from gateway.web.body import FIRST_SECONDS, MAX_JSON, MIN_RATE, parsed
from gateway.web.errors import Fault

_JSON = frozenset({"application/json", "application/x-json"})
_BASE64 = frozenset({"application/base64", "application/x-base64"})
_CHUNK = 1 << 16
_SPACE = re.compile(rb"\s+")
#: How much of a data URI may stand before its bytes.
_MOST_PREFIX = 256


@dataclass(slots=True)
class Upload:
    """The parts of a request: JSON values in their order, and files, written and not sealed. In the place of a value
    that cannot be read stands the ValueError that says why."""

    values: list[object] = field(default_factory=list)
    files: list[Supplied] = field(default_factory=list)


@asynccontextmanager
async def received(request: web.Request, blobs: Blobs) -> AsyncIterator[Upload]:
    """Yield the parts of a multipart request, or a body that is one file. The files that nobody has sealed by the end
    of the block are dropped.

    Raises Fault: 400 for a malformed body, 408 for one that comes too slowly, 413 for one that is too large or has too
    many files.
    """
    with ExitStack() as stack:
        reader = _Reader(request, blobs, stack)
        seconds = FIRST_SECONDS + reader.limit / MIN_RATE
        try:
            async with asyncio.timeout(seconds):
                upload = await reader.read()
        except TimeoutError:
            raise Fault(408, "the body of the request came too slowly", headers={"Connection": "close"}) from None
        yield upload


class _Reader:
    def __init__(self, request: web.Request, blobs: Blobs, stack: ExitStack) -> None:
        self.limit = request.client_max_size or 0
        self._request = request
        self._blobs = blobs
        self._stack = stack
        self._size = 0
        self._upload = Upload()

    async def read(self) -> Upload:
        if (self._request.content_length or 0) > self.limit:
            raise self._too_large()
        if not self._request.content_type.startswith("multipart/"):
            spool = self._spool(self._request.content_type, "")
            async for chunk in self._request.content.iter_any():
                self._write(spool, chunk)
            return self._upload
        try:
            await self._parts(MultipartReader(self._request.headers, self._request.content), nested=False)
        except (ValueError, AssertionError, RuntimeError) as error:
            if isinstance(error, web.HTTPException):
                raise
            raise Fault(400, "the body of the request is no multipart message (RFC 2046)") from error
        return self._upload

    async def _parts(self, reader: MultipartReader, *, nested: bool) -> None:
        while (part := await reader.next()) is not None:
            if isinstance(part, MultipartReader):
                if nested:
                    raise Fault(400, "the parts of the request are nested too deeply")
                await self._parts(part, nested=True)
            else:
                await self._part(part)

    async def _part(self, part: BodyPartReader) -> None:
        media_type = media_type_in(part.headers.get("Content-Type", ""))
        if media_type in _JSON or (part.filename is None and media_type in {"", "text/plain"}):
            self._upload.values.append(await self._json(part))
            return
        encoded = media_type in _BASE64 or part.headers.get("Content-Transfer-Encoding", "").lower() == "base64"
        decoder = _Base64(data_uri=media_type in _BASE64) if encoded else None
        spool = self._spool("" if media_type in _BASE64 else media_type, part.filename or "")
        while chunk := await part.read_chunk(_CHUNK):
            self._write(spool, chunk if decoder is None else decoder.feed(chunk), len(chunk))
        if decoder is not None:
            self._write(spool, decoder.end(), 0)

    async def _json(self, part: BodyPartReader) -> object:
        raw = bytearray()
        while chunk := await part.read_chunk(_CHUNK):
            raw += chunk
            if len(raw) > MAX_JSON:
                raise Fault(413, f"a JSON part may have {MAX_JSON:,} bytes", headers={"Connection": "close"})
        if part.headers.get("Content-Transfer-Encoding", "").lower() == "base64":
            raw = bytearray(_decoded(bytes(raw)))
        try:
            return parsed(bytes(raw))
        except ValueError as error:
            return error

    def _spool(self, media_type: str, name: str) -> Spool:
        if len(self._upload.files) == MOST_DOCUMENTS:
            sentence = f"a fax is made of {MOST_DOCUMENTS} files at most; join some of them"
            raise Fault(413, sentence, headers={"Connection": "close"})
        spool = self._blobs.spool()
        self._stack.callback(spool.discard)
        self._upload.files.append(Supplied(spool, media_type, str(clean(name))[:255]))
        return spool

    def _write(self, spool: Spool, data: bytes, size: int | None = None) -> None:
        self._size += len(data) if size is None else size
        if self._size > self.limit:
            raise self._too_large()
        spool.write(data)

    def _too_large(self) -> Fault:
        sentence = f"the body of the request is larger than {self.limit:,} bytes"
        return Fault(413, sentence, headers={"Connection": "close"})


class _Base64:
    """Decodes base64 (RFC 4648) that comes in pieces, in lines, and perhaps as a data URI (RFC 2397)."""

    def __init__(self, *, data_uri: bool) -> None:
        self._rest = b""
        self._prefix = data_uri

    def feed(self, chunk: bytes) -> bytes:
        """Return what can be decoded by now."""
        text = self._rest + _SPACE.sub(b"", chunk)
        if self._prefix:
            if len(text) < _MOST_PREFIX:
                self._rest = text
                return b""
            text = self._without_prefix(text)
        whole = len(text) // 4 * 4
        self._rest = text[whole:]
        return _decoded(text[:whole])

    def end(self) -> bytes:
        """Return the rest."""
        text = self._without_prefix(self._rest) if self._prefix else self._rest
        return _decoded(text + b"=" * (-len(text) % 4))

    def _without_prefix(self, text: bytes) -> bytes:
        self._prefix = False
        return text.partition(b",")[2] if text.startswith(b"data:") else text


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise Fault(400, "a part of the request says that it is base64, and is not") from None
