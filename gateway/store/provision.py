"""Accounts, tokens, applications, faxboxes, SMTP users, numbers: who owns what. Changes raise the routing revision."""

from dataclasses import fields
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Select, delete, null, or_, select, true, update
from sqlalchemy import Table as Table  # noqa: PLC0414 - exported: rows.py names a table of this module by it

from gateway.account import Account, SmtpUser, Token
from gateway.application import Application, Number
from gateway.faxbox import Faxbox
from gateway.store.database import Asked, Database, Row, add, changed, first, insert_new, one
from gateway.store.paging import Stretch, later, stretched
from gateway.store.prepared import Prepared
from gateway.store.schema import accounts, applications, faxboxes, numbers, revisions, smtp_users, tokens

ROUTING = "routing"
T = TypeVar("T")
_TOKEN = tuple(each.name for each in fields(Token))


def account_from(row: Row) -> Account:
    """Make the noun of a row of ``accounts``; the digest of the api_key stays behind."""
    return Account(**{name: value for name, value in row.items() if name != "api_key_digest"})


def faxbox_from(row: Row) -> Faxbox:
    """Make the noun of a row of ``faxboxes``."""
    return Faxbox(**{**row, "custom_host": row["custom_host"] or ""})


def application_from(row: Row) -> Application:
    """Make the noun of a row of ``applications``."""
    return Application(**row)


def number_from(row: Row) -> Number:
    """Make the noun of a row of ``numbers``."""
    return Number(**row)


def token_from(row: Row) -> Token:
    """Make the noun of a row of ``tokens``; the digest, and what stands beside it, stay behind."""
    return Token(**{name: row[name] for name in _TOKEN})


def smtp_user_from(row: Row) -> SmtpUser:
    """Make the noun of a row of ``smtp_users``; the hash of the password stays behind."""
    return SmtpUser(**{name: value for name, value in row.items() if name != "password_hash"})


def smtp_user_by_name(name: str) -> Select[Any]:
    """The user who logs in as *name* (in lower case)."""
    return select(smtp_users).where(smtp_users.c.name == name)


def find_smtp_user(tx: Connection, name: str) -> Row | None:
    """Return the row of the user who logs in as *name* (in lower case), or None."""
    return first(tx, smtp_user_by_name(name))


def touch_routing(tx: Connection) -> None:
    """Tell every process that who may send what where has changed."""
    if not changed(
        tx, update(revisions).where(revisions.c.name == ROUTING).values(counter=revisions.c.counter + 1)
    ) and not insert_new(tx, revisions, {"name": ROUTING, "counter": 1}):
        touch_routing(tx)


#: Asked every second: what is asked with values, be there none, is compiled once.
_REVISION = select(revisions.c.counter).where(revisions.c.name == ROUTING)


async def routing_revision(db: Database) -> int:
    """Return the counter of changes."""
    rows = await db.rows(_REVISION, {})
    return int(rows[0]["counter"]) if rows else 0


def insert(tx: Connection, table: Table, values: dict[str, Any]) -> None:
    """Add a row of one of this module's tables. Unique constraints raise IntegrityError."""
    now = datetime.now(UTC)
    stamps = {name: now for name in ("created_at", "updated_at") if name in table.c and name not in values}
    add(tx, table, {**stamps, **values})
    if table is not tokens:  # a token decides nothing about a mail
        touch_routing(tx)


def alter(tx: Connection, table: Table, key: Any, values: dict[str, Any]) -> bool:
    """Change a row by its primary key; return whether it was there."""
    column = next(iter(table.primary_key.columns))
    stamp = {"updated_at": datetime.now(UTC)} if "updated_at" in table.c else {}
    touch_routing(tx)
    return changed(tx, update(table).where(column == key).values(**stamp, **values))


def remove(tx: Connection, table: Table, key: Any) -> bool:
    """Delete a row by its primary key; return whether it was there. Foreign keys raise IntegrityError."""
    column = next(iter(table.primary_key.columns))
    touch_routing(tx)
    return changed(tx, delete(table).where(column == key))


