"""faxgate queue: outgoing faxes, and what a person may do to them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from gateway.audit import Action
from gateway.cli import lookup, show
from gateway.cli.command import command
from gateway.cli.context import House
from gateway.cli.faxes import Which, everything, faxbox_names
from gateway.cli.group import noun
from gateway.cli.options import Json, Limit, OfAccount
from gateway.errors import Kind, refuse
from gateway.fax import FINAL, Direction, Fax, State
from gateway.store import aside, audit, faxes
from gateway.store.database import Tx, scalar

if TYPE_CHECKING:
    from gateway.outbox import Command

app = noun()
UNDER_WAY = [state for state in State if state not in FINAL]
Several = Annotated[
    list[str], typer.Argument(metavar="FAX...", show_default=False, help="Ids, or the beginnings of them.")
]


@command(app, "list")
async def list_(
    house: House,
    all_: Annotated[bool, typer.Option("--all", help="Show also faxes at their end.")] = False,
    account: OfAccount = "",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List outgoing faxes that are not at their end, the newest first."""
    owner = await lookup.account(house.db, account) if account else None
    found = await faxes.page(
        house.db,
        account_id=owner.id if owner else None,
        direction=Direction.OUTBOUND,
        states=None if all_ else UNDER_WAY,
        limit=limit,
    )
    if as_json:
        show.as_json(found)
        return
    short, names = await lookup.short_faxes(house.db, [one.id for one in found]), await faxbox_names(house)
    rows = [(short[one.id], one.to_number, names.get(one.faxbox_id), *_progress(one)) for one in found]
    headers = ("ID", "TO", "FAXBOX", "STATE", "PAGES", "TRIES", "SUBMITTED", "NEXT")
    show.table(headers, rows, "No faxes are waiting.")
    if aside_now := int(await scalar(house.db, aside.number()) or 0):
        show.note(f"{aside_now} jobs are set aside, because they failed again and again: faxgate queue aside")
    if len(found) == limit:
        show.note(f"These are the newest {limit}; show more with --limit.")


@command(app, "show")
async def show_(house: House, fax: Which, as_json: Json = False) -> None:
    """Show all that is known of an outgoing fax."""
    await everything(house, await lookup.fax(house.db, fax, Direction.OUTBOUND), as_json=as_json)


@command(app, "hold")
async def hold(house: House, fax: Several) -> None:
    """Put waiting faxes aside until they are released."""
    await _do(house, fax, Action.HELD, lambda commands: commands.hold)


@command(app, "release")
async def release(house: House, fax: Several) -> None:
    """Let held faxes go on; one whose outcome is unknown is sent again."""
    await _do(house, fax, Action.RELEASED, lambda commands: commands.release)


@command(app, "retry")
async def retry(house: House, fax: Several) -> None:
    """Try faxes now that wait for their next try, or send failed ones once more."""
    await _do(house, fax, Action.RESENT, lambda commands: commands.retry)


@command(app, "cancel")
async def cancel(house: House, fax: Several) -> None:
    """Stop faxes; one that the carrier has is stopped there, if it is not too late."""
    await _do(house, fax, Action.CANCELED, lambda commands: commands.cancel)


@command(app, "aside")
async def list_aside(house: House, as_json: Json = False) -> None:
    """List jobs that are set aside, because they failed again and again by a fault of the gateway."""
    found = await house.db.rows(aside.all_())
    if as_json:
        show.as_json([show.plain(dict(row)) for row in found])
        return
    rows = [
        (row["id"], row["kind"], row["subject"], row["tries"], row["created_at"], row["last_error"]) for row in found
    ]
    show.table(("ID", "JOB", "ABOUT", "TRIES", "CREATED", "LAST ERROR"), rows, "No jobs are set aside.")


@command(app, "revive")
async def revive(
    house: House, job: Annotated[list[int], typer.Argument(metavar="ID...", show_default=False, help="Ids of jobs.")]
) -> None:
    """Let jobs run again that are set aside; all of them or, with a refusal, none."""

    def unit(tx: Tx) -> None:
        for one in job:
            if not aside.revive(tx, one):
                raise refuse(Kind.NOT_FOUND, f"there is no job {one} that is set aside; see: faxgate queue aside")

    await house.db.write(unit)
    show.say(f"Run again: {', '.join(map(str, job))}.")


async def _do(
    house: House, texts: list[str], action: Action, choose: Callable[["Command"], Callable[[Tx, UUID], str]]
) -> None:
    """Do the same to several faxes in one unit: to all of them, or with a refusal to none."""
    from gateway.cli.stories import commands  # noqa: PLC0415 - most of the house, which a list does not need

    act = choose(commands(house))
    found = {fax.id: fax for fax in [await lookup.fax(house.db, text, Direction.OUTBOUND) for text in texts]}

    def unit(tx: Tx) -> list[str]:
        said = [act(tx, fax_id) for fax_id in found]
        for fax in found.values():
            audit.note(tx, house.actor, action, account_id=fax.account_id, fax_id=fax.id, state=fax.state.value)
        return said

    for sentence in await house.db.write(unit):
        show.say(sentence)


def _progress(fax: Fax) -> tuple[object, ...]:
    tries = f"{fax.tries}/{fax.tries_allowed}"
    pages = fax.pages if fax.pages_done is None else f"{fax.pages_done}/{fax.pages_to_do}"
    waits = fax.state in {State.PREPARING, State.QUEUED}
    return fax.state.value, pages, tries, fax.created_at, fax.next_try_at or fax.held_reason or ("now" if waits else "")
