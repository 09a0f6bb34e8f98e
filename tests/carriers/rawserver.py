"""A server that answers an HTTP request with exactly the bytes, or the misbehaviour, that a test asks for."""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Sequence

#: Instead of bytes to send: reset the connection once the request is read, or never answer.
RESET = None
HANG = "hang"

Answer = bytes | str | None


class RawServer:
    """``requests`` holds what came, one entry a request: the request line, header and body as text."""

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = list(answers)
        self.requests: list[str] = []
        self.base_url = ""
        self.stopped = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await _request(reader))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            await self._answer(answer, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, answer: Answer, writer: asyncio.StreamWriter) -> None:
        if answer == HANG:
            await self.stopped.wait()
        elif isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
        else:
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _request(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = [line for line in head.lower().split("\r\n") if line.startswith("content-length:")]
    body = await reader.readexactly(int(length[0].partition(":")[2])) if length else b""
    return head + body.decode(errors="replace")


@contextlib.asynccontextmanager
async def raw_server(*answers: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Answer requests with *answers* in turn; the last one repeats."""
    raw = RawServer(answers)
    server = await asyncio.start_server(raw.serve, "127.0.0.1", 0, ssl=tls)
    raw.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield raw
    finally:
        raw.stopped.set()
        server.close()
        await server.wait_closed()


def answer(status: int, body: object = b"", **headers: object) -> bytes:
    """An HTTP answer: *body* is sent as it is, or as JSON when it is not bytes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Some Reason", f"Content-Length: {len(content)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def unused_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
