"""Command lines, and messages in bulk, out of what a connection brings."""

import asyncio

import pytest

from gateway.smtp.incoming import MOST_HELD, Incoming, LineTooLong


class Connection:
    """Whether the connection is being read."""

    def __init__(self) -> None:
        self.reading = True
        self.incoming = Incoming(self.pause, self.resume)

    def pause(self) -> None:
        self.reading = False

    def resume(self) -> None:
        self.reading = True


async def test_lines_come_one_by_one_however_they_were_sent() -> None:
    incoming = Connection().incoming
    incoming.feed(b"EHLO c\r\nNO")
    assert await incoming.line(100) == b"EHLO c\r\n"
    assert incoming.waiting
    incoming.feed(b"OP\r\n")
    assert await incoming.line(100) == b"NOOP\r\n"
    assert not incoming.waiting


async def test_an_unfinished_line_is_dropped_when_the_client_leaves() -> None:
    incoming = Connection().incoming
    incoming.feed(b"MAIL FROM:<a@b.exam")
    incoming.end()
    with pytest.raises(EOFError):
        await incoming.line(100)


async def test_a_line_is_handed_out_before_the_end_is_noticed() -> None:
    incoming = Connection().incoming
    incoming.feed(b"QUIT\r\n")
    incoming.end()
    assert await incoming.line(100) == b"QUIT\r\n"
    with pytest.raises(EOFError):
        await incoming.line(100)


async def test_a_line_without_end_is_not_gathered() -> None:
    connection = Connection()
    incoming = connection.incoming
    asked = asyncio.create_task(incoming.line(1024))
    for _ in range(300):
        await asyncio.sleep(0)
        assert connection.reading
        incoming.feed(b"x" * MOST_HELD)
        assert len(incoming._held) <= 2 * MOST_HELD
    incoming.feed(b"x\r\nNOOP\r\n")
    with pytest.raises(LineTooLong):
        await asked
    assert await incoming.line(1024) == b"NOOP\r\n"


async def test_what_nobody_asks_for_stops_the_connection() -> None:
    connection = Connection()
    connection.incoming.feed(b"NOOP\r\n" + b"x" * MOST_HELD)
    assert not connection.reading
    assert await connection.incoming.line(100) == b"NOOP\r\n"
    asked = asyncio.create_task(connection.incoming.line(10**6))
    await asyncio.sleep(0)
    assert connection.reading
    connection.incoming.feed(b"\r\n")
    assert len(await asked) == MOST_HELD + 2


async def test_a_message_is_poured_out_as_it_comes() -> None:
    incoming, poured = Connection().incoming, bytearray()

    def sink(data: bytes) -> bool:
        poured.extend(data)
        return poured.endswith(b".")

    incoming.feed(b"one")
    pouring = asyncio.create_task(incoming.pour(sink))
    await asyncio.sleep(0)
    incoming.feed(b"two")
    assert poured == b"onetwo"
    incoming.feed(b".")
    incoming.feed(b"QUIT\r\n")
    await pouring
    assert poured == b"onetwo."
    assert await incoming.line(100) == b"QUIT\r\n"


async def test_a_message_that_stops_coming_is_an_end_of_file() -> None:
    incoming = Connection().incoming
    pouring = asyncio.create_task(incoming.pour(lambda data: False))
    await asyncio.sleep(0)
    incoming.feed(b"half")
    incoming.end()
    with pytest.raises(EOFError):
        await pouring
