"""The command ``faxgate``: nouns, then verbs. Each group is a module of its own, imported when it is called.

Exit codes: 0 done, 1 failed or refused, 2 wrong usage, 78 wrong settings or installation (sysexits.h, EX_CONFIG), and
130 after Ctrl-C.
"""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.cli.options import ConfigFile
from gateway.errors import ConfigurationError, Refusal

FAILED, CONFIGURATION, INTERRUPTED = 1, 78, 130

#: Every command, in the order of the help: the module in this folder that has it, and its sentence.
COMMANDS = {
    "demo": "See one fax go round, on embedded parts: no settings, no network.",
    "init": "Write the settings, and make the first account, faxbox and token.",
    "check": "Check settings, database, blobs, carrier and smarthost.",
    "serve": "Run the gateway.",
    "sandbox": "Start the processes that open documents, for the daemon (faxgate-sandbox.service).",
    "migrate": "Bring the database's schema up to date.",
    "backup": "Copy everything that is kept, while the gateway works.",
    "restore": "Put a backup in the place of an empty database.",
    "reconcile": "Ask the carrier what has become of faxes, and what has come.",
    "accounts": "Accounts: whose faxes these are.",
    "tokens": "Tokens: keys to the HTTP APIs.",
    "applications": "Fax applications: connections to the carrier, and where events go.",
    "faxboxes": "Faxboxes: who may send by mail, and who gets what.",
    "smtp-users": "People who log in to send by mail.",
    "numbers": "Fax numbers of ours, and where their faxes go.",
    "render": "Show what would be faxed, without sending it.",
    "send": "Fax a file.",
    "queue": "Outgoing faxes: list, show, hold, release, retry, cancel.",
    "inbox": "Received faxes: list, show, save, assign.",
    "outbox": "Faxes that were sent: list, show, save.",
    "audit": "Who viewed, sent, released, deleted or changed what.",
    "webhooks": "What programs are told, and the key that verifies it.",
    "smtplog": "Who tried to send what by mail, and why it was refused.",
}


class _Root(TyperGroup):
    """The whole command line; one place where every failure becomes a sentence and an exit code."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # What the help shows and the shell completes; what is called is imported by resolve_command.
        self.commands = {name: TyperCommand(name, help=sentence) for name, sentence in COMMANDS.items()}

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        if args[0] not in COMMANDS:
            return super().resolve_command(ctx, args)
        module = importlib.import_module(f"gateway.cli.{args[0].replace('-', '_')}")
        command = typer.main.get_command(module.app)
        command.name, command.help = args[0], command.help or COMMANDS[args[0]]
        return args[0], command, args[1:]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            _fail(refusal.reason.sentence, FAILED)
        except ConfigurationError as error:
            _fail(str(error), CONFIGURATION)
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _fail(text: str, code: int) -> NoReturn:
    for line in text.splitlines():
        typer.echo(f"faxgate: {line}", err=True)
    raise typer.Exit(code) from None


def _installed() -> str:
    try:
        return version("faxgate")
    except PackageNotFoundError:
        return "(not installed)"


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"faxgate {_installed()}, Python {sys.version.split()[0]}")
        raise typer.Exit


app = typer.Typer(
    name="faxgate",
    help="A self-hosted gateway between email and fax.",
    epilog="Try: faxgate demo. Every command explains itself with --help.",
    cls=_Root,
    no_args_is_help=True,
    # A traceback with the values of variables would show documents and keys.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    config: ConfigFile = None,
    version_: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass
