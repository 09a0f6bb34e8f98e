"""Pictures that are sent as they are: each becomes a page, upright, whole, as wide as it can be read."""

import zlib
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw

from gateway.document import MediaType, claimed
from gateway.documents import image_file
from gateway.documents.open import inspect, opened, pages_to_fax
from gateway.documents.raster import Look, Raster
from gateway.errors import Kind, Refusal
from gateway.fax import Quality, Sight
from tests.samples import tiff

HIGH = Raster.of(Quality.HIGH, "letter")
#: The width of a scan line is a little less than that of letter paper.
LETTER = (1728, 2149)
FORMATS = ["PNG", "JPEG", "GIF", "WEBP"]
#: A bar in the upper left of a grey picture, 64 x 96, as HEIC.
HEIC = Path(__file__).parent / "data" / "bar.heic"


def drawing(size: tuple[int, int] = (850, 1100)) -> Image.Image:
    """White paper with a black bar in its upper left quarter."""
    page = Image.new("RGB", size, "white")
    ImageDraw.Draw(page).rectangle((size[0] // 10, size[1] // 10, size[0] // 3, size[1] // 5), fill="black")
    return page


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    output = BytesIO()
    image.save(output, kind, **options)
    return output.getvalue()


def seen(data: bytes, raster: Raster = HIGH) -> Image.Image:
    """The first page; 1 is ink."""
    with opened(data, '"x"') as document:
        return document.page(0, raster).image()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_fills_the_width_of_its_page(kind: str) -> None:
    data = saved(drawing(), kind)
    assert inspect(data, "x").pages == pages_to_fax(data, "x") == 1
    page = seen(data)
    assert page.size == LETTER
    assert page.getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def test_a_picture_of_a_telephone_is_a_page() -> None:
    if not image_file.heic:
        pytest.skip("there is no wheel of pi-heif for this machine: HEIC is refused by name")
    page = seen(HEIC.read_bytes())
    assert page.size[0] == 1728
    box = page.getbbox()
    assert box is not None
    assert (box[2] - box[0]) / (box[3] - box[1]) == pytest.approx(32 / 24 * 204 / 196, rel=0.15)


def test_without_a_reader_for_it_such_a_picture_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_file, "heic", False)
    with pytest.raises(Refusal) as raised:
        seen(HEIC.read_bytes())
    assert raised.value.reason.sentence == '"x" is in a format that this gateway cannot read (HEIC); send a JPEG'


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(("orientation", "turn"), [(3, Image.Transpose.ROTATE_180), (6, Image.Transpose.ROTATE_90)])
def test_a_picture_is_shown_as_it_was_held(kind: str, orientation: int, turn: Image.Transpose) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    page = seen(saved(drawing().transpose(turn), kind, exif=exif))
    assert page.size == LETTER
    assert page.getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def test_a_wide_picture_is_turned() -> None:
    page = seen(saved(drawing((1100, 850)).transpose(Image.Transpose.ROTATE_90)))
    wide = seen(saved(drawing((1100, 850))))
    assert wide.size == page.size == LETTER


def test_a_small_picture_is_not_enlarged_beyond_reading() -> None:
    page = seen(saved(Image.new("RGB", (60, 20), "navy")))
    box = page.getbbox()
    assert box is not None
    assert box[2] - box[0] == pytest.approx(60 / 50 * 204, abs=2)
    assert page.height == pytest.approx(20 / 50 * 196, abs=1)


def test_a_high_picture_is_scaled_to_one_page() -> None:
    page = seen(saved(drawing((400, 4000))))
    assert page.size == (1728, 2156)


def test_dots_that_are_not_square_keep_their_shape() -> None:
    page = seen(saved(drawing((1700, 1100)), dpi=(200, 100)))
    assert page.size == LETTER


def test_what_is_transparent_is_paper() -> None:
    image = Image.new("RGBA", (850, 1100), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((85, 110, 283, 220), fill=(0, 0, 0, 255))
    assert seen(saved(image)).getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def test_of_an_animation_the_first_picture_is_the_page() -> None:
    frames = [drawing(), Image.new("RGB", (850, 1100), "black")]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert pages_to_fax(data, "x") == 1
    assert seen(data).getbbox() == pytest.approx((173, 216, 576, 432), abs=6)


def test_a_coloured_heading_on_a_picture_stays_readable() -> None:
    image = drawing()
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 500, 850, 640), fill="orange")
    draw.text((100, 520), "White on colour", fill="white", font_size=80)
    band = seen(saved(image)).crop((200, 1000, 1500, 1240))
    assert 0.03 < band.convert("L").histogram()[255] / (band.width * band.height) < 0.97


@pytest.mark.parametrize("look", [Look(), Look(Sight.SCAN), Look(black_below=80)])
@pytest.mark.parametrize("deskew", [False, True])
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_a_photo_of_dim_paper_is_not_black_beside_the_white_of_the_page(kind: str, look: Look, deskew: bool) -> None:
    """It is narrower than the page; what is white to its left and right is no paper that it is compared with."""
    paper = Image.linear_gradient("L").resize((1500, 2000)).point([120 + tone // 4 for tone in range(256)])
    words = Image.new("L", paper.size, 255)
    for line in range(12):
        ImageDraw.Draw(words).text((200, 150 + 120 * line), "The quick brown fox", fill=60, font_size=60)
    turned = words.rotate(2 if deskew else 0, Image.Resampling.BICUBIC, fillcolor=255)
    photo = ImageChops.multiply(paper, turned)
    page = seen(saved(photo, kind, dpi=(182, 182)), Raster.of(Quality.HIGH, "letter", look, deskew=deskew))
    left, _, right, _ = page.getbbox() or (0, 0, 0, 0)
    assert page.width == 1728
    assert left > 200
    assert right < 1200


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.02, 0.5])
def test_a_picture_that_was_cut_is_refused_by_name(kind: str, share: float) -> None:
    data = saved(Image.effect_noise((400, 400), 80).convert("RGB"), kind)
    with pytest.raises(Refusal) as raised:
        seen(data[: max(20, int(len(data) * share))])
    assert (raised.value.reason.kind, raised.value.reason.subject) == (Kind.DOCUMENT_BROKEN, "x")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_a_picture_of_endless_size_is_refused_before_it_is_decoded() -> None:
    data = bytearray(saved(Image.new("1", (8, 8))))
    data[16:24] = (12_000).to_bytes(4, "big") * 2
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    with pytest.raises(Refusal) as raised:
        seen(bytes(data))
    assert raised.value.reason.kind is Kind.DOCUMENT_TOO_LARGE


@pytest.mark.parametrize(
    ("media_type", "name", "kind"),
    [
        ("image/jpeg", "", MediaType.JPEG),
        ("IMAGE/JPG", "x", MediaType.JPEG),
        ("application/octet-stream", "scan.TIF", MediaType.TIFF),
        ("application/octet-stream", "letter.docx.exe", None),
        ("text/calendar", "invite.ics", None),
        ("", "photo.heic", MediaType.HEIC),
    ],
)
def test_a_file_claims_to_be_what_its_type_or_its_name_says(media_type: str, name: str, kind: MediaType | None) -> None:
    assert claimed(media_type, name) is kind


def test_a_picture_among_documents_is_a_page_among_pages() -> None:
    assert inspect(tiff(1), "x").media_type == MediaType.TIFF
    assert inspect(saved(drawing()), "x").media_type == MediaType.PNG
