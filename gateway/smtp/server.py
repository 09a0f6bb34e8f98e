"""The SMTP server: listening sockets, who may connect, and how it stops.

Connections are accepted here and not by ``asyncio.Server``: a refused peer costs one line and no session, a process
out of file descriptors waits instead of spinning, and stopping does not depend on what ``Server.wait_closed`` means in
which Python.
"""

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from gateway import logs, metrics
from gateway.errors import ConfigurationError
from gateway.smtp import replies
from gateway.smtp.door import Door, SmtpLimits
from gateway.smtp.listener import Listener, peer_address, peer_key
from gateway.smtp.protocol import SmtpProtocol
from gateway.smtp.reception import Reception

log = logs.logger(__name__)

#: How long ``stop`` waits, in seconds, for sessions that were cut off to record what they had begun.
LAST_SECONDS = 5

#: How many connections are accepted before the sessions have their turn.
ACCEPT_AT_ONCE = 16

#: How often deadlines are looked at, in seconds.
WATCH_EVERY = 0.25

#: At most one log line about refused connections in this many seconds.
REFUSALS_LOGGED_EVERY = 10


class SmtpServer:
    """Serves *reception* on *listeners*, announcing itself as *hostname*.

    *sockets* are listening sockets made elsewhere (systemd), one for each listener and in their order; without them
    the server binds its own. Messages of more than *max_message_bytes* are refused.
    """

    def __init__(
        self,
        reception: Reception,
        *,
        hostname: str,
        max_message_bytes: int,
        listeners: Sequence[Listener],
        limits: SmtpLimits,
        sockets: list[socket.socket] | None = None,
    ) -> None:
        if sockets is not None and len(sockets) != len(listeners):
            raise ConfigurationError(
                f"[[smtp.listeners]] names {len(listeners)} listeners, but {len(sockets)} sockets were handed over"
            )
        self._door = Door(reception, hostname, max_message_bytes, limits)
        self._listeners = listeners
        self._given = sockets
        self._sockets: list[socket.socket] = []
        self._watching: asyncio.Task[None] | None = None
        self._sessions: dict[asyncio.Task[None], SmtpProtocol] = {}
        self._peers: Counter[str] = Counter()
        self._refused = 0
        self._refusals_logged_at = float("-inf")

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of every listening socket, in the order of the listeners."""
        return [(str(name[0]), int(name[1])) for name in (open_.getsockname() for open_ in self._sockets)]

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._sessions)

    async def start(self) -> None:
        """Begin to accept connections. Raises ConfigurationError when a listener cannot be had."""
        contexts = [listener.context() for listener in self._listeners]
        self._watching = asyncio.get_running_loop().create_task(self._watch())
        try:
            for number, (listener, context) in enumerate(zip(self._listeners, contexts, strict=True)):
                for listening in [self._given[number]] if self._given else listener.bind():
                    listening.setblocking(False)
                    self._sockets.append(listening)
                    self._listen(listening, listener, context)
        except ConfigurationError:
            await self.stop(0)
            raise

    async def stop(self, grace: float) -> None:
        """Accept no more, say 421 to idle clients, and let messages finish for *grace* seconds before cutting off.

        What has been handed to ``Reception.take`` is not cancelled even then. Safe to call twice.
        """
        self._door.stopping = True
        while self._sockets:
            listening = self._sockets.pop()
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        for protocol in self._sessions.values():
            protocol.wind_up()
        await self._finish(grace)
        self._cut_off()
        await self._finish(LAST_SECONDS)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _finish(self, seconds: float) -> None:
        tasks = {*self._sessions, *self._door.kept}
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _watch(self) -> None:
        """Look for deadlines that have passed: one look for all, instead of a timer for every wait."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_EVERY)
            now = loop.time()
            for protocol in self._sessions.values():
                if protocol.deadline <= now:
                    protocol.expire()

    def _cut_off(self) -> None:
        for session, protocol in self._sessions.items():
            log.warning("a session did not end in time and was cut off")
            protocol.abort()
            session.cancel()

    def _listen(self, listening: socket.socket, listener: Listener, context: ssl.SSLContext | None) -> None:
        if not self._door.stopping:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening, listener, context)

    def _accept(self, listening: socket.socket, listener: Listener, context: ssl.SSLContext | None) -> None:
        """Let in who waits: a few at a time, so that sessions have their turn in between."""
        for _ in range(ACCEPT_AT_ONCE):
            try:
                connection, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                return
            except OSError as error:  # out of descriptors or memory: trying on at once would only burn time
                log.warning("no connection can be accepted for a second", error=str(error))
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(1, self._listen, listening, listener, context)
                return
            connection.setblocking(False)
            self._admit(connection, peer_address(address[0]), listener, context)

    def _admit(
        self,
        connection: socket.socket,
        peer: IPv4Address | IPv6Address,
        listener: Listener,
        context: ssl.SSLContext | None,
    ) -> None:
        key = peer_key(peer)
        refusal = self._unwelcome(peer, key, listener)
        if refusal:
            metrics.smtp_connections.labels(listener.address, "refused").inc()
            self._turn_away(connection, refusal, peer)
            return
        protocol = SmtpProtocol(self._door, listener.address, str(peer), context)
        session = asyncio.get_running_loop().create_task(self._serve(connection, protocol))
        session.add_done_callback(lambda done: self._left(done, connection, key, listener))
        self._sessions[session] = protocol
        self._peers[key] += 1
        metrics.smtp_connections_open.labels(listener.address).inc()

    def _unwelcome(self, peer: IPv4Address | IPv6Address, key: str, listener: Listener) -> str:
        """Return what a peer that may not come in is told, "" for all others."""
        if not listener.admits(peer):
            return f"554 5.7.1 {peer} is not in a network that may send mail here"
        limits = self._door.limits
        if len(self._sessions) >= limits.connections or self._peers[key] >= limits.connections_per_peer:
            return replies.TOO_MANY_CONNECTIONS
        return ""

    def _turn_away(self, connection: socket.socket, refusal: str, peer: IPv4Address | IPv6Address) -> None:
        with connection, contextlib.suppress(OSError):
            connection.send(f"{refusal}\r\n".encode())
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._refusals_logged_at + REFUSALS_LOGGED_EVERY:
            log.warning("connections refused", count=self._refused, last_peer=str(peer), reply=refusal)
            self._refused, self._refusals_logged_at = 0, now

    async def _serve(self, connection: socket.socket, protocol: SmtpProtocol) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, connection)
        except OSError:
            return
        await protocol.converse()

    def _left(self, session: asyncio.Task[None], connection: socket.socket, key: str, listener: Listener) -> None:
        protocol = self._sessions.pop(session)
        if protocol.transport is None:
            connection.close()  # it was never given to the loop
        outcome = "mail" if protocol.mails else "nothing"
        metrics.smtp_connections.labels(listener.address, outcome).inc()
        metrics.smtp_connections_open.labels(listener.address).dec()
        self._peers[key] -= 1
        if not self._peers[key]:
            del self._peers[key]
        if not session.cancelled() and (error := session.exception()):
            log.error("a session failed", exc_info=error)
