"""Command lines out of what a connection brings."""

import asyncio
import tracemalloc

import pytest

from gateway.smtp.incoming import CHUNK_BYTES, Incoming, LineTooLong


async def test_lines_come_one_by_one_however_they_were_sent() -> None:
    reader = asyncio.StreamReader()
    incoming = Incoming(reader)
    reader.feed_data(b"EHLO c\r\nNO")
    assert await incoming.line(100) == b"EHLO c\r\n"
    assert incoming.waiting
    reader.feed_data(b"OP\r\n")
    assert await incoming.line(100) == b"NOOP\r\n"
    assert not incoming.waiting


async def test_an_unfinished_line_is_dropped_when_the_client_leaves() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(b"MAIL FROM:<a@b.exam")
    reader.feed_eof()
    with pytest.raises(EOFError):
        await Incoming(reader).line(100)


async def test_a_line_without_end_is_not_gathered() -> None:
    class Endless(asyncio.StreamReader):
        left = 300

        async def read(self, n: int = -1) -> bytes:
            self.left -= 1
            return b"x" * n if self.left else b"x\r\nNOOP\r\n"

    incoming = Incoming(Endless())
    tracemalloc.start()
    try:
        with pytest.raises(LineTooLong):
            await incoming.line(1024)
        assert tracemalloc.get_traced_memory()[1] < 10 * CHUNK_BYTES
    finally:
        tracemalloc.stop()
    assert await incoming.line(1024) == b"NOOP\r\n"
