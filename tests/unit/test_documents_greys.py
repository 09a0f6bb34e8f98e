"""The compiled loops over a page's greys do what Pillow does, bit for bit."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gateway.documents import dots
from gateway.documents.greys import extremes, extremes_by_pillow, scaled, scaled_by_pillow
from gateway.documents.open import opened
from gateway.documents.raster import Raster
from gateway.fax import Quality
from tests.samples import pdf, picture_pdf

SIDES = st.one_of(st.integers(1, 90), st.sampled_from([255, 400, 1727, 1728]))


@pytest.fixture(autouse=True)
def _compiled() -> None:
    if dots.compiled is None:
        pytest.skip("the compiled half of gateway.documents is missing: no C compiler when the package was installed")


def noise(width: int, height: int, seed: int) -> Image.Image:
    return Image.frombytes("L", (width, height), Random(seed).randbytes(width * height))


@settings(deadline=None, max_examples=150)
@given(size=st.tuples(SIDES, SIDES), to=st.tuples(SIDES, SIDES), smooth=st.booleans(), seed=st.integers(0, 2**32))
def test_greys_are_scaled_as_pillow_scales_them(
    size: tuple[int, int], to: tuple[int, int], smooth: bool, seed: int
) -> None:
    image = noise(*size, seed)
    assert scaled(image, to, smooth=smooth) == scaled_by_pillow(image, to, smooth=smooth)


@pytest.mark.parametrize(("size", "to"), [((2550, 3300), (1728, 2156)), ((216, 270), (1728, 2156))])
def test_a_scan_is_scaled_as_pillow_scales_it(size: tuple[int, int], to: tuple[int, int]) -> None:
    smooth = size < to
    assert scaled(noise(*size, 1), to, smooth=smooth) == scaled_by_pillow(noise(*size, 1), to, smooth=smooth)


@settings(deadline=None, max_examples=100)
@given(size=st.tuples(SIDES, SIDES), side=st.integers(1, 9), seed=st.integers(0, 2**32))
def test_the_extremes_of_squares_are_those_of_their_dots(size: tuple[int, int], side: int, seed: int) -> None:
    image = noise(*size, seed)
    assert [each.tobytes() for each in extremes(image, side)] == [
        each.tobytes() for each in extremes_by_pillow(image, side)
    ]
    least, most = extremes(image, side)
    square = image.crop((0, 0, min(side, size[0]), min(side, size[1])))
    assert (least.getpixel((0, 0)), most.getpixel((0, 0))) == square.getextrema()


@pytest.mark.parametrize(
    "document",
    [
        picture_pdf(noise(1700, 2200, 3).point([200 + grey // 5 for grey in range(256)])),
        pdf(1, drawing="0.95 0.55 0.1 rg 72 600 460 28 re f 0 g BT /F1 14 Tf 80 609 Td (Item, Price) Tj ET\n"),
    ],
    ids=["scan", "table"],
)
def test_without_the_compiled_half_the_same_pages_come_out(document: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(document, "x") as opening:
        page = opening.page(0, Raster.of(Quality.HIGH, "letter"))
        monkeypatch.setattr(dots, "compiled", None)
        assert opening.page(0, Raster.of(Quality.HIGH, "letter")) == page


@pytest.mark.parametrize(
    ("width", "height", "wide", "high"), [(8, 2, 4, 4), (0, 1, 1, 1), (8, 1, 0, 5), (8, 1, -1, 2**30)]
)
def test_greys_that_do_not_fill_the_page_are_refused(width: int, height: int, wide: int, high: int) -> None:
    assert dots.compiled is not None
    with pytest.raises(ValueError):
        dots.compiled.scale(b"12345678", width, height, wide, high, False)


@pytest.mark.parametrize(("width", "height", "side"), [(8, 2, 4), (8, 1, 0), (8, 1, 65), (-8, -1, 4)])
def test_squares_of_no_page_are_refused(width: int, height: int, side: int) -> None:
    assert dots.compiled is not None
    with pytest.raises(ValueError):
        dots.compiled.extremes(b"12345678", width, height, side)
