"""What the sender wrote himself: the text of a mail, apart from what is attached to it or forwarded with it."""

from collections.abc import Sequence

from gateway.document import MediaType
from gateway.errors import Refusal
from gateway.mail.content import Undecodable, content, text
from gateway.mail.headers import Headers
from gateway.mail.structure import Leaf, leaves

_APART = frozenset({"multipart/signed", "multipart/encrypted", "multipart/report"})


def is_own(leaf: Leaf) -> bool:
    """Say whether *leaf* is a part of what the sender wrote."""
    sealed = bool(leaf.around) and leaf.around[-1] in _APART and leaf.place > 0
    named = leaf.headers.filename or leaf.headers.disposition == "attachment"
    return leaf.headers.media_type in {"text/plain", "text/html"} and not (named or leaf.forwarded or sealed)


def own_leaves(found: Sequence[Leaf]) -> list[int]:
    """Return the places in *found* of the mail's text: in plain text, or in HTML where nothing else is written."""
    own = [(index, leaf) for index, leaf in enumerate(found) if is_own(leaf) and written(leaf).strip()]
    plain = [index for index, leaf in own if leaf.headers.media_type == "text/plain"]
    return plain or [index for index, _ in own]


def written(leaf: Leaf) -> str:
    """Return a text part's characters; "" for one that cannot be decoded."""
    try:
        return text(content(leaf), leaf.headers.charset).decode("utf-8", "replace")
    except Undecodable:
        return ""


def own_text(message: bytes) -> list[tuple[MediaType, str]]:
    """Return the pieces of the mail's text in their order; none for a mail that cannot be read."""
    try:
        headers, body = Headers.read(message, 0, len(message))
        found = leaves(message, headers, body, len(message))
    except Refusal:
        return []
    own = [found[index] for index in own_leaves(found)]
    return [(MediaType(leaf.headers.media_type), written(leaf)) for leaf in own]
