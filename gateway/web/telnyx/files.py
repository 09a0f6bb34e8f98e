"""Documents as files to save."""

import asyncio
import os
from urllib.parse import quote

from aiohttp import web

from gateway.store.blobs import Blobs

CHUNK = 1 << 18


async def stream(request: web.Request, blobs: Blobs, blob: str, content_type: str, name: str) -> web.StreamResponse:
    """Answer a blob as a file to save, which no browser shall open as a page of ours. Raises Refusal(NOT_FOUND)."""
    with await blobs.opened(blob) as file:
        headers = {
            "Content-Type": content_type,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": "sandbox",
            "Cache-Control": "no-store",
            "Content-Length": str(os.fstat(file.fileno()).st_size),
        }
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        while request.method != "HEAD" and (chunk := await asyncio.to_thread(file.read, CHUNK)):
            await response.write(chunk)
        await response.write_eof()
    return response
