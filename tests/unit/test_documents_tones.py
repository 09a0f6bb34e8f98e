"""Words on tinted and dark areas: whatever tone is written on whatever other, it is read."""

from io import BytesIO

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps

from tests.samples import pdf
from tests.unit.test_documents_sight import Box, alike, at, ink_share, seen

#: Words and the areas that they stand on, as shares of white, by where one meets them.
PAIRS = {
    "a caption on a card": (0.66, 0.94),
    "a pale caption on a card": (0.73, 0.93),
    "grey on grey": (0.62, 0.88),
    "a dark page": (0.62, 0.07),
    "a darker word on a dark page": (0.46, 0.07),
    "grey on black": (0.53, 0.0),
    "pale grey on black": (0.73, 0.0),
    "pure red on pure blue": (0.3, 0.11),
    "black on pure blue": (0.0, 0.11),
    "white on pure red": (1.0, 0.3),
    "black on pure red": (0.0, 0.3),
    "a table head": (1.0, 0.43),
    "a shaded row": (0.0, 0.85),
}
WORDS = "Urgent: 0.5 mg daily, invoice 4711"


def label(words: float, area: float, bottom: int = 600, *, left: int = 60, size: int = 12) -> str:
    """Draw words that begin right at the rim of their area."""
    box = f"{area} g {left} {bottom} 220 20 re f\n"
    return f"{box}{words} g BT /F1 {size} Tf {left} {bottom + 6} Td ({WORDS}) Tj ET\n"


def inside(bottom: int = 600, left: int = 60) -> Box:
    return at(left + 1, bottom + 1, 218, 18)


def words_of(page: Image.Image, box: Box) -> Image.Image:
    """What is written in a box, as ink, if it is light on dark, too."""
    part = page.crop(box)
    return ImageOps.invert(part) if ink_share(page, box) > 0.5 else part


def black_on_white(bottom: int = 600, left: int = 60) -> Image.Image:
    return words_of(seen(pdf(1, "", drawing=label(0, 1, bottom, left=left))), inside(bottom, left))


@pytest.mark.parametrize(("words", "area"), PAIRS.values(), ids=PAIRS)
def test_words_on_an_area_are_those_in_black_on_white(words: float, area: float) -> None:
    page = seen(pdf(1, "", drawing=label(words, area)))
    found, wanted = words_of(page, inside()), black_on_white()
    assert alike(found, wanted) > 0.94
    # Their strokes are there, and nothing far from them.
    missing = ImageChops.subtract(wanted, found).histogram()[255]
    assert missing < 0.3 * wanted.histogram()[255]


def test_one_tone_may_have_dark_words_here_and_light_ones_there() -> None:
    """One above the other, and side by side."""
    places = [(700, 60, 0), (600, 60, 1), (500, 60, 0), (500, 320, 1)]
    drawing = "".join(label(words, 0.3, bottom, left=left) for bottom, left, words in places)
    page = seen(pdf(1, "", drawing=drawing))
    for bottom, left, _ in places:
        assert alike(words_of(page, inside(bottom, left)), black_on_white(bottom, left)) > 0.94


def test_a_title_and_a_pale_caption_on_one_card_are_both_read() -> None:
    card = "0.94 g 50 560 260 120 re f\n"
    words = f"BT /F1 12 Tf 60 640 Td ({WORDS}) Tj ET\n", f"BT /F1 9 Tf 60 600 Td ({WORDS}) Tj ET\n"
    both = seen(pdf(1, "", drawing=f"{card}0 g {words[0]}0.66 g {words[1]}"))
    plain = seen(pdf(1, "", drawing=f"0 g {words[0]}{words[1]}"))
    for box in (at(58, 636, 240, 16), at(58, 596, 240, 14)):
        assert alike(both.crop(box), plain.crop(box)) > 0.94


def test_an_empty_row_is_seen_like_those_with_words() -> None:
    rows = "".join(label(0, 0.85, bottom) for bottom in (700, 650)) + "0.85 g 60 600 220 20 re f\n"
    page = seen(pdf(1, "", drawing=rows))
    assert ink_share(page, inside(600)) == 0


def test_squares_as_small_as_letters_are_seen_as_the_area_of_their_tone_is() -> None:
    """The key of a chart: nothing can be written in them."""
    for words, share in ((1, 1.0), (0, 0.0)):
        page = seen(pdf(1, "", drawing=label(words, 0.5) + "0.5 g 60 500 4 4 re f\n"))
        assert ink_share(page, at(61, 501, 2, 2)) == share


#: Ground, card, words, smaller words and button of a telephone's screen, each as a grey.
SCREENS = {"light": (242, 255, 0, 138, 111), "dark": (0, 28, 255, 152, 118), "darker": (18, 30, 224, 160, 148)}


def screen(ground: int, card: int, words: int, small: int, button: int, form: str) -> bytes:
    """A telephone's screen with cards that have words and a button with white words on it."""
    shot = Image.new("L", (1170, 2532), ground)
    draw = ImageDraw.Draw(shot)
    for top in range(100, 2400, 300):
        draw.rounded_rectangle((40, top, 1130, top + 260), 30, fill=card)
        draw.text((80, top + 30), "Dr. Meier, cardiology", fill=words, font_size=46)
        draw.text((80, top + 110), "Mon 3 May, 10:30, room 4.12", fill=small, font_size=34)
        draw.rounded_rectangle((820, top + 150, 1100, top + 235), 20, fill=button)
        draw.text((860, top + 165), "Cancel", fill=255, font_size=44)
    file = BytesIO()
    shot.save(file, form, quality=80)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
@pytest.mark.parametrize("tones", SCREENS.values(), ids=SCREENS)
def test_the_words_on_a_telephones_screen_are_read(tones: tuple[int, int, int, int, int], form: str) -> None:
    page, plain = seen(screen(*tones, form)), seen(screen(255, 255, 0, 0, 255, form))
    for top in range(100, 2400, 300):
        for place in (on_screen(page, 76, top + 25, 560, 60), on_screen(page, 76, top + 105, 560, 45)):
            assert alike(words_of(page, place), plain.crop(place)) > 0.93
        assert 0.6 < ink_share(page, on_screen(page, 850, top + 160, 190, 65)) < 0.9


def on_screen(page: Image.Image, left: float, top: float, width: float, height: float) -> Box:
    """A box of the screen, which is as high as the page, as a box of the page."""
    scale = page.height / 2532
    beside = (page.width - 1170 * scale) / 2
    return (
        round(left * scale + beside),
        round(top * scale),
        round((left + width) * scale + beside),
        round((top + height) * scale),
    )
