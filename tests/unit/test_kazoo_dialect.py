"""Kazoo's words: times, ids, folders, the smtplog and the envelopes."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from gateway.dialects import kazoo
from gateway.dialects.kazoo import results
from gateway.dialects.telnyx.failures import FAILURES
from gateway.errors import Kind
from gateway.fax import Direction, Fax, Origin, State
from gateway.ids import parse_id
from gateway.transaction import SmtpRecord

AT = datetime(2026, 11, 1, 0, 30, tzinfo=UTC)
ID = UUID("0193a2b4-0000-7000-8000-00000000beef")
ACCOUNT = UUID(int=1)
FAXBOX = UUID(int=2)


def record(**changes: object) -> SmtpRecord:
    """Return the record of a mail that was taken, changed by *changes*."""
    fields: dict[str, object] = {
        "id": ID,
        "account_id": ACCOUNT,
        "faxbox_id": FAXBOX,
        "at": AT,
        "listener": "127.0.0.1:2525",
        "peer": "192.0.2.7",
        "helo": "mail.example.org",
        "tls": "TLSv1.3",
        "user": "",
        "sender": "Alice@Example.org",
        "recipients": [
            {"written": "2025550123@Fax.example.com", "number": "+12025550123", "domain": "fax.example.com"},
            {"written": "2025550124@fax.example.com", "number": "+12025550124", "domain": "fax.example.com"},
        ],
        "size": 4711,
        "message_id": "<1@example.org>",
        "subject": "A fax",
        "found": [
            {"index": 0, "name": "", "media_type": "text/plain", "used": False, "why": "the text of the mail"},
            {"index": 1, "name": "letter.pdf", "media_type": "application/pdf", "used": True, "pages": 2},
        ],
        "errors": [],
        "reply": f"250 2.0.0 {ID.hex}",
        "fax_ids": [str(ID)],
    }
    return SmtpRecord(**(fields | changes))  # type: ignore[arg-type]  # the fields of a fixture, by name


def fax(state: State, direction: Direction = Direction.OUTBOUND) -> Fax:
    return Fax(
        id=ID,
        account_id=None,
        application_id=None,
        faxbox_id=None,
        direction=direction,
        origin=Origin.MAIL,
        state=state,
        from_number="",
        to_number="",
        created_at=AT,
        updated_at=AT,
    )


def test_gregorian_seconds_are_those_of_kazoos_documentation() -> None:
    assert kazoo.to_gregorian(datetime(2016, 4, 19, 18, 22, 53, tzinfo=UTC)) == 63628309373
    assert kazoo.to_gregorian(datetime(1970, 1, 1, tzinfo=UTC)) == 62167219200


@pytest.mark.parametrize("seconds", [62167219199, 62167219200, 63626410973, 99999999999])
def test_gregorian_seconds_survive_the_way_there_and_back(seconds: int) -> None:
    assert kazoo.to_gregorian(kazoo.from_gregorian(seconds)) == seconds


def test_a_fraction_of_a_second_is_cut_off_even_before_1970() -> None:
    assert kazoo.to_gregorian(AT + timedelta(microseconds=999_999)) == kazoo.to_gregorian(AT)
    before = datetime(1969, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)
    assert kazoo.to_gregorian(before) == kazoo.GREGORIAN_EPOCH - 1


@pytest.mark.parametrize("seconds", [0, -1, 10**12, 10**18, 10**30])
def test_a_number_that_is_in_no_calendar_is_a_value_error(seconds: int) -> None:
    with pytest.raises(ValueError, match="is no date"):
        kazoo.from_gregorian(seconds)


def test_dated_ids_name_the_month_in_utc_and_are_read_back() -> None:
    new_york = AT.astimezone(timezone(timedelta(hours=-5)))
    assert kazoo.dated_id(ID, new_york) == f"202611-{ID.hex}"
    assert parse_id(kazoo.dated_id(ID, new_york)) == ID
    assert parse_id(kazoo.plain_id(ID)) == ID


@pytest.mark.parametrize(
    ("state", "folder", "status"),
    [
        (State.PREPARING, "outgoing", "attaching_files"),
        (State.QUEUED, "outgoing", "pending"),
        (State.CALLING, "outgoing", "processing"),
        (State.SENDING, "outgoing", "processing"),
        (State.HELD, "outgoing", "pending"),
        (State.UNKNOWN, "outgoing", "processing"),
        (State.DELIVERED, "outbox", "completed"),
        (State.FAILED, "outbox", "failed"),
        (State.CANCELED, "outbox", "failed"),
    ],
)
def test_outbound_states_have_kazoos_folder_and_status(state: State, folder: str, status: str) -> None:
    assert kazoo.place_of(Direction.OUTBOUND, state) == kazoo.Place(folder, status)


@pytest.mark.parametrize(
    ("state", "folder"),
    [
        (State.RECEIVING, "incoming"),
        (State.PROCESSING, "incoming"),
        (State.RECEIVED, "inbox"),
        (State.FAILED, "incoming"),
    ],
)
def test_inbound_states_have_kazoos_folder(state: State, folder: str) -> None:
    assert kazoo.place_of(Direction.INBOUND, state).folder == folder


def test_the_plan_of_the_next_try_is_told_while_a_fax_waits_for_it() -> None:
    times: dict[str, Any] = {
        "next_try_at": datetime(2026, 1, 1, tzinfo=UTC),
        "deadline_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    expected = {"next_attempt": 63_934_444_800, "attempts_until": 63_934_444_800 + 86_400}
    for shown in (kazoo.fax_shown, kazoo.outgoing_row, kazoo.fax_row):
        told = dict(shown(replace(fax(State.QUEUED), **times)))
        assert {name: told.get(name) for name in expected} == expected
        assert not expected.keys() & shown(replace(fax(State.CALLING), **times)).keys()


def test_every_reason_that_a_carrier_gives_has_a_code_of_its_own_table() -> None:
    assert set(FAILURES) <= set(results.ENDS)
    for kind in Kind:
        assert results.end_of(kind.value).text == "", kind  # what we refuse is told in our sentence


def test_every_state_has_a_place_in_one_direction_at_least() -> None:
    folders = ("outgoing", "outbox", "incoming", "inbox")
    assert {state for folder in folders for _, state in kazoo.states_in(folder)} == set(State)
    assert kazoo.states_in("inbox") == [(Direction.INBOUND, State.RECEIVED)]
    assert kazoo.states_in("trash") == []


def test_a_fax_has_a_plain_id_on_its_way_out_and_a_dated_one_afterwards() -> None:
    assert kazoo.fax_id(fax(State.QUEUED)) == ID.hex
    assert kazoo.fax_id(fax(State.DELIVERED)) == f"202611-{ID.hex}"
    assert kazoo.fax_id(fax(State.RECEIVED, Direction.INBOUND)) == f"202611-{ID.hex}"


def test_the_row_of_a_mail_that_was_taken_has_no_error() -> None:
    assert kazoo.smtplog_row(record()) == {
        "id": f"202611-{ID.hex}",
        "from": "alice@example.org",
        "to": "2025550123@fax.example.com",
        "created": kazoo.to_gregorian(AT),
    }


def test_the_row_of_a_refused_mail_shows_the_first_error() -> None:
    row = kazoo.smtplog_row(record(errors=["550 5.7.1 not permitted", "503 5.5.1 need RCPT"], fax_ids=[]))
    assert row["error"] == "550 5.7.1 not permitted"


def test_the_detail_has_kazoos_fields_and_ours() -> None:
    detail = kazoo.smtplog_detail(record())
    assert detail["original_number"] == "2025550123"
    assert detail["translated_number"] == "+12025550123"
    assert detail["faxbox_domain"] == "fax.example.com"
    assert (detail["content_type"], detail["filename"]) == ("application/pdf", "letter.pdf")
    assert (detail["account_id"], detail["faxbox_id"]) == (ACCOUNT.hex, FAXBOX.hex)
    assert detail["faxdoc_id"] == ID.hex
    assert detail["errors"] == []
    assert (detail["peer"], detail["tls"], detail["size"]) == ("192.0.2.7", "TLSv1.3", 4711)
    assert [recipient["number"] for recipient in detail["recipients"]] == ["+12025550123", "+12025550124"]
    assert len(detail["found"]) == 2
    assert "user" not in detail


def test_the_detail_of_a_session_that_named_nothing_holds_only_what_is_known() -> None:
    bare = record(account_id=None, faxbox_id=None, recipients=[], found=[], errors=["421 4.4.2 idle"], fax_ids=[])
    detail = kazoo.smtplog_detail(bare)
    assert detail["errors"] == ["421 4.4.2 idle"]
    assert detail["to"] == ""
    assert not {"account_id", "faxbox_id", "faxdoc_id", "content_type", "original_number"} & set(detail)


def test_the_success_envelope_of_a_list_says_where_the_next_page_begins() -> None:
    envelope = kazoo.success(
        [1, 2], request_id="r", at=AT, auth_token="t", page=kazoo.Page(2, start_key="a", next_start_key="b")
    )
    assert envelope == {
        "auth_token": "t",
        "data": [1, 2],
        "page_size": 2,
        "start_key": "a",
        "next_start_key": "b",
        "request_id": "r",
        "status": "success",
        "timestamp": "2026-11-01T00:30:00Z",
    }


def test_the_last_page_has_no_next_start_key_and_a_single_thing_no_page() -> None:
    assert "next_start_key" not in kazoo.success([], request_id="r", at=AT, page=kazoo.Page(0))
    single = kazoo.success({"id": "x"}, request_id="r", at=AT, revision="7-a")
    assert single["revision"] == "7-a"
    assert "page_size" not in single


def test_the_error_envelope_has_the_status_as_a_string() -> None:
    envelope = kazoo.error(401, "invalid_credentials", request_id="r", at=AT)
    assert envelope["error"] == "401"
    assert envelope["message"] == "invalid_credentials"
    assert envelope["data"] == {"message": "invalid credentials"}
    assert envelope["status"] == "error"


def test_a_validation_error_names_path_and_rule() -> None:
    data = kazoo.invalid_field("document.to_number", "required", "add a number", target=1)
    envelope = kazoo.error(400, "validation failed", data, request_id="r", at=AT)
    assert envelope["data"] == {"document.to_number": {"required": {"message": "add a number", "target": 1}}}
