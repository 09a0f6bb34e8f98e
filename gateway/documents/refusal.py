"""Refusing a document by name."""

from gateway.errors import Kind, Refusal, refuse


def refuse_document(kind: Kind, label: str, sentence: str) -> Refusal:
    """Return the refusal of the document that sentences call *label*: a file's name in quotes, or a description."""
    return refuse(kind, sentence, label.strip('"'))
