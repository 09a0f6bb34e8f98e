"""The Ed25519 signature of webhooks, in Telnyx's scheme (developers.telnyx.com, "Webhook signing").

Signed is ``timestamp|raw body``. Telnyx signs what it sends us, the emulator does the same, and the gateway signs its
own webhooks so that Telnyx's libraries can verify them.
"""

import base64
import re
from collections.abc import Iterable
from enum import StrEnum

from nacl.exceptions import CryptoError
from nacl.signing import SigningKey, VerifyKey

SIGNATURE_HEADER = "telnyx-signature-ed25519"
TIMESTAMP_HEADER = "telnyx-timestamp"

#: How far, in seconds, a webhook's time may be from ours; the same as in Telnyx's own libraries.
TOLERANCE = 300


class Signature(StrEnum):
    """What a webhook's signature proves."""

    VALID = "valid"
    FORGED = "forged"  # not signed, not by the owner of the key, or there is no key to tell
    STALE = "stale"  # rightly signed, at another time: a replay, or a clock is wrong


def sign(seed: bytes, timestamp: str, raw: bytes) -> str:
    """Return the Base64 signature of *raw* at *timestamp* (Unix seconds); *seed* is the private key's 32 bytes."""
    return base64.b64encode(SigningKey(seed).sign(_signed(timestamp, raw)).signature).decode()


def public_key(seed: bytes) -> str:
    """Return the public key that belongs to *seed*, as Telnyx shows it: Base64 of 32 bytes."""
    return base64.b64encode(bytes(SigningKey(seed).verify_key)).decode()


def verify(public_key_b64: str, signature_b64: str, timestamp: str, raw: bytes, now: float) -> Signature:
    """Check the headers and the *raw* body of a webhook at *now* (Unix seconds); never raises for what they hold."""
    try:
        key = VerifyKey(base64.b64decode(public_key_b64, validate=True))
        key.verify(_signed(timestamp, raw), base64.b64decode(signature_b64, validate=True))
    except (ValueError, TypeError, CryptoError):
        return Signature.FORGED
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or abs(now - int(timestamp)) > TOLERANCE:
        return Signature.STALE
    return Signature.VALID


def verify_any(public_keys: Iterable[str], signature_b64: str, timestamp: str, raw: bytes, now: float) -> Signature:
    """Check a webhook against several keys, as while the carrier changes its own; no key at all means FORGED."""
    found = {verify(key, signature_b64, timestamp, raw, now) for key in public_keys}
    return next((each for each in (Signature.VALID, Signature.STALE) if each in found), Signature.FORGED)


def _signed(timestamp: str, raw: bytes) -> bytes:
    return timestamp.encode("ascii") + b"|" + raw
