"""A mail server that has mails for the gateway: it keeps each one until it is answered with 250 or refused for good.

What it is told it writes down (``acks.jsonl``), for the judge.
"""

import asyncio
import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from tests import samples
from tests.scenarios.installation import REALM, SENDER

PATIENCE = 60.0
_FAX_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Unanswered(Exception):
    """No 250 came and no refusal for good: the mail stays in the queue."""


class Refused(Exception):
    """A reply 5xx."""


def numbers() -> Iterator[str]:
    """Numbers for trial, each once; none that the carrier's emulator treats in a way of its own."""
    for line in itertools.count(2_010_000):
        if line % 10_000 >= 10:
            yield f"+1212{line}"


def mail_to(number: str, message_id: str, document: bytes) -> bytes:
    """Return a mail with one PDF; the same arguments give the same octets."""
    import base64

    encoded = base64.encodebytes(document).decode().replace("\n", "\r\n")
    return (
        f"From: {SENDER}\r\nTo: {number}@{REALM}\r\nSubject: Discharge letter\r\nMessage-ID: {message_id}\r\n"
        "MIME-Version: 1.0\r\nContent-Type: application/pdf; name=letter.pdf\r\n"
        "Content-Disposition: attachment; filename=letter.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        f"{encoded}"
    ).encode()


class MailServer:
    """Sends to the SMTP port *port*. ``answers`` holds every final reply, ``troubles`` every other one."""

    def __init__(self, port: int, log: Path) -> None:
        self.port = port
        self.answers: list[str] = []
        self.troubles: list[str] = []
        self.document = samples.pdf(1)
        self._log = log.open("a", encoding="utf-8")
        self._serial = itertools.count(1)
        self._numbers = numbers()

    def close(self) -> None:
        """Close the log."""
        self._log.close()

    async def keep_sending(self, number: str = "", pause: float = 0.2) -> str:
        """Send one mail, again and again as long as it takes; return the reply. Raises Refused."""
        number = number or next(self._numbers)
        message_id = f"<{next(self._serial)}.{number.strip('+')}@{REALM}>"
        self.note(message_id, number, "sent")
        while True:
            try:
                reply = await self.send(number, message_id)
            except Unanswered as trouble:
                self.troubles.append(str(trouble))
                await asyncio.sleep(pause)
            except Refused as refused:
                self.note(message_id, number, "refused", str(refused))
                raise
            else:
                found = _FAX_ID.search(reply)
                self.note(message_id, number, "acked", found.group() if found else reply)
                self.answers.append(reply)
                return reply

    async def send_again(self, number: str, times: int) -> set[str]:
        """Send one mail, lose its answer so many *times*, and then as often take it; return the answers' fax ids."""
        message_id = f"<lost.{number.strip('+')}@{REALM}>"
        self.note(message_id, number, "sent")
        for _ in range(times):
            with contextlib.suppress(Unanswered):
                await self.send(number, message_id, leave_at_dot=True)
            await asyncio.sleep(0.05)
        found = [_FAX_ID.search(await self.send(number, message_id)) for _ in range(times)]
        ids = {match.group() if match else "" for match in found}
        for fax_id in ids:
            self.note(message_id, number, "acked", fax_id)
        return ids

    async def submit(self, sender: str, recipient: str, content: bytes) -> str:
        """Hand over any mail once. Raises Refused and Unanswered."""
        return await self._transact(sender, recipient, content)

    async def send(self, number: str, message_id: str, *, leave_at_dot: bool = False) -> str:
        """Make one try. With *leave_at_dot* the connection is cut right behind the final dot."""
        content = mail_to(number, message_id, self.document)
        return await self._transact(SENDER, f"{number}@{REALM}", content, leave_at_dot=leave_at_dot)

    async def _transact(self, sender: str, recipient: str, content: bytes, *, leave_at_dot: bool = False) -> str:
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(PATIENCE):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                await _reply(reader, 220)
                for command, expected in (
                    ("EHLO relay.test.example", 250),
                    (f"MAIL FROM:<{sender}>", 250),
                    (f"RCPT TO:<{recipient}>", 250),
                    ("DATA", 354),
                ):
                    writer.write(f"{command}\r\n".encode())
                    await _reply(reader, expected)
                writer.write(content + b".\r\n")
                await writer.drain()
                if leave_at_dot:
                    raise Unanswered("left at the final dot")
                return await _reply(reader, 250)
        except (OSError, EOFError, TimeoutError) as error:
            raise Unanswered(repr(error)) from error
        finally:
            if writer is not None:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def note(self, mail: str, to: str, step: str, fax_id: str = "") -> None:
        """Write down what happened to a mail."""
        line = {"at": datetime.now(UTC).isoformat(), "mail": mail, "to": to, "step": step, "fax_id": fax_id}
        self._log.write(json.dumps(line) + "\n")
        self._log.flush()


async def _reply(reader: asyncio.StreamReader, expected: int) -> str:
    """Return the last line of a reply. Raises Refused for 5xx and Unanswered for anything else unexpected."""
    while True:
        line = (await reader.readline()).decode()
        if not line.endswith("\n"):
            raise Unanswered(f"the connection ended: {line!r}")
        if line[3:4] != "-":
            break
    if line.startswith("5"):
        raise Refused(line.strip())
    if not line.startswith(str(expected)):
        raise Unanswered(line.strip())
    return line.strip()
