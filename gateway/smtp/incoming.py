"""What a client sends, handed out as command lines or in bulk."""

import asyncio

#: The most that is taken from the connection at once, in bytes.
CHUNK_BYTES = 1 << 16


class LineTooLong(Exception):
    """A command line was longer than allowed; it has been read to its end and dropped."""


class Incoming:
    """The octets of one connection. Holds at most one chunk, however much is sent."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._held = b""

    @property
    def waiting(self) -> bool:
        """True when the client has sent more than has been asked for."""
        return bool(self._held)

    async def line(self, longest: int) -> bytes:
        """Return the next line with its LF, of at most *longest* octets.

        Raises LineTooLong, and EOFError when the client has left (an unfinished line is dropped).
        """
        line = await self.chunk()
        while b"\n" not in line:
            if len(line) > longest:
                await self._skip_line()
                raise LineTooLong
            line += await self.chunk()
        end = line.index(b"\n") + 1
        self._held = line[end:]
        if end > longest:
            raise LineTooLong
        return line[:end]

    async def _skip_line(self) -> None:
        while (end := (chunk := await self.chunk()).find(b"\n")) < 0:
            pass
        self._held = chunk[end + 1 :]

    async def chunk(self) -> bytes:
        """Return what has come, as soon as there is any. Raises EOFError when the client has left."""
        held, self._held = self._held, b""
        chunk = held or await self._reader.read(CHUNK_BYTES)
        if not chunk:
            raise EOFError
        return chunk
