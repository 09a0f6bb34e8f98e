"""Identifiers: time-ordered UUIDs (RFC 9562, version 7) and random secrets."""

import hashlib
import hmac
import secrets
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new version 7 UUID; later calls sort after earlier ones."""
    return uuid7()


def new_token() -> str:
    """Return 256 random bits as 43 URL-safe characters."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """Return the SHA-256 of *token* in hex: what is stored instead of a secret."""
    return hashlib.sha256(token.encode()).hexdigest()


def keyed_digest(key: bytes, text: str) -> str:
    """Return the HMAC-SHA-256 of *text* in hex: the same for the same text, and nobody without the key can tell it."""
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def parse_id(text: str) -> UUID | None:
    """Read a fax id in any form that clients use: with or without dashes, or behind Kazoo's ``YYYYMM-``."""
    tail = text[7:] if len(text) in {39, 43} and text[6] == "-" and text[:6].isdigit() else text
    try:
        return UUID(tail)
    except ValueError:
        return None
