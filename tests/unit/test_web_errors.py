"""The table from reasons to statuses, and how a fault is worded."""

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.errors import TEMPORARY, Kind, refuse
from gateway.web.access import REQUEST_ID
from gateway.web.errors import STATUS, Fault, fault_of, plain
from gateway.web.kazoo.answers import refused


def request() -> web.Request:
    made = make_mocked_request("GET", "/")
    made[REQUEST_ID] = "id-1"
    return made


def envelope(fault: Fault) -> tuple[str, object]:
    """Return message and data of a fault in Kazoo's envelope."""
    answer = refused(request(), fault)
    assert answer.status == fault.status
    assert answer.text is not None
    told = json.loads(answer.text)
    assert (told["status"], told["error"], told["request_id"]) == ("error", str(fault.status), "id-1")
    return told["message"], told["data"]


def test_every_kind_of_refusal_has_a_status() -> None:
    assert set(STATUS) == set(Kind)


def test_what_passes_by_itself_and_is_ours_is_a_server_error_and_everything_else_is_not() -> None:
    ours = {kind for kind, status in STATUS.items() if status >= 500}
    assert ours == TEMPORARY - {Kind.ANOTHER_FAXBOX, Kind.TOO_MANY_RECIPIENTS, Kind.LOGIN_LATER}


def test_a_refusal_keeps_its_sentence_and_a_busy_database_says_when_to_come_again() -> None:
    fault = fault_of(refuse(Kind.STORAGE_BUSY, "the gateway's database is busy; try again later"))
    assert (fault.status, fault.headers) == (503, {"Retry-After": "10"})
    answer = plain(request(), fault)
    assert answer.text == '{"error": "the gateway\'s database is busy; try again later"}'
    assert answer.headers["Retry-After"] == "10"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("a secret of ours"), 500),
        (KeyError("a secret of ours"), 500),
        (ConnectionResetError("a secret of ours"), 503),
        (TimeoutError("a secret of ours"), 503),
    ],
)
def test_an_unexpected_exception_tells_nothing_and_is_logged_whole(
    error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    fault = fault_of(error)
    assert fault.status == status
    assert "secret" not in fault.sentence
    assert "a secret of ours" in caplog.text


def test_a_malformed_body_is_the_clients_fault(caplog: pytest.LogCaptureFixture) -> None:
    assert fault_of(web.RequestPayloadError("400, message: TransferEncodingError")).status == 400
    assert caplog.text == ""


def test_aiohttps_own_refusals_keep_status_and_allow() -> None:
    fault = fault_of(web.HTTPMethodNotAllowed("POST", ["GET", "HEAD"]))
    assert (fault.status, fault.headers) == (405, {"Allow": "GET,HEAD"})
    assert fault_of(web.HTTPExpectationFailed(text="x")).sentence == "expectation failed"


def test_kazoos_words_for_refusals() -> None:
    missing = fault_of(refuse(Kind.NOT_FOUND, "there is no faxbox x", "x"))
    assert envelope(missing) == ("bad_identifier", {"message": "bad identifier", "cause": "x"})
    invalid = fault_of(refuse(Kind.INVALID, "name must be a text of 1 to 128 characters", "name"))
    told = {"name": {"invalid": {"message": "name must be a text of 1 to 128 characters"}}}
    assert envelope(invalid) == ("validation failed", told)
    conflict = fault_of(refuse(Kind.CONFLICT, "that name is taken"))
    assert envelope(conflict) == ("datastore_conflict", {"message": "that name is taken"})
    full = fault_of(refuse(Kind.STORAGE_FULL, "the gateway's disk is full; try again later"))
    assert envelope(full) == ("datastore_fault", {"message": "the gateway's disk is full; try again later"})
    forbidden = fault_of(refuse(Kind.DESTINATION_NOT_ALLOWED, "faxes to this country are not allowed"))
    assert envelope(forbidden) == ("forbidden", {"message": "faxes to this country are not allowed"})


def test_kazoos_words_for_statuses() -> None:
    assert envelope(Fault(401, "ours")) == ("invalid_credentials", {"message": "invalid credentials"})
    assert envelope(Fault(405, "ours")) == ("invalid_method", {"message": "method not allowed"})
    assert envelope(Fault(418, "ours"))[1] == {"message": "ours"}
    assert envelope(Fault(499, "ours")) == ("error", {"message": "ours"})
