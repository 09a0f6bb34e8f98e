"""Mail that comes in through the SMTP door as clients send it."""

import asyncio
import smtplib
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import aiosmtplib
import pytest

from tests.integration.smtp_house import MAIL, RCPT, Client, House, make_house, serving

BODY = b"Subject: dots\r\n\r\n.. two\r\n.\x00\xff\r\nmid.dle.\r\n...\r\n"
STORED = b"Subject: dots\r\n\r\n. two\r\n\x00\xff\r\nmid.dle.\r\n..\r\n"


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def test_a_mail_is_taken_and_stored_octet_for_octet(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(f"{MAIL} SIZE=100 BODY=8BITMIME", RCPT, "RCPT TO:<+12025550124@fax.example.com>", "DATA")
        await client.send(BODY + b".\r\n")
        reply = await client.reply()
        (transaction,) = house.taken
        assert reply == f"250 2.0.0 {transaction.id} will be faxed"
        assert await client.say("QUIT") == "221 2.0.0 goodbye"
        assert await client.reply() == ""
    assert house.messages == [STORED]
    assert transaction.sender == "desk@law.example"
    assert [recipient.written[:12] for recipient in transaction.recipients] == ["+12025550123", "+12025550124"]
    assert (transaction.peer, transaction.helo, transaction.tls) == ("127.0.0.1", "client.example", "")
    assert transaction.listener == "127.0.0.1:0"
    assert transaction.size == len(STORED)
    assert transaction.reply == reply
    assert transaction.errors == []


async def test_the_end_is_found_wherever_the_network_cuts_it(house: House) -> None:
    whole = BODY + b"last\r\n.\r\n"
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        for cut in range(len(whole) - 8, len(whole)):
            for command in (MAIL, RCPT, "DATA"):
                await client.say(command)
            await client.send(whole[:cut])
            await asyncio.sleep(0.02)
            await client.send(whole[cut:])
            assert (await client.reply()).startswith("250 ")
    assert house.messages == [STORED + b"last\r\n"] * 8


async def test_what_is_offered_is_what_works(house: House) -> None:
    async with serving(house, max_message_bytes=4321) as server, Client(server.addresses[0]) as client:
        await client.reply()
        offers = (await client.say("EHLO client.example")).splitlines()
        assert offers[0] == "250-fax.example.com"
        assert {offer[4:] for offer in offers[1:]} == {"SIZE 4321", "8BITMIME", "ENHANCEDSTATUSCODES", "HELP"}
        assert (await client.say("HELO client.example")) == "250 fax.example.com"
        for command, code in {
            "NOOP": "250 2.0.0",
            "RSET": "250 2.0.0",
            "VRFY <postmaster>": "252 2.5.0",
            "HELP": "250 2.0.0",
            "HELP MAIL": "250 2.0.0",
            "EXPN list": "502 5.5.1",
            "AUTH PLAIN AGEAYg==": "500 5.5.1",
            "STARTTLS": "502 5.5.1",
            "BDAT 5 LAST": "500 5.5.1",
            "XYZZY": "500 5.5.1",
            "EHLO": "501 5.5.4",
            "RSET now": "501 5.5.4",
        }.items():
            assert (await client.say(command)).startswith(code + " "), command
        assert "AUTH" not in await client.say("HELP")


async def test_commands_come_in_their_order(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.reply()
        assert (await client.say(MAIL)).startswith("503 5.5.1 ")
        await client.say("EHLO client.example")
        assert (await client.say(RCPT)).startswith("503 5.5.1 ")
        await client.say(MAIL)
        assert (await client.say(MAIL)).startswith("503 5.5.1 ")
        assert (await client.say(RCPT)).startswith("250 2.1.5 ")
        await client.say("RSET")
        assert (await client.say("DATA")).startswith("503 5.5.1 ")
        assert await client.reply() == ""


async def test_many_mails_go_through_one_connection(house: House) -> None:
    async with serving(house, commands=10, errors=2) as server, Client(server.addresses[0]) as client:
        await client.hello()
        for number in range(10):
            assert (await client.say("RCPT TO:<nobody>"))[:3] == "503"
            for command in (MAIL, RCPT, "DATA"):
                await client.say(command)
            await client.send(b"%d\r\n.\r\n" % number)
            assert (await client.reply()).startswith("250 ")
    assert house.messages == [b"%d\r\n" % number for number in range(10)]


async def test_a_mail_that_was_sent_before_leaves_nothing_behind(house: House) -> None:
    house.keeps = False
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        assert list(house.folder.incoming.iterdir()) == []


async def test_without_a_recipient_there_is_no_mail(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL)
        await client.say("RCPT TO:<12025550123@elsewhere.example>")
        assert (await client.say("DATA")).startswith("554 5.5.1 ")
        assert await client.reply() == ""
    assert len(house.refusals) == 1


async def test_a_recipient_that_is_refused_does_not_stop_the_others(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT)
        unknown = await client.say("RCPT TO:<12025550123@elsewhere.example>")
        wrong = await client.say('RCPT TO:<"12025550123"@fax.example.com>')
        assert unknown == "550 5.1.2 nobody here has that domain"
        assert wrong.startswith("501 5.1.3 ")
        await client.say("DATA")
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    (transaction,) = house.taken
    assert transaction.errors == [unknown, wrong]
    assert [recipient.accepted for recipient in transaction.recipients] == [True, False, False]


async def test_too_many_recipients_are_asked_to_come_again(house: House) -> None:
    async with serving(house, recipients=2) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, RCPT)
        assert (await client.say(RCPT)).startswith("452 4.5.3 ")
        await client.say("DATA")
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    assert len(house.taken[0].accepted) == 2


async def test_the_null_path_reaches_the_house(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello("MAIL FROM:<>")
    assert house.refusals[0].sender == ""


async def test_a_long_line_and_every_octet_pass(house: House) -> None:
    octets = bytes(set(range(256)) - {10, 13})
    body = octets * 2000 + b"\r\n"
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(body + b".\r\n")
        assert (await client.reply()).startswith("250 ")
    assert house.messages == [body]


async def test_the_last_word_reaches_a_client_that_has_shut_its_sending_side(house: House) -> None:
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello(MAIL, RCPT, "DATA")
        await client.send(b"x\r\n.\r\n")
        client.writer.write_eof()
        assert (await client.reply()).startswith("250 ")
        assert await client.reply() == ""


def _mail() -> EmailMessage:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = "desk@law.example", "12025550123@fax.example.com", "Gr\u00fc\u00dfe"
    mail.set_content(".dots\n..\n.\nend\n", cte="8bit")
    mail.add_attachment(bytes(range(256)) * 3000, maintype="application", subtype="pdf", filename="a.pdf")
    return mail


async def test_smtplib_sends_a_mail(house: House) -> None:
    def send(address: tuple[str, int]) -> None:
        with smtplib.SMTP(*address, timeout=20) as client:
            client.send_message(_mail())

    async with serving(house, max_message_bytes=2_000_000) as server:
        await asyncio.to_thread(send, server.addresses[0])
    assert house.messages[0].endswith(b"--\r\n")
    assert b"\r\n.dots\r\n..\r\n.\r\nend\r\n" in house.messages[0]


async def test_aiosmtplib_sends_the_same_octets(house: House) -> None:
    async with serving(house, max_message_bytes=2_000_000) as server:
        host, port = server.addresses[0]
        data = _mail().as_bytes()
        to = ["12025550123@fax.example.com", "12025550124@fax.example.com"]
        errors, reply = await aiosmtplib.send(
            data, sender="desk@law.example", recipients=to, hostname=host, port=port, start_tls=False
        )
    assert errors == {}
    assert str(house.taken[0].id) in reply
    assert house.messages == [data]


async def test_ten_clients_at_once_keep_their_mails_apart(house: House) -> None:
    async def send(number: int, address: tuple[str, int]) -> None:
        async with Client(address) as client:
            await client.hello(MAIL, RCPT, "DATA")
            await client.send((b"%d" % number) * 200_000 + b"\r\n.\r\n")
            assert (await client.reply()).startswith("250 ")

    async with serving(house, data_at_once=2) as server:
        await asyncio.gather(*(send(number, server.addresses[0]) for number in range(10)))
    assert sorted(house.messages) == sorted((b"%d" % number) * 200_000 + b"\r\n" for number in range(10))
