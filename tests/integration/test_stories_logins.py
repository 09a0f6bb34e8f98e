"""Who has logged in: he sends as himself, through his own faxbox, and it is kept that he did."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from gateway.account import SmtpUser
from gateway.smtp.listener import SUBMISSIONS
from gateway.store import audit
from tests.integration.door_house import PDF, RCPT, Door, opened
from tests.integration.engines import HANG
from tests.integration.house import OFFICE, SENDER
from tests.integration.smtp_house import certified, trusting
from tests.samples import mail

NAME, PASSWORD, OWN = "front.desk", "correct horse 9", "desk@acme.example"


@dataclass
class Desk:
    """A door at which people log in, and one who can."""

    door: Door
    user: SmtpUser
    authority: trustme.CA

    async def replies(self, *commands: str, name: str = NAME, password: str = PASSWORD) -> list[str]:
        """Log in, say *commands*, the mail in place of DATA; return the replies, that to the login among them."""
        await self.door.intake.refresh()
        return await asyncio.to_thread(self._replies, commands, name, password)

    def _replies(self, commands: tuple[str, ...], name: str, password: str) -> list[str]:
        host, port = self.door.server.addresses[0]
        with smtplib.SMTP_SSL(host, port, "pc.acme.example", timeout=HANG, context=trusting(self.authority)) as client:
            client.ehlo()
            client.user, client.password = name, password
            found = [client.auth("PLAIN", client.auth_plain)]
            for command in commands:
                found.append(client.data(mail([PDF])) if command == "DATA" else client.docmd(command))
            return [f"{code} {text.decode()}" for code, text in found]


@pytest.fixture
async def desk(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Desk]:
    request.param = "sqlite"
    authority = trustme.CA()
    listener = certified(authority, tmp_path, mode=SUBMISSIONS)
    async with opened(request, tmp_path, listener=listener) as door:
        house = door.house
        user = await house.provisioning.create_smtp_user(
            house.account.id, house.faxbox.id, NAME, PASSWORD, addresses=[OWN]
        )
        yield Desk(door, user, authority)


async def test_who_has_logged_in_sends_as_himself_and_it_is_kept(desk: Desk) -> None:
    login, *others, taken = await desk.replies(f"MAIL FROM:<{OWN}>", f"RCPT TO:<{RCPT}>", "DATA")
    assert login.startswith("235 2.7.0 ")
    assert [reply[:3] for reply in others] == ["250", "250"]
    assert taken.startswith("250 2.0.0 taken as ")
    fax = await desk.door.house.only_fax()
    assert (fax.user, fax.notify, fax.faxbox_id) == (NAME, [OWN], desk.door.house.faxbox.id)
    row = await desk.door.log()
    assert (row["user"], row["sender"], row["tls"][:5]) == (NAME, OWN, "TLSv1")
    (line,) = await audit.page(desk.door.house.db, action="sent")
    assert line.details == {"user": NAME}


async def test_nobody_sends_as_another_although_the_faxbox_would_let_him(desk: Desk) -> None:
    assert desk.door.house.faxbox.permits(SENDER), "without a login it would be taken"
    for sender in (SENDER, "Desk@acme.example.evil.example", f"x{OWN}"):
        _, refused = await desk.replies(f"MAIL FROM:<{sender}>")
        assert refused.startswith("550 5.7.1 "), refused
        assert "is not an address of the user who has logged in" in refused


async def test_he_sends_through_his_own_faxbox_where_the_realm_has_several(desk: Desk) -> None:
    house = desk.door.house
    fields = {"name": "lab", "caller_id": OFFICE, "permit": [OWN], "application_id": house.application.id}
    await house.provisioning.create_faxbox(house.account.id, fields)
    await desk.replies(f"MAIL FROM:<{OWN}>", f"RCPT TO:<{RCPT}>", "DATA")
    assert (await house.only_fax()).faxbox_id == house.faxbox.id


async def test_a_password_that_was_changed_opens_nothing_any_more(desk: Desk) -> None:
    await desk.door.house.provisioning.update_smtp_user(desk.user.id, password="battery staple 9")
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
        await desk.replies()
    assert refused.value.smtp_code == 535
    (login,) = await desk.replies(password="battery staple 9")
    assert login.startswith("235 ")