def look(tx: Connection, table: Table, key: Any) -> Row | None:
    """Return a row by its primary key inside a unit that does not change it; None for the key None."""
    if key is None:
        return None
    return next(iter(_by_key(table).rows(tx, key_of=key)), None)


@lru_cache
def _by_key(table: Table) -> Prepared:
    column = next(iter(table.primary_key.columns))
    return Prepared(select(table).where(column == later("key_of", column.type)))


def find(tx: Connection, table: Table, key: Any) -> Row | None:
    """Return a row by its primary key inside a unit that changes it: locked."""
    column = next(iter(table.primary_key.columns))
    return first(tx, select(table).where(column == key).with_for_update())


async def fetch(db: Database, table: Table, key: Any) -> Row | None:
    """Return a row by its primary key."""
    column = next(iter(table.primary_key.columns))
    return await one(db, select(table).where(column == key))


def all_of(table: Table, account_id: UUID | None = None) -> Select[Any]:
    """All rows of a table in the order of their making, of one account or of all."""
    order = table.c.created_at if "created_at" in table.c else next(iter(table.primary_key.columns))
    statement = select(table).order_by(order, next(iter(table.primary_key.columns)))
    return statement if account_id is None else statement.where(table.c.account_id == account_id)


async def faxboxes_page(db: Database, account_id: UUID, stretch: Stretch) -> list[Faxbox]:
    """Return a stretch of an account's faxboxes."""
    mine = select(faxboxes).where(faxboxes.c.account_id == account_id)
    rows = await db.rows(stretched(mine, faxboxes.c.created_at, faxboxes.c.id, stretch))
    return [faxbox_from(row) for row in rows]


async def faxbox_of(db: Database, account_id: UUID, faxbox_id: UUID) -> Faxbox | None:
    """Return a faxbox of an account, or None."""
    mine = (faxboxes.c.id == faxbox_id, faxboxes.c.account_id == account_id)
    row = await one(db, select(faxboxes).where(*mine))
    return None if row is None else faxbox_from(row)


def applications_like(
    account_id: UUID, *, contains: str = "", profile: str = "", order: str = "created_at", descending: bool = True
) -> Select[Any]:
    """The applications of an account whose name contains a text in whatever capitals, or that name an outbound voice
    profile of the carrier, in the *order* of a column."""
    key = applications.c[order]
    statement = select(applications).where(applications.c.account_id == account_id)
    if contains:
        statement = statement.where(applications.c.name.icontains(contains, autoescape=True))
    if profile:
        named = applications.c.extra["outbound"]["outbound_voice_profile_id"].as_string()
        statement = statement.where(named == profile)
    keys = (key.desc(), applications.c.id.desc()) if descending else (key, applications.c.id)
    return statement.order_by(*keys)


def numbers_like(account_id: UUID, *, contains: str = "", application_id: int | None = None) -> Select[Any]:
    """The numbers of an account that contain some digits, or belong to an application, with its name."""
    joined = numbers.join(applications, applications.c.id == numbers.c.application_id)
    statement = select(numbers, applications.c.name.label("application_name")).select_from(joined)
    statement = statement.where(numbers.c.account_id == account_id).order_by(numbers.c.created_at, numbers.c.e164)
    if contains:
        statement = statement.where(numbers.c.e164.contains(contains, autoescape=True))
    return statement if application_id is None else statement.where(numbers.c.application_id == application_id)


async def may_send_from(db: Database, account_id: UUID, e164: str) -> bool:
    """Whether a number is one of the account's, or what one of its faxboxes sends from already."""
    own = select(numbers.c.e164).where(numbers.c.e164 == e164)
    box = select(faxboxes.c.id).where(faxboxes.c.account_id == account_id, faxboxes.c.caller_id == e164)
    if await one(db, own.where(numbers.c.account_id == account_id)) is not None:
        return True
    return await one(db, own) is None and await one(db, box) is not None


