"""What a client sends, handed out as command lines, or in bulk as it arrives.

asyncio's StreamReader is not used: it copies every octet three times, and wakes a task for every chunk of a message.
"""

import asyncio
from collections.abc import Callable

#: The connection is not read any further while more than this waits to be asked for, in bytes.
MOST_HELD = 1 << 16


class LineTooLong(Exception):
    """A command line was longer than allowed; it has been read to its end and dropped."""


class Incoming:
    """The octets of one connection: ``feed`` and ``end`` are called by it, all else by the session.

    Holds no more than what the loop reads at once, however much is sent; *pause* and *resume* stop the connection
    from being read and let it go on.
    """

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._held = bytearray()
        self._paused = False
        self._ended = False
        self._sink: Callable[[bytes], bool] | None = None
        self._awaited: asyncio.Future[None] | None = None

    @property
    def waiting(self) -> bool:
        """True when the client has sent more than has been asked for."""
        return bool(self._held)

    def feed(self, data: bytes) -> None:
        """Take in what has come; nothing more is taken in after ``end``."""
        if self._ended:
            return
        if self._sink is not None:
            self._pour(self._sink, data)
            return
        self._held += data
        if len(self._held) > MOST_HELD and not self._paused:
            self._paused = True
            self._pause()
        self._wake()

    def end(self) -> None:
        """Nothing more comes, or shall be waited for."""
        self._ended = True
        self._wake()

    async def line(self, longest: int) -> bytes:
        """Return the next line with its LF, of at most *longest* octets.

        Raises LineTooLong, and EOFError when the client has left (an unfinished line is dropped).
        """
        seen = dropped = 0
        while (end := self._held.find(b"\n", seen)) < 0:
            seen = len(self._held)
            if dropped or seen > longest:
                dropped += seen
                seen = 0
                self._held.clear()
            await self._more()
        line = bytes(self._held[: end + 1])
        del self._held[: end + 1]
        if dropped + len(line) > longest:
            raise LineTooLong
        return line

    async def pour(self, sink: Callable[[bytes], bool]) -> None:
        """Hand everything that comes to *sink* at once, until it returns True. Raises EOFError as ``line``."""
        held = bytes(self._held)
        self._held.clear()
        if held and sink(held):
            return
        self._sink = sink
        try:
            self._go_on()
            while self._sink is not None:
                await self._more()
        finally:
            self._sink = None

    def _pour(self, sink: Callable[[bytes], bool], data: bytes) -> None:
        if sink(data):
            self._sink = None
            self._wake()

    async def _more(self) -> None:
        """Wait until there is more, or the sink has enough."""
        if self._ended:
            raise EOFError
        self._go_on()
        self._awaited = asyncio.get_running_loop().create_future()
        try:
            await self._awaited
        finally:
            self._awaited = None

    def _go_on(self) -> None:
        if self._paused:
            self._paused = False
            self._resume()

    def _wake(self) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_result(None)
