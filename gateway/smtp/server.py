"""The SMTP server: listening sockets, who may connect, and how it stops.

Connections are accepted here and not by ``asyncio.Server``: a refused peer costs one line and no session, a process
out of file descriptors waits instead of spinning, and stopping does not depend on what ``Server.wait_closed`` means in
which Python.
"""

import asyncio
import contextlib
import resource
import socket
import ssl
from collections import Counter
from collections.abc import Sequence

from gateway import logs, metrics
from gateway.errors import ConfigurationError
from gateway.smtp import replies
from gateway.smtp.arrivals import Arrival, Rates
from gateway.smtp.auth import Authenticator
from gateway.smtp.door import Door, SmtpLimits
from gateway.smtp.listener import SUBMISSIONS, TRUSTED, Listener, peer_address
from gateway.smtp.protocol import SmtpProtocol
from gateway.smtp.proxy import ClientUnknown, NoProxyHeader, client_behind
from gateway.smtp.reception import Reception

log = logs.logger(__name__)

#: How long ``stop`` waits, in seconds, for sessions that were cut off to record what they had begun.
LAST_SECONDS = 5
#: How long it waits before, in seconds, for those whose mails were still to be proved to be told to come again.
REPLY_SECONDS = 1

#: How many connections are accepted before the sessions have their turn.
ACCEPT_AT_ONCE = 16

#: How often deadlines are looked at, in seconds.
WATCH_EVERY = 0.25

#: At most one log line about refused connections in this many seconds.
REFUSALS_LOGGED_EVERY = 10


