"""faxgate check: whether everything is as the daemon will need it. Exits 78 when something is not."""

import asyncio
from collections.abc import Iterator
from json import dumps
from typing import Annotated, Any

import typer

from gateway.cli import show
from gateway.cli.checks import look, trial
from gateway.cli.finding import Finding, Verdict
from gateway.cli.group import single
from gateway.cli.options import ConfigFile, Json
from gateway.errors import ConfigurationError
from gateway.settings import Settings, checked_email, load

app = single()
WRONG_SETTINGS = 78


@app.command("check")
def check(
    config: ConfigFile = None,
    *,
    offline: Annotated[bool, typer.Option("--offline", help="Leave out what needs the network.")] = False,
    show_settings: Annotated[bool, typer.Option("--show", help="Show all settings in effect, secrets masked.")] = False,
    send_test: Annotated[
        str, typer.Option(metavar="ADDRESS", show_default=False, help="Mail a trial to this address, now.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Check settings, database, blobs, carrier and smarthost; exit 78 if something is wrong."""
    recipient = _recipient(send_test, offline=offline)
    report: dict[str, Any] = {}
    try:
        settings = load(config)
    except ConfigurationError as error:
        if not as_json:
            raise
        found = [Finding("settings", Verdict.WRONG, line) for line in str(error).splitlines()]
    else:
        if show_settings:
            report["settings"] = settings.masked()
        if show_settings and not as_json:
            _print_settings(settings)
        found = asyncio.run(_all(settings, recipient, offline=offline, quiet=as_json))
    right = all(finding.verdict is not Verdict.WRONG for finding in found)
    if as_json:
        show.as_json({"ok": right, "findings": found, **report})
    raise typer.Exit(0 if right else WRONG_SETTINGS)


def _recipient(text: str, *, offline: bool) -> str:
    if text and offline:
        raise typer.BadParameter("a trial mail needs the network; leave out --offline or --send-test")
    try:
        return checked_email(text) if text else ""
    except ValueError as error:
        raise typer.BadParameter(f"{text} {error}", param_hint="--send-test") from None


async def _all(settings: Settings, recipient: str, *, offline: bool, quiet: bool) -> list[Finding]:
    """Look at everything, and print each finding as it comes."""
    found: list[Finding] = []
    async for finding in look(settings, offline=offline):
        found.append(finding)
        if not quiet:
            _print(finding)
    if recipient:
        found.append(await trial(settings, recipient))
        if not quiet:
            _print(found[-1])
    return found


def _print(finding: Finding) -> None:
    """One line per finding; what is wrong goes to standard error."""
    line = f"{finding.verdict.value:<8}{finding.part:<12}{finding.sentence}"
    (show.note if finding.verdict is Verdict.WRONG else show.say)(line)


def _print_settings(settings: Settings) -> None:
    show.say(f"# {settings.file or 'no settings file'}, environment and defaults")
    for line in _toml(settings.masked(), ()):
        show.say(line)
    show.say("")


def _toml(values: dict[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the tables of *values* as the settings file writes them; what is not set at all is left out."""
    keys = {key: value for key, value in values.items() if value is not None and not _is_table(value)}
    if path and keys:
        yield f"[{'.'.join(path)}]"
        yield from (f"{key} = {dumps(value, ensure_ascii=False)}" for key, value in keys.items())
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _toml(value, (*path, key))
        elif _is_table(value):
            for one in value:
                yield f"[[{'.'.join((*path, key))}]]"
                yield from (f"{name} = {dumps(inner, ensure_ascii=False)}" for name, inner in one.items())


def _is_table(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(one, dict) for one in value))
