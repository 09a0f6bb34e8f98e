"""The daemon: every part in the order of need, and the same list backwards when it stops.

Stopping: the doors accept no more and let messages and requests finish; the worker claims nothing more and lets its
jobs end; then the sandbox, the carrier's connections, and last the database, which writes what it was given.
"""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

from gateway import gate, logs, metrics, parts, systemd
from gateway.courier import WEBHOOK
from gateway.errors import ConfigurationError, Refusal
from gateway.gauges import Gauges
from gateway.ids import new_token
from gateway.intake import Intake
from gateway.intake.bounces import Bounces
from gateway.intake.evidence import Evidence
from gateway.outbox import COLLECT, PREPARE
from gateway.sandbox import Sandbox
from gateway.settings import Settings
from gateway.smtp.auth import Logins
from gateway.smtp.server import SmtpServer
from gateway.store import attempts, faxes, migrate
from gateway.store.blobs import Blobs
from gateway.store.database import Database, open_database, ping, scalar
from gateway.store.events import turn
from gateway.store.lock import sole_owner
from gateway.stories import Stories, Tools
from gateway.web.app import WebParts, make_app, metrics_app
from gateway.web.server import HttpServer
from gateway.worker import Worker

log = logs.logger(__name__)
ROLES = frozenset({"smtp", "http", "worker"})
GRACE = 25.0
WEBHOOKS_AT_ONCE = 100
COLLECTED_AT_ONCE = 40
ROUTING_EVERY = 1.0
COUNT_EVERY = 15.0
EXPIRE_EVERY = 30.0
#: How soon people hear of what takes long, which is hours or minutes.
TELL_EVERY = 10.0
#: A machine that has just started may reach its name servers a moment later; seconds between tries.
DNS_PATIENCE = (2.0, 4.0)
COMPARE_EVERY = 5.0
TIDY_EVERY = 20.0


