"""What the parts of a mail are, by their declared types, and the sentences that say why most of them are not faxed."""

from gateway.document import FAXABLE, MediaType
from gateway.mail.structure import Leaf

#: Types, and endings of file names, that claim to be a document.
DECLARED = {claim: kind for claim, kind in FAXABLE.items() if kind in {MediaType.PDF, MediaType.TIFF}}

#: Types that say nothing; the name of the file then counts as a claim.
GENERIC = frozenset(
    {"application/octet-stream", "application/binary", "application/download", "application/force-download"}
)

_ONLY = "only PDF and TIFF documents are faxed"

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
    kind = leaf.headers.media_type
    parent = leaf.around[-1] if leaf.around else ""
    if parent == "multipart/signed" and leaf.place > 0:
        return "the mail's signature"
    if parent == "multipart/encrypted":
        return "encrypted; send it without encryption"
    if kind in _CERTAIN:
        return _CERTAIN[kind]
    if kind in {"text/plain", "text/html"} and not name and leaf.headers.disposition != "attachment":
        return f"the text of {'an attached' if leaf.forwarded else 'the'} mail is not faxed"
    if certain:
        return ""
    return _BY_KIND.get(kind.partition("/")[0], f"a file of another type; {_ONLY}")
