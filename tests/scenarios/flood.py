"""A client that sends far more than may be sent, and others that meanwhile only want to say NOOP."""

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.scenarios.installation import CLINIC, HANG, REALM, SENDER

CHUNK = 1 << 16
#: Two hundred megabytes of lines, and six hundred without a single line end.
LINES, NO_LINES = (b"x" * 76 + b"\r\n") * (CHUNK // 78), b"x" * CHUNK


@dataclass
class Flood:
    """What came of it: the last reply, bytes that went out, the largest resident size of the daemon in MiB, and how
    long others waited for each of their replies, in milliseconds."""

    reply: str = ""
    sent: int = 0
    before: float = 0.0
    largest: float = 0.0
    waits: list[float] = field(default_factory=list)


def resident(pid: int) -> float:
    """Return the resident size of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024


async def flood(port: int, pid: int, total: int, chunk: bytes, others: int = 5) -> Flood:
    """Send a message of *total* bytes, made of *chunk*, to the daemon *pid* at *port*, while *others* talk to it."""
    result = Flood(before=resident(pid))
    watching = [asyncio.create_task(_talk(port, result)) for _ in range(others)]
    watching.append(asyncio.create_task(_measure(pid, result)))
    try:
        await _pour(port, total, chunk, result)
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return result


async def quiet(port: int, pid: int, seconds: float = 4, others: int = 5) -> Flood:
    """The same without a flood: what the machine itself makes the *others* wait."""
    result = Flood(before=resident(pid))
    talking = [asyncio.create_task(_talk(port, result)) for _ in range(others)]
    await asyncio.sleep(seconds)
    for task in talking:
        task.cancel()
    await asyncio.gather(*talking, return_exceptions=True)
    result.largest = resident(pid)
    return result


async def _pour(port: int, total: int, chunk: bytes, result: Flood) -> None:
    reader, writer = await _begun(port)
    for line in (f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{CLINIC.removeprefix('+')}@{REALM}>", "DATA"):
        await _say(reader, writer, line)
    answer = asyncio.create_task(reader.readline())
    with contextlib.suppress(OSError):
        while result.sent < total and not answer.done():
            writer.write(chunk)
            await writer.drain()
            result.sent += len(chunk)
        writer.write(b"\r\n.\r\n")
        await writer.drain()
    with contextlib.suppress(OSError):
        result.reply = (await asyncio.wait_for(answer, HANG)).decode()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _talk(port: int, result: Flood) -> None:
    reader, writer = await _begun(port)
    try:
        while True:
            began = time.perf_counter()
            await _say(reader, writer, "RSET")
            result.waits.append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(0.02)
    finally:
        writer.close()


async def _measure(pid: int, result: Flood) -> None:
    while True:
        result.largest = max(result.largest, resident(pid))
        await asyncio.sleep(0.02)


async def _begun(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reader.readline()
    await _say(reader, writer, "EHLO flood.example")
    return reader, writer


async def _say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, line: str) -> str:
    writer.write(line.encode() + b"\r\n")
    while (answer := await reader.readline())[3:4] == b"-":
        pass
    return answer.decode()
