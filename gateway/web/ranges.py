"""Serving a file, or the range of it that is asked for, if it is still wanted (RFC 9110, sections 13 and 14)."""

import asyncio
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO

from aiohttp import web

from gateway.web.errors import Fault

CHUNK = 1 << 18
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked for: *size* bytes of *total*, from the byte *start*; *partial* when a range was asked for."""

    start: int
    size: int
    total: int
    partial: bool


async def serve(request: web.Request, file: BinaryIO, headers: Mapping[str, str]) -> web.StreamResponse:
    """Answer with *file*. *headers* hold its ``ETag``, which conditions are about. Raises Fault: 412, 416."""
    if _is_there(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    part = _part(request, headers["ETag"], os.fstat(file.fileno()).st_size)
    response = web.StreamResponse(status=206 if part.partial else 200, headers={"Accept-Ranges": "bytes", **headers})
    response.content_length = part.size
    if part.partial:
        response.headers["Content-Range"] = f"bytes {part.start}-{part.start + part.size - 1}/{part.total}"
    await response.prepare(request)
    if request.method != "HEAD":
        await _stream(response, file, part)
    await response.write_eof()
    return response


def _is_there(request: web.Request, etag: str) -> bool:
    """Return whether the client has this version already. Raises the fault 412 when it wants another one only."""
    named = etag.strip('"')
    # A weak tag never says that the bytes are the same, and a header that cannot be read says nothing.
    if request.if_match and not any(tag.value in (named, "*") and not tag.is_weak for tag in request.if_match):
        raise Fault(412, "the document is another one than If-Match names")
    return any(tag.value in (named, "*") for tag in request.if_none_match or ())


async def _stream(response: web.StreamResponse, file: BinaryIO, part: Part) -> None:
    file.seek(part.start)
    left = part.size
    while left:
        chunk = await asyncio.to_thread(file.read, min(CHUNK, left))
        if not chunk:
            raise EOFError("the document is shorter than its size")  # ends the connection: the answer is cut off
        await response.write(chunk)
        left -= len(chunk)


def _part(request: web.Request, etag: str, total: int) -> Part:
    """Read the Range header. What is no single range of bytes is ignored, as section 14.2 of RFC 9110 allows."""
    whole = Part(0, total, total, partial=False)
    asked = _RANGE.fullmatch(request.headers.get("Range", "").strip())
    if asked is None or request.headers.get("If-Range", etag) != etag:
        return whole
    first, last = asked.groups()
    if not first and not last:
        return whole
    if first and last and int(last) < int(first):
        return whole
    start = int(first) if first else max(0, total - int(last))
    end = min(int(last), total - 1) if first and last else total - 1
    if start > end:
        sentence = f"the document has {total} bytes; the range that is asked for lies behind them"
        raise Fault(416, sentence, headers={"Content-Range": f"bytes */{total}"})
    return Part(start, end - start + 1, total, partial=True)
