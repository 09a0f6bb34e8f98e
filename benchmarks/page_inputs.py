"""Documents to measure pages with, made in code and the same every time."""

import random
from collections.abc import Callable
from io import BytesIO

import pikepdf
import pypdfium2 as pdfium
from PIL import Image, ImageChops, ImageDraw, ImageFilter

WIDTH, HEIGHT = 612, 792
_WORDS = tuple(
    """
    patient referral letter clinic office number report invoice please confirm receipt treatment answer doctor
    ward morning evening tablets pressure blood result sample pharmacy insurance signature address telephone date
    birth account payment order delivery weight quantity contract notice urgent records history examination
    """.split()  # noqa: SIM905  # read as text
)

Words = list[str]


def words(count: int, seed: int) -> Words:
    """Return *count* words in an order that *seed* fixes."""
    draw = random.Random(seed)
    return [draw.choice(_WORDS) for _ in range(count)]


def text(pages: int = 3) -> tuple[bytes, Words]:
    """Letters: one column in 11 points."""
    told = words(330 * pages, 1)
    return _pdf([_column(told[330 * n : 330 * (n + 1)], 72, 720, 11, 78) for n in range(pages)]), told


def paper(pages: int = 3) -> tuple[bytes, Words]:
    """A paper: two columns in 9 points, and table rules of hair's breadth."""
    told = words(880 * pages, 2)
    streams = []
    for page in range(pages):
        here = told[880 * page : 880 * (page + 1)]
        rules = "".join(f"0.25 w 54 {y} m 558 {y} l S\n" for y in (745, 742, 60))
        streams.append(rules + _column(here[:440], 54, 730, 9, 46) + _column(here[440:], 312, 730, 9, 46))
    return _pdf(streams), told


def hairlines() -> bytes:
    """Thirty lines: 0.1 to 1 point, grey 0 to 0.75."""
    stream, y = "", 740
    for grey in (0, 0.15, 0.3, 0.45, 0.6, 0.75):
        for width in (0.1, 0.25, 0.5, 0.75, 1):
            stream += f"{grey} G {width} w 72 {y} m 540 {y} l S\n"
            y -= 22
    return _pdf([stream])


def colours() -> bytes:
    """White on blue, black on orange, white on light grey, yellow on white, and bars of a chart."""
    stream = ""
    rows = [("0 0.2 0.6", "1 1 1"), ("0.95 0.55 0.1", "0 0 0"), ("0.75 0.75 0.75", "1 1 1"), ("0.5 0.5 0.5", "0 0 0")]
    for number, (fill, ink) in enumerate(rows):
        y = 700 - 50 * number
        stream += f"{fill} rg 72 {y} 460 28 re f {ink} rg BT /F1 14 Tf 80 {y + 9} Td (Item  Quantity  Price) Tj ET\n"
    stream += "1 0.8 0 rg BT /F1 24 Tf 72 480 Td (A yellow heading) Tj ET\n"
    for number, grey in enumerate((0.2, 0.4, 0.6, 0.8)):
        stream += f"{grey} g {90 + 90 * number} 200 60 {80 + 40 * number} re f\n"
    return _pdf([stream])


def mixed(pages: int = 3) -> bytes:
    """A page with two photographs, a chart and a paragraph."""
    streams = [_column(words(90, 7 + n), 72, 320, 11, 78) + _PLACED + _CHART for n in range(pages)]
    return _pdf(streams, {"P1": _photo(1), "P2": _photo(2)})


def scan(pages: int = 3, of: Callable[[int], tuple[bytes, Words]] = text) -> tuple[bytes, Words]:
    """Letters, or what *of* makes, as a scanner gives them: 300 dpi, askew, grey paper lit unevenly, noise, JPEG."""
    original, told = of(pages)
    document = pdfium.PdfDocument(original)
    output = BytesIO()
    with pikepdf.new() as made:
        for number in range(pages):
            page = document[number].render(scale=300 / 72, grayscale=True).to_pil()
            _add_image(made, _scanned(page, number))
        made.save(output, deterministic_id=True)
    document.close()
    return output.getvalue(), told


_PLACED = "q 220 0 0 165 72 560 cm /P1 Do Q q 220 0 0 165 320 560 cm /P2 Do Q\n"
_CHART = "".join(
    f"{grey} g {90 + 45 * number} 360 30 {40 + 17 * number} re f\n"
    for number, grey in enumerate((0.2, 0.35, 0.5, 0.65, 0.8, 0.9))
)


