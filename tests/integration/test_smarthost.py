"""Handing mails to a smarthost: a real one on loopback, willing and unwilling."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from gateway.demo.catcher import MailCatcher
from gateway.errors import ConfigurationError
from gateway.mail.smarthost import ComposedMail, NotSent, Smarthost, Tls

MAIL = ComposedMail(
    b"From: fax@fax.example.com\r\nTo: alice@example.org\r\nSubject: Hello\r\nMessage-ID: <1@fax.example.com>\r\n"
    b"\r\n.a line that begins with a dot\r\nend\r\n",
    "fax@fax.example.com",
    "alice@example.org",
)

Start = Callable[..., Awaitable[MailCatcher]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start mail catchers that stop with the test."""
    running: list[MailCatcher] = []

    async def start(**options: object) -> MailCatcher:
        catcher = MailCatcher(**options)  # type: ignore[arg-type]  # passed on by name
        await catcher.start("127.0.0.1")
        running.append(catcher)
        return catcher

    yield start
    for catcher in running:
        await catcher.stop()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def server_tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


def plain(catcher: MailCatcher, **options: str) -> Smarthost:
    return Smarthost("127.0.0.1", catcher.port, tls="none", timeout=20, hostname="gateway.test", **options)  # type: ignore[arg-type]  # passed on by name


async def failure(smarthost: Smarthost, mail: ComposedMail = MAIL) -> NotSent:
    with pytest.raises(NotSent) as caught:
        await smarthost.send(mail)
    return caught.value


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def test_a_mail_arrives_as_it_was_with_its_envelope(start: Start) -> None:
    catcher = await start()
    await plain(catcher).send(MAIL)
    assert [(mail.envelope_from, mail.envelope_to, mail.content) for mail in catcher.mails] == [
        ("fax@fax.example.com", ("alice@example.org",), MAIL.message)
    ]


async def test_the_null_reverse_path_arrives_as_such(start: Start) -> None:
    catcher = await start()
    await plain(catcher).send(ComposedMail(MAIL.message, "", MAIL.recipient))
    assert catcher.mails[0].envelope_from == ""


@pytest.mark.parametrize(("tls", "implicit"), [("starttls", False), ("tls", True)])
async def test_a_mail_goes_over_tls_with_a_login(
    start: Start, server_tls: ssl.SSLContext, ca_file: Path, tls: Tls, implicit: bool
) -> None:
    catcher = await start(tls=server_tls, implicit_tls=implicit, users={"gateway": "secret"})
    smarthost = Smarthost(
        "localhost", catcher.port, tls=tls, username="gateway", password="secret", ca_file=ca_file, timeout=20
    )
    assert (
        await smarthost.check()
        == f"The smarthost localhost:{catcher.port} answers over TLSv1.3 and takes the login of gateway."
    )
    await smarthost.send(MAIL)
    assert len(catcher.mails) == 1


async def test_check_says_that_nothing_is_encrypted(start: Start) -> None:
    assert "answers without encryption" in await plain(await start()).check()


async def test_several_mails_may_be_on_their_way_at_once(start: Start) -> None:
    catcher = await start()
    smarthost = plain(catcher)
    await asyncio.gather(*(smarthost.send(ComposedMail(MAIL.message, "", f"person{n}@example.org")) for n in range(20)))
    assert {mail.envelope_to for mail in catcher.mails} == {(f"person{n}@example.org",) for n in range(20)}


@pytest.mark.parametrize("command", ["RCPT", "DATA"])
@pytest.mark.parametrize(("code", "permanent"), [(550, True), (554, True), (450, False), (452, False), (421, False)])
async def test_a_refused_recipient_or_message_is_permanent_with_5xx_only(
    start: Start, command: str, code: int, permanent: bool
) -> None:
    catcher = await start()
    catcher.refuse_at, catcher.refuse_with = command, (code, "5.1.1 we do not want this")
    refused = await failure(plain(catcher))
    assert (refused.permanent, refused.code) == (permanent, code)
    assert "we do not want this" in refused.message
    assert catcher.mails == []


async def test_a_refused_sender_is_for_the_operator_and_so_temporary(start: Start) -> None:
    catcher = await start()
    catcher.refuse_at, catcher.refuse_with = "MAIL", (553, "5.7.1 not your address")
    refused = await failure(plain(catcher))
    assert not refused.permanent
    assert "[smarthost] sender" in refused.message


async def test_a_mail_that_is_too_large_for_the_smarthost_is_permanent(start: Start) -> None:
    catcher = await start()
    catcher.refuse_at, catcher.refuse_with = "MAIL", (552, "5.3.4 message too large")
    assert (await failure(plain(catcher))).permanent


async def test_a_connection_lost_behind_the_dot_is_temporary_and_the_mail_comes_again(start: Start) -> None:
    catcher = await start()
    catcher.reset_after_dot = 1
    smarthost = plain(catcher)
    lost = await failure(smarthost)
    assert not lost.permanent
    await smarthost.send(MAIL)
    assert [str(mail.parsed["Message-ID"]) for mail in catcher.mails] == ["<1@fax.example.com>"] * 2


