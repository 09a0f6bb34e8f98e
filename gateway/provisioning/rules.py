"""The rules for accounts, tokens, applications, faxboxes and numbers (and, in ``smtp_users``, those who log in): one
place for the commands and the APIs.

Every method is one unit, with its line in the audit trail. What is wrong raises Refusal: INVALID naming the field,
CONFLICT, or NOT_FOUND.
"""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway.account import Account, Token
from gateway.address import parse_number
from gateway.application import INACTIVE, Application, Number
from gateway.audit import GATEWAY, Actor
from gateway.faxbox import Faxbox
from gateway.ids import digest, new_id, new_token
from gateway.provisioning import fields, rows
from gateway.provisioning.smtp_users import SmtpUsers
from gateway.store import jobs, provision
from gateway.store.database import Database, Tx
from gateway.store.schema import accounts, applications, faxboxes, numbers, smtp_users, tokens

FaxboxChanges = dict[str, Any] | Callable[[Faxbox], dict[str, Any]]


class Provisioning(SmtpUsers):
    """*mail_host* is the name under which faxboxes get hosts of their own; *country* that of accounts that say none;
    *actor* who is named in the audit trail."""

    def __init__(self, db: Database, *, mail_host: str, country: str = "US", actor: Actor = GATEWAY) -> None:
        super().__init__(db, actor)
        self._mail_host = mail_host
        self._country = country

    def by(self, actor: Actor) -> "Provisioning":
        """Return the same rules, with *actor* named in the audit trail."""
        return Provisioning(self._db, mail_host=self._mail_host, country=self._country, actor=actor)

    # -- accounts ------------------------------------------------------------------------------------------------------

    async def create_account(
        self, name: str, realm: str, *, country: str = "", parent_id: UUID | None = None, timezone: str = "UTC"
    ) -> tuple[Account, str]:
        """Make an account with its default application; return it and its api_key, which is not kept."""
        api_key = secrets.token_hex(32)
        values: dict[str, Any] = {
            "id": new_id(),
            "parent_id": parent_id,
            "name": fields.text("name", name),
            "realm": fields.host("realm", realm),
            "country": fields.country("country", country or self._country),
            "timezone": fields.timezone("timezone", timezone),
            "api_key_digest": digest(api_key),
        }

        def unit(tx: Tx) -> Account:
            if parent_id is not None:
                rows.required(tx, accounts, parent_id, "account")
            rows.free_host(tx, "realm", values["realm"])
            provision.insert(tx, accounts, values)
            default = rows.application(values["id"], {"name": f"{name} (default)", "is_default": True})
            provision.insert(tx, applications, default)
            return provision.account_from(rows.required(tx, accounts, values["id"], "account"))

        made = await self._write(unit, f"account:{values['id']}", "created", values["id"])
        return made, api_key

    async def update_account(self, account_id: UUID, **changes: Any) -> Account:
        """Change name, realm, country, timezone, keep_documents or keep_records."""
        values = fields.checked(changes, rows.ACCOUNT)

        def unit(tx: Tx) -> Account:
            if "realm" in values:
                rows.free_host(tx, "realm", values["realm"], account_id)
            return provision.account_from(rows.altered(tx, accounts, account_id, values, "account"))

        return await self._write(unit, f"account:{account_id}", "updated", account_id, values)

    async def delete_account(self, account_id: UUID) -> None:
        """Delete an account that owns nothing any more but its default application and tokens."""

        def unit(tx: Tx) -> None:
            rows.required(tx, accounts, account_id, "account")
            owned = ((smtp_users, "SMTP users"), (faxboxes, "faxboxes"), (numbers, "numbers"))
            for table, what in owned:
                rows.unused(tx, table.c.account_id, account_id, f"the account still has {what}; delete them first")
            rows.unused(tx, accounts.c.parent_id, account_id, "other accounts belong to this one; delete them first")
            for application_id in provision.applications_of(tx, account_id):
                provision.remove(tx, applications, application_id)
            provision.remove(tx, accounts, account_id)

        await self._write(unit, f"account:{account_id}", "deleted", account_id)

    # -- tokens --------------------------------------------------------------------------------------------------------

    async def create_token(
        self, account_id: UUID, *, scopes: list[str] | None = None, lasts: timedelta | None = None
    ) -> tuple[Token, str]:
        """Make a token for the APIs; return it and its secret, which is not kept."""
        secret = f"fxg_{new_token()}"
        values = {
            "id": new_id(),
            "account_id": account_id,
            "digest": digest(secret),
            "scopes": fields.scopes("scopes", scopes or []),
            "expires_at": datetime.now(UTC) + lasts if lasts else None,
        }

        def unit(tx: Tx) -> Token:
            rows.required(tx, accounts, account_id, "account")
            provision.insert(tx, tokens, values)
            return provision.token_from(rows.required(tx, tokens, values["id"], "token"))

        return await self._write(unit, f"token:{values['id']}", "created", account_id), secret

    async def delete_token(self, token_id: UUID) -> None:
        """Make a token worthless at once."""
        await self._write(lambda tx: rows.removed(tx, tokens, token_id, "token"), f"token:{token_id}", "deleted")

    # -- applications --------------------------------------------------------------------------------------------------

    async def create_application(self, account_id: UUID, given: dict[str, Any]) -> Application:
        """Make an application. *given* are fields of ``Application``; name and webhook_event_url must be there."""
        if not given.get("webhook_event_url"):
            raise fields.invalid("webhook_event_url", "is required; give the absolute URL that takes the events")
        values = rows.application(account_id, rows.application_fields(given, new=True))

        def unit(tx: Tx) -> Application:
            rows.required(tx, accounts, account_id, "account")
            provision.insert(tx, applications, values)
            return provision.application_from(rows.required(tx, applications, values["id"], "application"))

        return await self._write(unit, f"application:{values['id']}", "created", account_id)

    async def update_application(self, application_id: int, changes: dict[str, Any]) -> Application:
        """Change fields of an application; of ``extra`` those that are named, and the others stay."""
        values = rows.application_fields(changes)

        def unit(tx: Tx) -> Application:
            row = rows.required(tx, applications, application_id, "application")
            new = values | ({"extra": rows.merged(row["extra"], values["extra"])} if "extra" in values else {})
            application = provision.application_from(rows.altered(tx, applications, application_id, new, "application"))
            if application.active and not row["active"]:
                jobs.hasten_for(tx, INACTIVE)  # those of others that are switched off will be put off again
            return application

        return await self._write(unit, f"application:{application_id}", "updated", None, values)

    async def delete_application(self, application_id: int) -> None:
        """Delete an application that no number and no faxbox uses."""

        def unit(tx: Tx) -> None:
            rows.required(tx, applications, application_id, "application")
            for table, what in ((numbers, "numbers are"), (faxboxes, "faxboxes are")):
                column = table.c.application_id
                rows.unused(tx, column, application_id, f"{what} still assigned to this application; move them first")
            provision.remove(tx, applications, application_id)

        await self._write(unit, f"application:{application_id}", "deleted")

    # -- faxboxes ------------------------------------------------------------------------------------------------------

    async def create_faxbox(self, account_id: UUID, given: dict[str, Any]) -> Faxbox:
        """Make a faxbox with a mail host of its own. *given* are fields of ``Faxbox``; name must be there, and
        application_id defaults to the account's default application."""
        identity = new_id()
        values = rows.faxbox_fields(given, new=True)

        def unit(tx: Tx) -> Faxbox:
            account = rows.required(tx, accounts, account_id, "account")
            full = rows.faxbox(identity, account_id, f"{secrets.token_hex(4)}.{self._mail_host}", values)
            full["application_id"] = rows.own_application(tx, account_id, values.get("application_id"))
            if full["caller_id"]:
                full["caller_id"] = rows.own_caller_id(tx, account, full["caller_id"])
            if full["custom_host"]:
                rows.free_host(tx, "custom_host", full["custom_host"])
            provision.insert(tx, faxboxes, full)
            return provision.faxbox_from(rows.required(tx, faxboxes, identity, "faxbox"))

        return await self._write(unit, f"faxbox:{identity}", "created", account_id)

    async def update_faxbox(self, faxbox_id: UUID, changes: FaxboxChanges, *, account_id: UUID | None = None) -> Faxbox:
        """Change fields of a faxbox, of *account_id* if one is named. *changes* are fields, or a function that says
        which with a look at what the faxbox is."""
        if not callable(changes):
            rows.faxbox_fields(changes)
        changed: dict[str, Any] = {}

        def unit(tx: Tx) -> Faxbox:
            box = rows.required(tx, faxboxes, faxbox_id, "faxbox", account_id)
            account = rows.required(tx, accounts, box["account_id"], "account")
            wanted = changes(provision.faxbox_from(box)) if callable(changes) else changes
            values = rows.faxbox_fields(wanted)
            changed.clear()
            changed.update(values)
            if "application_id" in values:
                values["application_id"] = rows.own_application(tx, account["id"], values["application_id"])
            if values.get("caller_id"):
                values["caller_id"] = rows.own_caller_id(tx, account, values["caller_id"])
            if values.get("custom_host"):
                rows.free_host(tx, "custom_host", values["custom_host"], faxbox_id)
            return provision.faxbox_from(rows.altered(tx, faxboxes, faxbox_id, values, "faxbox"))

        return await self._write(unit, f"faxbox:{faxbox_id}", "updated", None, changed)

    async def delete_faxbox(self, faxbox_id: UUID, *, account_id: UUID | None = None) -> Faxbox:
        """Delete a faxbox, of *account_id* if one is named, and return what it was; its faxes stay in the account, its
        numbers must have been given to another before."""

        def unit(tx: Tx) -> Faxbox:
            box = provision.faxbox_from(rows.required(tx, faxboxes, faxbox_id, "faxbox", account_id))
            rows.unused(tx, numbers.c.faxbox_id, faxbox_id, "numbers still lead to this faxbox; move them first")
            rows.unused(tx, smtp_users.c.faxbox_id, faxbox_id, "SMTP users still send through it; delete them first")
            rows.removed(tx, faxboxes, faxbox_id, "faxbox")
            return box

        return await self._write(unit, f"faxbox:{faxbox_id}", "deleted")

    # -- numbers -------------------------------------------------------------------------------------------------------

    async def assign_number(
        self, written: str, application_id: int, faxbox_id: UUID | None = None, *, only: UUID | None = None
    ) -> Number:
        """Give a number of ours to an application and, if named, a faxbox; anew if somebody has it. *only* is the
        account that asks, if it may not take a number from another."""

        def unit(tx: Tx) -> Number:
            application = rows.required(tx, applications, application_id, "application")
            account_id = application["account_id"]
            e164 = parse_number(written, rows.required(tx, accounts, account_id, "account")["country"])
            if faxbox_id is not None and rows.required(tx, faxboxes, faxbox_id, "faxbox")["account_id"] != account_id:
                raise fields.invalid("faxbox_id", "belongs to another account than the application")
            rows.free_number(tx, e164, only)
            owner = {"account_id": account_id, "application_id": application_id, "faxbox_id": faxbox_id}
            if not provision.alter(tx, numbers, e164, owner):
                provision.insert(tx, numbers, {"e164": e164, **owner})
            return provision.number_from(rows.required(tx, numbers, e164, "number"))

        leads = {"application_id": str(application_id), "faxbox_id": str(faxbox_id or "")}
        return await self._write(unit, f"number:{written}", "assigned", None, leads)

    async def delete_number(self, e164: str) -> None:
        """Forget a number: faxes for it are unrouted from then on."""
        await self._write(lambda tx: rows.removed(tx, numbers, e164, "number"), f"number:{e164}", "deleted")
