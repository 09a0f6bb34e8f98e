"""Cover pages, and what becomes of a mail's text: a note on the cover, pages of its own, or nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.document import MAX_PAGES, Header
from gateway.documents.count import pdf_pages
from gateway.errors import ConfigurationError, Kind
from gateway.fax import State
from gateway.outbox import PREPARE, TRANSMIT
from gateway.outbox.cover import facts_of, load_template
from gateway.sandbox import Outputs, Source
from gateway.sandbox.reader import whole
from tests import samples
from tests.integration.door_house import PDF, Door, opened
from tests.integration.engines import ENGINES
from tests.integration.open_sandbox import OpenSandbox
from tests.samples import mail

WORDS = "Please look at this today.\nThank you"


@pytest.fixture(params=ENGINES)
async def door(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Door]:
    async with opened(request, tmp_path) as one:
        yield one


async def wish(door: Door, **fields: Any) -> None:
    await door.house.provisioning.update_faxbox(door.house.faxbox.id, fields)
    await door.intake.refresh()


async def sent(door: Door, content: bytes) -> tuple[list[int], bytes]:
    """Mail *content*, send the fax, and return the pages of fax and document, and the document."""
    await door.taken(content=content)
    await door.house.drain(PREPARE, TRANSMIT)
    await door.house.hear()
    fax = await door.house.only_fax()
    (attempt,) = await door.house.attempts(fax.id)
    document = await door.house.blobs.read(attempt.document_blob)
    return [fax.pages or 0, pdf_pages(document) or 0], document


async def test_there_is_none_unless_the_faxbox_says_so(door: Door) -> None:
    pages, _ = await sent(door, mail([PDF], body=WORDS))
    assert pages == [2, 2]
    assert (await door.house.only_fax()).cover_blob == ""


@pytest.mark.parametrize("fields", [{"cover": True}, {"body": "cover"}])
async def test_the_cover_is_the_first_page_of_what_is_sent(door: Door, fields: dict[str, Any]) -> None:
    await wish(door, **fields)
    pages, document = await sent(door, mail([PDF], body=WORDS))
    assert pages == [3, 3]
    fax = await door.house.only_fax()
    assert fax.cover_blob
    (carried,) = door.house.sent(fax.to_number)
    assert carried.document is not None
    assert carried.document.content == document


class Notes(OpenSandbox):
    """Keeps the pages of HTML that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: list[str] = []

    async def render(self, source_fds: Any, source: Source, outputs: Outputs, on_progress: Any = None) -> Any:
        if source.lenient:
            self.pages.append(whole(source_fds[0]).decode())
        return await super().render(source_fds, source, outputs, on_progress)


async def with_notes(door: Door) -> Notes:
    door.house.sandbox = notes = Notes()
    door.house.connect()
    return notes


@pytest.mark.parametrize(("body", "there"), [("ignore", False), ("cover", True)])
async def test_the_mails_text_is_on_it_only_if_it_shall_be(door: Door, body: str, there: bool) -> None:
    await wish(door, cover=True, body=body, timezone="America/New_York")
    notes = await with_notes(door)
    await sent(door, mail([PDF], body=WORDS, subject="Results <b>now</b>"))
    (page,) = notes.pages
    assert ("Thank you" in page) is there
    assert "Results &lt;b&gt;now&lt;/b&gt;" in page
    assert "+1 202-555-0142" in page
    assert "Acme" in page
    assert any(zone in page for zone in (" EST", " EDT"))
    assert "3, this one included" in page


async def test_a_long_note_is_counted_with_all_its_pages(door: Door) -> None:
    await wish(door, body="cover")
    notes = await with_notes(door)
    pages, _ = await sent(door, mail([PDF], body="\n".join(f"Line {number}" for number in range(120))))
    assert pages[0] == pages[1] > 3
    assert f"{pages[0]}, this one included" in notes.pages[-1]


async def test_letters_that_no_font_has_do_not_stop_a_fax(door: Door) -> None:
    await wish(door, cover=True)
    pages, _ = await sent(door, mail([PDF], subject="\U00012000\U00012001 cuneiform"))
    assert pages == [3, 3]


async def test_a_cover_too_many_ends_the_fax_with_the_reason(door: Door) -> None:
    await wish(door, cover=True)
    await door.taken(content=mail([samples.Attachment("long.pdf", samples.pdf(MAX_PAGES))]))
    await door.house.drain(PREPARE)
    fax = await door.house.only_fax()
    assert (fax.state, fax.failure_reason) == (State.FAILED, Kind.TOO_MANY_PAGES)


async def test_the_text_alone_is_a_fax(door: Door) -> None:
    await wish(door, body="alone")
    pages, _ = await sent(door, mail([], body=WORDS))
    assert pages == [1, 1]


async def test_the_text_comes_before_what_is_attached(door: Door) -> None:
    await wish(door, body="alone")
    pages, _ = await sent(door, mail([PDF], body=WORDS, html="<p>the same, in colour</p>"))
    assert pages == [3, 3]
    fax = await door.house.only_fax()
    assert fax.parts == sorted(fax.parts)
    row = await door.log()
    used = [(part["media_type"], part["used"]) for part in row["found"]]
    assert used == [("text/plain", True), ("text/html", False), ("application/pdf", True)]


async def test_a_mail_without_a_word_is_no_document(door: Door) -> None:
    await wish(door, body="alone")
    pages, _ = await sent(door, mail([PDF], body=" \n"))
    assert pages == [2, 2]


def test_our_own_template_is_one() -> None:
    assert "this one included" in load_template("").render(
        to_number="1", to_name="", from_number="2", from_name="", subject="", date="", pages=1, note=[]
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [("{{ to_number", "no template"), ("{{ password }}", "password"), (None, "cannot be read")],
)
def test_a_wrong_template_is_a_matter_of_configuration(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "cover.html"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigurationError, match=why):
        load_template(str(file))


async def test_an_administrators_template_takes_its_place(door: Door, tmp_path: Path) -> None:
    file = tmp_path / "cover.html"
    file.write_text("<h1>Kliniek</h1><p>{{ subject }}</p>")
    door.house.policy = replace(door.house.policy, cover_template=str(file))
    notes = await with_notes(door)
    await wish(door, cover=True)
    await sent(door, mail([PDF], subject="Uitslag"))
    assert notes.pages == ["<h1>Kliniek</h1><p>Uitslag</p>"]


async def test_a_note_keeps_its_paragraphs(door: Door) -> None:
    await sent(door, mail([PDF]))
    facts = facts_of(await door.house.only_fax(), Header("now", "Acme", "1"), "a\r\nb\n\n \n\nc", 2)
    assert facts.note == [["a", "b"], ["c"]]
