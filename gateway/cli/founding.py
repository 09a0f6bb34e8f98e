"""What ``faxgate init`` makes of the answers: a settings file, and the first account with all that it needs."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from gateway.account import Account
from gateway.application import Application, Number
from gateway.cli.context import House
from gateway.cli.questions import Answers
from gateway.faxbox import Faxbox
from gateway.settings import Settings
from gateway.settings.load import sample
from gateway.store import provision, schema

#: Where paper is cut to letter; everywhere else it is A4 (ISO 216).
LETTER = {"US", "CA", "MX", "PH", "CL", "CO", "VE", "GT", "CR", "PA", "DO", "PR"}
Values = Mapping[tuple[str, str], object]


@dataclass(frozen=True, slots=True)
class Founded:
    """What was made; "" and None for what was there already, or shall come later."""

    account: Account
    api_key: str
    application: Application
    faxbox: Faxbox
    number: Number | None
    token: str


def settings_text(answers: Answers, database: str, blobs: str) -> str:
    """Return the settings file: every option with its sentence, and the answers in their places."""
    host, port = answers.smarthost_address
    outside = answers.country not in {"US", "CA"}
    values: dict[tuple[str, str], object] = {
        ("database", "url"): database,
        ("blobs", "url"): blobs,
        ("smtp", "hostname"): answers.hostname,
        ("operator", "email"): answers.operator,
        ("http", "public_url"): answers.public_url,
        ("carrier.telnyx", "api_key"): answers.api_key,
        ("carrier.telnyx", "public_key"): answers.public_key,
        ("carrier.telnyx", "connection_id"): answers.connection_id,
        ("smarthost", "host"): host,
        ("smarthost", "port"): port,
        ("smarthost", "tls"): answers.smarthost_tls,
        ("smarthost", "username"): answers.smarthost_user,
        ("smarthost", "password"): answers.smarthost_password,
        ("fax", "default_country"): answers.country,
        ("fax", "allowed_countries"): [answers.country] if outside else "",
        ("fax", "paper"): "letter" if answers.country in LETTER else "a4",
    }
    return filled(sample(), {key: value for key, value in values.items() if value != ""})


def filled(text: str, values: Values) -> str:
    """Return the sample *text* with *values*, by section and key, in place of its commented defaults."""
    lines, section, left = [], "", dict(values)
    for line in text.splitlines():
        if heading := re.match(r"#?\[+([a-z.]+)\]+", line):
            section = heading[1]
        key = re.match(r"#([a-z_]+) = ", line)
        value = left.pop((section, key[1]), None) if key else None
        lines.append(line if key is None or value is None else f"{key[1]} = {json.dumps(value, ensure_ascii=False)}")
    assert not left, f"the sample settings lack {left}"
    return "\n".join(lines) + "\n"


def write_settings(path: Path, text: str) -> None:
    """Write *text* for the daemon's eyes alone; root leaves it to the group of a folder that has one of its own."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    group = path.parent.stat().st_gid
    if os.geteuid() == 0 and group != 0:
        os.chown(path, -1, group)
        path.chmod(0o640)


async def found(house: House, answers: Answers) -> Founded:
    """Make the account and what it needs; what is there already, from an earlier run, is used again."""
    account, api_key = await _account(house, answers)
    application = await _application(house, account.id, answers)
    faxbox = await _faxbox(house, account, application, answers)
    number = None
    if answers.number:
        number = await house.provisioning.assign_number(answers.number, application.id, faxbox.id)
    _, token = await house.provisioning.create_token(account.id)
    return Founded(account, api_key, application, faxbox, number, token)


async def _account(house: House, answers: Answers) -> tuple[Account, str]:
    realm = answers.realm.lower()
    for row in await house.db.rows(provision.all_of(schema.accounts)):
        if row["realm"] == realm:
            return provision.account_from(row), ""
    return await house.provisioning.create_account(
        answers.account, realm, country=answers.country, timezone=answers.timezone
    )


async def _application(house: House, account_id: UUID, answers: Answers) -> Application:
    """Return the application that the account was made with, told who gets received faxes."""
    rows = await house.db.rows(provision.all_of(schema.applications, account_id))
    row = next((row for row in rows if row["is_default"]), rows[0])
    changes = {"fax_email_recipient": answers.recipient} if answers.recipient else {}
    return await house.provisioning.update_application(row["id"], changes)


async def _faxbox(house: House, account: Account, application: Application, answers: Answers) -> Faxbox:
    wanted: dict[str, Any] = {"permit": answers.permitted, "caller_id": answers.number}
    given = {name: value for name, value in wanted.items() if value}
    for row in await house.db.rows(provision.all_of(schema.faxboxes, account.id)):
        if row["name"] == account.name:
            return await house.provisioning.update_faxbox(row["id"], given)
    fields = {"name": account.name, "application_id": application.id, **given}
    return await house.provisioning.create_faxbox(account.id, fields)


def dns_records(settings: Settings, realm: str) -> list[str]:
    """Return the records that mail to the gateway, and from it, needs in the DNS (RFC 5321, 5.1; RFC 7208)."""
    host, sender = settings.smtp.hostname, settings.smarthost.sender.rpartition("@")[2]
    smarthost = settings.smarthost.host
    via = "" if smarthost == "localhost" or not smarthost[-1].isalpha() else f" a:{smarthost}"
    records = [(f"{name}.", f"MX   10 {host}.") for name in dict.fromkeys([realm, f"*.{host}"])]
    records.append((f"{sender}.", f'TXT  "v=spf1 mx{via} ~all"'))
    width = max(len(name) for name, _ in records)
    return [f"{name:<{width}}  {record}" for name, record in records]
