"""What a document is and how many pages it has, as the carrier finds when it processes media."""

import io
from dataclasses import dataclass

import pikepdf
from PIL import Image

from gateway.document import MAX_BYTES, MAX_PAGES

_IMAGES = {"TIFF": "image/tiff", "JPEG": "image/jpeg", "PNG": "image/png"}


class CallFailed(Exception):
    """A fax ends here. ``reason`` is the failure_reason; ``pages`` were sent before, None when that is not told."""

    def __init__(self, reason: str, pages: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.pages = pages


@dataclass(frozen=True, slots=True)
class Document:
    """A document that can be faxed."""

    content: bytes
    media_type: str
    pages: int


def read_document(content: bytes) -> Document:
    """Look into *content*. Raises CallFailed with what Telnyx says of a document that it does not take."""
    if len(content) > MAX_BYTES:
        raise CallFailed("file_size_limit_exceeded")
    document = _read_pdf(content) if content.lstrip()[:5] == b"%PDF-" else _read_image(content)
    if document.pages > MAX_PAGES:
        raise CallFailed("page_count_limit_exceeded")
    return document


def _read_pdf(content: bytes) -> Document:
    try:
        with pikepdf.open(io.BytesIO(content)) as pdf:
            return Document(content, "application/pdf", len(pdf.pages))
    except (pikepdf.PdfError, pikepdf.PasswordError) as error:
        raise CallFailed("file_format_invalid") from error


def _read_image(content: bytes) -> Document:
    try:
        with Image.open(io.BytesIO(content), formats=list(_IMAGES)) as image:
            return Document(content, _IMAGES[image.format or ""], getattr(image, "n_frames", 1))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise CallFailed("file_format_invalid") from error
