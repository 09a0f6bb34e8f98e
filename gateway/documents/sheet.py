"""A sheet of paper in a photograph, as telephones take them: the light part of it, on which something is written.

What lies around it may be of any tone, and the light may fall off across it. So what is light is told by the two groups
into which the tones fall (Otsu 1979, doi:10.1109/TSMC.1979.4310076), and only that part is looked at.
"""

from PIL import Image, ImageChops

from gateway.documents.greys import count_darker
from gateway.documents.shades import lightest, share

#: So many squares around what is light are its edge, which tells nothing.
_EDGE = 11
#: A sheet is at least this share of the photograph. Of it at least so much is written, and no more than so much, ...
_LEAST, _LEAST_WRITTEN, _MOST_WRITTEN = 0.35, 0.004, 0.25
#: ... and little is between that and its paper, which is nowhere darker than such a share of that around it. Where
#: light and shade go over into each other, as on things and faces, there is twice as much.
_MOST_BETWEEN, _PAPER = 0.07, 0.9


def written_sheet(sample: Image.Image, paper: Image.Image, inks: Image.Image) -> Image.Image | None:
    """Return the squares of the sheet, None where there is none. *paper* is the tone of the paper in each square,
    *sample* one dot of each, which is written where it is darker than *inks*."""
    border = _border(paper.histogram())
    light = paper.point([255 if tone > border else 0 for tone in range(256)])
    sheet = ImageChops.invert(lightest(ImageChops.invert(light), (_EDGE, _EDGE)))
    whole = sheet.histogram()[255]
    if whole < _LEAST * sheet.width * sheet.height:
        return None
    tables = (inks, share(paper, _PAPER))
    written, other = (count_darker(sample, ImageChops.darker(table, sheet)) / whole for table in tables)
    return sheet if _LEAST_WRITTEN <= written <= _MOST_WRITTEN and other - written <= _MOST_BETWEEN else None


def _border(counts: list[int]) -> int:
    """Return the tone between the two groups into which a histogram falls best."""
    whole, total = sum(counts), sum(tone * count for tone, count in enumerate(counts))
    best, border, below, weight = 0.0, 0, 0, 0
    for tone, count in enumerate(counts):
        below, weight = below + count, weight + tone * count
        if 0 < below < whole:
            apart = below * (whole - below) * (weight / below - (total - weight) / (whole - below)) ** 2
            if apart > best:
                best, border = apart, tone
    return border
