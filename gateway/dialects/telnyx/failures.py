"""Telnyx's failure reasons: their class, and a sentence for people. The list is open: an unknown word stays itself."""

from gateway.address import shown
from gateway.retry import Outcome

#: Our own words beside Telnyx's failure reasons: what happened before the carrier had the fax.
REJECTED = "rejected_by_carrier"
UNAUTHENTICATED = "carrier_authentication_failed"
UNREACHABLE = "carrier_unreachable"
CANCELED = "canceled"
TOO_LATE = "deadline_passed"
#: Telnyx's words for what is wrong with a document before anybody is called.
NOT_FETCHED = "file_download_failed"
TOO_LARGE = "file_size_limit_exceeded"

_CHECK_NUMBER = "Please check the number."
_TELL_ADMIN = "Please tell your administrator."
_SEND_LATER = "Please send it again later."
_DIALLED_WRONG = f"The number does not exist or cannot be reached. {_CHECK_NUMBER}"
_NO_AGREEMENT = f"The two fax machines did not understand each other. {_SEND_LATER}"
_TOO_MANY_CALLS = f"All lines to the carrier were in use. {_SEND_LATER}"
_TOO_MANY_PAGES = "The document has more pages than the carrier takes (350). Please send it in parts."
_UNVERIFIED = f"The carrier has not verified a number of this fax. {_TELL_ADMIN}"

#: failure_reason -> its class and a sentence for the person who sent (or waits for) the fax.
#: file_download_failed is passing: the document is ours, and each try offers it anew.
FAILURES: dict[str, tuple[Outcome, str]] = {
    "user_busy": (Outcome.BUSY, f"The line was busy. {_SEND_LATER}"),
    "receiver_no_answer": (Outcome.NO_ANSWER, f"Nobody answered the call. {_SEND_LATER}"),
    "receiver_no_response": (Outcome.NO_ANSWER, f"The number did not respond to the call. {_SEND_LATER}"),
    "receiver_call_dropped": (Outcome.DROPPED, f"The receiver's side ended the call too early. {_SEND_LATER}"),
    "sender_call_dropped": (Outcome.DROPPED, "The sender's side ended the call too early."),
    "carrier_lost": (Outcome.DROPPED, "The connection was lost during the call."),
    "receiver_communication_error": (Outcome.TRAINING, _NO_AGREEMENT),
    "sender_communication_error": (Outcome.TRAINING, "The two fax machines did not understand each other."),
    "fax_signaling_error": (Outcome.TRAINING, _NO_AGREEMENT),
    "fax_initial_communication_timeout": (
        Outcome.TRAINING,
        "The call was answered, but not by a fax machine. Please check the number, or send it again later.",
    ),
    "invalid_ecm_response_from_receiver": (Outcome.TRAINING, _NO_AGREEMENT),
    "receiver_recovery_on_timer_expire": (Outcome.CARRIER, f"The telephone network gave up the call. {_SEND_LATER}"),
    "receiver_decline": (Outcome.REFUSED, "The receiver declines calls from this number. Please ask the receiver."),
    "receiver_incompatible_destination": (Outcome.NUMBER, f"The number does not take faxes. {_CHECK_NUMBER}"),
    "receiver_invalid_number_format": (Outcome.NUMBER, _DIALLED_WRONG),
    "receiver_unallocated_number": (Outcome.NUMBER, f"The number is not in service. {_CHECK_NUMBER}"),
    "destination_invalid": (Outcome.NUMBER, _DIALLED_WRONG),
    "destination_unreachable": (Outcome.NUMBER, _DIALLED_WRONG),
    "destination_not_in_countries_whitelist": (
        Outcome.REFUSED,
        f"The carrier's account may not call the country of this number. {_TELL_ADMIN}",
    ),
    "destination_not_in_service_plan": (
        Outcome.REFUSED,
        f"The carrier's service plan does not include this number. {_TELL_ADMIN}",
    ),
    "unverified_origination_number": (Outcome.REFUSED, _UNVERIFIED),
    "unverified_destination_not_allowed": (Outcome.REFUSED, _UNVERIFIED),
    "account_disabled": (Outcome.REFUSED, f"The account at the carrier is disabled. {_TELL_ADMIN}"),
    "no_outbound_profile": (
        Outcome.REFUSED,
        f"The fax application at the carrier has no outbound voice profile. {_TELL_ADMIN}",
    ),
    "outbound_profile_daily_spend_limit_exceeded": (
        Outcome.REFUSED,
        f"The daily spending limit at the carrier is used up. {_TELL_ADMIN}",
    ),
    "user_channel_limit_exceeded": (Outcome.CARRIER, _TOO_MANY_CALLS),
    "connection_channel_limit_exceeded": (Outcome.CARRIER, _TOO_MANY_CALLS),
    "outbound_profile_channel_limit_exceeded": (Outcome.CARRIER, _TOO_MANY_CALLS),
    "service_unavailable": (Outcome.CARRIER, f"The carrier's service was not available. {_SEND_LATER}"),
    "file_download_failed": (Outcome.CARRIER, f"The carrier could not fetch the document. {_SEND_LATER}"),
    "media_processing_exception": (Outcome.CARRIER, f"The carrier could not process the document. {_SEND_LATER}"),
    "file_format_invalid": (Outcome.DOCUMENT, "The carrier could not read the document. Please send it as a PDF."),
    "file_size_limit_exceeded": (
        Outcome.DOCUMENT,
        "The document is larger than the carrier takes (50 MB). Please send it in parts.",
    ),
    "page_count_limit_exceeded": (Outcome.DOCUMENT, _TOO_MANY_PAGES),
    "page_count_limit_limit_exceeded": (Outcome.DOCUMENT, _TOO_MANY_PAGES),  # as one of their lists spells it
    "sender_canceled": (Outcome.CANCELED, "The fax was canceled by its sender."),
    CANCELED: (Outcome.CANCELED, "The fax was canceled."),
    TOO_LATE: (Outcome.REFUSED, f"The fax could not be sent in the time it had. {_SEND_LATER}"),
    REJECTED: (Outcome.REFUSED, f"The carrier did not accept the fax. {_TELL_ADMIN}"),
    UNAUTHENTICATED: (Outcome.REFUSED, f"The carrier did not accept the gateway's API key. {_TELL_ADMIN}"),
    UNREACHABLE: (Outcome.CARRIER, f"The carrier could not be reached. {_SEND_LATER}"),
}


def outcome(failure_reason: str) -> Outcome:
    """Return the class of a failure; OTHER for a word that is not in the table."""
    return FAILURES[failure_reason][0] if failure_reason in FAILURES else Outcome.OTHER


def what(failure_reason: str) -> str:
    """Return what a failure means in its first sentence, without what to do."""
    return sentence(failure_reason).partition(". ")[0].rstrip(".")


def sentence(failure_reason: str) -> str:
    """Return what a failure means and what to do, for people; an unknown word is shown as it came."""
    if failure_reason in FAILURES:
        return FAILURES[failure_reason][1]
    if not failure_reason:
        return f"The fax failed; the carrier gave no reason. {_SEND_LATER}"
    return f"The fax failed; the carrier calls the reason {shown(failure_reason)}. {_SEND_LATER}"
