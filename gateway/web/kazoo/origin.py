"""From which number, and so through which application, a fax of Kazoo's API goes out.

The application is that of the number; of a number that nobody has here, the faxbox's, else the account's default one
(the carrier knows whose it is). Another account's number is not used: as in Kazoo, such a fax is taken and fails.
"""

from dataclasses import dataclass
from uuid import UUID

from gateway.address import parse_number
from gateway.dialects import kazoo
from gateway.errors import Kind, Refusal, refuse
from gateway.fax import Fax
from gateway.faxbox import Faxbox
from gateway.outbox import Command
from gateway.provisioning import fields
from gateway.store import provision
from gateway.store.database import Tx
from gateway.web.kazoo.answers import invalid

#: Each of them costs money.
MOST_TEXTS = 10
#: Who may send faxes may not write to the whole world.
MOST_MAILS = 100


@dataclass(frozen=True, slots=True)
class Origination:
    """*number* is E.164; *foreign* when it is another account's."""

    number: str
    application_id: int
    foreign: bool

    def stop(self, tx: Tx, command: Command, fax: Fax) -> None:
        """End *fax* in the unit that made it if it may not be sent from this number."""
        if self.foreign:
            command.fail(tx, fax.id, kazoo.FOREIGN_CALLER, f"invalid fax cid number: {self.number}")


def originate(tx: Tx, account_id: UUID, country: str, written: str, box: Faxbox | None) -> Origination:
    """Return where a fax from the number *written* goes out. Raises the fault 400 for what is no number."""
    try:
        number = parse_number(written.translate(_GROUPING), country)
    except Refusal as refusal:
        raise invalid("from_number", "wrong_format", refusal.reason.sentence) from None
    owner = provision.owner_of_number(tx, number)
    if owner is not None and owner.account_id == account_id:
        return Origination(number, owner.application_id, foreign=False)
    application = box.application_id if box else provision.default_application(tx, account_id)
    if application is None:
        raise refuse(Kind.CALLER_ID_MISSING, "the account has no application to send with; make one first")
    return Origination(number, application, foreign=owner is not None)


def mailed(wish: kazoo.FaxChanges) -> list[str]:
    """Return who is mailed the result. Raises the fault 400 for too many, Refusal for what is no address."""
    written = kazoo.emails(wish)
    if len(written) > MOST_MAILS:
        raise invalid("notifications.email.send_to", "maxItems", f"{MOST_MAILS} at most", target=MOST_MAILS)
    return fields.emails("notify", written)


def texted(wish: kazoo.FaxChanges, country: str) -> list[str]:
    """Return the numbers that get a text at the end. Raises the fault 400 for what is none."""
    written = kazoo.texts(wish)
    if len(written) > MOST_TEXTS:
        raise invalid("notifications.sms.send_to", "maxItems", f"{MOST_TEXTS} at most", target=MOST_TEXTS)
    try:
        return [parse_number(number.translate(_GROUPING), country) for number in written]
    except Refusal as refusal:
        raise invalid("notifications.sms.send_to", "wrong_format", refusal.reason.sentence) from None


def timezone_of(wish: kazoo.FaxChanges) -> str:
    """Return the time zone that a client asks for, "" for none of its own."""
    written = wish.fax_timezone or wish.timezone or ""
    return "" if written in {"inherit", "undefined"} else written


_GROUPING = str.maketrans("", "", " ()/")
