"""faxgate migrate: the database's schema, from what it is to what this release needs."""

from gateway.cli import show
from gateway.cli.command import command
from gateway.cli.context import House, give_to_owner
from gateway.cli.group import single
from gateway.cli.options import Json
from gateway.store import migrate

app = single()


@command(app, "migrate", current=False)
async def migrate_(house: House, as_json: Json = False) -> None:
    """Bring the database's schema up to date, in one transaction; an empty database gets its tables."""
    before, after = await upgraded(house)
    if as_json:
        show.as_json({"from": before, "to": after})
    elif before == after:
        show.say(f"The schema is {after}: nothing to do.")
    else:
        show.say(f"The schema was {before or 'empty'} and is {after} now.")


async def upgraded(house: House) -> tuple[str, str]:
    """Bring the schema up to date and return it as it was and as it is."""
    revisions = await migrate.upgrade(house.db)
    if not revisions[0] and (path := house.settings.database.sqlite):
        give_to_owner(path)
    return revisions
