"""Shapes that are filled with a gradient, and the edges of what is a picture on its page."""

from io import BytesIO

import pikepdf
import pytest
from PIL import Image, ImageChops

from tests.samples import pdf, picture_pdf
from tests.unit.test_documents_sight import alike, at, ink_share, letter, seen

BAR = at(72, 500, 468, 60)
WORDS = at(76, 518, 460, 24)


def graded(darkest: float, lightest: float, words: str, *, pattern: bool = True) -> bytes:
    """A bar that becomes lighter from left to right, as browsers fill one (a pattern) and others paint one (sh)."""
    function = pikepdf.Dictionary(FunctionType=2, Domain=[0, 1], C0=[darkest], C1=[lightest], N=1)
    shading = pikepdf.Dictionary(
        ShadingType=2, ColorSpace=pikepdf.Name.DeviceGray, Coords=[72, 0, 540, 0], Function=function
    )
    fill = b"q /Pattern cs /P scn 72 500 468 60 re f Q" if pattern else b"q 72 500 468 60 re W n /S sh Q"
    output = BytesIO()
    with pikepdf.open(BytesIO(pdf(1, "", drawing=words))) as document:
        page = document.pages[0]
        page.Resources.Pattern = pikepdf.Dictionary(P=pikepdf.Dictionary(PatternType=2, Shading=shading))
        page.Resources.Shading = pikepdf.Dictionary(S=shading)
        page.Contents = pikepdf.Stream(document, fill + b"\n" + page.Contents.read_bytes())
        document.save(output)
    return output.getvalue()


def total(grey: float) -> str:
    return f"{grey} g BT /F1 16 Tf 80 525 Td (Total amount due on 1 December: 1,234.50 EUR) Tj ET\n"


@pytest.mark.parametrize("pattern", [True, False])
@pytest.mark.parametrize(("darkest", "lightest"), [(0.5, 0.95), (0.45, 0.75)])
def test_dark_words_on_a_gradient_stay_readable(darkest: float, lightest: float, pattern: bool) -> None:
    page, plain = seen(graded(darkest, lightest, total(0), pattern=pattern)), seen(pdf(1, "", drawing=total(0)))
    assert alike(page.crop(WORDS), plain.crop(WORDS)) > 0.97


def test_light_words_on_a_dark_gradient_stand_on_black() -> None:
    page, plain = seen(graded(0.1, 0.6, total(1))), seen(pdf(1, "", drawing=total(0)))
    assert alike(ImageChops.invert(page.crop(WORDS)), plain.crop(WORDS)) > 0.95


def test_a_gradient_without_words_is_seen_as_one() -> None:
    page = seen(graded(0.2, 0.9, ""))
    shares = [ink_share(page, at(left, 500, 60, 60)) for left in (80, 280, 470)]
    assert shares[0] > 0.75 > shares[1] > 0.25 > shares[2]
    around = page.crop((BAR[0] - 3, BAR[1] - 3, BAR[2] + 3, BAR[3] + 3))
    assert page.getbbox() is not None
    # No line of black along an edge.
    assert max(ink_share(around, (400, y, 1300, y + 1)) for y in range(around.height)) < 0.9


@pytest.mark.parametrize("place", [(400.3, 500.7, 100.2, 100.1), (400, 500, 100.4, 99.6), (333.3, 444.4, 55.5, 66.6)])
@pytest.mark.parametrize("paper", [150, 185])
def test_a_scan_that_does_not_fill_its_page_has_no_line_at_its_edges(
    place: tuple[float, float, float, float], paper: int
) -> None:
    page = seen(picture_pdf(letter(20, paper), place=place, drawing="BT /F1 12 Tf 72 700 Td (Enclosed) Tj ET"))
    left, top, right, bottom = at(place[2], place[3], place[0], place[1])
    for line in ((left - 3, top, left + 4, bottom), (right - 4, top, right + 3, bottom)):
        assert page.crop(line).getbbox() is None
    for line in ((left, top - 3, right, top + 4), (left, bottom - 4, right, bottom + 3)):
        assert page.crop(line).getbbox() is None


def test_a_dark_picture_on_a_page_is_no_paper() -> None:
    """Two tones, as a sign has them: nothing of it is written, and none of it may become white."""
    sign = Image.new("L", (300, 300), 64)
    sign.paste(96, (0, 0, 100, 100))
    page = seen(picture_pdf(sign, place=(90, 90, 100.3, 400.2), drawing="BT /F1 12 Tf 72 700 Td (A sign) Tj ET"))
    rim, corner = at(135, 405, 50, 50), at(104, 464, 22, 22)
    assert 0.75 < ink_share(page, rim) < 0.95
    assert 0.5 < ink_share(page, corner) < 0.75


@pytest.mark.parametrize("tone", [255, 100])
@pytest.mark.parametrize("place", [(0.2, 0.2), (0.4, 300), (300, 0.4), (0.8, 0.8), (1.1, 1.1)])
def test_a_picture_of_a_dot_or_a_line_is_no_fault(place: tuple[float, float], tone: int) -> None:
    """Programs that make a PDF of a web page keep the picture of one dot that counted its readers."""
    speck = picture_pdf(Image.new("L", (1, 1), tone), place=(*place, 200, 200), drawing=total(0))
    page, plain = seen(speck), seen(pdf(1, "", drawing=total(0)))
    assert alike(page.crop(WORDS), plain.crop(WORDS)) == 1
