"""The short ways of reading a mail end where the long ones do."""

import binascii

import pybase64
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.mail.headers import _PARSER, MOST_LINES, _clean

_PIECES = [
    b"A",
    b"Content-Type",
    b":",
    b" ",
    b"\t",
    b"\r\n",
    b"\n",
    b"\r",
    b"\xe9",
    b"=?utf-8?q?x?=",
    b"From ",
    b"\0",
    b".",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=30).map(b"".join))
@example(b"A: 1\r\n folded\r\n\tonce more \r\n\r\nbody")
@example(b"A:\r\n \r\nB: \xff\r\n\r\n")
@example(b"A: 1\r\nA: 2\r\n\r\n")
@example(b": no name\r\n\r\n")
@example(b"A: 1\x0b2\x0c3\x1c4\x85\r\n x\r\n\r\n")
def test_a_clean_header_block_is_read_as_the_standard_library_reads_it(block: bytes) -> None:
    found = _clean(block)
    if found is None:
        return
    message, length = found
    expected = _PARSER.parsebytes(block[:length])
    assert message.items() == expected.items()
    assert block[:length].endswith(b"\r\n\r\n")
    assert block.index(b"\r\n\r\n") + 4 == length


def test_an_ordinary_header_block_is_clean() -> None:
    block = b"From: a@b.example\r\nSubject: one\r\n two\r\nMIME-Version: 1.0\r\n\r\nbody\r\n"
    found = _clean(block)
    assert found is not None
    assert found[0].items() == [("From", "a@b.example"), ("Subject", "one\r\n two"), ("MIME-Version", "1.0")]
    assert block[found[1] :] == b"body\r\n"


def test_too_many_lines_are_not_clean() -> None:
    assert _clean(b"A:\r\n" * MOST_LINES + b"\r\n") is None


@given(
    st.lists(st.sampled_from([b"QUJD", b"QQ", b"Q", b"+/", b"\r\n", b"\n", b" ", b"!", b"\xff", b"\0"])).map(b"".join)
)
def test_base64_is_decoded_as_binascii_decodes_it(raw: bytes) -> None:
    """What stands in a part is padded at its end only: elsewhere the two may differ."""
    for padding in (b"", b"=", b"==", b"=\r\n", b"==\r\n\r\n"):
        try:
            expected: bytes | None = binascii.a2b_base64(raw + padding)
        except binascii.Error:
            expected = None
        try:
            found: bytes | None = pybase64.b64decode(raw + padding)
        except binascii.Error:
            found = None
        assert found == expected