class Daemon:
    """One process of the gateway. ``start``, then ``wait``, then ``stop``."""

    def __init__(self, settings: Settings, roles: frozenset[str] = ROLES) -> None:
        self.settings = settings
        self.roles = roles
        self.stopping = asyncio.Event()
        self.failed = False
        self.db: Database
        self.blobs: Blobs
        self.smtp: SmtpServer | None = None
        self.http: HttpServer | None = None
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Enter every part. Raises ConfigurationError, with everything closed again, for what the operator mends."""
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def wait(self) -> bool:
        """Wait for the wish to stop; False when it came of a fault."""
        await self.stopping.wait()
        return not self.failed

    async def stop(self) -> None:
        """Leave every part, in reverse."""
        systemd.notify("STOPPING=1", "STATUS=finishing what is under way")
        await self._stack.aclose()

    async def _start(self) -> None:
        settings, enter = self.settings, self._stack.enter_async_context
        given = systemd.listen_sockets()
        self._lock()
        self.db = await enter(_database(settings))
        self.blobs = await asyncio.to_thread(self._open_blobs)
        tools = await self._tools()
        stories = Stories(settings, tools)
        if "worker" in self.roles:
            await enter(self._work(stories))
            await enter(_rhythm(Gauges(self.db).show, COUNT_EVERY))
            await enter(_rhythm(stories.restored.look, COMPARE_EVERY))
            every = settings.poll_interval
            await enter(_rhythm(self._in_turn("poll", every, stories.reconcile.poll), every.total_seconds()))
            await enter(_rhythm(stories.housekeeping.tidy, TIDY_EVERY))
            await enter(_rhythm(self._count_waiting, COUNT_EVERY))
            await enter(_rhythm(lambda: self.db.write(stories.settle.expire), EXPIRE_EVERY))
            await enter(_rhythm(stories.delay.look, TELL_EVERY))
            await enter(_rhythm(stories.outage.look, TELL_EVERY))
        if "http" in self.roles:
            await self._open_http(stories, tools, given.get("http"))
        if settings.http.metrics_address:
            await self._open_metrics()
        if "smtp" in self.roles:
            await self._open_smtp(stories, tools.sandbox, given.get("smtp"))
        await enter(self._watchdog())

    # -- the parts -----------------------------------------------------------------------------------------------------

    async def _tools(self) -> Tools:
        settings = self.settings
        wanted = settings.sandbox
        sandbox = Sandbox(wanted.readers, wanted.renderers, office=wanted.libreoffice, service=wanted.service)
        await sandbox.start()
        self._stack.push_async_callback(sandbox.stop)
        carrier = parts.gate(self.db, settings)
        self._stack.push_async_callback(carrier.close)
        fetcher = parts.fetcher(settings)
        self._stack.push_async_callback(fetcher.close)
        return Tools(self.db, self.blobs, sandbox, carrier, fetcher)

    def _lock(self) -> None:
        path = self.settings.database.sqlite
        if path is not None:
            self._stack.enter_context(sole_owner(path, "or use PostgreSQL to run several processes"))

    def _open_blobs(self) -> Blobs:
        blobs = parts.blobs(self.settings)
        try:
            blobs.prepare()
        except OSError as error:
            raise ConfigurationError(f"[blobs] url: {blobs.place} cannot be written: {error.strerror}") from None
        except Refusal as refusal:
            # A bucket may be away for a while: what needs it says so until it is back.
            log.warning("the blobs cannot be reached", place=blobs.place, why=str(refusal.__cause__ or refusal))
        if self.settings.database.sqlite is not None:
            blobs.sweep_incoming()
        return blobs

    @asynccontextmanager
    async def _work(self, made: Stories) -> AsyncIterator[None]:
        settings, stories = self.settings, made.by_kind()
        name = settings.node.name if settings.database.sqlite is not None else f"{settings.node.name}:{new_token()[:8]}"
        rooms = dict.fromkeys(stories, settings.worker.concurrency)
        # Receivers of webhooks and hosts of documents that hang take room, and nothing else.
        rooms |= {PREPARE: settings.sandbox.renderers, WEBHOOK: WEBHOOKS_AT_ONCE, COLLECT: COLLECTED_AT_ONCE}
        faults = settings.worker.most_faults
        worker = Worker(self.db, name, settings.worker.lease, stories, rooms, poison=made.poison, most_faults=faults)
        await worker.start()
        working = asyncio.create_task(worker.run())
        losing = asyncio.create_task(self._fail_when(worker.lost))
        try:
            yield
        finally:
            losing.cancel()
            await worker.stop(GRACE)
            await asyncio.gather(working, losing, return_exceptions=True)

    async def _open_http(self, stories: Stories, tools: Tools, sockets: list[socket.socket] | None) -> None:
        settings = self.settings
        web = WebParts(
            db=self.db,
            blobs=self.blobs,
            events=stories.events,
            carrier=tools.carrier,
            fetcher=tools.fetcher,
            links=stories.links,
            public_keys=settings.carrier.telnyx.public_key,
            ready=self.readiness,
            max_upload_bytes=settings.http.max_upload_bytes,
            public_url=settings.http.public_url,
            metrics_here=not settings.http.metrics_address,
            provisioning=stories.provisioning,
            submit=stories.submit,
            archive=stories.archive,
            command=stories.command,
            sandbox=tools.sandbox,
        )
        self.http = HttpServer(make_app(web), settings.http.address, sockets)
        await self.http.start()
        self._stack.push_async_callback(self.http.stop, GRACE)

    async def _open_metrics(self) -> None:
        """A worker without the HTTP role is watched as well."""
        server = HttpServer(metrics_app(self.readiness), self.settings.http.metrics_address)
        await server.start()
        self._stack.push_async_callback(server.stop, 1.0)

    async def _open_smtp(self, stories: Stories, sandbox: Sandbox, sockets: list[socket.socket] | None) -> None:
        settings = self.settings
        evidence = await self._evidence(sandbox) if parts.strangers(settings) else None
        intake = Intake(
            self.db,
            self.blobs,
            sandbox,
            parts.limits(settings),
            tries=settings.fax.attempts,
            max_recipients=settings.smtp.max_recipients,
            delay_notice=settings.fax.delay_notice,
            evidence=evidence,
            bounces=Bounces(self.db, sandbox, stories.notify, settings.smarthost.sender),
        )
        await intake.refresh()
        await self._stack.enter_async_context(_rhythm(intake.refresh, ROUTING_EVERY))
        logins = Logins(self.db)
        self._stack.callback(logins.stop)
        self.smtp = SmtpServer(
            intake,
            hostname=settings.smtp.hostname,
            max_message_bytes=settings.smtp.max_message_bytes,
            listeners=parts.listeners(settings),
            limits=parts.smtp_limits(settings),
            sockets=sockets,
            authenticator=logins,
        )
        await self.smtp.start()
        self._stack.push_async_callback(self.smtp.stop, GRACE)

    async def _evidence(self, sandbox: Sandbox) -> Evidence:
        """Return who judges strangers; raises ConfigurationError while no name server answers."""
        resolver = parts.resolver(self.settings)
        for patience in (*DNS_PATIENCE, None):
            try:
                await resolver.check()
                break
            except ConfigurationError:
                if patience is None:
                    raise
            await asyncio.sleep(patience)
        evidence = Evidence(resolver, sandbox, parts.relays(self.settings))
        self._stack.callback(evidence.stop)
        return evidence

    # -- how it is -----------------------------------------------------------------------------------------------------

    async def readiness(self) -> dict[str, str]:
        """Return what is wrong with each part that must work before anything can be promised, "" when it works."""
        return {"database": await _fault(self._database_answers), "blobs": await _fault(self._blobs_take)}

    async def _database_answers(self) -> None:
        await asyncio.wait_for(self.db.write(ping), 10)

    async def _blobs_take(self) -> None:
        key = await self.blobs.put_bytes(b"ready?")
        await asyncio.to_thread(self.blobs.remove, key)

    def _in_turn(
        self, name: str, every: timedelta, work: Callable[[], Awaitable[object]]
    ) -> Callable[[], Awaitable[None]]:
        """Return *work* as it is done once in *every* by all processes together."""

        async def once() -> None:
            if await self.db.write(lambda tx: turn(tx, name, every * 0.9)):
                await work()

        return once

    async def _count_waiting(self) -> None:
        await gate.measure(self.db, self.settings.carrier.kind)
        metrics.faxes_held.set(int(await scalar(self.db, faxes.waiting_for_a_person()) or 0))
        metrics.attempts_unknown.set(int(await scalar(self.db, attempts.unknown()) or 0))

    async def _fail_when(self, lost: asyncio.Event) -> None:
        await lost.wait()
        self.failed = True
        self.stopping.set()

    @asynccontextmanager
    async def _watchdog(self) -> AsyncIterator[None]:
        interval = systemd.watchdog_interval()
        if interval is None:
            yield
            return
        async with _rhythm(self._feed, interval / 2):
            yield

    async def _feed(self) -> None:
        """A daemon whose database does not answer is not alive: systemd shall start it anew."""
        await self._database_answers()
        systemd.notify("WATCHDOG=1")


async def _fault(probe: Callable[[], Awaitable[None]]) -> str:
    try:
        await probe()
    except Exception as error:
        log.warning("not ready", why=repr(error))
        return "does not answer"
    return ""


@asynccontextmanager
async def _rhythm(work: Callable[[], Awaitable[object]], seconds: float) -> AsyncIterator[None]:
    """Do *work* again and again, *seconds* apart; a failure is logged and the rhythm goes on."""

    async def beat() -> None:
        while True:
            try:
                await work()
            except Exception:
                log.exception("a regular task failed", task=getattr(work, "__qualname__", ""))
            await asyncio.sleep(seconds)

    task = asyncio.create_task(beat())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    db = await open_database(settings.database.url)
    try:
        await migrate.require_current(db)
        yield db
    finally:
        await db.close()


# -- the process -------------------------------------------------------------------------------------------------------


def serve(settings: Settings, roles: set[str] | frozenset[str] = ROLES) -> int:
    """Run until SIGTERM or SIGINT; return the exit code. Raises ConfigurationError (exit 78) before it is ready."""
    logs.configure(settings.logs.format, settings.logs.level)
    if roles != ROLES and settings.database.sqlite is not None:
        raise ConfigurationError("--only needs PostgreSQL: a SQLite database has one process; change [database] url")
    return asyncio.run(_serve(settings, frozenset(roles)))


def settle() -> None:
    """Leave what was made at the start, which stays to the end, out of every later look for garbage."""
    gc.collect()
    gc.freeze()


async def _serve(settings: Settings, roles: frozenset[str]) -> int:
    daemon = Daemon(settings, roles)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, daemon.stopping.set)
    await daemon.start()
    settle()
    where = {
        "smtp": [f"{host}:{port}" for host, port in daemon.smtp.addresses] if daemon.smtp else [],
        "http": "{}:{}".format(*daemon.http.address) if daemon.http else "",
    }
    log.info("ready", **where)
    systemd.notify("READY=1", f"STATUS=serving {', '.join(sorted(roles))}")
    try:
        healthy = await daemon.wait()
    finally:
        await daemon.stop()
    log.info("stopped", healthy=healthy)
    return 0 if healthy else 1
