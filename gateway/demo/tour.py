"""The guided round: one fax from a mail to a mail, each step shown when it happens."""

import asyncio
import re
import smtplib
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from uuid import UUID

from gateway.demo.cast import CLINIC, OFFICE
from gateway.demo.screen import Screen
from gateway.demo.stage import HOST, Stage
from gateway.demo.steps import ROUND, Observer

#: How long a step may take after the one before it, in seconds.
PATIENCE = 60.0
LOOK_EVERY = 0.03
#: What is newer is shown at the next look: the commit of something older may still be under way.
HELD_BACK = timedelta(seconds=0.1)
_FAX_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Stuck(Exception):
    """The round cannot be completed; the text names the step that did not come, and why."""


async def show_round(stage: Stage, screen: Screen) -> None:
    """Mail the sample from the office to the clinic and show what becomes of it. Raises Stuck."""
    document = stage.folder.sample.read_bytes()
    began = datetime.now(UTC)
    what = f"{OFFICE.email} mails sample.pdf ({len(document):,} bytes) to {CLINIC.fax_address}"
    screen.step(timedelta(), "mailed", what)
    reply = await asyncio.to_thread(_send, _mail(document), stage.ports.smtp)
    screen.step(datetime.now(UTC) - began, "accepted", reply)
    found = _FAX_ID.search(reply)
    if found is None or not reply.startswith("250 "):
        raise Stuck("the mail was not accepted")
    await follow(Observer(stage.daemon.db, stage.daemon.blobs, stage.catcher, UUID(found[0]), began), screen)


async def follow(observer: Observer, screen: Screen) -> None:
    """Show each step that *observer* sees until the round is complete. Raises Stuck."""
    loop = asyncio.get_running_loop()
    known: set[str] = set()
    until = loop.time() + PATIENCE
    while missing := [what for key, what in ROUND.items() if key not in known]:
        settled = datetime.now(UTC) - HELD_BACK
        new = [step for step in await observer.look() if step.key not in known and step.at < settled]
        for step in new:
            screen.step(step.at - observer.since, step.label, step.text)
            known.add(step.key)
        if new:
            until = loop.time() + PATIENCE
        elif observer.failed:
            raise Stuck(f"{missing[0]} cannot come any more: {observer.failed}")
        elif loop.time() > until:
            raise Stuck(f"{missing[0]} did not come within {PATIENCE:g} s")
        await asyncio.sleep(LOOK_EVERY)


def _mail(document: bytes) -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = OFFICE.email, CLINIC.fax_address
    mail["Subject"] = "A sample of two pages"
    mail["Date"], mail["Message-ID"] = formatdate(localtime=True), make_msgid(domain="demo.example")
    mail.set_content("The attached document is what shall be faxed; this text is not.")
    mail.add_attachment(document, maintype="application", subtype="pdf", filename="sample.pdf")
    return mail


def _send(mail: EmailMessage, port: int) -> str:
    """Hand *mail* to the gateway as any mail client does, and return the last reply."""
    try:
        with smtplib.SMTP(HOST, port, local_hostname="localhost", timeout=PATIENCE) as client:
            client.ehlo()
            replies = [client.mail(OFFICE.email), client.rcpt(CLINIC.fax_address)]
            refused = [reply for reply in replies if reply[0] != 250]
            code, text = refused[0] if refused else client.data(mail.as_bytes())
    except (OSError, smtplib.SMTPException) as error:
        return f"no reply: {error}"
    return f"{code} {text.decode('ascii', 'replace')}"
