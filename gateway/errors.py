"""One vocabulary for everything that can go wrong.

A ``Reason`` says what happened in a public sentence and whether trying again can help. The doors translate it:
``smtp/replies.py`` to an SMTP reply, ``web/`` to an HTTP status, ``mail/compose.py`` to a line in a mail.
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What went wrong. Values are stored and shown; add to them, never rename one."""

    # who may send, and where to
    SENDER_NOT_PERMITTED = "sender_not_permitted"
    SENDER_AMBIGUOUS = "sender_ambiguous"
    SENDER_INVALID = "sender_invalid"
    DOMAIN_UNKNOWN = "domain_unknown"
    NUMBER_INVALID = "number_invalid"
    DESTINATION_NOT_ALLOWED = "destination_not_allowed"
    ANOTHER_FAXBOX = "another_faxbox"
    TOO_MANY_RECIPIENTS = "too_many_recipients"
    APPLICATION_INACTIVE = "application_inactive"
    CALLER_ID_MISSING = "caller_id_missing"
    LOGIN_FAILED = "login_failed"
    LOGIN_LATER = "login_later"
    SENDER_UNPROVEN = "sender_unproven"
    EVIDENCE_MISSING = "evidence_missing"
    SETTINGS_CHANGED = "settings_changed"
    # what was sent
    BOUNCE = "bounce"
    AUTOMATIC_MAIL = "automatic_mail"
    MESSAGE_TOO_LARGE = "message_too_large"
    MESSAGE_UNREADABLE = "message_unreadable"
    NOTHING_TO_FAX = "nothing_to_fax"
    DOCUMENT_ENCRYPTED = "document_encrypted"
    DOCUMENT_BROKEN = "document_broken"
    DOCUMENT_TOO_LARGE = "document_too_large"
    TOO_MANY_PAGES = "too_many_pages"
    PAGES_DISAGREE = "pages_disagree"
    RENDERING_STOPPED = "rendering_stopped"
    FORMAT_UNSUPPORTED = "format_unsupported"
    # our own state
    STORAGE_FULL = "storage_full"
    STORAGE_BUSY = "storage_busy"
    SHUTTING_DOWN = "shutting_down"
    INTERNAL = "internal"
    # managing things
    NOT_FOUND = "not_found"
    INVALID = "invalid"
    CONFLICT = "conflict"
    WRONG_STATE = "wrong_state"


#: Kinds where the same request may succeed later without anybody changing it.
TEMPORARY = frozenset(
    {
        Kind.ANOTHER_FAXBOX,
        Kind.TOO_MANY_RECIPIENTS,
        Kind.LOGIN_LATER,
        Kind.EVIDENCE_MISSING,
        Kind.SETTINGS_CHANGED,
        Kind.STORAGE_FULL,
        Kind.STORAGE_BUSY,
        Kind.SHUTTING_DOWN,
        Kind.INTERNAL,
    }
)


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something was refused or failed.

    ``sentence`` is for the person concerned: what, why, what to do; one line, nothing internal.
    ``subject`` names the thing meant (a part of the mail, a field, a number) where one can be named.
    """

    kind: Kind
    sentence: str
    subject: str = ""

    @property
    def temporary(self) -> bool:
        """True when the same request may succeed later unchanged."""
        return self.kind in TEMPORARY


class Refusal(Exception):
    """Raised where a request ends with a ``Reason``; never for a bug of ours."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.sentence)
        self.reason = reason


def refuse(kind: Kind, sentence: str, subject: str = "") -> Refusal:
    """Return the exception for *kind*; for ``raise refuse(...)``."""
    return Refusal(Reason(kind, sentence, subject))


def shutting_down() -> Refusal:
    """Return the exception for whatever this process can no longer finish: another one, or the next, will."""
    return refuse(Kind.SHUTTING_DOWN, "the gateway is shutting down; please try again in a moment")


class ConfigurationError(Exception):
    """The settings or the installation are wrong: the daemon exits 78 with this text (file, key, remedy)."""
