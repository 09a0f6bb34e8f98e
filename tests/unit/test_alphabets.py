"""Charsets as senders declare them."""

import pytest

from gateway.alphabets import read_as


def test_a_name_stands_for_what_senders_mean_by_it() -> None:
    assert read_as(b"100 \x80", " ISO-8859-1 ") == "100 \u20ac"
    assert read_as(b"\xf9\xec", "iso-8859-8-i") == "\u05e9\u05dc"
    assert read_as(b"a\x81", "cp1252") == "a\ufffd"


@pytest.mark.parametrize("name", ["x-nobody", "", "hex", "rot13", "a\0b", "undefined", "idna", "unicode_escape"])
def test_what_is_no_alphabet_is_not_read(name: str) -> None:
    assert read_as(b"\\u0041", name) is None


def test_what_would_take_the_square_of_a_text_is_not_tried() -> None:
    """A megabyte would take minutes."""
    assert read_as(b"a" * 1_000_000 + b"-" + b"b9" * 500_000, "Punycode") is None
