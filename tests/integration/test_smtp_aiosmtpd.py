"""What the door relies on in aiosmtpd, and what of it must never run."""

import ast
import inspect
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP

from gateway.smtp import connection, protocol
from gateway.smtp.connection import Connection
from gateway.smtp.protocol import SmtpProtocol
from tests.integration.smtp_house import MAIL, RCPT, Client, House, make_house, serving

REPLACED = {
    *("connection_made", "connection_lost", "eof_received", "data_received", "push"),
    *("smtp_HELO", "smtp_EHLO", "smtp_MAIL", "smtp_RCPT", "smtp_DATA", "smtp_RSET", "smtp_VRFY", "smtp_QUIT"),
    *("smtp_STARTTLS", "smtp_AUTH"),
}
NEVER_RUN = [
    *("_getaddr", "_getparams", "handle_exception", "_handle_client", "_timeout_cb", "_reset_timeout", "smtp_AUTH"),
    *("_set_rset_state", "_call_limit", "smtp_DATA", "smtp_MAIL", "smtp_RCPT", "smtp_STARTTLS", "challenge_auth"),
]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


def test_the_version_is_the_one_that_was_read() -> None:
    assert version("aiosmtpd") == "1.4.6"


@pytest.mark.parametrize("name", sorted(REPLACED))
def test_what_is_replaced_is_there_to_be_replaced(name: str) -> None:
    assert name in vars(SmtpProtocol) | vars(Connection)
    assert hasattr(SMTP, name)


def _names_of(tree: ast.AST) -> set[str]:
    """Return every attribute of ``self`` or ``super()`` that is read."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner = node.value
            of_super = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
            if of_super or (isinstance(owner, ast.Name) and owner.id == "self"):
                found.add(node.attr)
    return found


async def test_every_name_that_is_used_exists_in_a_live_session(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[SmtpProtocol] = []
    converse = SmtpProtocol.converse

    async def noted(self: SmtpProtocol) -> None:
        seen.append(self)
        await converse(self)

    monkeypatch.setattr(SmtpProtocol, "converse", noted)
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello()
        names = _names_of(ast.parse(inspect.getsource(connection))) | _names_of(ast.parse(inspect.getsource(protocol)))
        assert {"_writer", "_smtp_methods", "push"} <= names
        assert {name for name in names if not hasattr(seen[0], name)} == set()


async def test_the_parts_of_aiosmtpd_that_do_harm_never_run(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = []
    for name in NEVER_RUN:

        def record(*_: Any, name: str = name, **__: Any) -> None:
            ran.append(name)

        monkeypatch.setattr(SMTP, name, record, raising=name != "_call_limit")
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello("NOOP", "VRFY <a@b>", "HELP", "HELP MAIL", "HELO c", "EHLO c", MAIL, RCPT, "RSET")
        for command in ("EXPN", "AUTH PLAIN", "STARTTLS", "MAIL", "MAIL FROM:a@b", "RCPT", "NONSENSE"):
            assert (await client.say(command))[:1] == "5"
        for command in (MAIL, RCPT, "DATA"):
            await client.say(command)
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
        await client.say("QUIT")
    assert ran == []


async def test_nothing_that_is_said_reaches_the_librarys_log(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with serving(house) as server, Client(server.addresses[0]) as client:
        await client.hello("NOOP pass-word", MAIL, RCPT, "DATA")
        await client.send(b"a private page\r\n.\r\n")
        await client.reply()
    assert [record for record in caplog.records if record.name.startswith("mail")] == []
    for private in ("pass-word", "private page", "2025550123", "desk@law.example"):
        assert private not in caplog.text
