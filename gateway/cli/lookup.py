"""Finding what a person means: a whole id, the beginning of one, or a name that only one thing has."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Generic, TypeVar
from uuid import UUID

from gateway.account import Account, SmtpUser, Token
from gateway.application import Application, Number
from gateway.errors import Kind, refuse
from gateway.fax import Direction, Fax
from gateway.faxbox import Faxbox
from gateway.ids import parse_id
from gateway.store import faxes, provision, schema, smtplog
from gateway.store.database import Database
from gateway.transaction import SmtpRecord

T = TypeVar("T")
#: The fewest hex digits that a shortened id has; those of a UUIDv7 (RFC 9562, 5.7) begin with its time.
LEAST = 8
_HEX = frozenset("0123456789abcdef")
_LISTS = {
    "account": "faxgate accounts list",
    "application": "faxgate applications list",
    "faxbox": "faxgate faxboxes list",
    "token": "faxgate tokens list",
    "SMTP user": "faxgate smtp-users list",
    "number": "faxgate numbers list",
    "fax": "faxgate queue list --all, or faxgate inbox list",
    "record": "faxgate smtplog list",
}


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """Something that may be meant; ``names`` are what else it is called, the first one is shown."""

    noun: T
    id: str
    names: tuple[str, ...]


async def account(db: Database, text: str) -> Account:
    """Return the account that *text* names: id, beginning of an id, name or realm."""
    found = [provision.account_from(row) for row in await db.rows(provision.all_of(schema.accounts))]
    return _chosen("account", text, [Candidate(one, str(one.id), (one.realm, one.name)) for one in found])


async def application(db: Database, text: str, owner: UUID | None = None) -> Application:
    """Return the application that *text* names: id, beginning of an id, or name (among those of *owner*)."""
    rows = await db.rows(provision.all_of(schema.applications, owner))
    found = [provision.application_from(row) for row in rows]
    return _chosen("application", text, [Candidate(one, str(one.id), (one.name,)) for one in found])


async def faxbox(db: Database, text: str) -> Faxbox:
    """Return the faxbox that *text* names: id, beginning of an id, name or mail host."""
    found = [provision.faxbox_from(row) for row in await db.rows(provision.all_of(schema.faxboxes))]
    candidates = [Candidate(one, str(one.id), (one.name, one.host, one.custom_host)) for one in found]
    return _chosen("faxbox", text, candidates)


async def token(db: Database, text: str) -> Token:
    """Return the token with this id; the secret itself is not kept, so it names nothing."""
    found = [provision.token_from(row) for row in await db.rows(provision.all_of(schema.tokens))]
    return _chosen("token", text, [Candidate(one, str(one.id), ()) for one in found])


async def smtp_user(db: Database, text: str) -> SmtpUser:
    """Return the SMTP user that *text* names: id, beginning of an id, or name."""
    found = [provision.smtp_user_from(row) for row in await db.rows(provision.all_of(schema.smtp_users))]
    return _chosen("SMTP user", text, [Candidate(one, str(one.id), (one.name,)) for one in found])


async def number(db: Database, text: str) -> Number:
    """Return our number that is written *text*, with or without +, spaces and dashes."""
    found = [provision.number_from(row) for row in await db.rows(provision.all_of(schema.numbers))]
    digits = "+" + "".join(char for char in text if char.isdigit())
    return _chosen("number", digits, [Candidate(one, one.e164, (one.e164,)) for one in found])


async def fax(db: Database, text: str, direction: Direction | None = None) -> Fax:
    """Return the fax whose id *text* is or begins with, in any form that the APIs use; None: of either direction."""
    whole = parse_id(text)
    one = await faxes.fetch(db, whole) if whole else None
    found = [one] if one else await faxes.by_prefix(db, text)
    fax = _chosen("fax", str(whole or text), [Candidate(one, str(one.id), (one.to_number,)) for one in found])
    if direction is not None and fax.direction is not direction:
        kind, place = (
            ("a received one", "inbox") if fax.direction is Direction.INBOUND else ("an outgoing one", "queue")
        )
        raise refuse(Kind.NOT_FOUND, f"fax {fax.id} is {kind}; try: faxgate {place} show {fax.id}", text)
    return fax


async def record(db: Database, text: str) -> SmtpRecord:
    """Return the record of the smtplog whose id *text* is or begins with."""
    found = await _records(db, text)
    return _chosen("record", text, [Candidate(one, str(one.id), (one.peer,)) for one in found])


async def _records(db: Database, text: str) -> list[SmtpRecord]:
    clean = _digits(text)
    if not clean:
        return []
    low, high = UUID(clean.ljust(32, "0")), UUID(clean.ljust(32, "f"))
    listing = smtplog.listing(limit=3).where(schema.smtplog.c.id.between(low, high))
    return [smtplog.record_from(row) for row in await db.rows(listing)]


def _digits(text: str) -> str:
    clean = text.replace("-", "").lower()
    return clean if set(clean) <= _HEX and len(clean) <= 32 else ""


def _chosen(what: str, text: str, candidates: Sequence[Candidate[T]]) -> T:
    """Return the one candidate that fits *text* best: by its id, else by a name, else by the beginning of its id."""
    wanted, beginning = text.strip().casefold(), text.strip().casefold().replace("-", "")
    ways: tuple[Callable[[Candidate[T]], bool], ...] = (
        lambda one: one.id.replace("-", "") == beginning,
        lambda one: wanted in {name.casefold() for name in one.names if name},
        lambda one: one.id.replace("-", "").startswith(beginning),
    )
    fits = next((met for way in ways if wanted and (met := [one for one in candidates if way(one)])), [])
    if not fits:
        raise refuse(Kind.NOT_FOUND, f"there is no {what} {text!r}; see: {_LISTS[what]}", text)
    if len(fits) > 1:
        several = ", ".join(f"{one.id} ({one.names[0]})" if one.names else one.id for one in fits[:3])
        raise refuse(Kind.CONFLICT, f"{text!r} fits more than one {what}; give the id of one of them: {several}", text)
    return fits[0].noun


# -- short forms -------------------------------------------------------------------------------------------------------


def shortened(ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return for each id its shortest beginning that no other of *ids* has."""
    ordered = sorted({one.hex for one in ids})
    lengths = dict.fromkeys(ordered, LEAST)
    for one, other in pairwise(ordered):
        needed = _common(one, other) + 1
        lengths[one], lengths[other] = max(lengths[one], needed), max(lengths[other], needed)
    return {UUID(one): beginning(UUID(one), length) for one, length in lengths.items()}


