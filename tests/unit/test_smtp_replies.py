"""Reasons in the words of SMTP."""

import errno
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import TEMPORARY, Kind, Reason, refuse
from gateway.smtp.replies import (
    LONGEST,
    Rejection,
    is_fault,
    kind_of,
    one_line,
    reply_for,
    reply_to,
    with_enhanced_code,
)


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_is_temporary_in_smtp_exactly_when_it_is_in_fact(kind: Kind) -> None:
    reply = reply_for(Reason(kind, "the sentence"))
    code, enhanced, sentence = reply.split(" ", 2)
    assert code[0] == enhanced[0] == ("4" if kind in TEMPORARY else "5")
    assert sentence == "the sentence"


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (Kind.SENDER_NOT_PERMITTED, "550 5.7.1"),
        (Kind.DOMAIN_UNKNOWN, "550 5.1.2"),
        (Kind.NUMBER_INVALID, "553 5.1.3"),
        (Kind.DESTINATION_NOT_ALLOWED, "550 5.7.1"),
        (Kind.BOUNCE, "550 5.7.1"),
        (Kind.ANOTHER_FAXBOX, "452 4.5.3"),
        (Kind.TOO_MANY_RECIPIENTS, "452 4.5.3"),
        (Kind.AUTOMATIC_MAIL, "554 5.7.1"),
        (Kind.MESSAGE_TOO_LARGE, "552 5.3.4"),
        (Kind.NOTHING_TO_FAX, "554 5.6.1"),
        (Kind.STORAGE_FULL, "452 4.3.1"),
        (Kind.STORAGE_BUSY, "451 4.3.0"),
        (Kind.INTERNAL, "451 4.3.0"),
        (Kind.SHUTTING_DOWN, "421 4.3.2"),
    ],
)
def test_the_codes_that_clients_see(kind: Kind, codes: str) -> None:
    assert reply_for(Reason(kind, "why")) == f"{codes} why"


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("secret\r\n250 ok"),
        sqlite3.OperationalError("database is locked"),
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError(),
        OSError(errno.EIO, "Input/output error"),
        UnicodeDecodeError("ascii", b"\xff", 0, 1, "no"),
    ],
)
def test_a_fault_of_ours_is_temporary_and_tells_nothing(fault: Exception) -> None:
    assert is_fault(fault)
    assert kind_of(fault) is Kind.INTERNAL
    reply = reply_to(fault)
    assert reply.startswith("451 4.3.0 ")
    assert str(fault) not in reply or not str(fault)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_to_be_one(number: int) -> None:
    assert reply_to(OSError(number, "full")).startswith("452 4.3.1 ")


def test_refusals_are_answers_and_no_faults() -> None:
    refusal = refuse(Kind.NOTHING_TO_FAX, "nothing to fax")
    assert not is_fault(refusal)
    assert not is_fault(Rejection("501 5.5.4 no"))
    assert reply_to(refusal) == "554 5.6.1 nothing to fax"


def test_a_sentence_becomes_one_line_without_accents() -> None:
    assert one_line("\u00dcbersicht.pdf\r\n250 ok\ttoo\x00") == "Ubersicht.pdf  250 ok too?"


@given(st.text())
def test_any_sentence_is_one_short_printable_line(text: str) -> None:
    line = reply_for(Reason(Kind.INVALID, text * 20))
    assert len(line) <= LONGEST
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize(
    ("reply", "full"),
    [
        ("250 OK", "250 2.0.0 OK"),
        ("503 Error: send EHLO first", "503 5.5.1 Error: send EHLO first"),
        ("250 2.1.0 sender ok", "250 2.1.0 sender ok"),
        ("354 go on", "354 go on"),
        ("221 2.0.0 goodbye", "221 2.0.0 goodbye"),
    ],
)
def test_replies_of_the_library_get_an_enhanced_code(reply: str, full: str) -> None:
    assert with_enhanced_code(reply) == full
