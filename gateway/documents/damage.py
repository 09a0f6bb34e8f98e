"""Whether the code of a fax page in a TIFF can be read, and how much of it may be in doubt.

Faxes were received over bad lines, and files were cut a few rows short: a reader makes sense of them. So rows may be in
doubt, up to a twentieth of an inch one below the other and a twentieth of the page in all, about what HylaFAX takes a
page for good with. In T.4 those are the rows that cannot be read or are missing; in T.6, where each row leans on the
one above it, all from the first bad one to the end of its strip. A page may be shorter than its file says where
the code itself says that it ends there.
"""

from gateway.documents import ifd
from gateway.documents.walk import Form, Walk, walk

#: Each byte with its bits in the other order, as modems take them.
REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))

_PARTS = 20
#: Lines to the inch of a page that does not say.
_LINES = 196.0
#: So many bytes behind the end of the code are no code.
_STRAY = 16
_FORMS = {2: Form.BYTES, 3: Form.T4, 4: Form.T6, 32771: Form.WORDS}


def is_damaged(data: bytes, page: ifd.Directory) -> bool:
    """Say whether more of *page*, of the TIFF *data*, is in doubt than may be; False where it is no T.4 or T.6 code in
    strips."""
    form, width, height = _form(page), page.number(ifd.WIDTH), page.number(ifd.LENGTH)
    if form is None or not width or not height:
        return False
    most = max(1, round((page.resolution or (0.0, _LINES))[1] / _PARTS))
    in_doubt = 0
    for code, rows in _strips(data, page, height):
        found = walk(code, form, width, rows)
        missing = 0 if _is_short(found) else rows - found.rows
        in_doubt += found.bad + missing
        if max(found.together, missing) > most or in_doubt * _PARTS > height:
            return True
    return False


def _form(page: ifd.Directory) -> Form | None:
    if page.number(ifd.BITS, 1) != 1 or page.number(ifd.SAMPLES, 1) != 1:
        return None
    form = _FORMS.get(page.number(ifd.COMPRESSION))
    return Form.T4_2D if form is Form.T4 and page.number(ifd.T4_OPTIONS) & 1 else form


def _is_short(found: Walk) -> bool:
    return found.ended and not found.bad and found.left <= _STRAY


def _strips(data: bytes, page: ifd.Directory, height: int) -> list[tuple[bytes, int]]:
    """Return the code of each strip, first bit highest, and its rows."""
    each = min(page.number(ifd.ROWS_PER_STRIP, height) or height, height)
    sizes = page.tags.get(ifd.STRIP_BYTES, ())
    strips = []
    for number, start in enumerate(page.tags.get(ifd.STRIP_OFFSETS, ())[: -(-height // each)]):
        size = sizes[number] if number < len(sizes) else 0
        code = data[start : start + size] if size else data[start:]  # some writers do not say how long it is
        turned = page.number(ifd.FILL_ORDER, 1) == 2
        strips.append((code.translate(REVERSED) if turned else code, min(each, height - number * each)))
    return strips
