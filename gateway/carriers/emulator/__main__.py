"""Runs the emulator alone: ``python -m gateway.carriers.emulator --help``."""

import argparse
import asyncio
import base64
import contextlib
import os
import secrets
import signal
import sys
from pathlib import Path

from gateway.carriers.emulator import Connection, Emulator, EmulatorSettings

_EPILOG = """
Faxes can be watched and faults switched under /emulator: GET /emulator/faxes, GET /emulator/faxes/ID/document,
POST /emulator/inbound, PUT /emulator/faults, GET /emulator/public_key, GET /emulator/messages.
Numbers that end in 0001 to 0009 behave in ways of their own: see gateway/carriers/emulator/numbers.py.
"""


def main(arguments: list[str] | None = None) -> int:
    """Read the command line, run until SIGINT or SIGTERM, and return the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    settings = EmulatorSettings(
        api_key=options.api_key,
        connections=_connections(parser, options),
        pace=options.pace,
        link_seconds=options.link_seconds,
        log=options.log,
    )
    if options.signing_key_file:
        settings.signing_seed = _seed(parser, options.signing_key_file)
    try:
        asyncio.run(_run(Emulator(settings), options.host, options.port))
    except OSError as error:
        sys.stderr.write(f"cannot listen on {options.host}:{options.port}: {error.strerror}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m gateway.carriers.emulator",
        description="The carrier's side of Telnyx's fax API, for trials.",
        epilog=_EPILOG,
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    add("--api-key", default="emulator", help="what clients must send as Bearer token")
    add(
        "--connection", action="append", default=[], metavar="ID=WEBHOOK_URL", help="empty URL: no webhooks; repeatable"
    )
    add("--failover", action="append", default=[], metavar="ID=WEBHOOK_URL", help="second webhook URL; repeatable")
    add("--number", action="append", default=[], metavar="ID=E164", help="a number of a connection; repeatable")
    add("--pace", type=float, default=0.2, help="seconds between two steps of a fax")
    add("--link-seconds", type=float, default=600, help="life of a link to a received document")
    add("--log", type=Path, metavar="FILE", help="append a line of JSON for each step of an accepted fax")
    add("--signing-key-file", type=Path, metavar="FILE", help="keeps the webhooks' key; made when it is missing")
    return parser


def _connections(parser: argparse.ArgumentParser, options: argparse.Namespace) -> list[Connection]:
    connections = {id_: Connection(id_, url) for id_, url in _pairs(parser, options.connection or ["1="])}
    for id_, url in _pairs(parser, options.failover):
        _known(parser, connections, id_).failover_url = url
    for id_, number in _pairs(parser, options.number):
        _known(parser, connections, id_).numbers.append(number)
    return list(connections.values())


def _pairs(parser: argparse.ArgumentParser, written: list[str]) -> list[tuple[str, str]]:
    for pair in written:
        if "=" not in pair:
            parser.error(f"{pair!r} is not of the form ID=VALUE")
    return [(id_, value) for id_, _, value in (pair.partition("=") for pair in written)]


def _known(parser: argparse.ArgumentParser, connections: dict[str, Connection], id_: str) -> Connection:
    if id_ not in connections:
        parser.error(f"there is no --connection {id_}")
    return connections[id_]


def _seed(parser: argparse.ArgumentParser, path: Path) -> bytes:
    """Return the 32 bytes that *path* keeps in Base64; make it when it is missing."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
    try:
        seed = base64.b64decode(path.read_bytes().strip(), validate=True)
    except ValueError:
        seed = b""
    if len(seed) != 32:
        parser.error(f"{path} does not hold 32 bytes in Base64")
    return seed


async def _run(emulator: Emulator, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await emulator.start(host, port)
    sys.stdout.write(f"base_url {emulator.base_url}\npublic_key {emulator.public_key}\n")
    sys.stdout.flush()
    try:
        await stopped.wait()
    finally:
        await emulator.stop()


if __name__ == "__main__":
    sys.exit(main())
