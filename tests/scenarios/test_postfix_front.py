"""A Postfix in front that is set up with the lines of our examples: who may fax through it, and what it tells him."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests import samples
from tests.postfix import Postfix, postfix, there_is_a_postfix
from tests.scenarios.installation import HANG, REALM, Installation, installed

pytestmark = pytest.mark.full
EXAMPLES = Path(__file__).parents[2] / "config/examples"
PEOPLE = "people.example"
BOSS = f"boss@{PEOPLE}"
#: Networks of ours are this machine alone, and what Debian's main.cf says of the others.
USUAL = """
mynetworks = 127.0.0.1/32
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination
"""


@dataclass
class Place:
    """A gateway that runs, and the Postfix in front of it."""

    house: Installation
    front: Postfix

    def send(self, to: list[str], source: str = "127.0.0.1") -> dict[str, tuple[int, bytes]]:
        """Mail a PDF from the boss; return who was refused, and how."""
        message = EmailMessage(policy=SMTP)
        message["From"], message["To"], message["Message-ID"] = BOSS, ", ".join(to), f"<1@{PEOPLE}>"
        message.set_content("Please see the attachment.")
        message.add_attachment(samples.pdf(2), maintype="application", subtype="pdf", filename="letter.pdf")
        with smtplib.SMTP("127.0.0.1", self.front.port, timeout=HANG, source_address=(source, 0)) as client:
            return client.send_message(message, BOSS, to)


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    if not there_is_a_postfix():
        pytest.skip("there is no Postfix, or not the right to start it")
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house:
        assert (await house.run("faxboxes", "update", "ward", "--add-permit", f"*@{PEOPLE}"))[0] == 0
        table = tmp_path / "faxgate-transport"
        # The people's own mailboxes are where the gateway's mails go as well.
        table.write_text(f"{example(house, 'postfix-transport')}{PEOPLE} smtp:[127.0.0.1]:{house.catcher.port}\n")
        await asyncio.to_thread(tmp_path.chmod, 0o755)
        main = example(house, "postfix-main.cf").replace("/etc/postfix/faxgate-transport", str(table))
        async with postfix(USUAL + main, example(house, "postfix-master.cf")) as front, house.serving():
            yield Place(house, front)


def example(house: Installation, name: str) -> str:
    """Return one of our examples for this realm, this host name and this port."""
    text = (EXAMPLES / name).read_text()
    text = text.replace(".fax.example.com", ".fax.test.example").replace("fax.example.com", REALM)
    return text.replace("127.0.0.1]:2525", f"127.0.0.1]:{house.smtp_port}")


async def test_people_fax_through_it_and_what_is_refused_comes_back_with_our_sentence(place: Place) -> None:
    assert place.send([f"+12025550142@{REALM}", f"12025550143@{place.house.faxbox.host}", f"999@{REALM}"]) == {}
    await place.house.until(lambda: len(place.house.mails(BOSS)) == 3, "two receipts and the bounce")
    assert sorted(fax.to_number for fax in place.house.sent()) == ["+12025550142", "+12025550143"]
    (bounce,) = [mail for mail in place.house.mails(BOSS) if mail.parsed.get_content_type() == "multipart/report"]
    told = " ".join(bounce.parsed.as_string().split())
    assert "999 is not a valid phone number; write it with its country code" in told
    assert "Status: 5.1.3" in told


async def test_strangers_are_refused_by_it(place: Place) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        place.send([f"+12025550142@{REALM}"], source="127.0.0.9")
    ((code, said),) = refused.value.recipients.values()
    assert (code, b"Relay access denied" in said) == (454, True)
    await place.front.idle()
    assert place.house.sent() == []
