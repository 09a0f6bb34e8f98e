"""The SMTP door in front of a house of stories, and a client that speaks to it."""

import asyncio
import smtplib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.intake import Intake
from gateway.intake.bounces import Bounces
from gateway.intake.evidence import Evidence
from gateway.limits import Limits
from gateway.smtp.auth import Logins
from gateway.smtp.door import SmtpLimits
from gateway.smtp.listener import Listener
from gateway.smtp.server import SmtpServer
from gateway.store import schema
from gateway.store.database import Row
from tests import samples
from tests.integration.engines import HANG, rows, store
from tests.integration.house import REALM, SENDER, House, built
from tests.samples import Attachment, mail

LOOPBACK = (ip_network("127.0.0.0/8"),)
RCPT = f"+12025550142@{REALM}"
PDF = Attachment("letter.pdf", samples.pdf(2))


@dataclass
class Door:
    """The SMTP door of a house, and what a client says there."""

    house: House
    intake: Intake
    server: SmtpServer
    #: The address that the client connects from.
    source: str = "127.0.0.1"

    async def send(
        self, recipients: list[str] | str = RCPT, content: bytes = b"", sender: str = SENDER, *, refreshed: bool = True
    ) -> list[str]:
        """Send a mail; return the reply to MAIL if it is refused, else those to each RCPT and to the message. Unless it
        is *refreshed* the door knows what it knew a moment ago, as it may within a second of a change."""
        if refreshed:
            await self.intake.refresh()
        everybody = [recipients] if isinstance(recipients, str) else recipients
        return await asyncio.to_thread(self._say, sender, everybody, content or mail([PDF]))

    def _say(self, sender: str, recipients: list[str], content: bytes) -> list[str]:
        host, port = self.server.addresses[0]
        with smtplib.SMTP(
            host, port, local_hostname="pc.acme.example", timeout=HANG, source_address=(self.source, 0)
        ) as client:
            client.ehlo()
            if (answer := client.docmd(f"MAIL FROM:<{sender}>"))[0] != 250:
                return [_line(answer)]
            answers = [client.docmd(f"RCPT TO:<{recipient}>") for recipient in recipients]
            if any(code == 250 for code, _ in answers):
                answers.append(_data(client, content))
            return [_line(answer) for answer in answers]

    async def taken(self, *arguments: Any, **more: Any) -> list[UUID]:
        """Send a mail that is taken; return the ids in its reply."""
        reply = (await self.send(*arguments, **more))[-1]
        assert reply.startswith("250 2.0.0 "), reply
        return [UUID(word) for word in reply.split() if len(word) == 36]

    async def log(self) -> Row:
        """The smtplog's only row; transactions that end with the connection write it a moment later."""
        async with asyncio.timeout(HANG):
            while not (found := await rows(self.house.db, schema.smtplog)):
                await asyncio.sleep(0.01)
        (row,) = found
        return row


def _data(client: smtplib.SMTP, content: bytes) -> tuple[int, bytes]:
    try:
        return client.data(content)
    except smtplib.SMTPDataError as refused:  # at DATA itself, before the message
        return refused.smtp_code, bytes(refused.smtp_error)  # type: ignore[arg-type]  # typed str, and is bytes


def _line(answer: tuple[int, bytes]) -> str:
    return f"{answer[0]} {answer[1].decode()}"


@asynccontextmanager
async def opened(
    request: pytest.FixtureRequest,
    folder: Path,
    limits: Limits | None = None,
    mode: str = "trusted",
    evidence: Callable[[House], Evidence] | None = None,
    listener: Listener | None = None,
) -> AsyncIterator[Door]:
    """The door of a house on the engine that *request* names (``ENGINES``), its listener of this *mode*, or *listener*.

    Without *limits* more may be mailed than is dialled: Canada.
    """
    async with store(request, folder) as db, built(db, folder) as house:
        if limits is not None:
            house.limits = limits
            house.connect()
        allowed = limits or Limits(["US", "CA"], ["fixed_line_or_mobile", "toll_free"])
        judge = evidence(house) if evidence else None
        bounces = Bounces(db, house.sandbox, house.notify, f"fax@{REALM}")
        intake = Intake(
            db,
            house.blobs,
            house.sandbox,
            allowed,
            tries=3,
            max_recipients=50,
            delay_notice=house.policy.delay_notice,
            evidence=judge,
            bounces=bounces,
        )
        await intake.refresh()
        logins = Logins(db)
        server = SmtpServer(
            intake,
            hostname=f"fax.{REALM}",
            max_message_bytes=5_000_000,
            listeners=[listener or Listener("127.0.0.1:0", mode, networks=LOOPBACK)],
            limits=SmtpLimits(),
            authenticator=logins,
        )
        await server.start()
        try:
            yield Door(house, intake, server)
        finally:
            await server.stop(5)
            logins.stop()
            if judge is not None:
                judge.stop()
