"""How a transmission ended, in Kazoo's words: the one table from a failure_reason to result code, text and cause.

A call that did not come about has the SIP status and FreeSWITCH's hangup cause as its text; one that did, the T.30
completion code and text of spandsp; a document or a request that could not be faxed, what Kazoo says of it. Codes and
texts are under both families of names that Kazoo's clients read: those of its documentation and those of T.30.
"""

from typing import NamedTuple, NotRequired

from typing_extensions import TypedDict

from gateway.dialects import telnyx
from gateway.errors import Kind
from gateway.fax import FINAL, Fax, State


class End(NamedTuple):
    """``text`` "" stands for our own sentence about this fax."""

    code: int
    text: str
    cause: str = "NORMAL_CLEARING"


DELIVERED = End(0, "OK")
_CALL_FAILED = End(500, "NORMAL_TEMPORARY_FAILURE", "NORMAL_TEMPORARY_FAILURE")
_DROPPED = End(49, "The call dropped prematurely")
_CONGESTION = End(503, "NORMAL_CIRCUIT_CONGESTION", "NORMAL_CIRCUIT_CONGESTION")
_REJECTED = End(403, "CALL_REJECTED", "CALL_REJECTED")
_UNALLOCATED = End(404, "UNALLOCATED_NUMBER", "UNALLOCATED_NUMBER")
_DOCUMENT = End(0, "", "")
#: What the worker of Kazoo says when the caller id is not the account's; the number follows.
FOREIGN_CALLER = "invalid_caller_id"

ENDS: dict[str, End] = {
    # the call did not come about
    "user_busy": End(486, "USER_BUSY", "USER_BUSY"),
    "receiver_no_answer": End(480, "NO_ANSWER", "NO_ANSWER"),
    "receiver_no_response": End(408, "NO_USER_RESPONSE", "NO_USER_RESPONSE"),
    "receiver_decline": End(603, "CALL_REJECTED", "CALL_REJECTED"),
    "receiver_incompatible_destination": End(488, "INCOMPATIBLE_DESTINATION", "INCOMPATIBLE_DESTINATION"),
    "receiver_invalid_number_format": End(484, "INVALID_NUMBER_FORMAT", "INVALID_NUMBER_FORMAT"),
    "receiver_unallocated_number": _UNALLOCATED,
    "receiver_recovery_on_timer_expire": End(504, "RECOVERY_ON_TIMER_EXPIRE", "RECOVERY_ON_TIMER_EXPIRE"),
    "destination_invalid": _UNALLOCATED,
    "destination_unreachable": End(404, "NO_ROUTE_DESTINATION", "NO_ROUTE_DESTINATION"),
    "destination_not_in_countries_whitelist": _REJECTED,
    "destination_not_in_service_plan": _REJECTED,
    "unverified_origination_number": _REJECTED,
    "unverified_destination_not_allowed": _REJECTED,
    "account_disabled": _REJECTED,
    "no_outbound_profile": _REJECTED,
    "outbound_profile_daily_spend_limit_exceeded": _REJECTED,
    "user_channel_limit_exceeded": _CONGESTION,
    "connection_channel_limit_exceeded": _CONGESTION,
    "outbound_profile_channel_limit_exceeded": _CONGESTION,
    "service_unavailable": End(503, "SERVICE_UNAVAILABLE", "SERVICE_UNAVAILABLE"),
    "carrier_lost": _DROPPED,
    telnyx.UNREACHABLE: End(503, "NETWORK_OUT_OF_ORDER", "NETWORK_OUT_OF_ORDER"),
    telnyx.UNAUTHENTICATED: _REJECTED,
    telnyx.REJECTED: _REJECTED,
    telnyx.CANCELED: End(487, "canceled", "ORIGINATOR_CANCEL"),
    "sender_canceled": End(487, "canceled", "ORIGINATOR_CANCEL"),
    telnyx.TOO_LATE: End(500, "", "RECOVERY_ON_TIMER_EXPIRE"),
    # the call came about, the fax did not (T.30)
    "receiver_call_dropped": _DROPPED,
    "sender_call_dropped": _DROPPED,
    "fax_initial_communication_timeout": End(2, "Timed out waiting for initial communication"),
    "fax_signaling_error": End(13, "Unexpected message received"),
    "receiver_communication_error": End(20, "Received no response to DCS or TCF"),
    "sender_communication_error": End(34, "Timer T2 expired while waiting for NSS, DCS or MCF"),
    "invalid_ecm_response_from_receiver": End(16, "Invalid ECM response received from receiver"),
    # the document
    telnyx.NOT_FETCHED: _DOCUMENT,
    telnyx.TOO_LARGE: _DOCUMENT,
    "media_processing_exception": _DOCUMENT,
    "file_format_invalid": _DOCUMENT,
    "page_count_limit_exceeded": _DOCUMENT,
    "page_count_limit_limit_exceeded": _DOCUMENT,
    # the request
    FOREIGN_CALLER: End(400, "", "INVALID_CALLER_ID"),
    Kind.DESTINATION_NOT_ALLOWED.value: End(403, "", "CALL_REJECTED"),
}


class Result(TypedDict):
    """``tx_result`` and ``rx_result``. What the carrier does not report keeps the value that says nothing."""

    success: bool
    error_message: str
    pages_sent: int
    fax_bad_rows: int
    fax_error_correction: bool
    fax_receiver_id: str
    fax_speed: int
    time_elapsed: int
    result_code: NotRequired[int]
    result_text: NotRequired[str]
    result_cause: NotRequired[str]
    transferred_pages: NotRequired[int]
    total_pages: NotRequired[int]
    bad_rows: NotRequired[int]
    ecm_used: NotRequired[bool]
    transfer_rate: NotRequired[int]
    remote_station_id: NotRequired[str]


def end_of(failure_reason: str) -> End:
    """Return how a failure is told: a document that could not be faxed for a Kind of ours, a failed call for a word
    that nobody knows."""
    if failure_reason in ENDS:
        return ENDS[failure_reason]
    return _DOCUMENT if failure_reason in set(Kind) else _CALL_FAILED


def result(fax: Fax) -> Result:
    """Return how the last try of a fax ended; before the first has ended, Kazoo's defaults."""
    ended = fax.state in FINAL
    success = fax.state in {State.DELIVERED, State.RECEIVED}
    sent = (fax.pages_sent if fax.pages_sent is not None else fax.pages if success else 0) or 0
    elapsed = ((fax.finished_at or fax.updated_at) - fax.created_at).total_seconds() if ended else 0
    told: Result = {
        "success": success,
        "error_message": "" if success else _sentence(fax),
        "pages_sent": sent,
        "fax_bad_rows": 0,
        "fax_error_correction": False,
        "fax_receiver_id": "",
        "fax_speed": 0,
        "time_elapsed": max(0, int(elapsed)),
    }
    if not success and not fax.failure_reason:
        return told
    end = DELIVERED if success else end_of(fax.failure_reason)
    partial = "partial pages received" if fax.partial else ""
    return {
        **told,
        "result_code": end.code,
        "result_text": partial or end.text or _sentence(fax),
        "result_cause": end.cause,
        "transferred_pages": sent,
        "total_pages": fax.pages or sent,
        "bad_rows": 0,
        "ecm_used": False,
        "transfer_rate": 0,
        "remote_station_id": "",
    }


def _sentence(fax: Fax) -> str:
    if fax.failure_text or not fax.failure_reason:
        return fax.failure_text
    return telnyx.sentence(fax.failure_reason)
