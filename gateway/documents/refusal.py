"""Refusing a document by name."""

from gateway.errors import Kind, Refusal, refuse


def refuse_document(kind: Kind, label: str, sentence: str) -> Refusal:
    """Return the refusal of the document that sentences call *label*: a file's name in quotes, or a description."""
    return refuse(kind, sentence, label.strip('"'))


def refuse_empty(label: str) -> Refusal:
    """Return the refusal of a document without content."""
    return refuse_document(Kind.DOCUMENT_BROKEN, label, f"{label} is empty: there is nothing in it that could be faxed")


def needs_office(label: str) -> Refusal:
    """Return the refusal of a word processor file where there is no LibreOffice."""
    sentence = f"{label} needs LibreOffice, which this gateway does not have; save it as a PDF and send that"
    return refuse_document(Kind.FORMAT_UNSUPPORTED, label, sentence)
