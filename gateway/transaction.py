"""One SMTP transaction: what a client asked for, and what became of it. Its record is the smtplog."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from gateway.account import SmtpUser


class Spooled(Protocol):
    """A message that is being written to disk (``store.blobs.Spool``). ``key`` is its name once it is sealed."""

    key: str
    size: int

    def write(self, data: bytes) -> None:
        """Append bytes; raises OSError when the disk refuses them."""

    def fileno(self) -> int:
        """The descriptor."""

    def seal(self) -> str:
        """Make it durable and return its key. Blocking; raises OSError."""

    def discard(self) -> None:
        """Drop the message. Safe to call twice, and after it was sealed."""


@dataclass(slots=True)
class Recipient:
    """A RCPT: the path as written, and (when it was accepted) who it belongs to."""

    written: str
    number: str = ""  # E.164
    domain: str = ""
    account_id: UUID | None = None
    faxbox_id: UUID | None = None  # None: decided by the sender among the account's faxboxes
    accepted: bool = False
    refusal: str = ""  # the sentence it was refused with


@dataclass(slots=True)
class Transaction:
    """MAIL to the final reply. ``errors`` holds every reply that refused something, in order.

    ``sender`` is the reverse-path as written ("" for the null path); ``tls`` the protocol version or "". ``mode`` is
    the listener's: on ``mx`` nobody is believed before the mail has proved its sender. ``login`` is who has logged in.
    ``author`` is whom the mail is from: the sender of the envelope, or on ``mx`` the address that the mail has proved.
    ``letter`` is what nobody but its author can have written in a stranger's mail, as a digest of Date and body.
    """

    id: UUID
    started_at: datetime
    listener: str
    peer: str
    helo: str = ""
    tls: str = ""
    mode: str = "trusted"
    login: SmtpUser | None = None
    user: str = ""
    sender: str = ""
    author: str = ""
    letter: str = ""
    recipients: list[Recipient] = field(default_factory=list)
    size: int = 0
    message_id: str = ""
    subject: str = ""
    found: list[dict[str, object]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    reply: str = ""
    account_id: UUID | None = None
    faxbox_id: UUID | None = None
    fax_ids: list[UUID] = field(default_factory=list)

    @property
    def accepted(self) -> list[Recipient]:
        """The recipients that were answered 250."""
        return [recipient for recipient in self.recipients if recipient.accepted]


@dataclass(frozen=True, slots=True)
class SmtpRecord:
    """One row of the smtplog, as stored: see ``Transaction`` for the fields."""

    id: UUID
    account_id: UUID | None
    faxbox_id: UUID | None
    at: datetime
    listener: str
    peer: str
    helo: str
    tls: str
    user: str
    sender: str
    recipients: list[dict[str, str]]
    size: int
    message_id: str
    subject: str
    found: list[dict[str, object]]
    errors: list[str]
    reply: str
    fax_ids: list[str]
