"""faxgate init: from nothing to a gateway that can be checked and served."""

import asyncio
import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import show
from gateway.cli.context import make_folder, opened
from gateway.cli.founding import Founded, dns_records, found, settings_text, write_settings
from gateway.cli.group import single
from gateway.cli.migrate import upgraded
from gateway.cli.options import ConfigFile, Json, given
from gateway.cli.questions import Answers, Questions, config_path
from gateway.errors import ConfigurationError, Kind, refuse
from gateway.settings import Settings, load

app = single()
SYSTEM_FOLDER, SYSTEM_STATE = Path("/etc/faxgate"), Path("/var/lib/faxgate")


def _answer(help_: str, metavar: str = "TEXT") -> Any:
    return typer.Option(metavar=metavar, show_default=False, help=help_, rich_help_panel="Answers")


@app.command("init")
def init(
    config: ConfigFile = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take the options, and guesses.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a settings file that is there.")] = False,
    state_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", show_default=False, help="Where database and blobs are kept.")
    ] = None,
    database_url: Annotated[
        str | None,
        typer.Option(metavar="URL", show_default=False, help="postgresql://user@host/name instead of SQLite."),
    ] = None,
    hostname: Annotated[str | None, _answer("The name of the gateway as a mail host.", "HOST")] = None,
    account: Annotated[str | None, _answer("The name of the first account.", "NAME")] = None,
    realm: Annotated[str | None, _answer("Its mail domain.", "HOST")] = None,
    country: Annotated[str | None, _answer("Where numbers without + are dialled.", "CC")] = None,
    timezone: Annotated[str | None, _answer("For times in mails.", "ZONE")] = None,
    number: Annotated[str | None, _answer("The fax number.", "E164")] = None,
    permit: Annotated[list[str] | None, _answer("Who may send; again for more.", "SENDER")] = None,
    recipient: Annotated[str | None, _answer("Who gets received faxes.", "ADDRESS")] = None,
    operator: Annotated[str | None, _answer("Who is told when something needs a hand.", "ADDRESS")] = None,
    api_key: Annotated[str | None, _answer("The carrier's API key.", "KEY")] = None,
    connection_id: Annotated[str | None, _answer("The carrier's connection.", "ID")] = None,
    public_url: Annotated[str | None, _answer("How the carrier reaches the gateway.", "URL")] = None,
    public_key: Annotated[str | None, _answer("The key of the carrier's webhooks.", "KEY")] = None,
    smarthost: Annotated[str | None, _answer("Who takes our mails.", "HOST:PORT")] = None,
    smarthost_tls: Annotated[str | None, _answer("starttls, tls or none.", "HOW")] = None,
    smarthost_user: Annotated[str | None, _answer("The user to log in there as.", "NAME")] = None,
    smarthost_password: Annotated[str | None, _answer("That user's password.")] = None,
    as_json: Json = False,
) -> None:
    """Write the settings, and make the first account, application, faxbox and token."""
    path = config_path(config)
    if path.exists() and not force:
        raise refuse(
            Kind.CONFLICT, f"{path} is there already; name another with --config, or overwrite it with --force"
        )
    options = given(
        hostname=hostname,
        account=account,
        realm=realm,
        country=country,
        timezone=timezone,
        number=number,
        permit=None if permit is None else ",".join(permit),
        recipient=recipient,
        operator=operator,
        api_key=api_key,
        connection_id=connection_id,
        public_url=public_url,
        public_key=public_key,
        smarthost=smarthost,
        smarthost_tls=smarthost_tls,
        smarthost_user=smarthost_user,
        smarthost_password=smarthost_password,
    )
    answers = Questions(options, yes=yes).ask_all()
    state = (state_dir or (SYSTEM_STATE if path.parent == SYSTEM_FOLDER else path.parent)).absolute()
    settings, made = _make(path, state, database_url, answers)
    if as_json:
        show.as_json(_report(path, settings, made))
    else:
        _tell(path, settings, made)


def _make(path: Path, state: Path, database_url: str | None, answers: Answers) -> tuple[Settings, Founded]:
    """Write the settings beside *path*, make everything with them, and put them in place when all is well."""
    text = settings_text(answers, database_url or f"sqlite:///{state / 'faxgate.db'}", f"file://{state / 'blobs'}")
    draft = path.with_name(f"{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_settings(draft, text)
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename}: cannot be written: {error.strerror}; name other places with --config and --state-dir"
        ) from None
    try:
        settings = load(draft)
        made = asyncio.run(_found(settings, answers))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return settings, made


async def _found(settings: Settings, answers: Answers) -> Founded:
    async with opened(settings, current=False) as house:
        await upgraded(house)
        make_folder(house.blobs)
        return await found(house, answers)


def _webhook(settings: Settings) -> str:
    url = settings.http.public_url
    return f"{url}/webhooks/telnyx" if url else ""


def _report(path: Path, settings: Settings, made: Founded) -> dict[str, Any]:
    beside = {"config": str(path), "dns": dns_records(settings, made.account.realm), "webhook_url": _webhook(settings)}
    return {**show.plain(made), **beside}


def _tell(path: Path, settings: Settings, made: Founded) -> None:
    show.say(f"The settings are in {path}.")
    show.facts(
        [
            ("account", f"{made.account.name} ({made.account.id})"),
            ("application", f"{made.application.name} ({made.application.id})"),
            ("faxbox", f"{made.faxbox.name} ({made.faxbox.id}), at {made.faxbox.host}"),
            ("number", made.number.e164 if made.number else "none yet: faxgate numbers assign"),
            ("api key", made.api_key or "as it was"),
            ("token", made.token),
        ]
    )
    show.say("Keep api key and token now: they are not stored and cannot be shown again.")
    show.say("")
    show.say("In the DNS:")
    for record in dns_records(settings, made.account.realm):
        show.say(f"  {record}")
    listener = settings.smtp.listeners[0].address
    show.say(f"The mail server of {settings.smtp.hostname} passes this mail on to {listener}.")
    show.say("")
    if url := _webhook(settings):
        show.say(f"At the carrier, the webhook URL of the fax application: {url}")
    else:
        show.say("At the carrier, no webhook URL is needed: without a public_url it is asked for news.")
    show.say("")
    config = shlex.quote(str(path))
    show.say("Next:")
    for line in _next(made, config):
        show.say(f"  {line}")


def _next(made: Founded, config: str) -> list[str]:
    box = shlex.quote(made.faxbox.name)
    lines = [f"faxgate check --config {config}", f"faxgate serve --config {config}"]
    if not made.faxbox.permit:
        lines.insert(0, f"faxgate faxboxes update {box} --add-permit ADDRESS --config {config}")
    if made.number is None:
        lines.insert(0, f"faxgate faxboxes update {box} --caller-id E164 --config {config}")
    return [*lines, f"faxgate send FILE.pdf NUMBER --faxbox {box} --config {config}"]
