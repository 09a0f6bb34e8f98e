"""What is asked of the sandbox, and within which limits."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from gateway.document import Coding
from gateway.fax import Quality, Sight


@dataclass(frozen=True, slots=True)
class Source:
    """What to render: the *parts* (``Part.index``) of one mail, or documents; joined in their order.

    ``names`` are what documents are called in sentences; without them each is "the document". ``types`` are the media
    types that they were declared to have. ``monochrome`` forces the threshold on everything, at ``black_threshold``
    (1..100 per cent of white; None: the engine's own). ``sight`` is what pages are taken for, and with ``pad`` they
    all have the length of the paper; with ``deskew`` scans that lay askew are set straight. With ``lenient`` a letter
    that no font has becomes a question mark in a text. ``coding`` is that of the TIFF.
    """

    kind: Literal["mail", "document"]
    parts: tuple[int, ...] = ()
    quality: Quality = Quality.HIGH
    paper: Literal["letter", "a4", "legal"] = "letter"
    names: tuple[str, ...] = ()
    monochrome: bool = False
    black_threshold: int | None = None
    types: tuple[str, ...] = ()
    sight: Sight = Sight.AUTO
    pad: bool = False
    lenient: bool = False
    coding: Coding = Coding.T6
    deskew: bool = False

    def as_header(self) -> dict[str, Any]:
        """Return it as JSON takes it."""
        return asdict(self)

    @classmethod
    def from_header(cls, value: dict[str, Any]) -> "Source":
        """Read what ``as_header`` wrote."""
        lists = {name: tuple(value[name]) for name in ("parts", "names", "types")}
        words = {"quality": Quality(value["quality"]), "sight": Sight(value["sight"])}
        words["coding"] = Coding(value["coding"])
        return cls(**{**value, **lists, **words})


@dataclass(frozen=True, slots=True)
class Outputs:
    """Descriptors of regular files, open for reading and writing; whatever they hold is overwritten."""

    tiff_fd: int
    pdf_fd: int
    preview_fd: int


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one process at work; seconds are by the clock on the wall.

    A document may take long when it has many pages, but no page may: a job that says nothing for ``page_seconds`` is
    ended as well. ``office`` is LibreOffice's program folder, "" where there is none; ``service`` is the socket of the
    service that starts processes, "" where they are children of our own.
    """

    memory_bytes: int = 1 << 30
    read_seconds: float = 20
    page_seconds: float = 60
    job_seconds: float = 300
    output_bytes: int = 64 << 20
    mails_per_reader: int = 200
    start_seconds: float = 30
    office: str = ""
    service: str = ""