async def short_faxes(db: Database, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return for each fax the shortest beginning of its id that ``fax`` accepts."""
    return await _unique(ids, lambda text: _ids(faxes.by_prefix(db, text)))


async def short_records(db: Database, ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return for each record of the smtplog the shortest beginning of its id that ``record`` accepts."""
    return await _unique(ids, lambda text: _ids(_records(db, text)))


async def _ids(asked: Awaitable[Sequence[Fax | SmtpRecord]]) -> list[UUID]:
    return [one.id for one in await asked]


async def _unique(ids: Iterable[UUID], fitting: Callable[[str], Awaitable[list[UUID]]]) -> dict[UUID, str]:
    """Lengthen the short forms of *ids* until nothing else that is stored fits; *fitting* shows a few that do."""
    short = shortened(ids)
    for one in short:
        while others := [other for other in await fitting(short[one]) if other != one]:
            short[one] = beginning(one, max(_common(one.hex, other.hex) for other in others) + 1)
    return short


def beginning(one: UUID, digits: int) -> str:
    """Return the first *digits* hex digits of an id, with its dashes."""
    dashed = ""
    for char in str(one):
        if digits == 0:
            break
        dashed += char
        digits -= char != "-"
    return dashed.rstrip("-")


def _common(one: str, other: str) -> int:
    return next((place for place in range(32) if one[place] != other[place]), 32)
