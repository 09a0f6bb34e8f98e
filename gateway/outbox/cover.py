"""The cover page: who sends what to whom, and what he wrote in his mail.

It is a template of HTML (Jinja2), laid out by the same engine as any other HTML; an administrator can put his own in
its place. ``cover.html`` beside this file is the one that is used otherwise, and shows what may stand in it.
"""

from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template, TemplateError

from gateway.address import pretty
from gateway.document import MAX_PAGES, Header, MediaType
from gateway.errors import ConfigurationError, Kind, refuse
from gateway.fax import Fax
from gateway.mail.facts import one_line
from gateway.outbox.header import header_line
from gateway.outbox.policy import Policy
from gateway.sandbox import Outputs, Sandbox, Source
from gateway.store import provision
from gateway.store.blobs import Blobs, Spool
from gateway.store.database import Database, Row
from gateway.store.schema import accounts, faxboxes

_OURS = Path(__file__).with_name("cover.html")
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class CoverFacts:
    """What a cover page may say. ``pages`` counts all, with the cover's own; ``note`` has paragraphs of lines."""

    to_number: str
    to_name: str
    from_number: str
    from_name: str
    subject: str
    date: str
    pages: int
    note: list[list[str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cover:
    """A rendered cover, not sealed yet: ``pages`` of its own, as a TIFF."""

    spool: Spool
    pages: int


def load_template(path: str) -> Template:
    """Return the cover's template in the file *path*, or our own for ""; raises ConfigurationError for a wrong one."""
    file = Path(path) if path else _OURS
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    try:
        template = environment.from_string(file.read_text(encoding="utf-8"))
        template.render(asdict(_EXAMPLE))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"[fax] cover_template: {file} cannot be read: {error}") from None
    except TemplateError as error:
        raise ConfigurationError(f"[fax] cover_template: {file} is no template for a cover page: {error}") from None
    return template


_EXAMPLE = CoverFacts("+1 202-555-0142", "Bob", "+1 202-555-0100", "Acme", "A fax", "2026-11-25 14:05 EST", 2, [["Hi"]])


class Covers:
    """Makes cover pages for the faxes of faxboxes that want them."""

    def __init__(self, db: Database, blobs: Blobs, sandbox: Sandbox, policy: Policy) -> None:
        self._db = db
        self._blobs = blobs
        self._sandbox = sandbox
        self._policy = policy
        self._template = load_template(policy.cover_template)

    async def make(self, fax: Fax, pages: int, stack: ExitStack) -> Cover | None:
        """Return the cover of *fax*, whose document has so many *pages*; None where none is wanted.

        The spool is dropped with *stack* unless it was sealed. Raises Refusal(TOO_MANY_PAGES) when there are too many
        with it.
        """
        box = await provision.fetch(self._db, faxboxes, fax.faxbox_id)
        if box is None or not (box["cover"] or box["body"] == "cover"):
            return None
        account = await provision.fetch(self._db, accounts, fax.account_id)
        header = header_line(fax, box, account, datetime.now(UTC))
        note = await self._note(fax, box)
        spool = self._blobs.spool()
        stack.callback(spool.discard)
        own = await self._render(fax, facts_of(fax, header, note, pages + 1), spool)
        if own > 1:  # a long note: only now is it known how many pages there are in all
            own = await self._render(fax, facts_of(fax, header, note, pages + own), spool)
        if pages + own > MAX_PAGES:
            sentence = (
                f"the fax has {pages + own} pages with its cover; one fax may have {MAX_PAGES}, so send it in parts"
            )
            raise refuse(Kind.TOO_MANY_PAGES, sentence, "the fax")
        return Cover(spool, own)

    async def _note(self, fax: Fax, box: Row) -> str:
        if box["body"] != "cover" or not fax.message_id or not fax.source:
            return ""
        with await self._blobs.opened(fax.source) as message:
            return await self._sandbox.read_note(message.fileno())

    async def _render(self, fax: Fax, facts: CoverFacts, spool: Spool) -> int:
        """Render a cover into *spool* and return its pages."""
        with ExitStack() as stack:
            page, pdf, preview = (self._blobs.spool() for _ in range(3))
            for other in (page, pdf, preview):
                stack.callback(other.discard)
            page.write(self._template.render(asdict(facts)).encode("utf-8", "replace"))
            wish = Source(
                "document",
                quality=fax.quality,
                paper=self._policy.paper,
                names=("the cover page",),
                types=(MediaType.HTML.value,),
                pad=self._policy.pad,
                lenient=True,
            )
            outputs = Outputs(spool.fileno(), pdf.fileno(), preview.fileno())
            return (await self._sandbox.render([page.fileno()], wish, outputs)).pages


def facts_of(fax: Fax, header: Header, note: str, pages: int) -> CoverFacts:
    """Return what the cover of *fax* says; *header* has the names and the date of its header line."""
    paragraphs = [part.split("\n") for part in note.replace("\r\n", "\n").split("\n\n") if part.strip()]
    return CoverFacts(
        to_number=pretty(fax.to_number),
        to_name=one_line(fax.to_name, _LONGEST),
        from_number=header.number,
        from_name=header.name,
        subject=one_line(fax.subject, _LONGEST),
        date=header.when,
        pages=pages,
        note=paragraphs,
    )
