"""What queue, inbox and outbox have in common: how a fax is shown, and how its document is saved."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from gateway.address import pretty
from gateway.attempt import Attempt, Handle
from gateway.audit import Action
from gateway.cli import show
from gateway.cli.context import House
from gateway.cli.plan import plan
from gateway.errors import Kind, refuse
from gateway.fax import FINAL, Direction, Fax
from gateway.mail.compose import document_name
from gateway.mail.facts import Facts
from gateway.store import attempts, audit, jobs, outgoing, provision, schema
from gateway.store.database import Row
from gateway.telling import Telling

Which = Annotated[str, typer.Argument(metavar="FAX", show_default=False, help="Its id, or the beginning of it.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", show_default=False, help="Where to; a folder, or - for stdout."),
]
Force = Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")]


async def everything(house: House, fax: Fax, *, as_json: bool) -> None:
    """Print all that is known of a fax: itself, its plan, its attempts, the mails about it, and its jobs."""
    await _noted(house, fax, Action.VIEWED)
    tried = await attempts.of_fax(house.db, fax.id)
    told = [outgoing.telling_from(row) for row in await house.db.rows(outgoing.of_fax(fax.id))]
    waiting = [job for subject in (fax.id, *(one.id for one in tried)) for job in await _jobs(house, subject)]
    next_step = plan(fax, waiting)
    if as_json:
        parts = {"attempts": _attempts(tried), "mails": _mails(told), "jobs": waiting, "plan": next_step}
        show.as_json(show.plain(fax) | parts)
        return
    names = await faxbox_names(house)
    show.facts([*_facts(fax, names), ("next", next_step)])
    _tables(tried, told, waiting)


async def faxbox_names(house: House) -> dict[UUID | None, str]:
    """Return the names of all faxboxes by id."""
    return {row["id"]: row["name"] for row in await house.db.rows(provision.all_of(schema.faxboxes))}


async def save(house: House, fax: Fax, blob: str, media_type: str, output: Path | None, *, force: bool) -> None:
    """Write the document *blob* of *fax* to a file, or to standard output for ``-``."""
    if not blob:
        why = "has none any more, or never had one" if fax.state in FINAL else "has none yet; try again later"
        raise refuse(Kind.NOT_FOUND, f"there is no document: fax {fax.id} is {fax.state.value} and {why}")
    content = await house.blobs.read(blob)
    await _noted(house, fax, Action.DOWNLOADED)
    if output == Path("-"):
        typer.get_binary_stream("stdout").write(content)
        return
    target = _target(fax, media_type, output)
    _write(target, content, force=force)
    show.say(f"{target}: {len(content):,} bytes, {media_type}")


async def _noted(house: House, fax: Fax, action: Action) -> None:
    """The trail says who has seen what: it is written before anything is shown."""
    await house.db.write(lambda tx: audit.note(tx, house.actor, action, account_id=fax.account_id, fax_id=fax.id))


def _target(fax: Fax, media_type: str, output: Path | None) -> Path:
    """Return where to write: *output*, or a file in it if it is a folder, named like the one in mails."""
    sent = fax.direction is Direction.OUTBOUND
    facts = Facts(
        from_number=fax.to_number if sent else fax.from_number,
        finished_at=fax.finished_at,
        submitted_at=fax.created_at,
    )
    name = document_name(facts, media_type)
    name = name.replace("fax-from-", "fax-to-", 1) if sent else name
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output


def _write(target: Path, content: bytes, *, force: bool) -> None:
    try:
        with target.open("wb" if force else "xb") as file:
            file.write(content)
    except FileExistsError:
        raise refuse(Kind.CONFLICT, f"{target} is there already; name another file with -o, or use --force") from None
    except OSError as error:
        raise refuse(Kind.INVALID, f"{target} cannot be written: {error.strerror}; name another file with -o") from None


async def _jobs(house: House, subject: UUID) -> list[Row]:
    return [{**row, "id": str(row["id"])} for row in await house.db.rows(jobs.of_subject(subject))]


def _attempts(tried: Sequence[Attempt]) -> list[dict[str, Any]]:
    """The handle of an open attempt is a key to its document: it is not shown."""
    hidden = {"handle": "hidden"}
    return [show.plain(one) | (hidden if one.handle_kind is Handle.TOKEN else {}) for one in tried]


def _mails(told: Sequence[Telling]) -> list[dict[str, Any]]:
    return [{key: value for key, value in show.plain(one).items() if key != "facts"} for one in told]


def _facts(fax: Fax, names: dict[UUID | None, str]) -> list[tuple[str, object]]:
    return [
        ("id", fax.id),
        ("state", fax.state.value),
        ("to", pretty(fax.to_number)),
        ("written as", fax.to_written),
        ("from", pretty(fax.from_number)),
        ("from name", fax.from_name),
        ("caller id", fax.caller_id),
        ("subject", fax.subject),
        ("made by", fax.origin.value),
        ("account", fax.account_id or "nobody: it is unrouted"),
        ("application", fax.application_id),
        ("faxbox", f"{names[fax.faxbox_id]} ({fax.faxbox_id})" if fax.faxbox_id in names else fax.faxbox_id),
        ("pages", fax.pages),
        ("pages sent", fax.pages_sent),
        ("partly received", "yes" if fax.partial else ""),
        ("seconds", fax.duration),
        ("quality", fax.quality.value),
        ("tries", f"{fax.tries} of {fax.tries_allowed}" if fax.direction is Direction.OUTBOUND else ""),
        ("tried until", fax.deadline_at if fax.state not in FINAL else ""),
        ("held because", fax.held_reason),
        ("failure", fax.failure_reason),
        ("in words", fax.failure_text),
        ("carrier's id", fax.carrier_fax_id),
        ("connection", fax.connection_id),
        ("tells", fax.notify),
        ("created", fax.created_at),
        ("updated", fax.updated_at),
        ("finished", fax.finished_at),
    ]


def _tables(tried: Sequence[Attempt], told: Sequence[Telling], waiting: Sequence[Row]) -> None:
    if tried:
        rows = [
            (
                one.ordinal,
                one.state.value,
                one.intent_at,
                one.pages_sent,
                one.fetches,
                one.carrier_fax_id,
                one.failure_reason,
            )
            for one in tried
        ]
        show.say("")
        show.table(("TRY", "STATE", "AT", "PAGES", "FETCHED", "CARRIER'S ID", "FAILURE"), rows, "")
    if told:
        mails = [
            (one.tale.value, one.recipient, one.state.value, one.tries, one.sent_at, one.last_error) for one in told
        ]
        show.say("")
        show.table(("MAIL", "TO", "STATE", "TRIES", "SENT", "LAST ERROR"), mails, "")
    if waiting:
        work = [
            (job["kind"], job["state"], job["due"], job["tries"], job["node"], job["last_error"]) for job in waiting
        ]
        show.say("")
        show.table(("JOB", "STATE", "DUE", "TRIES", "NODE", "LAST ERROR"), work, "")
