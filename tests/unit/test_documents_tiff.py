"""TIFF documents of every kind: fax pages keep their dots, all others are brought into shape."""

import struct
from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageDraw, TiffImagePlugin

from gateway.document import MediaType
from gateway.documents import ifd
from gateway.documents.convert import convert
from gateway.documents.count import pdf_pages, tiff_pages
from gateway.documents.ink import ink as inked
from gateway.documents.open import inspect, opened, pages_to_fax
from gateway.documents.picture import to_grey
from gateway.documents.raster import Raster
from gateway.documents.tiff import Tiff
from gateway.errors import Kind, Refusal
from gateway.fax import Quality
from tests.samples import NORMAL_PAGE, tiff

FINE = Raster.of(Quality.HIGH, "letter")
NORMAL = Raster.of(Quality.NORMAL, "letter")


def ink(grey: Image.Image) -> Image.Image:
    """The dots that are ink, as an image in which 1 is black."""
    return inked(grey).image()


def grey(data: bytes, raster: Raster, index: int = 0) -> Image.Image:
    with opened(data, "the document") as document:
        return document.grey(index, raster)


def saved(image: Image.Image, **options: object) -> bytes:
    output = BytesIO()
    image.save(output, "TIFF", **options)
    return output.getvalue()


def frame(data: bytes, index: int = 0) -> Image.Image:
    with Image.open(BytesIO(data)) as image:
        image.seek(index)
        return image.convert("L")


