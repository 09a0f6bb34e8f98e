"""The T.6 code of one page (ITU-T T.6, "Group 4")."""

from io import BytesIO

from PIL import Image

from gateway.documents import ifd


def t6(page: Image.Image) -> bytes:
    """Return the T.6 code of a 1-bit image in which 1 is black, most significant bit first, in one strip."""
    output = BytesIO()
    page.save(output, "TIFF", compression="group4", tiffinfo={ifd.ROWS_PER_STRIP: page.height})
    data = output.getvalue()
    directory = next(ifd.directories(data))
    start = directory.number(ifd.STRIP_OFFSETS)
    return data[start : start + directory.number(ifd.STRIP_BYTES)]