def default_application(tx: Connection, account_id: UUID) -> int | None:
    """Return the id of the application that an account's faxes use when nothing else names one."""
    mine = select(applications.c.id).where(applications.c.account_id == account_id)
    ordered = mine.order_by(applications.c.is_default.desc(), applications.c.created_at)
    return tx.execute(ordered.limit(1)).scalar()


def applications_of(tx: Connection, account_id: UUID) -> list[int]:
    """Return the ids of an account's applications."""
    return list(tx.execute(select(applications.c.id).where(applications.c.account_id == account_id)).scalars())


def owners_of_host(tx: Connection, host: str) -> list[UUID]:
    """Return the ids of the accounts and faxboxes that have this mail host."""
    realm = select(accounts.c.id).where(accounts.c.realm == host)
    box = select(faxboxes.c.id).where(or_(faxboxes.c.host == host, faxboxes.c.custom_host == host))
    return [*tx.execute(realm).scalars(), *tx.execute(box).scalars()]


def owner_of_number(tx: Connection, e164: str) -> Number | None:
    """Return who owns a number of ours."""
    row = first(tx, select(numbers).where(numbers.c.e164 == e164))
    return None if row is None else number_from(row)


def application_of_connection(tx: Connection, connection_id: str) -> Application | None:
    """Return the application that the carrier means by its *connection_id*: by its upstream connection if exactly
    one application names it, else by our own id."""
    if not connection_id:
        return None
    own = int(connection_id) if connection_id.isascii() and connection_id.isdigit() and len(connection_id) < 20 else 0
    mine = applications.c.id == own if 0 < own < 2**63 else None
    upstream = applications.c.upstream_connection_id == connection_id
    found = tx.execute(select(applications).where(upstream if mine is None else or_(upstream, mine))).mappings()
    rows = [{str(name): value for name, value in row.items()} for row in found]
    return application_from(rows[0]) if len(rows) == 1 else None


def token_by_digest(digest: str) -> Select[Any]:
    """The token whose secret has this digest."""
    return select(tokens).where(tokens.c.digest == digest)


def account_by_key_digest(digest: str) -> Select[Any]:
    """The account whose api_key has this digest."""
    return select(accounts).where(accounts.c.api_key_digest == digest)


def lineage(account_id: UUID) -> Select[Any]:
    """The ids of an account and of every account above it; none when there is no such account."""
    line = select(accounts.c.id, accounts.c.parent_id).where(accounts.c.id == account_id).cte(recursive=True)
    above = select(accounts.c.id, accounts.c.parent_id).join(line, accounts.c.id == line.c.parent_id)
    line = line.union(above)  # and not "union all": a circle of parents ends
    return select(line.c.id)


def reach(digest: str, account_id: UUID, also: Asked | None = None) -> Asked:
    """The token whose secret has this digest, once for each account of the lineage of *account_id* (its id is
    ``above``), or once with None when there is no such account.

    *also* asks for one value, whose parameter ``account`` is that account; it stands beside them as ``also``. Looked
    for in one statement they cost one way to the database.
    """
    statement, values = also or (None, None)
    return _reach(statement), {**(values or {}), "digest": digest, "account": account_id}


@lru_cache(maxsize=256)
def _reach(also: Select[Any] | None) -> Select[Any]:
    line = lineage(later("account", accounts.c.id.type)).subquery()  # type: ignore[arg-type]  # in its place
    wanted = tokens.c.digest == later("digest", tokens.c.digest.type)
    value: ColumnElement[Any] = null() if also is None else also.correlate(None).scalar_subquery()
    shown = select(tokens, line.c.id.label("above"), value.label("also"))
    return shown.select_from(tokens.outerjoin(line, true())).where(wanted)


def note_use(tx: Connection, token_id: UUID, at: datetime) -> None:
    """Note when a token was last used. Who may send what does not change by that."""
    tx.execute(update(tokens).where(tokens.c.id == token_id).values(last_used_at=at))


def in_use(tx: Connection, column: Any, key: Any) -> bool:
    """Return whether any row refers to *key* in *column*."""
    return tx.execute(select(column).where(column == key).limit(1)).first() is not None