class SmtpServer:
    """Serves *reception* on *listeners*, announcing itself as *hostname*.

    *sockets* are listening sockets made elsewhere (systemd), one for each listener and in their order; without them
    the server binds its own. Messages of more than *max_message_bytes* are refused. Without an *authenticator* there
    can be no listener where people log in.
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
        authenticator: Authenticator | None = None,
    ) -> None:
        if sockets is not None and len(sockets) != len(listeners):
            raise ConfigurationError(
                f"[[smtp.listeners]] names {len(listeners)} listeners, but {len(sockets)} sockets were handed over"
            )
        if any(listener.logins for listener in listeners) and authenticator is None:
            raise ConfigurationError("[[smtp.listeners]] has a submission listener, but nobody can check logins")
        self._door = Door(reception, hostname, max_message_bytes, limits, authenticator)
        self._rates = Rates(limits.connections_per_minute)
        self._listeners = listeners
        self._given = sockets
        self._sockets: list[socket.socket] = []
        self._watching: asyncio.Task[None] | None = None
        self._sessions: dict[asyncio.Task[None], Arrival] = {}
        self._peers: Counter[str] = Counter()
        self._open: Counter[Listener] = Counter()
        #: Connections that each listener has for itself: a flood at one does not shut the others.
        self._share = int(limits.connections * limits.kept_for_others) // max(len(listeners) - 1, 1)
        self._most_descriptors = _most_descriptors()
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

        What has been handed to ``Reception.take`` is not cancelled even then; what is with ``Reception.prove`` is put
        off. Safe to call twice.
        """
        self._door.stopping = True
        while self._sockets:
            listening = self._sockets.pop()
            asyncio.get_running_loop().remove_reader(listening)
            listening.close()
        for session, arrival in self._sessions.items():
            if arrival.protocol is None:
                session.cancel()
            else:
                arrival.protocol.wind_up()
        await self._finish(grace)
        await self._give_up_proofs()
        self._cut_off()
        await self._finish(LAST_SECONDS)
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    async def _finish(self, seconds: float) -> None:
        tasks = {*self._sessions, *self._door.kept}
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)

    async def _give_up_proofs(self) -> None:
        for proof in self._door.proofs:
            proof.cancel()
        if self._door.proofs:
            await self._finish(REPLY_SECONDS)

    async def _watch(self) -> None:
        """Look for deadlines that have passed: one look for all, instead of a timer for every wait."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(WATCH_EVERY)
            now = loop.time()
            for arrival in self._sessions.values():
                if arrival.protocol is not None and arrival.protocol.deadline <= now:
                    arrival.protocol.expire()

    def _cut_off(self) -> None:
        for session, arrival in self._sessions.items():
            log.warning("a session did not end in time and was cut off", peer=str(arrival.peer))
            if arrival.protocol is not None:
                arrival.protocol.abort()
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
                return None
            except OSError as error:  # out of memory, or of descriptors all the same: trying on would only burn time
                return self._rest(listening, listener, context, str(error))
            connection.setblocking(False)
            arrival = Arrival(connection, peer_address(address[0]), listener, context)
            # A new descriptor is the lowest free one, so this tells how many there are.
            if connection.fileno() >= self._most_descriptors:
                self._turn_away(arrival, replies.TOO_MANY_CONNECTIONS)
                return self._rest(listening, listener, context, "nearly all file descriptors are in use")
            self._admit(arrival)
        return None

    def _rest(self, listening: socket.socket, listener: Listener, context: ssl.SSLContext | None, why: str) -> None:
        """Accept nothing for a second; who waits in the kernel's queue is not lost."""
        log.warning("no connection can be accepted for a second", why=why)
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)
        loop.call_later(1, self._listen, listening, listener, context)

    def _admit(self, arrival: Arrival) -> None:
        proxied = arrival.listener.proxied(arrival.peer)
        if refusal := self._crowded(arrival.listener) or ("" if proxied else self._unwelcome(arrival)):
            self._turn_away(arrival, refusal)
            return
        session = asyncio.get_running_loop().create_task(self._serve(arrival, proxied=proxied))
        self._sessions[session] = arrival
        self._open[arrival.listener] += 1
        session.add_done_callback(self._left)
        self._door.stressed = len(self._sessions) >= self._door.limits.connections * self._door.limits.stress
        metrics.smtp_connections_open.labels(arrival.listener.address).inc()

    def _crowded(self, listener: Listener) -> str:
        kept = sum(max(self._share - self._open[other], 0) for other in self._listeners if other != listener)
        full = len(self._sessions) + kept >= self._door.limits.connections
        return replies.TOO_MANY_CONNECTIONS if full else ""

    def _unwelcome(self, arrival: Arrival) -> str:
        """Return what a peer that may not come in is told; count all others and return ""."""
        if not arrival.listener.admits(arrival.peer):
            return f"554 5.7.1 {arrival.peer} is not in a network that may send mail here"
        if self._peers[arrival.key] >= self._door.limits.connections_per_peer:
            return replies.TOO_MANY_CONNECTIONS
        now = asyncio.get_running_loop().time()
        if arrival.listener.mode != TRUSTED and not self._rates.allow(arrival.key, now):
            return replies.TOO_OFTEN
        self._peers[arrival.key] += 1
        arrival.counted = True
        return ""

    def _turn_away(self, arrival: Arrival, refusal: str) -> None:
        metrics.smtp_connections.labels(arrival.listener.address, "refused").inc()
        with arrival.connection as connection, contextlib.suppress(OSError):
            if arrival.listener.mode != SUBMISSIONS:  # words in the clear would only spoil a TLS handshake
                connection.send(f"{refusal}\r\n".encode())
        self._refused += 1
        now = asyncio.get_running_loop().time()
        if now >= self._refusals_logged_at + REFUSALS_LOGGED_EVERY:
            log.warning("connections refused", count=self._refused, last_peer=str(arrival.peer), reply=refusal)
            self._refused, self._refusals_logged_at = 0, now

    async def _serve(self, arrival: Arrival, *, proxied: bool) -> None:
        if proxied and not await self._introduce(arrival):
            return
        listener, limits = arrival.listener, self._door.limits
        protocol = SmtpProtocol(self._door, listener, str(arrival.peer), arrival.context)
        at_once = listener.mode == SUBMISSIONS
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: protocol,
                arrival.connection,
                ssl=arrival.context if at_once else None,
                ssl_handshake_timeout=limits.tls_handshake_seconds if at_once else None,
                ssl_shutdown_timeout=limits.close_seconds if at_once else None,
            )
        except OSError as error:  # ssl.SSLError is one
            log.info("no connection came about", peer=str(arrival.peer), error=str(error) or type(error).__name__)
            return
        arrival.protocol = protocol
        await protocol.converse()

    async def _introduce(self, arrival: Arrival) -> bool:
        """Learn from its proxy who the client is; False when it may not come in."""
        try:
            async with asyncio.timeout(self._door.limits.proxy_seconds):
                client = await client_behind(arrival.connection)
        except (NoProxyHeader, TimeoutError):
            log.warning("a proxy did not say whom it speaks for", proxy=str(arrival.peer))
            arrival.connection.close()
            return False
        except ClientUnknown:  # as if there were no header (proxy-protocol.txt): who connects is the proxy
            return self._let_in(arrival, "" if arrival.listener.admits(arrival.peer) else replies.CLIENT_UNKNOWN)
        if client is None:
            return True
        arrival.peer = peer_address(str(client))
        return self._let_in(arrival, self._unwelcome(arrival))

    def _let_in(self, arrival: Arrival, refusal: str) -> bool:
        if refusal:
            self._turn_away(arrival, refusal)
        return not refusal

    def _left(self, session: asyncio.Task[None]) -> None:
        arrival = self._sessions.pop(session)
        self._open[arrival.listener] -= 1
        protocol, address = arrival.protocol, arrival.listener.address
        if protocol is None:
            arrival.connection.close()  # it was never given to the loop
        outcome = "mail" if protocol and protocol.mails else "nothing"
        metrics.smtp_connections.labels(address, outcome).inc()
        metrics.smtp_connections_open.labels(address).dec()
        self._door.stressed = len(self._sessions) >= self._door.limits.connections * self._door.limits.stress
        if arrival.counted:
            self._peers[arrival.key] -= 1
            if not self._peers[arrival.key]:
                del self._peers[arrival.key]
        if not session.cancelled() and (error := session.exception()):
            log.error("a session failed", exc_info=error)


def _most_descriptors() -> int:
    """Return from which descriptor on no connection is taken in: messages, database and children need the rest."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return limit - min(max(limit // 8, 32), 256)
