"""faxgate sandbox: what ``faxgate-sandbox.service`` runs. It needs no settings and no database."""

from gateway.cli.group import single
from gateway.sandbox import service

app = single()


@app.command("sandbox")
def sandbox() -> None:
    """Start the processes that open documents for the daemon, as another user. systemd runs this."""
    service.main()
