"""T.6 code put together without decoding it (ITU-T T.6).

Every row is coded against the one above it, the first against a white one. So code that ends with a white row can
stand in front of any page's, and a page's white rows at its head are so many 1 bits: each is as the row above it.
"""

from dataclasses import dataclass

_END = 0x001001  # the end of block: EOL twice
_END_BITS = 24


@dataclass(frozen=True, slots=True)
class Rows:
    """Code of some rows without the end of block: its bits as a number, how many they are, and the rows."""

    bits: int
    size: int
    rows: int

    @classmethod
    def of(cls, code: bytes, rows: int) -> "Rows":
        """Take the code of a whole page of so many *rows*. Raises ValueError when it does not end as it must."""
        bits = int.from_bytes(code, "big")
        padding = (bits & -bits).bit_length() - 1 if bits else 0
        bits >>= padding
        if bits & ((1 << _END_BITS) - 1) != _END:
            raise ValueError("the code has no end of block")
        return cls(bits >> _END_BITS, len(code) * 8 - padding - _END_BITS, rows)

    @property
    def white_at_head(self) -> int:
        """How many rows at the head are white."""
        zeros = ~self.bits & ((1 << self.size) - 1)
        return min(self.size - zeros.bit_length(), self.rows)

    def without_head(self, rows: int) -> "Rows":
        """Return the code without so many white rows at its head."""
        size = self.size - rows
        return Rows(self.bits & ((1 << size) - 1), size, self.rows - rows)

    def code(self) -> bytes:
        """Return the code with its end of block, filled up to whole bytes."""
        bits, size = self.bits << _END_BITS | _END, self.size + _END_BITS
        padding = -size % 8
        return (bits << padding).to_bytes((size + padding) // 8, "big")


def above(head: Rows, page: Rows) -> Rows:
    """Return *page* with *head*, which must end with a white row, at its top.

    The head takes the place of white rows, as many as there are; where the page begins higher up the rest is put above
    it, so that nothing is covered.
    """
    below = page.without_head(min(head.rows, page.white_at_head))
    return Rows(head.bits << below.size | below.bits, head.size + below.size, head.rows + below.rows)
