"""Text and HTML as pages: every line is there, in any script, and nothing is fetched or run."""

from pathlib import Path

import pytest
from PIL import Image, ImageChops

from gateway.document import MAX_PAGES, MediaType
from gateway.documents import fonts
from gateway.documents.html import html_blocks
from gateway.documents.layout import ABOVE, BELOW, COLUMNS, DPI, MONO, Block, Page, pages
from gateway.documents.lettering import width_of
from gateway.documents.open import opened, pages_to_fax
from gateway.documents.raster import Raster
from gateway.documents.text_file import decoded, text_blocks
from gateway.errors import Kind, Refusal
from gateway.fax import Quality

HIGH = Raster.of(Quality.HIGH, "letter")


def laid(text: str, height: float = 11.0, most: int = 10) -> list[Page]:
    return pages(text_blocks(text), height, most)


def lines(text: str) -> list[str]:
    return [line.text for page in laid(text) for line in page.lines]


def read(html: str) -> list[str]:
    return [block.text for block in html_blocks(html) if not block.rule]


def seen(data: bytes, kind: MediaType = MediaType.TEXT, quality: Quality = Quality.HIGH) -> Image.Image:
    """The first page; 1 is ink."""
    with opened(data, "x", kind) as document:
        return document.page(0, Raster.of(quality, "letter")).image()


def refusal(data: bytes, kind: MediaType | None = MediaType.TEXT) -> Refusal:
    with pytest.raises(Refusal) as raised:
        pages_to_fax(data, '"x.txt"', kind)
    return raised.value


def test_a_text_is_a_page_that_ends_where_it_ends() -> None:
    page = seen(b"Please confirm.\n")
    assert page.width == 1728
    box = page.getbbox()
    assert box is not None
    assert 0.4 * 196 < box[1] < box[3] < page.height - 0.3 * 196
    assert page.height < 1.5 * 196


@pytest.mark.parametrize("quality", list(Quality))
def test_a_text_breaks_alike_at_every_resolution(quality: Quality) -> None:
    raster = Raster.of(quality, "letter")
    with opened(b"A line of text\n" * 70, "x", MediaType.TEXT, raster.longest) as document:
        sizes = [document.page(index, raster) for index in range(document.pages)]
    assert [page.width for page in sizes] == [raster.width] * 2
    assert sizes[0].height == raster.full_lines


def test_eighty_letters_fill_a_line_and_columns_stay() -> None:
    assert lines("1" * COLUMNS) == ["1" * COLUMNS]
    assert lines("1" * (COLUMNS + 5)) == ["1" * COLUMNS, "1" * 5]
    narrow, wide = (width_of(text, MONO, fonts.mono()) for text in ("fi il -> fl", "MW WM == MW"))
    assert narrow == wide


def test_words_are_not_broken_and_none_is_lost() -> None:
    words = [f"word{number}" for number in range(60)]
    broken = lines(" ".join(words))
    assert len(broken) > 4
    assert " ".join(broken).split() == words
    greek = ["λέξη" + "ς" * (number % 7) for number in range(60)]
    assert " ".join(lines(" ".join(greek))).split() == greek


def test_a_word_that_no_line_can_hold_is_broken() -> None:
    assert "".join(lines("ж" * 300)) == "ж" * 300


def test_tabs_and_form_feeds_do_what_they_did_on_paper() -> None:
    first, second = laid("a\tb\n\f\nc\n")
    assert [line.text for line in first.lines] == ["a       b"]
    assert [line.text for line in second.lines] == ["c"]


def test_every_line_of_a_long_text_is_on_some_page_within_its_margins() -> None:
    told = [f"line {number}" for number in range(500)]
    done = laid("\n".join(told), most=20)
    assert [line.text for page in done for line in page.lines] == told
    for page in done:
        assert all(ABOVE * DPI < line.y < (11 - BELOW) * DPI for line in page.lines)


def test_a_text_without_end_is_refused_before_it_is_laid_out_whole() -> None:
    reason = refusal(b"x\n" * 2_000_000).reason
    assert reason.kind is Kind.TOO_MANY_PAGES
    assert str(MAX_PAGES) in reason.sentence


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Grüße €".encode(), "Grüße €"),
        ("\ufeffGrüße".encode(), "Grüße"),
        ("\ufeffGrüße".encode("utf-16-le"), "Grüße"),
        ("\ufeffGrüße".encode("utf-16-be"), "Grüße"),
        ("Grüße €".encode("cp1252"), "Grüße €"),
        (b"a\r\nb\rc\x1b\n", "a\nb\nc\n"),
        (b"a\0b", None),
        (bytes(range(1, 32)) * 9, None),
    ],
)
def test_a_text_is_read_in_the_alphabet_that_it_is_in(data: bytes, text: str | None) -> None:
    assert decoded(data) == text


@pytest.mark.parametrize("text", ["Ελληνικά", "Кириллица", "हिन्दी", "Zażółć"])
def test_scripts_that_the_package_has_letters_for_are_written(text: str) -> None:
    assert fonts.missing(text) == ""
    page = seen(text.encode())
    assert ImageChops.logical_xor(page, seen(b"?" * len(text)).resize(page.size)).getbbox() is not None


def test_lines_from_the_right_stand_at_the_right() -> None:
    (page,) = laid("שלום")
    assert page.lines[0].x > 2000