def _column(told: Words, x: int, y: int, size: int, most: int) -> str:
    lines, line = [], ""
    for word in told:
        if len(line) + len(word) > most:
            lines.append(line)
            line = ""
        line += word + " "
    lines.append(line)
    shown = " ".join(f"({one.strip()}) '" for one in lines)
    return f"0 g BT /F1 {size} Tf {size * 1.3:.1f} TL {x} {y} Td {shown} ET\n"


def _pdf(streams: list[str], pictures: dict[str, bytes] | None = None) -> bytes:
    output = BytesIO()
    with pikepdf.new() as made:
        font = made.make_indirect(
            pikepdf.Dictionary(
                Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name("/Times-Roman")
            )
        )
        images = {f"/{name}": _image(made, data) for name, data in (pictures or {}).items()}
        resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font), XObject=pikepdf.Dictionary(images))
        for stream in streams:
            made.add_blank_page(page_size=(WIDTH, HEIGHT))
            made.pages[-1].Contents = made.make_stream(stream.encode())
            made.pages[-1].Resources = resources
        made.save(output, deterministic_id=True)
    return output.getvalue()


def _add_image(made: pikepdf.Pdf, data: bytes) -> None:
    made.add_blank_page(page_size=(WIDTH, HEIGHT))
    page = made.pages[-1]
    page.Resources = pikepdf.Dictionary(XObject=pikepdf.Dictionary({"/S": _image(made, data)}))
    page.Contents = made.make_stream(f"q {WIDTH} 0 0 {HEIGHT} 0 0 cm /S Do Q".encode())


def _image(made: pikepdf.Pdf, data: bytes) -> pikepdf.Object:
    with Image.open(BytesIO(data)) as image:
        width, height = image.size
        space = "/DeviceGray" if image.mode == "L" else "/DeviceRGB"
    return made.make_stream(
        data,
        Type=pikepdf.Name.XObject,
        Subtype=pikepdf.Name.Image,
        Width=width,
        Height=height,
        ColorSpace=pikepdf.Name(space),
        BitsPerComponent=8,
        Filter=pikepdf.Name.DCTDecode,
    )


def _noise(size: tuple[int, int], seed: int, coarse: int = 1) -> Image.Image:
    """Random greys that the seed fixes; Pillow's own noise differs from run to run."""
    small = (max(1, size[0] // coarse), max(1, size[1] // coarse))
    image = Image.frombytes("L", small, random.Random(seed).randbytes(small[0] * small[1]))
    return image.resize(size, Image.Resampling.BICUBIC)


def _scanned(page: Image.Image, seed: int) -> bytes:
    """Toner at 20 to 60, paper from 190 to 225 with a shadow at one side, noise of about 7, askew by 0.7 degrees."""
    askew = page.rotate(0.7, Image.Resampling.BICUBIC, fillcolor=255).filter(ImageFilter.GaussianBlur(0.8))
    shadow = (
        Image.linear_gradient("L").rotate(90).resize(page.size).point([190 + grey * 35 // 255 for grey in range(256)])
    )
    lit = ImageChops.multiply(askew.point([40 + grey * 215 // 255 for grey in range(256)]), shadow)
    grain = _noise(page.size, seed).point([grey * 24 // 255 for grey in range(256)])
    output = BytesIO()
    ImageChops.subtract(ImageChops.add(lit, grain), Image.new("L", page.size, 12)).save(output, "JPEG", quality=75)
    return output.getvalue()


def _photo(seed: int) -> bytes:
    """Something like a photograph: hills, a sun, clouds, grain; 900 x 675 in colour."""
    size = (900, 675)
    sky = Image.linear_gradient("L").resize(size)
    clouds = _noise(size, seed, 90)
    image = Image.merge("RGB", (ImageChops.blend(sky, clouds, 0.5), ImageChops.blend(sky, clouds, 0.3), clouds))
    draw = ImageDraw.Draw(image)
    draw.ellipse((600, 60, 720, 180), fill=(250, 230, 120))
    for number, x in enumerate(range(-100, 900, 230)):
        draw.polygon([(x, 675), (x + 200, 330 + 60 * (number % 2)), (x + 430, 675)], fill=(40, 80 + 25 * number, 50))
    grain = _noise(size, seed + 50, 3).point([grey // 8 for grey in range(256)])
    output = BytesIO()
    ImageChops.subtract(image, Image.merge("RGB", (grain, grain, grain))).save(output, "JPEG", quality=85)
    return output.getvalue()
