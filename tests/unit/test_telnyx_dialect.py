"""Telnyx's events, faxes and failure reasons in our words."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.carrier_event import Happened
from gateway.dialects import telnyx
from gateway.fax import Direction, State
from gateway.retry import PASSING, Outcome

#: Telnyx's own example of a received fax (its guide "Receive a fax via API"), with a shorter link.
RECEIVED = {
    "data": {
        "event_type": "fax.received",
        "id": "4844b70c-3c6c-4c3a-ba2e-e4c785f02d24",
        "occurred_at": "2020-08-27T16:33:36.843054Z",
        "payload": {
            "connection_id": "1447842681660114324",
            "direction": "inbound",
            "fax_id": "f72eebbe-f9b6-4f0f-b652-03e742e110d5",
            "from": "+16132484850",
            "media_url": "https://s3.amazonaws.com/faxes-prod/f72eebbe.pdf?X-Amz-Expires=7200",
            "status": "received",
            "to": "+17733372863",
            "user_id": "19a75cea-02c6-4b9a-84fa-c9bc8341feb8",
        },
        "record_type": "event",
    },
    "meta": {"attempt": 1, "delivered_to": "https://1a3097.ngrok.io/"},
}


def envelope(event_type: str = "fax.queued", **payload: Any) -> dict[str, Any]:
    """An event of an outgoing fax."""
    usual = {"fax_id": "f1", "direction": "outbound", "status": "queued", "from": "+12025550111", "to": "+12025550100"}
    data = {"id": "e1", "event_type": event_type, "occurred_at": "2024-01-01T00:00:00Z", "payload": usual | payload}
    return {"data": data, "meta": {"attempt": 1}}


def test_telnyxs_own_example_is_read() -> None:
    event = telnyx.event(RECEIVED)
    assert event.id == "4844b70c-3c6c-4c3a-ba2e-e4c785f02d24"
    assert event.happened is Happened.RECEIVED
    assert event.direction is Direction.INBOUND
    assert event.carrier_fax_id == "f72eebbe-f9b6-4f0f-b652-03e742e110d5"
    assert event.occurred_at == datetime(2020, 8, 27, 16, 33, 36, 843054, UTC)
    assert event.connection_id == "1447842681660114324"
    assert (event.from_number, event.to_number) == ("+16132484850", "+17733372863")
    assert event.media_url.endswith("X-Amz-Expires=7200")
    assert (event.pages, event.duration, event.partial, event.caller_id) == (None, None, False, "")
    assert event.raw == RECEIVED


def test_an_event_without_its_envelope_is_the_same_event() -> None:
    wrapped = telnyx.event(envelope("fax.delivered", page_count=2))
    bare = telnyx.event(envelope("fax.delivered", page_count=2)["data"])
    assert (bare.id, bare.happened, bare.pages) == (wrapped.id, wrapped.happened, wrapped.pages)


@pytest.mark.parametrize(
    ("event_type", "happened"),
    [
        ("fax.queued", Happened.QUEUED),
        ("fax.media.processed", Happened.MEDIA_PROCESSED),
        ("fax.sending.started", Happened.SENDING),
        ("fax.delivered", Happened.DELIVERED),
        ("fax.failed", Happened.FAILED),
        ("fax.receiving.started", Happened.RECEIVING),
        ("fax.media.processing.started", Happened.PROCESSING),
        ("fax.received", Happened.RECEIVED),
        ("fax.something.new", Happened.OTHER),
        ("call.initiated", Happened.OTHER),
    ],
)
def test_event_types_are_ours_and_unknown_ones_are_other(event_type: str, happened: Happened) -> None:
    assert telnyx.event(envelope(event_type)).happened is happened


def test_a_delivered_fax_that_came_in_is_received() -> None:
    assert telnyx.event(envelope("fax.delivered", direction="inbound")).happened is Happened.RECEIVED


def test_an_event_of_another_product_needs_no_fax() -> None:
    body = envelope("call.initiated")
    del body["data"]["payload"]["fax_id"]
    assert telnyx.event(body).carrier_fax_id == ""


@pytest.mark.parametrize(("event_type", "direction"), [("fax.received", "inbound"), ("fax.failed", "outbound")])
def test_a_direction_that_is_not_told_follows_from_the_event(event_type: str, direction: str) -> None:
    assert telnyx.event(envelope(event_type, direction=None)).direction == direction


def test_what_a_delivery_reports_is_kept() -> None:
    event = telnyx.event(envelope("fax.delivered", page_count=3, call_duration_secs="95", client_state="YQ=="))
    assert (event.pages, event.duration, event.client_state) == (3, 95, "YQ==")


@pytest.mark.parametrize("count", [None, -1, True, "", "many", "²", 1.5, 10**12, [], {}])
def test_a_count_that_is_none_is_not_reported(count: object) -> None:
    assert telnyx.event(envelope("fax.delivered", page_count=count)).pages is None


@pytest.mark.parametrize(
    ("written", "time"),
    [
        ("2024-01-01T10:00:00", datetime(2024, 1, 1, 10, tzinfo=UTC)),
        ("2024-01-01T10:00:00.5Z", datetime(2024, 1, 1, 10, 0, 0, 500000, UTC)),
        ("2024-01-01T10:00:00+02:00", datetime(2024, 1, 1, 8, tzinfo=UTC)),
    ],
)
def test_times_are_utc_and_naive_ones_count_as_utc(written: str, time: datetime) -> None:
    body = envelope()
    body["data"]["occurred_at"] = written
    event = telnyx.event(body)
    assert event.occurred_at == time
    assert event.occurred_at.utcoffset() == timedelta(0)


def test_times_are_written_as_telnyx_writes_them() -> None:
    assert telnyx.write_time(datetime(2024, 1, 1, tzinfo=UTC)) == "2024-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("missing", ["id", "event_type", "occurred_at", "payload"])
def test_an_event_without_identity_is_refused_by_the_fields_name(missing: str) -> None:
    body = envelope()
    del body["data"][missing]
    with pytest.raises(ValueError, match=missing):
        telnyx.event(body)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "event",
        {},
        {"data": None},
        {"data": []},
        envelope(fax_id=None),
        {"data": envelope()["data"] | {"occurred_at": "yesterday"}},
        {"data": envelope()["data"] | {"occurred_at": "0001-01-01T00:00:00+23:00"}},
        {"data": envelope()["data"] | {"payload": ["fax_id"]}},
    ],
)
def test_a_malformed_event_is_a_value_error(body: Any) -> None:
    with pytest.raises(ValueError):
        telnyx.event(body)


def test_an_event_nested_without_end_is_a_value_error() -> None:
    body = envelope()
    nested: dict[str, Any] = {}
    body["data"]["payload"]["deep"] = nested
    for _ in range(100_000):
        nested["deep"] = {}
        nested = nested["deep"]
    with pytest.raises(ValueError):
        telnyx.event(body)


def test_what_no_database_takes_as_text_is_dropped() -> None:
    event = telnyx.event(envelope(caller_id="A\0B\ud800C"))
    assert event.caller_id == "AB?C"
    assert "\0" not in json.dumps(event.raw, ensure_ascii=False)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.sampled_from(["event_type", "id", "occurred_at", "payload"]),
    st.sampled_from(["fax_id", "direction", "from", "page_count", "media_url", "partial_content", "client_state"]),
    json_values,
)
def test_whatever_a_field_holds_only_value_error_is_raised(outer: str, inner: str, value: Any) -> None:
    for body in (envelope(**{inner: value}), {"data": envelope()["data"] | {outer: value}}, value):
        try:
            event = telnyx.event(body)
        except ValueError:
            continue
        assert event.id
        json.dumps(event.raw).encode()


def test_a_listed_fax_is_read() -> None:
    fax = telnyx.carrier_fax(
        {
            "id": "f1",
            "direction": "outbound",
            "status": "failed",
            "from": "+12025550111",
            "to": "+12025550100",
            "created_at": "2024-01-01T00:00:00",
            "updated_at": "2024-01-01T00:01:00Z",
            "client_state": "YQ==",
            "connection_id": 1293384261075731499,
            "media_name": "m1",
            "failure_reason": "user_busy",
        }
    )
    assert (fax.id, fax.direction, fax.status) == ("f1", Direction.OUTBOUND, Happened.FAILED)
    assert (fax.created_at, fax.updated_at - fax.created_at) == (datetime(2024, 1, 1, tzinfo=UTC), timedelta(minutes=1))
    assert (fax.client_state, fax.connection_id) == ("YQ==", "1293384261075731499")
    assert (fax.media_name, fax.failure_reason) == ("m1", "user_busy")


def test_a_listed_fax_needs_nothing_but_its_id() -> None:
    fax = telnyx.carrier_fax({"id": "f1"})
    assert (fax.status, fax.direction, fax.created_at.year) == (Happened.OTHER, Direction.OUTBOUND, 1970)
    with pytest.raises(ValueError, match="id"):
        telnyx.carrier_fax({"status": "queued"})


def test_a_list_of_urls_counts_by_its_first() -> None:
    assert telnyx.carrier_fax({"id": "f1", "media_url": ["https://a/1", "https://a/2"]}).media_url == "https://a/1"


@pytest.mark.parametrize(
    ("status", "direction", "happened"),
    [
        ("queued", Direction.OUTBOUND, Happened.QUEUED),
        ("media.processed", Direction.OUTBOUND, Happened.MEDIA_PROCESSED),
        ("originated", Direction.OUTBOUND, Happened.CALLING),
        ("sending", Direction.OUTBOUND, Happened.SENDING),
        ("sending.started", Direction.OUTBOUND, Happened.SENDING),
        ("delivered", Direction.OUTBOUND, Happened.DELIVERED),
        ("failed", Direction.OUTBOUND, Happened.FAILED),
        ("initiated", Direction.INBOUND, Happened.RECEIVING),
        ("receiving", Direction.INBOUND, Happened.RECEIVING),
        ("media.processing", Direction.INBOUND, Happened.PROCESSING),
        ("received", Direction.INBOUND, Happened.RECEIVED),
        ("delivered", Direction.INBOUND, Happened.RECEIVED),
        ("teleported", Direction.OUTBOUND, Happened.OTHER),
    ],
)
def test_statuses_are_ours_and_unknown_ones_are_other(status: str, direction: Direction, happened: Happened) -> None:
    assert telnyx.carrier_fax({"id": "f1", "status": status, "direction": direction.value}).status is happened


def test_our_meanings_are_written_in_telnyxs_usual_words() -> None:
    assert telnyx.STATUS_WORDS[Happened.SENDING] == "sending"
    assert telnyx.STATUS_WORDS[Happened.RECEIVING] == "receiving"
    assert set(telnyx.EVENT_NAMES) == set(Happened) - {Happened.CALLING, Happened.OTHER}


def test_every_state_has_a_status_that_telnyx_knows() -> None:
    assert set(telnyx.STATE_WORDS) == set(State)
    assert set(telnyx.STATE_WORDS.values()) <= set(telnyx.STATUSES) - {"sending.started", "initiated"}


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("user_busy", Outcome.BUSY),
        ("receiver_no_answer", Outcome.NO_ANSWER),
        ("receiver_no_response", Outcome.NO_ANSWER),
        ("receiver_call_dropped", Outcome.DROPPED),
        ("sender_call_dropped", Outcome.DROPPED),
        ("carrier_lost", Outcome.DROPPED),
        ("receiver_communication_error", Outcome.TRAINING),
        ("sender_communication_error", Outcome.TRAINING),
        ("fax_signaling_error", Outcome.TRAINING),
        ("fax_initial_communication_timeout", Outcome.TRAINING),
        ("invalid_ecm_response_from_receiver", Outcome.TRAINING),
        ("receiver_recovery_on_timer_expire", Outcome.CARRIER),
        ("service_unavailable", Outcome.CARRIER),
        ("user_channel_limit_exceeded", Outcome.CARRIER),
        ("connection_channel_limit_exceeded", Outcome.CARRIER),
        ("outbound_profile_channel_limit_exceeded", Outcome.CARRIER),
        ("file_download_failed", Outcome.CARRIER),
        ("media_processing_exception", Outcome.CARRIER),
        ("carrier_unreachable", Outcome.CARRIER),
        ("receiver_unallocated_number", Outcome.NUMBER),
        ("receiver_invalid_number_format", Outcome.NUMBER),
        ("receiver_incompatible_destination", Outcome.NUMBER),
        ("destination_invalid", Outcome.NUMBER),
        ("destination_unreachable", Outcome.NUMBER),
        ("receiver_decline", Outcome.REFUSED),
        ("account_disabled", Outcome.REFUSED),
        ("no_outbound_profile", Outcome.REFUSED),
        ("destination_not_in_countries_whitelist", Outcome.REFUSED),
        ("destination_not_in_service_plan", Outcome.REFUSED),
        ("unverified_origination_number", Outcome.REFUSED),
        ("unverified_destination_not_allowed", Outcome.REFUSED),
        ("outbound_profile_daily_spend_limit_exceeded", Outcome.REFUSED),
        ("rejected_by_carrier", Outcome.REFUSED),
        ("carrier_authentication_failed", Outcome.REFUSED),
        ("file_format_invalid", Outcome.DOCUMENT),
        ("file_size_limit_exceeded", Outcome.DOCUMENT),
        ("page_count_limit_exceeded", Outcome.DOCUMENT),
        ("page_count_limit_limit_exceeded", Outcome.DOCUMENT),
        ("sender_canceled", Outcome.CANCELED),
        ("canceled", Outcome.CANCELED),
        ("rejected", Outcome.OTHER),
        ("success", Outcome.OTHER),
        ("", Outcome.OTHER),
    ],
)
def test_failure_reasons_have_a_class_and_a_sentence(reason: str, outcome: Outcome) -> None:
    assert telnyx.outcome(reason) is outcome
    sentence = telnyx.sentence(reason)
    assert sentence.endswith(".")
    assert sentence.isprintable()


def test_only_what_can_pass_is_said_to_be_worth_another_try() -> None:
    for reason in ("file_format_invalid", "receiver_unallocated_number", "account_disabled", "canceled"):
        assert telnyx.outcome(reason) not in PASSING
        assert "again" not in telnyx.sentence(reason)


def test_an_unknown_reason_is_shown_clean() -> None:
    assert "weird?reason" in telnyx.sentence("weird\nreason")
    assert telnyx.sentence("user_busy") == "The line was busy. Please send it again later."


def test_the_documentation_says_of_every_reason_whether_it_is_tried_again() -> None:
    page = (Path(__file__).parents[2] / "docs/carriers/telnyx.md").read_text()
    rows = [line.split("|") for line in page.splitlines() if line.startswith("| `")]
    said = {word: row[3].strip() for row in rows if len(row) == 5 for word in re.findall("`([a-z_]+)`", row[1])}
    known = telnyx.FAILURES.keys() - {"page_count_limit_limit_exceeded"}
    assert known <= said.keys()
    assert {word: said[word] == "yes" for word in known} == {word: telnyx.outcome(word) in PASSING for word in known}
