"""faxgate smtplog: who tried to send what by mail, what was found in it, and why it was refused."""

from typing import Annotated

import typer

from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.group import noun
from gateway.cli.options import Json, Limit, OfAccount
from gateway.store import schema, smtplog
from gateway.transaction import SmtpRecord

app = noun()
Which = Annotated[str, typer.Argument(metavar="RECORD", show_default=False, help="Its id, or the beginning of it.")]


@command(app, "list")
async def list_(
    house: House,
    refused: Annotated[bool, typer.Option("--refused", help="Only mails that were not taken.")] = False,
    account: OfAccount = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List mails that were given to the gateway, the newest first."""
    owner = await lookup.account(house.db, account) if account else None
    listing = smtplog.listing(owner.id if owner else None, limit=limit)
    if refused:
        listing = listing.where(schema.smtplog.c.reply.not_like("2%"))
    found = [smtplog.record_from(row) for row in await house.db.rows(listing)]
    if as_json:
        show.as_json(found)
        return
    short = await lookup.short_records(house.db, [one.id for one in found])
    rows = [(short[one.id], one.at, one.peer, one.sender or "<>", _to(one), _outcome(one)) for one in found]
    headers = ("ID", "AT", "PEER", "SENDER", "TO", "OUTCOME")
    show.table(headers, rows, "No mail was refused." if refused else "No mail has come yet.")
    if len(found) == limit:
        show.note(f"These are the newest {limit}; show more with --limit.")


@command(app, "show")
async def show_(house: House, record: Which, as_json: Json = False) -> None:
    """Show one mail: what was found in it, what was refused and why, and the faxes that it became."""
    found = await lookup.record(house.db, record)
    if as_json:
        show.as_json(found)
        return
    show.facts(_facts(found))
    if found.found:
        parts = [
            (
                part.get("index"),
                part.get("name"),
                part.get("media_type"),
                part.get("size"),
                _use(part),
                part.get("pages"),
            )
            for part in found.found
        ]
        show.say("")
        show.table(("PART", "NAME", "TYPE", "BYTES", "USE", "PAGES"), parts, "")


def _facts(record: SmtpRecord) -> list[tuple[str, object]]:
    recipients = [f"{one.get('written', '')} ({one.get('number') or 'no number'})" for one in record.recipients]
    return [
        ("id", record.id),
        ("at", record.at),
        ("peer", record.peer),
        ("said", record.helo),
        ("listener", record.listener),
        ("TLS", record.tls or "none"),
        ("logged in as", record.user),
        ("sender", record.sender or "<> (a bounce)"),
        *(("recipient", one) for one in recipients),
        ("subject", record.subject),
        ("Message-ID", record.message_id),
        ("bytes", record.size),
        ("account", record.account_id),
        ("faxbox", record.faxbox_id),
        *(("refused", error) for error in record.errors),
        ("reply", record.reply),
        *(("fax", fax_id) for fax_id in record.fax_ids),
    ]


def _to(record: SmtpRecord) -> list[str]:
    return [one.get("number") or one.get("written", "") for one in record.recipients]


def _outcome(record: SmtpRecord) -> str:
    if record.reply.startswith("2"):
        return f"taken: {len(record.fax_ids)} fax{'' if len(record.fax_ids) == 1 else 'es'}"
    return record.reply or (record.errors[-1] if record.errors else "left without sending")


def _use(part: dict[str, object]) -> str:
    return "faxed" if part.get("used") else f"ignored: {part.get('why') or 'not a document'}"