def test_letters_that_no_font_has_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "faces", lambda: (fonts.own(),))
    reason = refusal("Yes: 漢字".encode()).reason
    assert reason.kind is Kind.DOCUMENT_BROKEN
    assert reason.sentence == '"x.txt" has letters that no font of this gateway can show (字 漢); send it as a PDF'
    assert pages_to_fax("Yes 🎉".encode(), "x", MediaType.TEXT) == 1


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"\0\1\2", MediaType.TEXT, "is not the text"),
        (b"  \n\n", MediaType.TEXT, "is empty"),
        (b"<html><script>x</script></html>", MediaType.HTML, "is empty"),
        (b"hello", None, "cannot be faxed"),
        (b"hello", MediaType.PDF, "cannot be faxed"),
    ],
)
def test_what_is_no_text_is_refused_by_name(data: bytes, kind: MediaType | None, words: str) -> None:
    reason = refusal(data, kind).reason
    assert (reason.kind, reason.subject) == (Kind.DOCUMENT_BROKEN, "x.txt")
    assert words in reason.sentence


@pytest.mark.parametrize(
    "meta",
    [
        '<meta charset="windows-1251">',
        "<META CHARSET = Windows-1251 >",
        '<meta http-equiv="Content-Type" content="text/html; charset=windows-1251">',
    ],
)
def test_html_is_read_in_the_alphabet_that_it_declares(meta: str) -> None:
    page = f"<html><head>{meta}</head><p>\u041f\u0440\u0438\u0432\u0435\u0442"
    said = seen(page.encode("cp1251"), MediaType.HTML)
    assert not ImageChops.difference(said, seen(page.encode(), MediaType.HTML)).getbbox(), "in UTF-8, as a mail has it"
    assert ImageChops.difference(said, seen(page.encode("cp1251").replace(b"1251", b"1253"), MediaType.HTML)).getbbox()


def test_html_is_read_as_it_is_read_aloud() -> None:
    html = """<!DOCTYPE html><html><head><title>No</title><style>p { color: red }</style></head>
        <body onload="bad()"><h1>Referral</h1><p>Dear <b>Dr</b>&nbsp;Smith,<br>thank   you &amp;
        all.</p><ul><li>one<li>two</ul><table><tr><th>Item</th><th>Price</th></tr><tr><td>Wheel</td><td>100</td></tr>
        </table><div style="display: none">preheader</div><pre>a  b
 c</pre><img src="http://192.0.2.1/x.png" alt="Logo"><script>document.write('no')</script></body></html>"""
    assert read(html) == [
        *("Referral", "Dear Dr\xa0Smith,\nthank you & all.", "one", "two"),
        *("Item   Price", "Wheel   100", "a  b\n c", "[Logo]"),
    ]


@pytest.mark.parametrize(
    ("html", "blocks"),
    [
        ("<html><head><title>T</title><body><p>a", ["a"]),
        ("<head><meta charset=utf-8><style>p {}</style><p>a", ["a"]),
        ("a</br>b", ["a\nb"]),
        ("a</p>b", ["a", "b"]),
        ("5&nbsp;&middot;&nbsp;10<sup>6</sup> CO<sub>2</sub>, 1<sup>st</sup>", ["5\xa0·\xa010⁶ CO₂, 1st"]),
        ("the 2<sup>nd</sup> of x<sup>n-1</sup>", ["the 2nd of xⁿ⁻¹"]),
        ("Donau&shy;dampf&#8203;schiff", ["Donaudampfschiff"]),
        ("<details><summary>a</summary>b</details>", ["a", "b"]),
    ],
)
def test_html_is_read_as_browsers_show_it(html: str, blocks: list[str]) -> None:
    assert read(html) == blocks


def test_lists_have_the_numbers_that_they_say() -> None:
    html = "<ol start=5><li>a<li>b<li value='9'>c<li>d</ol><ol start=x><li>e<ol start=0><li>f</ol><li value=-1>g</ol>"
    assert [block.mark for block in html_blocks(html)] == ["5.", "6.", "9.", "10.", "1.", "0.", "2."]


def test_headings_lists_and_quotes_look_like_such() -> None:
    blocks = list(html_blocks("<h2>A</h2><ol><li>x</li><li>y</li></ol><blockquote>q</blockquote><hr><p>z"))
    assert blocks[0].size > blocks[1].size
    assert [block.mark for block in blocks] == ["", "1.", "2.", "", "", ""]
    assert blocks[1].indent == blocks[3].indent > 0
    assert blocks[4].rule


@pytest.mark.parametrize(
    "html", ["<p>" * 50_000 + "x", "<div><b>" * 20_000 + "x", "</p>" * 50_000 + "x", "<" * 5000 + "x"]
)
def test_html_nested_without_end_is_read(html: str) -> None:
    assert "x" in "".join(read(html))


def test_html_that_forgets_to_show_what_it_hides_says_the_rest() -> None:
    assert read("<div hidden>a<p>b</div>c") == ["c"]
    assert read("<p>a<script>b") == ["a"]


def test_a_block_may_hang_its_mark_before_it() -> None:
    (page,) = pages([Block("text", mark="•", indent=0.5)], 11, 2)
    mark, text = page.lines
    assert (mark.text, text.text) == ("•", "text")
    assert mark.x < text.x


def test_fonts_of_the_package_are_found_without_any_of_the_machine() -> None:
    assert Path(fonts.mono().path).is_file()
    assert "─" in fonts.mono().glyphs
