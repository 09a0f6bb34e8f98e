"""Rows of what is provisioned: which fields may be given, how a new row begins, what must hold between rows."""

import secrets
from typing import Any
from uuid import UUID

from gateway.address import parse_number
from gateway.errors import Kind, refuse
from gateway.provisioning import fields
from gateway.store import provision
from gateway.store.database import Row, Tx, lock_keys
from gateway.store.schema import applications, numbers

MAX_RETRIES = 20

ACCOUNT: dict[str, fields.Check] = {
    "name": fields.text,
    "realm": fields.host,
    "country": fields.country,
    "timezone": fields.timezone,
    "keep_documents": fields.keeping,
    "keep_records": fields.keeping,
    "channel_limit": fields.whole_number(1, 1000),
}

_APPLICATION: dict[str, fields.Check] = {
    "name": fields.text,
    "webhook_event_url": fields.url,
    "webhook_event_failover_url": fields.url,
    "webhook_timeout_secs": fields.whole_number(0, 30),
    "active": fields.flag,
    "is_default": fields.flag,
    "fax_email_recipient": fields.email,
    "file_type": fields.file_type,
    "upstream_connection_id": fields.label,
    "channel_limit": fields.whole_number(1, 1000),
    "extra": fields.extra,
}

_FAXBOX: dict[str, fields.Check] = {
    "name": fields.text,
    "application_id": fields.identity,
    "custom_host": fields.optional_host,
    "caller_id": fields.label,
    "caller_name": fields.label,
    "fax_header": fields.label,
    "fax_identity": fields.label,
    "timezone": fields.optional_timezone,
    "retries": fields.whole_number(0, MAX_RETRIES),
    "permit": fields.permits,
    "inbound_emails": fields.emails,
    "outbound_emails": fields.emails,
    "file_type": fields.optional_file_type,
    "cover": fields.flag,
    "body": fields.body,
    "extra": fields.extra,
}


def application_fields(given: dict[str, Any], *, new: bool = False) -> dict[str, Any]:
    """Check fields of an application; a new one needs its name. ``id`` may be chosen for a new one."""
    identity = given.get("id") if new else None
    values = fields.checked({name: value for name, value in given.items() if name != "id"}, _APPLICATION)
    if new and "name" not in values:
        raise fields.invalid("name", "is required")
    if identity is not None:
        values["id"] = fields.identity("id", identity)
    return values


def faxbox_fields(given: dict[str, Any], *, new: bool = False) -> dict[str, Any]:
    """Check fields of a faxbox; a new one needs its name."""
    values = fields.checked(given, _FAXBOX)
    if new and "name" not in values:
        raise fields.invalid("name", "is required")
    return values


def application(account_id: UUID, values: dict[str, Any]) -> dict[str, Any]:
    """Return the whole row of a new application."""
    start = {
        # Positive int64 like Telnyx's own, and beyond what anybody would guess.
        "id": secrets.randbelow(8 * 10**18) + 10**18,
        "account_id": account_id,
        "webhook_event_url": "",
        "active": True,
        "is_default": False,
        "file_type": "pdf",
        "extra": {},
    }
    return {**start, **values}


def faxbox(identity: UUID, account_id: UUID, host: str, values: dict[str, Any]) -> dict[str, Any]:
    """Return the whole row of a new faxbox."""
    start = {
        "id": identity,
        "account_id": account_id,
        "host": host,
        "custom_host": None,
        "caller_id": "",
        "permit": [],
        "inbound_emails": [],
        "outbound_emails": [],
        "extra": {},
    }
    return {**start, **values}


def required(tx: Tx, table: provision.Table, key: Any, what: str, account_id: UUID | None = None) -> Row:
    """Return a row, of *account_id* if one is named, or refuse with NOT_FOUND."""
    row = provision.find(tx, table, key)
    if row is None or account_id not in {None, row.get("account_id")}:
        raise refuse(Kind.NOT_FOUND, f"there is no {what} {key}", str(key))
    return row


def altered(tx: Tx, table: provision.Table, key: Any, values: dict[str, Any], what: str) -> Row:
    """Change a row and return it."""
    required(tx, table, key, what)
    provision.alter(tx, table, key, values)
    return required(tx, table, key, what)


def removed(tx: Tx, table: provision.Table, key: Any, what: str) -> None:
    """Delete a row, or refuse with NOT_FOUND."""
    if not provision.remove(tx, table, key):
        raise refuse(Kind.NOT_FOUND, f"there is no {what} {key}", str(key))


def unused(tx: Tx, column: Any, key: Any, sentence: str) -> None:
    """Refuse with CONFLICT when a row refers to *key* in *column*."""
    if provision.in_use(tx, column, key):
        raise refuse(Kind.CONFLICT, sentence, str(key))


def free_host(tx: Tx, field: str, host: str, own: UUID | None = None) -> None:
    """Refuse when a mail host is a realm or a faxbox's host already: a mail must have one meaning."""
    lock_keys(tx, ["hosts"])
    if any(owner != own for owner in provision.owners_of_host(tx, host)):
        raise refuse(Kind.CONFLICT, f"{field} {host} is used already; every mail host has one owner", field)


def own_caller_id(tx: Tx, account: Row, written: str) -> str:
    """Return the E.164 form of a number to send from, which must not be another account's."""
    number = parse_number(written, account["country"])
    owner = provision.owner_of_number(tx, number)
    if owner is not None and owner.account_id != account["id"]:
        raise fields.invalid("caller_id", f"{number} is no number of this account")
    return number


def own_application(tx: Tx, account_id: UUID, application_id: int | None) -> int:
    """Return *application_id* if it is the account's, or the account's default."""
    if application_id is None:
        default = provision.default_application(tx, account_id)
        if default is None:
            raise fields.invalid("application_id", "is required: the account has no application")
        return default
    row = provision.find(tx, applications, application_id)
    if row is None or row["account_id"] != account_id:
        raise fields.invalid("application_id", f"{application_id} is no application of this account")
    return application_id


def free_number(tx: Tx, e164: str, account_id: UUID | None) -> None:
    """Refuse when a number belongs to another account than *account_id* (None: the operator, who may take it)."""
    row = None if account_id is None else provision.find(tx, numbers, e164)
    if row is not None and row["account_id"] != account_id:
        raise refuse(Kind.CONFLICT, f"the number {e164} belongs to another account", "number")


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Return *old* with the fields of *new*, and of objects in it theirs."""
    kept = {name: old[name] for name in old.keys() & new.keys() if isinstance(old[name], dict)}
    inner = {name: old_value | new[name] for name, old_value in kept.items() if isinstance(new[name], dict)}
    return {**old, **new, **inner}
