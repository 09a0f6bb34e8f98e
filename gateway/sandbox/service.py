"""The service that starts the sandbox's processes for the daemon: ``faxgate sandbox``.

systemd hands it the listening socket (``faxgate-sandbox.socket``). It opens no document and knows no settings; what it
starts, how the processes are told, and when they end is in ``remote``. The daemon is trusted: the mode of the socket
says who may connect.
"""

import asyncio
import contextlib
import signal
import socket
from typing import Any

from gateway import logs, systemd
from gateway.errors import ConfigurationError
from gateway.sandbox.link import Gone, Link
from gateway.sandbox.process import NAMES, Process
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Channel, Garbled, close_all

log = logs.logger(__name__)


async def serve(listening: socket.socket) -> None:
    """Serve everybody who connects to *listening*, a SOCK_SEQPACKET socket, until cancelled; then all is killed."""
    loop = asyncio.get_running_loop()
    async with asyncio.TaskGroup() as serving:
        while True:
            end, _ = await loop.sock_accept(listening)
            serving.create_task(_attend(end))


async def _attend(end: socket.socket) -> None:
    """Start what one connection asks for, and keep it for as long as the connection stays."""
    try:
        process = await _started(end)
    except (OSError, Garbled, TypeError, LookupError) as error:
        log.warning("a process of the sandbox does not start", why=str(error) or type(error).__name__)
        end.close()
        return
    link = Link(end)
    try:
        with contextlib.suppress(Gone, Garbled):
            await link.send({"pid": process.pid})
            await _first_of(process, link)
    finally:
        process.kill()
        code = await asyncio.shield(process.exited)
        with contextlib.suppress(Gone):
            await link.send({"exited": code})
        link.close()


async def _first_of(process: Process, link: Link) -> None:
    """Wait until the process has exited, or the daemon has nothing more to say."""
    hearing: asyncio.Future[Any] = asyncio.ensure_future(link.receive())
    try:
        await asyncio.wait([process.exited, hearing], return_when=asyncio.FIRST_COMPLETED)
    finally:
        hearing.cancel()
        await asyncio.gather(hearing, return_exceptions=True)


async def _started(end: socket.socket) -> Process:
    await _readable(end)
    request = Channel(end).receive()
    if request is None:
        raise Garbled("nothing was asked for")
    header, files = request
    try:
        if header["start"] not in NAMES:
            raise Garbled("there is no such process")
        return Process(header["start"], Limits(**header["limits"]), files[0])
    finally:
        close_all(files)


async def _readable(end: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(end, ready.set_result, None)
    try:
        await ready
    finally:
        loop.remove_reader(end)


async def _main(listening: socket.socket) -> None:
    serving = asyncio.ensure_future(serve(listening))
    loop = asyncio.get_running_loop()
    for stop in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(stop, serving.cancel)
    systemd.notify("READY=1")
    with contextlib.suppress(asyncio.CancelledError):
        await serving
    systemd.notify("STOPPING=1")


def main() -> None:
    """Run until SIGTERM; raises ConfigurationError without its socket."""
    logs.configure()
    sockets = [one for named in systemd.listen_sockets().values() for one in named]
    if len(sockets) != 1 or sockets[0].type != socket.SOCK_SEQPACKET:
        raise ConfigurationError("the sandbox's service needs one socket from systemd: start faxgate-sandbox.socket")
    asyncio.run(_main(sockets[0]))
