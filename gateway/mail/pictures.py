"""Which pictures of a mail belong to its text (RFC 2387, RFC 2392)."""

import re
from collections.abc import Sequence

from gateway.mail.content import head
from gateway.mail.structure import Leaf

#: So much of an HTML text is searched for the pictures that it shows.
_HTML_BYTES = 1 << 20
_CID = re.compile(rb"cid:([^\"'\s>)]{1,200})", re.IGNORECASE)


def shown_pictures(found: Sequence[Leaf]) -> frozenset[str]:
    """Return the Content-IDs of what the HTML of a mail with these leaves shows."""
    if not any(leaf.headers.content_id for leaf in found):
        return frozenset()
    pages = (head(leaf, _HTML_BYTES) for leaf in found if leaf.headers.media_type == "text/html")
    return frozenset(match[1].decode("latin-1").lower() for page in pages for match in _CID.finditer(page))


def is_shown(leaf: Leaf, shown: frozenset[str], *, placed: bool) -> bool:
    """Say whether a picture belongs to the text of the mail; *shown* are the Content-IDs in its HTML.

    One that is the whole mail has no text around it. One that is declared an attachment is one, also where a server has
    put everything into one group with the text, unless the text shows it. One that is only placed within the text (RFC
    2183: inline) belongs to it if *placed* ones shall: telephones send every photo so.
    """
    if not leaf.around:
        return False
    if leaf.headers.content_id and leaf.headers.content_id in shown:
        return True
    if leaf.headers.disposition == "attachment":
        return False
    return leaf.around[-1] == "multipart/related" or (placed and leaf.headers.disposition == "inline")
