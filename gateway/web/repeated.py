"""Requests that a client repeats since it got no answer: the second is answered with the fax of the first.

Any client may say so with ``Idempotency-Key`` (draft-ietf-httpapi-idempotency-key-header). Telnyx's own libraries
repeat a POST by themselves, three times in all, and count in ``X-Stainless-Retry-Count``: there the same content makes
two requests the same one, but only when the count says that it was a repetition.
"""

import asyncio
import hashlib
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO
from uuid import UUID

from aiohttp import web

from gateway.errors import Kind, refuse
from gateway.ids import digest
from gateway.intake.once import Once

HEADER = "Idempotency-Key"
_COUNT = "X-Stainless-Retry-Count"
_KEPT = timedelta(days=1)
#: Longer than the libraries wait for their answers and between their tries.
_TRIES = timedelta(minutes=15)
_MOST, _MOST_DIGITS = 255, 10


def named(request: web.Request, account_id: UUID) -> Once | None:
    """Return what *request* says about its being the same one, None when it says nothing. Raises Refusal(INVALID)."""
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= _MOST):
        raise refuse(Kind.INVALID, f"{HEADER} must be 1 to {_MOST} printable characters", HEADER)
    return Once(digest(f"key {account_id.hex} {key}"), _KEPT)


async def counted(
    request: web.Request, account_id: UUID, fields: Mapping[str, Any], files: Iterable[BinaryIO], arrived: datetime
) -> Once | None:
    """Return what *request* is when its client counts its tries, None when it does not. *fields* and *files* are its
    content, *arrived* is when it began.

    Of a first try the earlier request with the same content is another one, unless it was taken after this one had
    begun: then its repetition has overtaken it.
    """
    count = request.headers.get(_COUNT, "")
    if not (count.isascii() and count.isdigit() and len(count) < _MOST_DIGITS):
        return None
    sums = [await asyncio.to_thread(_sum, file) for file in files]
    content = json.dumps([account_id.hex, dict(fields), sums], sort_keys=True, default=str)
    return Once(digest(f"tries {content}"), _TRIES, arrived if int(count) == 0 else datetime.now(UTC) - _TRIES)


def _sum(file: BinaryIO) -> str:
    file.seek(0)
    found = hashlib.sha256()
    while chunk := file.read(1 << 20):
        found.update(chunk)
    return found.hexdigest()
