"""The rules for SMTP users: who logs in, through which faxbox he sends, and as whom."""

import asyncio
from typing import Any
from uuid import UUID

from gateway import passwords
from gateway.account import SmtpUser
from gateway.errors import Kind, refuse
from gateway.faxbox import Faxbox
from gateway.ids import new_id
from gateway.provisioning import fields, rows
from gateway.provisioning.unit import Units
from gateway.settings import checked_email
from gateway.store import provision
from gateway.store.database import Tx
from gateway.store.schema import accounts, faxboxes, smtp_users

_LIMITED = {
    "account": (accounts, "account"),
    "faxbox": (faxboxes, "faxbox"),
    "smtp_user": (smtp_users, "SMTP user"),
}
_CHECKS: dict[str, fields.Check] = {
    "name": fields.user_name,
    "password": fields.password,
    "addresses": fields.emails,
    "faxbox_id": lambda _, value: value,
}


class SmtpUsers(Units):
    """What ``Provisioning`` knows of SMTP users."""

    async def create_smtp_user(
        self, account_id: UUID, faxbox_id: UUID, name: str, password: str, addresses: list[str] | None = None
    ) -> SmtpUser:
        """Make a user who logs in as *name* and sends through the faxbox.

        Without *addresses* of his own he sends as *name*, if that is a mail address; else as the addresses of that
        name that the faxbox permits, else as that name at the account's realm.
        """
        given: dict[str, Any] = {"name": name, "password": password, "addresses": addresses or []}
        values = await _hashed(fields.checked(given, _CHECKS))
        values |= {"id": new_id(), "account_id": account_id, "faxbox_id": faxbox_id}

        def unit(tx: Tx) -> SmtpUser:
            account = rows.required(tx, accounts, account_id, "account")
            box = _box(tx, account_id, faxbox_id)
            values["addresses"] = values["addresses"] or _addresses(values["name"], box, account["realm"])
            if provision.find_smtp_user(tx, values["name"]) is not None:
                raise refuse(Kind.CONFLICT, f"there is an SMTP user {values['name']} already", "name")
            provision.insert(tx, smtp_users, values)
            return provision.smtp_user_from(rows.required(tx, smtp_users, values["id"], "SMTP user"))

        return await self._write(unit, f"smtp_user:{values['id']}", "created", account_id)

    async def update_smtp_user(self, user_id: UUID, **changes: Any) -> SmtpUser:
        """Change name, password, addresses or faxbox_id."""
        values = await _hashed(fields.checked(changes, _CHECKS))
        if values.get("addresses") == []:
            raise fields.invalid("addresses", "must have one at least: a user sends as one of his addresses")

        def unit(tx: Tx) -> SmtpUser:
            user = rows.required(tx, smtp_users, user_id, "SMTP user")
            if "faxbox_id" in values:
                _box(tx, user["account_id"], values["faxbox_id"])
            return provision.smtp_user_from(rows.altered(tx, smtp_users, user_id, values, "SMTP user"))

        return await self._write(unit, f"smtp_user:{user_id}", "updated", None, changes)

    async def set_daily_limits(self, what: str, key: UUID, limits: dict[str, int | None]) -> None:
        """Give an ``account``, a ``faxbox`` or an ``smtp_user`` ceilings of a day of its own; None takes one away.

        This is no field like the others: those are set by customers, and a customer does not raise his own ceiling.
        """
        table, noun = _LIMITED[what]

        def unit(tx: Tx) -> None:
            row = rows.required(tx, table, key, noun)
            own = fields.daily_limits("daily limit", {**row["limits"], **limits})
            rows.altered(tx, table, key, {"limits": own}, noun)

        await self._write(unit, f"{what}:{key}", "limited", None, limits)

    async def delete_smtp_user(self, user_id: UUID) -> None:
        """Delete a user: he cannot log in from now on."""
        gone = f"smtp_user:{user_id}"
        await self._write(lambda tx: rows.removed(tx, smtp_users, user_id, "SMTP user"), gone, "deleted")


async def _hashed(values: dict[str, Any]) -> dict[str, Any]:
    """Return *values* with the password's hash in place of the password."""
    if "password" not in values:
        return values
    password = values.pop("password")
    return {**values, "password_hash": await asyncio.to_thread(passwords.hashed, password)}


def _box(tx: Tx, account_id: UUID, faxbox_id: UUID) -> Faxbox:
    row = rows.required(tx, faxboxes, faxbox_id, "faxbox")
    if row["account_id"] != account_id:
        raise fields.invalid("faxbox_id", f"{faxbox_id} is no faxbox of this account")
    return provision.faxbox_from(row)


def _addresses(name: str, box: Faxbox, realm: str) -> list[str]:
    if "@" in name:
        return fields.emails("addresses", name)
    permitted = [entry for entry in box.permit if entry.casefold().startswith(f"{name}@") and _is_address(entry)]
    return permitted or fields.emails("addresses", f"{name}@{realm}")


def _is_address(entry: str) -> bool:
    try:
        return bool(checked_email(entry))
    except ValueError:
        return False
