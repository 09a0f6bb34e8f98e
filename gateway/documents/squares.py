"""Masks of squares of a page: grown, shrunk, filled, and taken apart. A square is set (255) or not (0)."""

from collections.abc import Iterator

from PIL import Image, ImageChops, ImageFilter


def pieces(mask: Image.Image) -> Iterator[tuple[int, int, int, int]]:
    """Give boxes of *mask* with nothing set between them, above each other and then beside each other: what is written
    on areas of one tone may be dark here and light there."""
    for top, bottom in _runs(mask):
        band = mask.crop((0, top, mask.width, bottom)).transpose(Image.Transpose.TRANSPOSE)
        for left, right in _runs(band):
            yield left, top, right, bottom


def _runs(mask: Image.Image) -> Iterator[tuple[int, int]]:
    """Give the first row and the one behind the last of each run of rows in which something is set."""
    data, width, start = mask.tobytes(), mask.width, -1
    for row in range(mask.height + 1):
        filled = b"\xff" in data[row * width : (row + 1) * width]
        if filled and start < 0:
            start = row
        elif not filled and start >= 0:
            yield start, row
            start = -1


def within(cells: Image.Image) -> Image.Image:
    """Return the squares that lie between *cells* of their own row and between such of their own column."""
    turned = _filled(cells.transpose(Image.Transpose.TRANSPOSE))
    return ImageChops.darker(_filled(cells), turned.transpose(Image.Transpose.TRANSPOSE))


def _filled(cells: Image.Image) -> Image.Image:
    """Fill each row from its first square to its last."""
    data, width, rows = cells.tobytes(), cells.width, []
    for start in range(0, len(data), width):
        rest = data[start : start + width].lstrip(b"\0")
        between = b"\xff" * len(rest.rstrip(b"\0"))
        rows.append(bytes(width - len(rest)) + between.ljust(len(rest), b"\0"))
    return Image.frombytes("L", cells.size, b"".join(rows))


def grown(mask: Image.Image, reach: int) -> Image.Image:
    """Return *mask* with all squares set that lie within *reach* of one that is."""
    return mask.filter(ImageFilter.BoxBlur(reach)).point([0] + [255] * 255)


def shrunk(mask: Image.Image, reach: int) -> Image.Image:
    """Return the squares of *mask* around which all others are set within *reach*."""
    return mask.filter(ImageFilter.BoxBlur(reach)).point([0] * 255 + [255])


def darkest_around(image: Image.Image) -> Image.Image:
    """Return the darkest of each place and its eight neighbours; a border looks at the one opposite, too. Pillow's
    MinFilter and BoxBlur take a multiple of the time."""
    for across, down in ((1, 0), (0, 1)):
        beside = (ImageChops.offset(image, sign * across, sign * down) for sign in (1, -1))
        for each in list(beside):
            image = ImageChops.darker(image, each)
    return image
