"""``faxgate``, and ``python -m gateway``."""

import os

from gateway import logs
from gateway.cli.app import app


def main() -> None:
    """Run the command line. What it prints is for the person or program that called it, so the log says errors only."""
    # Databases, documents and settings are nobody else's business, whoever makes them first.
    os.umask(0o077)
    logs.configure(level="error")
    app(prog_name="faxgate")


if __name__ == "__main__":
    main()
