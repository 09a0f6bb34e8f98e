"""What the sandbox reports: the parts of a mail, and what became of a document."""

import re
from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import Reason

#: Telnyx's limits for one fax (file_size_limit_exceeded, page_count_limit_exceeded).
MAX_PAGES = 350
MAX_BYTES = 50 * 1024 * 1024
#: The most files that make one fax.
MOST_DOCUMENTS = 20


class MediaType(StrEnum):
    """Types of document that the gateway itself handles."""

    PDF = "application/pdf"
    TIFF = "image/tiff"
    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"
    HEIC = "image/heic"
    TEXT = "text/plain"
    HTML = "text/html"
    DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
    DOC = "application/msword"
    XLS = "application/vnd.ms-excel"
    PPT = "application/vnd.ms-powerpoint"
    ODT = "application/vnd.oasis.opendocument.text"
    ODS = "application/vnd.oasis.opendocument.spreadsheet"
    ODP = "application/vnd.oasis.opendocument.presentation"
    RTF = "application/rtf"
    MAIL = "message/rfc822"


#: RFC 9110, section 8.3.1.
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,127}/[a-z0-9!#$%&'*+.^_`|~-]{1,127}")


def media_type_in(header: str) -> str:
    """Return the media type that a Content-Type header tells, without its parameters and in lower case; "" for what is
    none: a stranger writes it, and not all of it can be stored."""
    told = header.partition(";")[0].strip().lower()
    return told if _MEDIA_TYPE.fullmatch(told) else ""


class Coding(StrEnum):
    """How the dots of a page are written down in a TIFF."""

    T6 = "t6"
    T4 = "t4"  # each line of itself (MH)
    T4_2D = "t4_2d"  # most lines after the one above (MR)


#: Types that LibreOffice opens for us, and the ending of their names.
OFFICE = {
    MediaType.DOCX: "docx",
    MediaType.XLSX: "xlsx",
    MediaType.PPTX: "pptx",
    MediaType.DOC: "doc",
    MediaType.XLS: "xls",
    MediaType.PPT: "ppt",
    MediaType.ODT: "odt",
    MediaType.ODS: "ods",
    MediaType.ODP: "odp",
    MediaType.RTF: "rtf",
}
#: How their files begin: a zip archive, Microsoft's compound file, or RTF itself.
_OFFICE_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")


#: Media types, and endings of file names, that claim to be a document which can be faxed. A document's first bytes
#: say more than its claim; only text has none.
FAXABLE = {
    "application/pdf": MediaType.PDF,
    "application/x-pdf": MediaType.PDF,
    "application/acrobat": MediaType.PDF,
    "text/pdf": MediaType.PDF,
    "pdf": MediaType.PDF,
    "image/tiff": MediaType.TIFF,
    "image/tif": MediaType.TIFF,
    "image/x-tiff": MediaType.TIFF,
    "application/tiff": MediaType.TIFF,
    "tif": MediaType.TIFF,
    "tiff": MediaType.TIFF,
    "image/png": MediaType.PNG,
    "image/x-png": MediaType.PNG,
    "png": MediaType.PNG,
    "image/jpeg": MediaType.JPEG,
    "image/jpg": MediaType.JPEG,
    "image/pjpeg": MediaType.JPEG,
    "jpg": MediaType.JPEG,
    "jpeg": MediaType.JPEG,
    "image/gif": MediaType.GIF,
    "gif": MediaType.GIF,
    "image/webp": MediaType.WEBP,
    "webp": MediaType.WEBP,
    "image/heic": MediaType.HEIC,
    "image/heif": MediaType.HEIC,
    "heic": MediaType.HEIC,
    "heif": MediaType.HEIC,
    "text/plain": MediaType.TEXT,
    "txt": MediaType.TEXT,
    "log": MediaType.TEXT,
    "text/html": MediaType.HTML,
    "htm": MediaType.HTML,
    "html": MediaType.HTML,
    **{kind.value: kind for kind in OFFICE},
    **{ending: kind for kind, ending in OFFICE.items()},
    "text/rtf": MediaType.RTF,
    "application/x-rtf": MediaType.RTF,
}

#: What one of them is called in a sentence about all.
FAXABLE_NAMES = "PDF, TIFF, PNG, JPEG, GIF, WebP, HEIC, text or word processor file"


#: Types that no bytes tell.
TEXTS = frozenset({MediaType.TEXT, MediaType.HTML})

#: Readers take a PDF whose header stands within the first 1024 bytes; so do we.
SNIFFED_BYTES = 1024
_MAGIC = {
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), MediaType.TIFF),
    b"\x89PNG\r\n\x1a\n": MediaType.PNG,
    b"\xff\xd8\xff": MediaType.JPEG,
    b"GIF87a": MediaType.GIF,
    b"GIF89a": MediaType.GIF,
}
#: Major brands of HEIF files that hold HEVC pictures (ISO/IEC 23008-12, annex B).
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"mif1"}


