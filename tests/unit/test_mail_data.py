"""A message as it goes over the wire (RFC 5321, 4.5.2)."""

import random

import pytest
from aiosmtplib.protocol import PERIOD_REGEX, normalize_message_line_endings

from gateway.mail.data import on_the_wire


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (b"a\r\n.b\r\n", b"a\r\n..b\r\n.\r\n"),
        (b".\r\n.\r\n..", b"..\r\n..\r\n...\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b"", b"\r\n.\r\n"),
        (b"a\n.\nb\r.\rc\r\n", b"a\r\n..\r\nb\r\n..\r\nc\r\n.\r\n"),
    ],
)
def test_dots_are_doubled_and_only_the_last_one_ends_it(message: bytes, wire: bytes) -> None:
    assert on_the_wire(message) == wire


def test_it_is_what_the_library_would_send() -> None:
    dice = random.Random(5321)
    for _ in range(2000):
        message = bytes(dice.choices(b"\r\n.ab", k=dice.randrange(12)))
        theirs = PERIOD_REGEX.sub(b"..", normalize_message_line_endings(message)) + b".\r\n"
        assert on_the_wire(message) == theirs
