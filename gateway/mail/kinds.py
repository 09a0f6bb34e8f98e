"""What the parts of a mail are, by their declared types, and the sentences that say why most of them are not faxed."""

import re

from gateway.document import FAXABLE_NAMES, MediaType
from gateway.mail.structure import GENERIC, Leaf, meant_type

#: Documents that are logos as often as pages.
PICTURES = frozenset({MediaType.PNG, MediaType.JPEG, MediaType.GIF, MediaType.WEBP, MediaType.HEIC})

#: A picture of fewer dots and fewer bytes, or of a smaller side, is a logo, an icon or a line.
LEAST_DOTS, LEAST_BYTES, LEAST_SIDE = 200_000, 100_000, 100

SHOWN = "a picture shown in the text of the mail; attach it as a file to have it faxed"
SMALL = "a small picture, like a logo; a picture to be faxed must be larger"

TEXT = "the text of the mail is not faxed"
TEXT_OF_ATTACHED = "the text of an attached mail is not faxed"

#: What Exchange makes of text between attachments.
_PIECE_OF_TEXT = re.compile(r"ATT[0-9]{5}\.(txt|html?)", re.IGNORECASE)

_ONLY = f"what is faxed is {FAXABLE_NAMES}"

#: Parts that are never looked into.
_CERTAIN = {
    "application/pgp-signature": "the mail's signature",
    "application/pkcs7-signature": "the mail's signature",
    "application/x-pkcs7-signature": "the mail's signature",
    "application/pgp-encrypted": "encrypted; send it without encryption",
    "application/pkcs7-mime": "encrypted or sealed (S/MIME); send it as a plain mail",
    "application/x-pkcs7-mime": "encrypted or sealed (S/MIME); send it as a plain mail",
    "application/ms-tnef": "Outlook's own format (winmail.dat); set Outlook to send HTML or plain text",
    "application/vnd.ms-tnef": "Outlook's own format (winmail.dat); set Outlook to send HTML or plain text",
    "application/applefile": "a Macintosh file's resource fork",
    "message/rfc822": "a mail within an attached mail; attach its documents themselves",
    "message/external-body": "a link to a file elsewhere; attach the file itself",
    "message/partial": "a piece of a mail that was sent in pieces; send it whole",
    "text/calendar": f"an invitation; {_ONLY}",
}

_BY_KIND = {
    "image": f"a picture; {_ONLY}",
    "audio": f"a recording; {_ONLY}",
    "video": f"a recording; {_ONLY}",
    "text": f"a text file; {_ONLY}",
    "message": f"a mail system's report; {_ONLY}",
    "multipart": f"a damaged group of parts; {_ONLY}",
}


def why_ignored(leaf: Leaf, name: str, *, certain: bool = False) -> str:
    """Return the sentence that says why *leaf* is not faxed; with *certain*, "" when its content may still decide."""
    kind = meant_type(leaf.headers)
    parent = leaf.around[-1] if leaf.around else ""
    if parent == "multipart/signed" and leaf.place > 0:
        return "the mail's signature"
    if parent == "multipart/encrypted":
        return "encrypted; send it without encryption"
    if kind == MediaType.MAIL and leaf.headers.media_type in GENERIC and not leaf.forwarded:
        kind = leaf.headers.media_type  # a mail would have been opened
    if kind in _CERTAIN:
        return _CERTAIN[kind]
    if kind in {"text/plain", "text/html", "text/rtf"} and (why := _why_text(leaf, name)):
        return why
    if certain:
        return ""
    return _BY_KIND.get(kind.partition("/")[0], f"a file of another type; {_ONLY}")


def _why_text(leaf: Leaf, name: str) -> str:
    if _PIECE_OF_TEXT.fullmatch(name):
        return "a piece of the mail's text"
    if name or leaf.headers.disposition == "attachment":
        return ""
    return TEXT_OF_ATTACHED if leaf.forwarded else TEXT


def is_small(size: int, extent: tuple[int, int] | None) -> bool:
    """Say whether a picture of *size* bytes and *extent* in dots is too small to be meant as a page; one that cannot
    be measured is not."""
    if extent is None:
        return False
    width, height = extent
    return min(extent) < LEAST_SIDE or (width * height < LEAST_DOTS and size < LEAST_BYTES)
