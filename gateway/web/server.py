"""The HTTP server: its listening socket, how many may connect, who is too slow, and how it stops.

Connections are accepted here and not by ``asyncio.Server``: a peer that has too many costs no state, and a process out
of file descriptors waits instead of spinning. When all are taken, the one that has kept us waiting longest is given up
for a new one. What a connection says is aiohttp's business.
"""

import asyncio
import socket
from collections import Counter
from collections.abc import Coroutine
from ipaddress import ip_address
from operator import itemgetter
from typing import Any

from aiohttp import web

from gateway import logs
from gateway.errors import ConfigurationError
from gateway.web.connection import Connection, HttpLimits

log = logs.logger(__name__)
BACKLOG = 256
#: How many connections are accepted before the others have their turn.
ACCEPT_AT_ONCE = 16
#: How often slow clients are looked for, in seconds.
WATCH_EVERY = 0.25
#: At most one log line about refused connections in this many seconds.
REFUSALS_LOGGED_EVERY = 10
#: How long ``stop`` waits, in seconds, for requests that were cancelled.
LAST_SECONDS = 1.0
#: How much of a body is read ahead of its handler, in bytes.
READ_AHEAD = 1 << 16


class HttpServer:
    """Serves *app* on *address* (``host:port``), or on *sockets*, which listen already (systemd)."""

    def __init__(
        self,
        app: web.Application,
        address: str,
        sockets: list[socket.socket] | None = None,
        limits: HttpLimits | None = None,
    ) -> None:
        self._configured = address
        self._given = sockets
        self._limits = limits or HttpLimits()
        self._runner = web.AppRunner(
            app,
            access_log=None,
            shutdown_timeout=LAST_SECONDS,
            keepalive_timeout=self._limits.idle_seconds,
            lingering_time=self._limits.linger_seconds,
            # Signatures are over the bytes that travelled, and nobody may send us a bomb.
            auto_decompress=False,
            read_bufsize=READ_AHEAD,
        )
        self._sockets: list[socket.socket] = []
        #: Each with the peer that it counts for.
        self._connections: dict[Connection, str] = {}
        self._peers: Counter[str] = Counter()
        self._background: set[asyncio.Task[Any]] = set()
        self._refused = 0
        self._refusals_logged_at = float("-inf")

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the first listening socket, while the server runs."""
        name = self._sockets[0].getsockname()
        return str(name[0]), int(name[1])

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def start(self) -> None:
        """Begin to accept connections. Raises ConfigurationError when the address cannot be had."""
        self._sockets = list(self._given) if self._given else _bind(self._configured)
        await self._runner.setup()
        self._run(self._watch())
        for listening in self._sockets:
            listening.setblocking(False)
            self._listen(listening)

    async def stop(self, grace: float) -> None:
        """Accept no more, close idle connections, let running requests finish for *grace* seconds, and cancel those
        that remain. Safe to call twice."""
        while self._sockets:
            listening = self._sockets.pop()
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        running: set[asyncio.Task[Any]] = set()
        for connection in list(self._connections):
            running |= connection.requests
            connection.wind_up()
        if running:
            await asyncio.wait(running, timeout=grace)
        await self._runner.cleanup()
        for connection in list(self._connections):
            connection.abort()
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for _ in range(3):  # asyncio tells the end of a connection in a later turn of its loop
            await asyncio.sleep(0)

    def _run(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _watch(self) -> None:
        """Cut off slow clients: one look at all, instead of a timer for each."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_EVERY)
            now = loop.time()
            for connection in [connection for connection in self._connections if connection.overdue(now)]:
                connection.abort()

    def _listen(self, listening: socket.socket) -> None:
        if listening in self._sockets:  # the server may have stopped meanwhile
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPT_AT_ONCE):
            try:
                accepted, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:  # out of descriptors or memory: trying on at once would only burn time
                log.warning("no connection can be accepted for a second", error=str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(1, self._listen, listening)
                return
            accepted.setblocking(False)
            self._admit(accepted, str(address[0]) if address else "")

    def _admit(self, accepted: socket.socket, peer: str) -> None:
        limits, key = self._limits, peer_key(peer)
        too_many = bool(key) and self._peers[key] >= limits.connections_per_peer
        full = len(self._connections) >= limits.connections
        if too_many or full:
            self._note_refusal(peer)
        if too_many or (full and not self._room_made()):
            accepted.close()
            return
        server = self._runner.server
        assert server is not None, "set up by start"

        connection = Connection(server(), limits, lambda: self._left(connection))
        self._connections[connection] = key
        self._peers[key] += 1
        self._run(self._attach(connection, accepted))

    def _room_made(self) -> bool:
        """Give up the connection that has waited for its client the longest; False when all are at work. Whoever says
        nothing, or says it slowly, shall not keep out the carrier, who comes with a whole request."""
        now = asyncio.get_running_loop().time()
        waiting = [(since, one) for one in self._connections if (since := one.waits_since(now)) is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=itemgetter(0))
        longest.abort()
        self._left(longest)
        return True

    async def _attach(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: connection, accepted)
        except OSError:
            accepted.close()
            self._left(connection)

    def _left(self, connection: Connection) -> None:
        key = self._connections.pop(connection, None)
        if key is not None:
            self._peers[key] -= 1
            if not self._peers[key]:
                del self._peers[key]

    def _note_refusal(self, peer: str) -> None:
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._refusals_logged_at + REFUSALS_LOGGED_EVERY:
            log.warning("too many HTTP connections: some are refused or given up", count=self._refused, last_peer=peer)
            self._refused, self._refusals_logged_at = 0, now


def _bind(address: str) -> list[socket.socket]:
    """Return listening sockets, one for each address that the host has. Raises ConfigurationError."""
    host, _, port = address.rpartition(":")
    if not port.isascii() or not port.isdigit():
        raise ConfigurationError(f'the HTTP address "{address}" must be written as "host:port"')
    opened: list[socket.socket] = []
    try:
        for family, bound in _resolved(host.removeprefix("[").removesuffix("]"), int(port)):
            opened.append(socket.create_server(bound, family=family, backlog=BACKLOG))
    except OSError as error:
        for listening in opened:
            listening.close()
        why = error.strerror or error
        raise ConfigurationError(f'the gateway cannot listen on the HTTP address "{address}": {why}') from None
    return opened


def _resolved(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, (str(address[0]), port)) for family, _, _, _, address in found))


def peer_key(peer: str) -> str:
    """Return what counts as one peer: an IPv4 address or an IPv6 /64. A reverse proxy on this machine ("") speaks for
    everybody, so it is not counted."""
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return ""
    address = getattr(address, "ipv4_mapped", None) or address
    if address.is_loopback:
        return ""
    return str(address) if address.version == 4 else f"{int(address) >> 64:x}::/64"
