"""What a mail offers as evidence of its sender (the sandbox's readers call this; nothing else may).

In two passes, since a reader asks nobody: ``offers`` names what would have to be looked up in the DNS, ``verify`` takes
what was found there. DKIM is RFC 6376 with the algorithms of RFC 8301 and 8463.
"""

import logging
import re
from collections.abc import Mapping
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256

import authres
import dkim
from dkim.util import InvalidTagValueList, parse_tag_value

from gateway.document import Offers, Signature
from gateway.mail.headers import Headers, plain_address

MOST_SIGNATURES = 20
MOST_ADDRESSES = 200
MOST_RESULTS = 20
#: Fields that may stand in a mail once (RFC 5322, 3.6; RFC 2045). A signature covers the lowest of several, whoever
#: sends the mail on may put another one above it, and readers look at that.
SINGLE = (
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
)
_MOST_CHARACTERS = 16_000
#: What may be more or less than was signed, by the one or the other canonicalization (RFC 6376, 3.4).
_BLANKS = b" \t\r\n"
_ALGORITHMS = {b"rsa-sha256", b"ed25519-sha256"}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")


def _without_trailing_whitespace(content: bytes) -> bytes:
    return re.sub(b"[\t ]+", b" ", content).replace(b" \r\n", b"\r\n")


# The library's own, for relaxed bodies, takes the square of a row of spaces: 47 seconds for 200 KB. The result, where
# every row becomes one space next, is the same.
dkim.canonicalization.strip_trailing_whitespace = _without_trailing_whitespace

_log = logging.getLogger("dkimpy")
_log.addHandler(logging.NullHandler())
_log.propagate = False


def offers(message: bytes, authserv: str) -> Offers:
    """Return who *message* says it is from, its signatures and what they cover, and what the relay that calls itself
    *authserv* says of it ("" for no relay). Raises Refusal(MESSAGE_UNREADABLE) beyond the parser's limits."""
    headers, start = Headers.read(message, 0, len(message))
    return Offers(
        header_from=plain_address(headers.all("From")),
        written_at=_written_at(headers.get("Date")),
        body_digest=sha256(message[start:].translate(None, _BLANKS)).hexdigest(),
        doubled=next((name for name in SINGLE if len(headers.all(name)) > 1), ""),
        signatures=tuple(_signatures(headers)),
        relayed=tuple(_relayed(headers, authserv)) if authserv else (),
    )


def verify(message: bytes, records: Mapping[str, str], which: list[int]) -> dict[int, str]:
    """Verify the signatures numbered *which* against the key *records* by DNS name; return what is wrong with each,
    "" for a valid one."""
    if not which:
        return {}
    signed = dkim.DKIM(bytes(message), logger=_log, minkey=1024)
    return {number: _fault(signed, number, records) for number in which}


def _fault(signed: dkim.DKIM, number: int, records: Mapping[str, str]) -> str:
    def record(name: bytes, timeout: int = 0) -> bytes | None:
        found = records.get(name.decode("ascii", "replace").rstrip(".").lower())
        return None if found is None else found.encode("utf-8", "surrogateescape")

    try:
        return "" if signed.verify(number, dnsfunc=record) else "the signature does not fit"
    except dkim.ValidationError as error:
        return "the body was changed" if "body hash" in str(error) else "the signature is not valid"
    except dkim.KeyFormatError:
        return "its key cannot be used"
    except Exception:  # what a stranger writes into a signature or a record ends here: it proves nothing
        return "the signature cannot be read"


def _signatures(headers: Headers) -> list[Signature]:
    addressed = {name: _addresses(headers.get(name)) for name in ("to", "cc")}
    found = (_signature(number, value, addressed) for number, value in enumerate(headers.all("DKIM-Signature")))
    return [signature for signature in found if signature is not None][:MOST_SIGNATURES]


def _addresses(field: str) -> list[str]:
    try:
        return [address for _, address in getaddresses([_ascii(field)])][:MOST_ADDRESSES]
    except RecursionError:  # comments within comments
        return []


def _signature(number: int, value: str, addressed: Mapping[str, list[str]]) -> Signature | None:
    """Return a signature that could prove something; None for the others.

    One with a body length (``l=``) proves nothing of an attachment that was put behind, and one that does not cover the
    Date would be good for ever.
    """
    try:
        tags = parse_tag_value(value.encode("ascii"))
        domain, selector = (tags[name].decode("ascii").strip().lower().rstrip(".") for name in (b"d", b"s"))
        signed = {name.strip().lower() for name in tags[b"h"].split(b":")}
    except (InvalidTagValueList, KeyError, ValueError):
        return None
    if tags.get(b"a") not in _ALGORITHMS or b"l" in tags or not {b"from", b"date"} <= signed:
        return None
    if not _LABEL.fullmatch(domain) or not _LABEL.fullmatch(selector) or len(domain) + len(selector) > 200:
        return None
    covered = [address for name, found in addressed.items() if name.encode() in signed for address in found]
    return Signature(number, domain, selector, tuple(covered))


def _written_at(date: str) -> int:
    try:
        return max(0, int(parsedate_to_datetime(_ascii(date)).timestamp()))
    except (ValueError, TypeError, IndexError, OverflowError, OSError):  # OSError: a year before all clocks
        return 0


def _relayed(headers: Headers, authserv: str) -> list[tuple[str, str, str]]:
    """Return method, result and domain of what the relay found out: from the topmost field that it wrote (RFC 8601).

    Fields below it may have come with the mail. One with the relay's name in it that cannot be read is taken for the
    topmost: the relay repeats what a client called itself, so a client could make it unreadable (``EHLO [192.0.2.1]``
    does) to have a field of his own believed.
    """
    for value in headers.all("Authentication-Results"):
        try:
            field = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {_ascii(value)}")
        except (authres.AuthResError, ValueError, AttributeError, RecursionError):
            if authserv.lower() in value.lower():
                return []
            continue
        if str(field.authserv_id).lower() == authserv.lower():
            return [found for result in field.results[:MOST_RESULTS] if (found := _result(result))]
    return []


def _result(result: object) -> tuple[str, str, str] | None:
    method, outcome = str(getattr(result, "method", "")).lower(), str(getattr(result, "result", "")).lower()
    name = {"dkim": "header_d", "spf": "smtp_mailfrom"}.get(method)
    if name is None:
        return None
    domain = str(getattr(result, name, None) or "").rpartition("@")[2].strip().lower().rstrip(".")
    return (method, outcome, domain) if _LABEL.fullmatch(domain) else None


def _ascii(value: str) -> str:
    return value[:_MOST_CHARACTERS].encode("ascii", "replace").decode("ascii")
