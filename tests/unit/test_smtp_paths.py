"""The arguments of MAIL and RCPT: taken exactly as written, or refused."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Kind, Refusal
from gateway.smtp.paths import ReversePath, read_mail, read_recipient
from gateway.smtp.replies import Rejection

LIMIT = 1_000_000


@pytest.mark.parametrize(
    ("argument", "path", "size"),
    [
        ("FROM:<desk@law.example>", "desk@law.example", 0),
        ("from: <desk@law.example>", "desk@law.example", 0),
        ("FROM:<>", "", 0),
        ("FROM:<> SIZE=12", "", 12),
        ("FROM:<a@b.example> SIZE=1000000 BODY=8BITMIME", "a@b.example", 1_000_000),
        ("FROM:<a@b.example> body=7bit size=7", "a@b.example", 7),
        ("FROM:<a@b.example> AUTH=<>", "a@b.example", 0),
        ("FROM:<a@b.example>  AUTH=e+3Dmc2@example.com  SIZE=9", "a@b.example", 9),
        ("FROM:<fax=+1.202-555@[192.0.2.1]>", "fax=+1.202-555@[192.0.2.1]", 0),
    ],
)
def test_mail_is_read(argument: str, path: str, size: int) -> None:
    assert read_mail(argument, LIMIT) == ReversePath(path, size)


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("", "501 5.5.4"),
        ("FROM", "501 5.5.4"),
        ("TO:<a@b.example>", "501 5.5.4"),
        ("FROM:a@b.example", "501 5.5.4"),
        ("FROM:<a@b.example", "501 5.5.4"),
        ("FROM:a@b.example>", "501 5.5.4"),
        ("FROM:<<a@b.example>>", "501 5.5.4"),
        ("FROM:Desk <a@b.example>", "501 5.5.4"),
        ("FROM:<a@b.example>SIZE=5", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=five", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE", "501 5.5.4"),
        ("FROM:<a@b.example> =5", "501 5.5.4"),
        ("FROM:<a@b.example> SIZE=" + "9" * 30, "501 5.5.4"),
        ("FROM:<a@b.example> BODY=BINARYMIME", "555 5.5.4 the MAIL parameter BODY=BINARYMIME is not"),
        ("FROM:<a@b.example> SMTPUTF8", "555 5.5.4"),
        ("FROM:<a@b.example> RET=HDRS", "555 5.5.4"),
        ("FROM:<a@b.example> AUTH", "555 5.5.4"),
        ('FROM:<"a"@b.example>', "501 5.1.7"),
        ("FROM:<a(comment)@b.example>", "501 5.1.7"),
        ("FROM:<@relay.example:a@b.example>", "501 5.1.7"),
        ("FROM:<a b@c.example>", "501 5.1.7"),
        ("FROM:<a\x00@b.example>", "501 5.1.7"),
        ("FROM:<a\r@b.example>", "501 5.1.7"),
        ("FROM:<a\n@b.example>", "501 5.1.7"),
        ("FROM:<a\x0b@b.example>", "501 5.1.7"),
        ("FROM:<a\x7f@b.example>", "501 5.1.7"),
        ("FROM:<j\xf6rg@b.example>", "501 5.1.7"),
        ("FROM:<a\\b@c.example>", "501 5.1.7"),
        ("FROM:<a,b@c.example>", "501 5.1.7"),
        ("FROM:<" + "a" * 255 + ">", "501 5.1.7"),
    ],
)
def test_mail_is_refused(argument: str, code: str) -> None:
    with pytest.raises(Rejection) as refused:
        read_mail(argument, LIMIT)
    assert refused.value.reply.startswith(code + " ")


def test_an_announced_size_over_the_limit_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        read_mail("FROM:<a@b.example> SIZE=1000001", LIMIT)
    assert refused.value.reason.kind is Kind.MESSAGE_TOO_LARGE


@pytest.mark.parametrize(
    ("argument", "code"),
    [
        ("TO:<>", "501 5.1.3"),
        ("FROM:<a@b.example>", "501 5.5.4"),
        ("TO:12025550123@fax.example", "501 5.5.4"),
        ("TO:<12025550123@fax.example> NOTIFY=NEVER", "555 5.5.4"),
        ("TO:<+1(555)1234567@fax.example>", "501 5.1.3"),
        ('TO:<"12025550123"@fax.example>', "501 5.1.3"),
        ("TO:<@relay.example:12025550123@fax.example>", "501 5.1.3"),
        ("TO:<@relay.example,@b.example:12025550123@fax.example>", "501 5.1.3"),
        ("TO:<12025550123@fax.example\r\nRCPT TO:<g@h.example>>", "501 5.5.4"),
        ("TO:<1\x00900@fax.example>", "501 5.1.3"),
    ],
)
def test_a_recipient_is_refused(argument: str, code: str) -> None:
    with pytest.raises(Rejection) as refused:
        read_recipient(argument)
    assert refused.value.reply.startswith(code + " ")


def test_an_encoded_word_stays_what_it_is() -> None:
    """Other parsers decode ``=?utf-8?q?=31900?=`` to 1900 and dial it."""
    assert read_recipient("TO:<=?utf-8?q?=31900?=@fax.example>") == "=?utf-8?q?=31900?=@fax.example"


def answer(read: Callable[[], object]) -> object:
    """Return what was read, or the exception that is an answer to the client."""
    try:
        return read()
    except (Rejection, Refusal) as refused:
        return refused


@given(st.text(st.characters(max_codepoint=255), max_size=40) | st.text('<>@"(),:;\\ 0123456789+.-\r\n', max_size=30))
def test_a_path_that_is_accepted_is_what_was_written(text: str) -> None:
    path = answer(lambda: read_recipient(f"TO:<{text}>"))
    if isinstance(path, Rejection):
        assert path.reply[:3] in {"501", "555"}
        return
    assert isinstance(path, str)
    assert path == text.partition(">")[0]
    assert path.isascii()
    assert path.isprintable()
    assert not set(path) & set('<>"(),:;\\ ')


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_any_argument_is_read_or_refused(text: str) -> None:
    for argument in (text, "FROM:<a@b.example> " + text, "FROM:<" + text):
        found = answer(lambda: read_mail(argument, LIMIT))  # noqa: B023 - called at once
        assert isinstance(found, ReversePath | Rejection | Refusal)