def drawing(mode: str = "L", size: tuple[int, int] = (850, 1100)) -> Image.Image:
    """White paper with a black bar in its upper left quarter."""
    page = Image.new("L", size, 255)
    ImageDraw.Draw(page).rectangle((size[0] // 10, size[1] // 10, size[0] // 3, size[1] // 5), fill=0)
    return page.convert(mode)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_lzw", "raw"])
def test_the_dots_of_a_fine_fax_page_stay(compression: str) -> None:
    page = frame(tiff(1)).convert("1")
    data = saved(page, compression=compression, dpi=(204, 196))
    assert ImageChops.difference(grey(data, FINE), page.convert("L")).getbbox() is None


@pytest.mark.parametrize("dpi", [(204, 98), (200, 100), (203, 98), None])
def test_the_dots_of_a_normal_fax_page_stay(dpi: tuple[int, int] | None) -> None:
    page = frame(tiff(1, size=NORMAL_PAGE)).convert("1")
    data = saved(page, dpi=dpi) if dpi else saved(page)
    assert ImageChops.difference(grey(data, NORMAL), page.convert("L")).getbbox() is None


@pytest.mark.parametrize("quality", list(Quality))
def test_the_dots_of_a_fax_page_stay_on_its_own_grid(quality: Quality) -> None:
    raster = Raster.of(quality, "letter")
    page = frame(tiff(1, size=(raster.width, 2000))).convert("1")
    data = saved(page, compression="group4", dpi=raster.dpi)
    assert ImageChops.difference(grey(data, raster), page.convert("L")).getbbox() is None


def test_no_line_is_lost_from_the_finest_grid_to_the_coarsest() -> None:
    page = Image.new("1", (3456, 4301), 1)
    draw = ImageDraw.Draw(page)
    draw.line((100, 501, 900, 501), fill=0)
    draw.line((2001, 1000, 2001, 3000), fill=0)
    black = ink(grey(saved(page, dpi=(408, 391)), NORMAL))
    assert black.size == NORMAL_PAGE
    assert black.crop((0, 0, 900, 300)).getbbox() == (50, 125, 451, 126)
    assert black.crop((900, 0, 1728, 1078)).getbbox() == (100, 250, 101, 753)


def test_lines_are_doubled_from_normal_to_fine() -> None:
    page = frame(tiff(1, size=NORMAL_PAGE))
    doubled = grey(tiff(1, size=NORMAL_PAGE), FINE)
    assert doubled.size == (1728, 2156)
    for offset in (0, 1):
        lines = doubled.resize(NORMAL_PAGE, Image.Resampling.NEAREST, (0, offset, 1728, 2156 - 1 + offset))
        assert ImageChops.difference(lines, page).getbbox() is None


def test_no_line_is_lost_from_fine_to_normal() -> None:
    page = Image.new("1", (1728, 2156), 1)
    ImageDraw.Draw(page).line((100, 501, 900, 501), fill=0)
    black = ink(grey(saved(page, dpi=(204, 196)), NORMAL))
    assert black.size == NORMAL_PAGE
    assert black.getbbox() == (100, 250, 901, 251)


def test_a_long_fax_page_keeps_its_length() -> None:
    assert grey(tiff(1, size=(1728, 4000)), FINE).size == (1728, 4000)


def test_a_page_without_end_is_fitted() -> None:
    assert grey(tiff(1, size=(1728, 9000)), FINE).size == (1728, 2156)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_pictures_of_every_kind_come_out_black_on_white(mode: str) -> None:
    page = drawing()
    if mode == "LAB":
        zero = Image.new("L", page.size, 128)
        image = Image.merge("LAB", (page, zero, zero))
    elif mode == "I;16":
        image = page.convert("I").point(lambda value: value * 257).convert("I;16")
    else:
        image = page.convert(mode)
    black = ink(grey(saved(image, dpi=(100, 100)), FINE))
    assert black.size == (1728, 2156)
    box = black.getbbox()
    assert box == pytest.approx((173, 216, 576, 432), abs=6)


@pytest.mark.parametrize("mode", ["I;16", "F"])
def test_wide_dots_of_which_nought_is_white_are_no_negative(mode: str) -> None:
    page = ImageChops.invert(drawing()).convert("I" if mode == "I;16" else "F")
    wide = page.point(lambda value: value * 257).convert(mode)
    data = patched(saved(wide, dpi=(100, 100)), ifd.PHOTOMETRIC, 0)
    assert ink(grey(data, FINE)).getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


@pytest.mark.parametrize("white", [65535, 4095, 255])
def test_sixteen_bits_may_hold_fewer(white: int) -> None:
    page = drawing().convert("I").point(lambda value: value * (white / 255)).convert("I;16")
    assert page.getextrema() == (0, white)
    black = ink(grey(saved(page, dpi=(100, 100)), FINE))
    assert black.getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def test_what_is_transparent_is_paper() -> None:
    image = Image.new("RGBA", (850, 1100), (0, 0, 0, 0))
    assert to_grey(image).getextrema() == (255, 255)


def test_pictures_of_one_value_are_paper() -> None:
    assert to_grey(Image.new("F", (10, 10), 3.5)).getextrema() == (255, 255)


def test_a_scan_at_300_dpi_fills_the_page() -> None:
    black = ink(grey(saved(drawing("1", (2550, 3300)), compression="group4", dpi=(300, 300)), FINE))
    assert black.size == (1728, 2156)
    assert black.getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def test_dots_that_are_not_square_keep_their_shape() -> None:
    page = drawing("L", (1700, 1100))
    black = ink(grey(saved(page, dpi=(200, 100)), FINE))
    assert black.size == (1728, 2156)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_page_is_shown_upright(orientation: int) -> None:
    page = drawing()
    stored = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    turn = stored[orientation]
    data = saved(page.transpose(turn) if turn is not None else page, tiffinfo={274: orientation}, dpi=(100, 100))
    assert ink(grey(data, FINE)).getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def patched(data: bytes, tag: int, value: int) -> bytes:
    """Set *tag*, a single number, in the first directory of a little-endian TIFF."""
    (start,) = struct.unpack_from("<L", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    changed = bytearray(data)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", data, entry)[0] == tag:
            struct.pack_into("<HLL", changed, entry + 2, 4, 1, value)
    return bytes(changed)


def refusal(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as raised, opened(data, '"x.tif"') as document:
        document.grey(0, FINE)
    return raised.value


def test_a_page_of_more_dots_than_any_scan_has_is_refused() -> None:
    data = patched(patched(saved(drawing()), ifd.WIDTH, 60_000), ifd.LENGTH, 60_000)
    reason = refusal(data).reason
    assert (reason.kind, reason.subject) == (Kind.DOCUMENT_TOO_LARGE, "x.tif")
    assert reason.sentence == 'page 1 of "x.tif" has too many dots to be faxed; scan it at 300 dpi'


@pytest.mark.parametrize(
    "data",
    [
        b"II*\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 20,
        tiff(1)[:-60],
        patched(saved(drawing()), ifd.COMPRESSION, 34_712),
        patched(saved(drawing()), ifd.BITS, 7),
    ],
    ids=["nothing", "outside", "endless", "cut", "compression", "bits"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of what it then stumbles over
def test_a_broken_tiff_is_refused_by_name(data: bytes) -> None:
    reason = refusal(data).reason
    assert (reason.kind, reason.subject) == (Kind.DOCUMENT_BROKEN, "x.tif")


def test_a_chain_of_directories_that_bites_its_tail_ends() -> None:
    data = bytearray(tiff(2))
    (first,) = struct.unpack_from("<L", data, 4)
    (count,) = struct.unpack_from("<H", data, first)
    struct.pack_into("<L", data, first + 2 + 12 * count, first)
    assert tiff_pages(bytes(data), 350) == 1
    assert pages_to_fax(bytes(data), "x") == 1


def test_a_chain_without_end_is_cut() -> None:
    entry = struct.pack("<HHLL", ifd.WIDTH, 3, 1, 10)
    size = 2 + 12 + 4
    chain = b"".join(struct.pack("<H", 1) + entry + struct.pack("<L", 8 + size * (n + 1)) for n in range(6000))
    assert refusal(b"II*\0\x08\0\0\0" + chain).reason.kind is Kind.DOCUMENT_BROKEN


def with_copy(size: tuple[int, int], *, first: bool) -> bytes:
    """A page, and a picture of *size* that says of itself that it is a smaller copy."""
    page, copy = drawing(), Image.new("L", size, 90)
    output = BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(output, True) as file:
        for image, kind in ((copy, 1), (page, 0)) if first else ((page, 0), (copy, 1)):
            image.save(file, "TIFF", dpi=(100, 100), tiffinfo={ifd.SUBFILE: kind})
            file.newFrame()
    return output.getvalue()


@pytest.mark.parametrize("first", [False, True])
def test_the_small_copy_for_lists_of_files_is_no_page(first: bool) -> None:
    data = with_copy((85, 110), first=first)
    assert pages_to_fax(data, "x") == inspect(data, "x").pages == 1
    assert ink(grey(data, FINE)).getbbox() == pytest.approx((173, 216, 576, 432), abs=6)
    made = BytesIO()
    assert convert(data, "x", MediaType.PDF, made, lambda _: None) == pdf_pages(made.getvalue()) == 1


def test_what_is_no_smaller_is_a_page_whatever_it_says_of_itself() -> None:
    assert pages_to_fax(with_copy((850, 1100), first=False), "x") == 2


def test_pages_are_counted_without_pillow() -> None:
    assert [tiff_pages(tiff(pages), 350) for pages in (1, 2, 7)] == [1, 2, 7]
    assert tiff_pages(tiff(7), 3) == 4  # more than asked for: no further
    assert tiff_pages(b"no tiff", 350) is None


def test_big_endian_and_big_tiff_are_read() -> None:
    big = saved(drawing(), big_tiff=True, dpi=(100, 100))
    assert big[2] == 43
    directory = next(ifd.directories(big))
    assert (directory.number(ifd.WIDTH), directory.resolution) == (850, (100, 100))
    assert inspect(big, "x").pages == 1
    motorola = b"MM\0*" + struct.pack(">LH", 8, 1) + struct.pack(">HHLHH", ifd.WIDTH, 3, 1, 77, 0) + bytes(4)
    assert next(ifd.directories(motorola)).number(ifd.WIDTH) == 77


def test_resolution_is_told_in_inches_or_not_at_all() -> None:
    in_centimetres = saved(drawing(), resolution_unit="cm", x_resolution=80.3, y_resolution=77.0)
    assert next(ifd.directories(in_centimetres)).resolution == pytest.approx((203.96, 195.58), abs=0.1)
    assert next(ifd.directories(saved(drawing(), dpi=(1, 1)))).resolution is None


def test_a_tiff_can_be_closed_before_it_is_read() -> None:
    Tiff(tiff(1), "x").close()
