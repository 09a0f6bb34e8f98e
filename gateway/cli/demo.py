"""faxgate demo: the whole gateway on embedded parts, and one fax going round."""

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.group import single

app = single()


@app.command("demo")
def demo(
    state_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where everything is kept.")] = Path("demo-state"),
    smtp_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Where mail is taken.")] = 2525,
    http_port: Annotated[int, typer.Option(min=0, max=65535, metavar="PORT", help="Where the APIs answer.")] = 8080,
    once: Annotated[bool, typer.Option("--once", help="End after the round, with 0 or 1.")] = False,
) -> None:
    """See one fax go round on embedded parts; needs no settings and no network."""
    from gateway.demo.guide import run_demo  # noqa: PLC0415 - the demo brings the whole house and an emulator

    raise typer.Exit(run_demo(state_dir, smtp_port, http_port, once))
