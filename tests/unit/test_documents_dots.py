"""The compiled loops over a page's dots do what Pillow does, bit for bit."""

from io import BytesIO
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from gateway.document import Coding
from gateway.documents import dots
from gateway.documents.dots import (
    Dots,
    darker,
    darker_by_pillow,
    reduced,
    reduced_by_pillow,
    t4_code,
    t4_code_by_pillow,
    t6_code,
    t6_code_by_pillow,
)
from gateway.documents.encode import coded
from gateway.documents.open import opened
from gateway.documents.raster import Raster
from gateway.documents.tiff_writer import TiffWriter
from gateway.fax import Quality
from tests.samples import pdf, picture_pdf, tiff

#: Narrow, odd, at the borders of bytes and words, and around the longest run that one code word has (2560).
WIDTHS = st.one_of(st.integers(1, 140), st.sampled_from([1727, 1728, 2559, 2560, 2561, 3456, 5121, 7700]))


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if dots.compiled is None:
        pytest.skip("the compiled half of gateway.documents is missing: no C compiler when the package was installed")


@st.composite
def pages(draw: st.DrawFn) -> Image.Image:
    """Grey pages: noise, or bars long and short."""
    size = draw(WIDTHS), draw(st.integers(1, 7))
    random = Random(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        return Image.frombytes("L", size, random.randbytes(size[0] * size[1]))
    page = Image.new("L", size, draw(st.sampled_from([0, 255])))
    for _ in range(draw(st.integers(0, 9))):
        left, top = random.randrange(size[0]), random.randrange(size[1])
        box = (left, top, left + random.randrange(size[0]), top + random.randrange(4))
        ImageDraw.Draw(page).rectangle(box, fill=random.choice([0, 128, 255]))
    return page


def decoded(page: Dots, coding: Coding = Coding.T6) -> bytes:
    """The dots as libtiff reads their code."""
    output = BytesIO()
    TiffWriter(output, 1).add(coded(page, coding, 196), page.width, page.height, (204, 196), coding)
    with Image.open(BytesIO(output.getvalue())) as image:
        return bytes(255 - byte for byte in image.convert("L").tobytes())


@settings(deadline=None, max_examples=150)
@given(page=pages(), level=st.integers(0, 255))
def test_dots_and_code_are_those_of_pillow(page: Image.Image, level: int) -> None:
    black = darker(page, level)
    assert black == darker_by_pillow(page, level)
    assert t6_code(black) == t6_code_by_pillow(black)
    assert decoded(black) == black.image().convert("L").tobytes()


@settings(deadline=None, max_examples=150)
@given(page=pages(), every=st.sampled_from([0, 2, 4]))
def test_t4_code_is_that_of_libtiff(page: Image.Image, every: int) -> None:
    black = darker(page, 128)
    assert t4_code(black, every) == t4_code_by_pillow(black, every)
    coding = Coding.T4_2D if every else Coding.T4
    assert decoded(black, coding) == black.image().convert("L").tobytes()


@settings(deadline=None, max_examples=60)
@given(page=pages(), seed=st.integers(0, 2**32))
def test_each_dot_may_have_a_threshold_of_its_own(page: Image.Image, seed: int) -> None:
    thresholds = Image.frombytes("L", page.size, Random(seed).randbytes(page.width * page.height))
    assert darker(page, thresholds) == darker_by_pillow(page, thresholds)


@settings(deadline=None, max_examples=100)
@given(
    width=st.sampled_from([8, 64, 200, 1728, 3456]),
    height=st.integers(1, 40),
    box=st.tuples(st.sampled_from([4, 8]), st.integers(1, 9)),
    seed=st.integers(0, 2**32),
    full=st.sampled_from([1, 8, 64]),
)
def test_boxes_have_the_ink_that_pillow_finds(
    width: int, height: int, box: tuple[int, int], seed: int, full: int
) -> None:
    """Rows of noise, some with long white stretches."""
    random = Random(seed)
    rows = b"".join(bytes(full - 1) + random.randbytes(1) for _ in range(999))
    page = Dots(width, height, (rows * (width * height // 8 // len(rows) + 1))[: width // 8 * height])
    assert reduced(page, *box).tobytes() == reduced_by_pillow(page, *box).tobytes()


@pytest.mark.parametrize("quality", list(Quality))
@pytest.mark.parametrize(
    "document",
    [pdf(1), tiff(1), picture_pdf(Image.radial_gradient("L"), place=(300, 300, 100, 100))],
    ids=["pdf", "tiff", "photo"],
)
def test_real_pages_have_the_code_that_pillow_makes(document: bytes, quality: Quality) -> None:
    with opened(document, "x") as opening:
        page = opening.page(0, Raster.of(quality, "letter"))
    assert t6_code(page) == t6_code_by_pillow(page)


def test_without_the_compiled_half_the_same_pages_come_out(monkeypatch: pytest.MonkeyPatch) -> None:
    document = picture_pdf(Image.radial_gradient("L"), place=(300, 300, 100, 100))
    with opened(document, "x") as opening:
        page = opening.page(0, Raster.of(Quality.HIGH, "letter"))
        code = t6_code(page)
        monkeypatch.setattr(dots, "compiled", None)
        assert opening.page(0, Raster.of(Quality.HIGH, "letter")) == page
        assert t6_code(page) == code


@pytest.mark.parametrize(
    ("grey", "thresholds", "width", "height"),
    [(b"12345678", None, 8, 2), (b"12345678", b"1234", 8, 1), (b"", None, 0, 1), (b"", None, -1, -1)],
)
def test_greys_that_do_not_fill_the_page_are_refused(
    grey: bytes, thresholds: bytes | None, width: int, height: int
) -> None:
    assert dots.compiled is not None
    with pytest.raises(ValueError):
        dots.compiled.pack(grey, thresholds, 128, width, height)


@pytest.mark.parametrize(("width", "height"), [(16, 2), (2**31 - 1, 2**31 - 1), (2**26, 1), (0, 0), (-8, 1)])
def test_rows_that_do_not_fill_the_page_are_refused(width: int, height: int) -> None:
    assert dots.compiled is not None
    with pytest.raises(ValueError):
        dots.compiled.t6(b"123", width, height)


@pytest.mark.parametrize(("width", "across", "down"), [(16, 4, 4), (4, 4, 4), (24, 3, 4), (24, 4, 0), (24, 4, 65)])
def test_boxes_of_no_page_are_refused(width: int, across: int, down: int) -> None:
    assert dots.compiled is not None
    with pytest.raises(ValueError):
        dots.compiled.reduced(b"123", width, 1, across, down)
