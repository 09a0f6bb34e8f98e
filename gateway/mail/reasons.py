"""Why a fax failed, in words for people: a few for the subject, a sentence, and what to do about it.

The keys are the carrier's failure_reason words (Telnyx, Programmable Fax API, "fax.failed") and our own Kinds.
"""

from dataclasses import dataclass

from gateway.errors import Kind

_CALL = "Call the recipient to check that the fax machine is switched on and ready, then send the fax again."
_NUMBER = "Check the number with the recipient, then send the fax again."
_LATER = "Please send the fax again later. If it keeps failing, tell your administrator."
_ADMIN = "Please tell your administrator, and give the fax id below."
_DOCUMENT = "Save the document again as a PDF without a password, then send the fax again."
_SMALLER = "Divide the document, then send it as several faxes."


@dataclass(frozen=True, slots=True)
class Why:
    """``brief`` completes "not delivered - ...", ``sentence`` stands alone, ``advice`` says what to do."""

    brief: str
    sentence: str
    advice: str


_BUSY = Why(
    "the line was busy",
    "The line of the recipient was busy.",
    "Please send the fax again later, or ask the recipient for another fax number.",
)
_NO_ANSWER = Why("nobody answered", "No fax machine answered the call.", _CALL)
_DROPPED = Why(
    "the call was cut off",
    "The call was cut off before all pages had gone through.",
    "Some pages may have arrived. Ask the recipient, then send the fax again.",
)
_NO_FAX = Why(
    "no fax machine answered",
    "The call was answered, but not by a fax machine that ours could come to terms with.",
    "Check that the number is a fax number, then send the fax again.",
)
_NO_NUMBER = Why("the number does not exist", "The number is not in service.", _NUMBER)
_UNREACHABLE = Why("the number could not be reached", "The carrier found no way to reach the number.", _NUMBER)
_DECLINED = Why("the call was declined", "The other side declined the call.", _CALL)
_FORBIDDEN = Why(
    "faxes to this number are not allowed",
    "Faxes to this number are not allowed from here.",
    "Ask your administrator if you need to send faxes to this number.",
)
_CARRIER = Why("the carrier was unavailable", "The carrier could not take the fax.", _LATER)
_SETUP = Why(
    "the fax service refused it",
    "The carrier refused the fax because of how the service is set up.",
    _ADMIN,
)
_UNREADABLE = Why("the document could not be read", "The document could not be read.", _DOCUMENT)
_TOO_LARGE = Why("the document is too large", "The document is too large for one fax.", _SMALLER)
_TOO_MANY = Why("the document has too many pages", "The document has too many pages for one fax.", _SMALLER)
_CANCELED = Why("it was canceled", "The fax was canceled before it was sent.", "")

WHYS = {
    "user_busy": _BUSY,
    "carrier_unreachable": _CARRIER,
    "receiver_no_answer": _NO_ANSWER,
    "receiver_no_response": _NO_ANSWER,
    "receiver_decline": _DECLINED,
    "receiver_call_dropped": _DROPPED,
    "sender_call_dropped": _DROPPED,
    "receiver_communication_error": _DROPPED,
    "sender_communication_error": _DROPPED,
    "carrier_lost": _DROPPED,
    "receiver_recovery_on_timer_expire": _DROPPED,
    "fax_signaling_error": _NO_FAX,
    "fax_initial_communication_timeout": _NO_FAX,
    "invalid_ecm_response_from_receiver": _NO_FAX,
    "receiver_incompatible_destination": _NO_FAX,
    "receiver_unallocated_number": _NO_NUMBER,
    "receiver_invalid_number_format": _NO_NUMBER,
    "destination_invalid": _NO_NUMBER,
    "destination_unreachable": _UNREACHABLE,
    "destination_not_in_countries_whitelist": _FORBIDDEN,
    "destination_not_in_service_plan": _FORBIDDEN,
    "unverified_destination_not_allowed": _FORBIDDEN,
    "service_unavailable": _CARRIER,
    "user_channel_limit_exceeded": _CARRIER,
    "connection_channel_limit_exceeded": _CARRIER,
    "outbound_profile_channel_limit_exceeded": _CARRIER,
    "outbound_profile_daily_spend_limit_exceeded": _SETUP,
    "account_disabled": _SETUP,
    "no_outbound_profile": _SETUP,
    "unverified_origination_number": _SETUP,
    "file_format_invalid": _UNREADABLE,
    "media_processing_exception": _UNREADABLE,
    "file_download_failed": _CARRIER,
    "file_size_limit_exceeded": _TOO_LARGE,
    "page_count_limit_exceeded": _TOO_MANY,
    "page_count_limit_limit_exceeded": _TOO_MANY,  # as one of the carrier's lists spells it
    "deadline_passed": Why("it could not be sent in time", "The fax could not be sent in the time it had.", _LATER),
    "sender_canceled": _CANCELED,
    "canceled": _CANCELED,
    Kind.DESTINATION_NOT_ALLOWED: _FORBIDDEN,
    Kind.DOCUMENT_ENCRYPTED: Why("the document has a password", "The document is protected by a password.", _DOCUMENT),
    Kind.DOCUMENT_BROKEN: _UNREADABLE,
    Kind.MESSAGE_UNREADABLE: _UNREADABLE,
    Kind.PAGES_DISAGREE: _UNREADABLE,
    Kind.RENDERING_STOPPED: _UNREADABLE,
    Kind.FORMAT_UNSUPPORTED: _UNREADABLE,
    Kind.DOCUMENT_TOO_LARGE: _TOO_LARGE,
    Kind.TOO_MANY_PAGES: _TOO_MANY,
}

#: Words that mean something else when the fax was coming to us.
INBOUND_WHYS = {
    "sender_canceled": Why("", "The sender hung up.", ""),
    "sender_call_dropped": Why("", "The call was cut off before all pages had arrived.", ""),
    "sender_communication_error": Why("", "The line was too bad to receive the pages.", ""),
    "carrier_lost": Why("", "The line was too bad to receive the pages.", ""),
    "fax_signaling_error": Why("", "The two fax machines could not come to terms.", ""),
}

#: What is asked of a person whose fax did not arrive, whatever the reason.
SEND_AGAIN = "If you expected a fax, ask the sender to send it again."


def why(word: str, *, inbound: bool = False) -> Why:
    """Return the words for the failure *word*; for one that is not in the tables the word itself is told."""
    known = (INBOUND_WHYS.get(word) if inbound else None) or WHYS.get(word)
    if known is None:
        reason = f"The carrier's reason is: {word}." if word else "The carrier did not report a reason."
        known = Why("", reason, _LATER)
    return Why(known.brief, known.sentence, SEND_AGAIN) if inbound else known