def sniff(head: bytes) -> MediaType | None:
    """Return what a file that begins with *head* is, by its magic bytes; None when it is no document of ours."""
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return MediaType.WEBP
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return MediaType.HEIC
    return MediaType.PDF if b"%PDF-" in head[:SNIFFED_BYTES] else None


def recognised(head: bytes, claim: MediaType | None) -> MediaType | None:
    """Return what a file that begins with *head* is; its *claim* counts where bytes say nothing, which is for text, or
    not enough, which is for word processor files."""
    if claim in OFFICE and head.startswith(_OFFICE_MAGIC):
        return claim
    return sniff(head) or (claim if claim in TEXTS else None)


def claimed(media_type: str, name: str) -> MediaType | None:
    """Return what a file of this declared *media_type* and *name* claims to be; None when that cannot be faxed."""
    return FAXABLE.get(media_type.lower()) or FAXABLE.get(name.rpartition(".")[2].lower())


class Automatic(StrEnum):
    """Why a mail was not written by a person for us to fax (RFC 3834, List-Id, our own X-Fax-Id)."""

    NO = ""
    REPLY = "auto_reply"
    LIST = "list"
    OURS = "ours"
    REPORT = "report"
    LOOP = "loop"


@dataclass(frozen=True, slots=True)
class Part:
    """One leaf of a mail, in the order of the message. ``why`` says in a sentence why it is ignored."""

    index: int
    name: str
    media_type: str
    size: int
    used: bool
    pages: int = 0
    why: str = ""

    def facts(self) -> dict[str, object]:
        """Return the fields by their names. ``dataclasses.asdict`` takes ten times as long: it copies what it finds."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class Reading:
    """What a mail holds. ``refusal`` is set when it cannot be faxed, ``body_digest`` is the SHA-256 (hex) of
    everything behind the header, which stays the same when a mail is sent again through another route."""

    parts: tuple[Part, ...]
    message_id: str = ""
    header_from: str = ""
    subject: str = ""
    automatic: Automatic = Automatic.NO
    body_digest: str = ""
    refusal: Reason | None = None

    @property
    def pages(self) -> int:
        """Pages of all used parts together."""
        return sum(part.pages for part in self.parts if part.used)


@dataclass(frozen=True, slots=True)
class Report:
    """What a delivery report says: whether the mail ``message_id`` ("" for none) was given up, and why."""

    message_id: str = ""
    failed: bool = False
    why: str = ""


@dataclass(frozen=True, slots=True)
class RenderedDocument:
    """The outcome of a rendering: pages, and the sizes in bytes of the files that were written."""

    pages: int
    tiff_bytes: int
    pdf_bytes: int
    preview_bytes: int


@dataclass(frozen=True, slots=True)
class Header:
    """What stands at the top of every page beside its number: when it is sent, by whom, from which number."""

    when: str
    name: str
    number: str


@dataclass(frozen=True, slots=True)
class StampedDocument:
    """The document of one attempt: its pages, and the size of the PDF in bytes."""

    pages: int
    pdf_bytes: int


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a received document is."""

    media_type: str
    pages: int
    size: int


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM signature of a mail: its place among all of them, whose it says it is, and where its key lies.

    ``addressed`` are the addresses in the To and Cc fields that it covers.
    """

    number: int
    domain: str
    selector: str
    addressed: tuple[str, ...] = ()

    @property
    def key_name(self) -> str:
        """The DNS name of its key (RFC 6376, 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.domain}"


@dataclass(frozen=True, slots=True)
class Offers:
    """What a mail offers as evidence of its sender. ``header_from`` is "" unless exactly one address is certain;
    ``written_at`` is what its Date says, as POSIX time (0: nothing that can be read), ``body_digest`` is of its body
    but for the blanks and line ends that may be changed although it is signed. ``doubled`` is the name of a field that
    stands there more often than it may, ``relayed`` are method, result and domain of what a relay of ours says of it.
    """

    header_from: str
    written_at: int = 0
    body_digest: str = ""
    doubled: str = ""
    signatures: tuple[Signature, ...] = ()
    relayed: tuple[tuple[str, str, str], ...] = ()
