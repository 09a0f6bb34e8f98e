"""Who plays in the demo: an account with two faxboxes, each with a person and a number."""

from dataclasses import dataclass
from uuid import UUID

from gateway.account import Account
from gateway.demo.state import StateFolder
from gateway.faxbox import Faxbox
from gateway.ids import digest
from gateway.provisioning import Provisioning
from gateway.store import provision
from gateway.store.database import Database
from gateway.store.schema import accounts, faxboxes

REALM = "fax.demo.example"
OPERATOR = "operator@demo.example"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who sends from an address and has a fax number of his own (E.164)."""

    name: str
    email: str
    number: str

    @property
    def fax_address(self) -> str:
        """Where a mail goes that shall become a fax for this person."""
        return fax_address(self.number)


OFFICE = Person("office", "office@demo.example", "+12025550123")
CLINIC = Person("clinic", "clinic@demo.example", "+12025550199")


@dataclass(frozen=True, slots=True)
class Cast:
    """The account that all of this belongs to, and a token for the APIs."""

    account_id: UUID
    token: str


def fax_address(number: str) -> str:
    """Return the mail address that sends a fax to *number* (E.164)."""
    return f"{number.removeprefix('+')}@{REALM}"


async def engage(db: Database, rules: Provisioning, folder: StateFolder) -> Cast:
    """Make whatever of the cast is not there from an earlier run."""
    account_id = await _account(db, rules)
    boxes = {row["name"]: row for row in await db.rows(provision.all_of(faxboxes, account_id))}
    for person in (OFFICE, CLINIC):
        row = boxes.get(person.name)
        box = provision.faxbox_from(row) if row else await _faxbox(rules, account_id, person)
        await rules.assign_number(person.number, box.application_id, box.id)
    return Cast(account_id, await _token(db, rules, folder, account_id))


async def _account(db: Database, rules: Provisioning) -> UUID:
    found = [provision.account_from(row) for row in await db.rows(provision.all_of(accounts))]
    mine: Account | None = next((account for account in found if account.realm == REALM), None)
    if mine is None:
        mine, _api_key = await rules.create_account("Demo", REALM, country="US")
    return mine.id


async def _faxbox(rules: Provisioning, account_id: UUID, person: Person) -> Faxbox:
    given = {
        "name": person.name,
        "caller_id": person.number,
        "permit": [person.email],
        "inbound_emails": [person.email],
    }
    return await rules.create_faxbox(account_id, given)


async def _token(db: Database, rules: Provisioning, folder: StateFolder, account_id: UUID) -> str:
    kept = folder.token()
    if kept and await db.rows(provision.token_by_digest(digest(kept))):
        return kept
    _, secret = await rules.create_token(account_id)
    folder.keep_token(secret)
    return secret
