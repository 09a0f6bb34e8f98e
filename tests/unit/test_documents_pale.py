"""What is pale: bars of charts are seen."""

import pytest
from PIL import ImageChops, ImageFilter

from tests.samples import pdf
from tests.unit.test_documents_sight import at, ink_share, seen


@pytest.mark.parametrize("grey", [0.85, 0.9, 0.93, 0.96])
def test_a_pale_bar_of_a_chart_has_an_outline(grey: float) -> None:
    page = seen(pdf(1, "", drawing=f"{grey} g 200 300 40 200 re f\n"))
    for side in ((198, 310, 4, 180), (238, 310, 4, 180), (205, 298, 30, 4), (205, 498, 30, 4)):
        part = page.crop(at(*side))
        across = part.width < part.height
        lines = [
            part.crop((n, 0, n + 1, part.height) if across else (0, n, part.width, n + 1)).getextrema()
            for n in range(min(part.size))
        ]
        assert (255, 255) in lines
    assert ink_share(page, at(210, 310, 20, 180)) < 0.15


def test_what_is_all_but_white_has_none() -> None:
    assert ink_share(seen(pdf(1, "", drawing="0.98 g 200 300 40 200 re f\n")), at(150, 250, 200, 300)) == 0


def test_the_outline_of_a_pale_word_across_a_page_leaves_what_is_written_there_alone() -> None:
    """The word is behind a letter, and not on it: too little of it is written on."""
    behind = "q 0.9 g BT /F1 90 Tf 0.9 0.4 -0.4 0.9 120 180 Tm (DRAFT) Tj ET Q 0.9 g 60 60 480 80 re f\n"
    letter = "0 g " + "".join(
        f"BT /F1 9 Tf 60 {360 - 14 * row} Td (Please confirm the receipt of 1,5 mg) Tj ET\n" for row in range(10)
    )
    plain, both = (seen(pdf(1, "", drawing=drawing)) for drawing in (letter, behind + letter))
    assert ink_share(both, at(280, 240, 100, 60)) > 0.01, "the outline of the F"
    words = at(58, 230, 190, 140)
    added = ImageChops.subtract(both.crop(words).convert("L"), plain.crop(words).convert("L"))
    close = ImageChops.darker(added, plain.crop(words).convert("L").filter(ImageFilter.MaxFilter(5)))
    assert added.histogram()[255] > 0
    assert close.histogram()[255] < 0.01 * plain.crop(words).histogram()[255]