async def test_nobody_listening_is_temporary(start: Start) -> None:
    catcher = await start()
    await catcher.stop()
    unreachable = await failure(plain(catcher))
    assert not unreachable.permanent
    assert "cannot be reached" in unreachable.message


@pytest.mark.parametrize(("tls", "implicit"), [("starttls", False), ("tls", True)])
async def test_a_certificate_of_another_authority_is_temporary_and_no_mail_goes_out(
    start: Start, server_tls: ssl.SSLContext, tmp_path: Path, tls: Tls, implicit: bool
) -> None:
    catcher = await start(tls=server_tls, implicit_tls=implicit)
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    smarthost = Smarthost("localhost", catcher.port, tls=tls, ca_file=tmp_path / "other.pem", timeout=20)
    untrusted = await failure(smarthost)
    assert not untrusted.permanent
    assert "ca_file" in untrusted.message
    assert catcher.mails == []


async def test_a_certificate_for_another_name_is_refused(
    start: Start, server_tls: ssl.SSLContext, ca_file: Path
) -> None:
    catcher = await start(tls=server_tls)
    untrusted = await failure(Smarthost("127.0.0.1", catcher.port, ca_file=ca_file, timeout=20))
    assert "not trusted" in untrusted.message
    assert catcher.mails == []


async def test_without_verification_any_certificate_will_do(start: Start, server_tls: ssl.SSLContext) -> None:
    catcher = await start(tls=server_tls)
    await Smarthost("127.0.0.1", catcher.port, verify=False, timeout=20).send(MAIL)
    assert len(catcher.mails) == 1


async def test_starttls_is_required_and_not_only_tried(start: Start) -> None:
    catcher = await start()
    missing = await failure(Smarthost("127.0.0.1", catcher.port, tls="starttls", timeout=20))
    assert not missing.permanent
    assert "no STARTTLS" in missing.message
    assert catcher.mails == []


async def test_tls_towards_a_plain_port_fails_with_a_hint(start: Start) -> None:
    catcher = await start()
    broken = await failure(Smarthost("127.0.0.1", catcher.port, tls="tls", timeout=20))
    assert not broken.permanent
    assert "[smarthost] tls and port" in broken.message


async def test_a_wrong_password_is_temporary_and_logged_without_the_password(start: Start) -> None:
    catcher = await start(users={"gateway": "secret"})
    with capture_logs() as lines:
        wrong = await failure(plain(catcher, username="gateway", password="hunter22"))
    assert not wrong.permanent
    assert wrong.code == 535
    assert "[smarthost] username and password" in wrong.message
    assert [line["user"] for line in lines] == ["gateway"]
    assert "hunter22" not in wrong.message + str(lines)


async def test_a_demand_to_log_in_is_never_taken_for_a_bad_recipient(start: Start) -> None:
    catcher = await start()
    catcher.refuse_with = (530, "5.7.0 authentication required")
    assert not (await failure(plain(catcher))).permanent


@pytest.mark.parametrize(
    "recipient", ["a b@example.org", "alice@example.org>\r\nRCPT TO:<eve@example.org", "x <b@c>", ""]
)
async def test_an_address_that_would_break_the_command_is_permanent_and_never_sent(
    start: Start, recipient: str
) -> None:
    catcher = await start()
    broken = await failure(plain(catcher), ComposedMail(MAIL.message, "", recipient))
    assert broken.permanent
    assert catcher.mails == []


async def test_an_international_address_is_sent_with_smtputf8(start: Start) -> None:
    catcher = await start()
    await plain(catcher).send(ComposedMail(MAIL.message, "", "jürgen@example.org"))
    assert catcher.mails[0].envelope_to == ("jürgen@example.org",)


async def test_a_silent_smarthost_is_given_up_after_the_timeout() -> None:
    ended = asyncio.Event()

    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            await reader.read()
        await closed(writer)
        ended.set()

    server = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        silent = await failure(Smarthost("127.0.0.1", port, tls="none", timeout=0.2))
        async with asyncio.timeout(20):
            await ended.wait()
    assert not silent.permanent
    assert "in time" in silent.message


@pytest.mark.parametrize("moment", ["connecting", "greeting"])
async def test_a_cancelled_send_leaves_no_connection_open(moment: str) -> None:
    seen, ended = asyncio.Event(), asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if moment == "connecting":
            seen.set()
        writer.write(b"220 stalling\r\n")
        with suppress(ConnectionError):
            while await reader.readline():
                seen.set()
        await closed(writer)
        ended.set()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        task = asyncio.create_task(Smarthost("127.0.0.1", port, tls="none").send(MAIL))
        await seen.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(20):
            await ended.wait()


def test_a_ca_file_that_cannot_be_read_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"\[smarthost\] ca_file"):
        Smarthost("localhost", 25, ca_file=tmp_path / "missing.pem")
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"\[smarthost\] ca_file"):
        Smarthost("localhost", 25, ca_file=tmp_path / "empty.pem")
