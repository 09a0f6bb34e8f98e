"""Several processes of one gateway behind a load balancer, as on several machines."""

import asyncio
import contextlib
import itertools
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import postgres, s3
from tests.faults.listening import closed
from tests.faults.scene import Scene, scene
from tests.scenarios.installation import Installation, Process, reserved


class Balancer:
    """Takes connections on *port* and passes each on to the next of *backends* that takes it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._backends: list[int] = []
        self._turn = itertools.count()
        self._open: dict[asyncio.Task[None], int] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self._port, reuse_address=True)

    async def stop(self) -> None:
        """Listen no more, and cut what is open."""
        assert self._server is not None
        await closed(self._server)
        for port in list(self._backends):
            self.without(port)
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def with_(self, port: int) -> None:
        """Use a backend from now on."""
        if port not in self._backends:
            self._backends.append(port)

    def without(self, port: int) -> None:
        """Use a backend no more: it does not answer its health checks. Its connections are cut."""
        if port in self._backends:
            self._backends.remove(port)
        for task, used in self._open.items():
            if used == port:
                task.cancel()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            for _ in range(len(self._backends)):
                port = self._backends[next(self._turn) % len(self._backends)]
                with contextlib.suppress(OSError):
                    backwards, forwards = await asyncio.open_connection("127.0.0.1", port)
                    await self._join(port, (reader, forwards), (backwards, writer))
                    return

    async def _join(self, port: int, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        tasks = [asyncio.create_task(_pump(*way)) for way in ways]
        self._open.update(dict.fromkeys(tasks, port))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
                del self._open[task]
            await asyncio.gather(*tasks, return_exceptions=True)
            ways[0][1].close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()


@dataclass
class Node:
    """One machine: its *name*, what it does, and its own ports."""

    cluster: "Cluster"
    name: str
    roles: str
    smtp_port: int
    http_port: int
    process: Process | None = None

    async def start(self, environment: Mapping[str, str] | None = None) -> None:
        """Start it, and have the balancers use it."""
        ours = {
            "FAXGATE_NODE__NAME": self.name,
            "FAXGATE_HTTP__ADDRESS": f"127.0.0.1:{self.http_port}",
            "FAXGATE_SMTP__LISTENERS": json.dumps([{"address": f"127.0.0.1:{self.smtp_port}"}]),
        }
        self.process = await self.cluster.house.start(environment={**ours, **(environment or {})}, only=self.roles)
        self._seen(up=True)

    def _seen(self, *, up: bool) -> None:
        for role, balancer, port in (
            ("smtp", self.cluster.smtp, self.smtp_port),
            ("http", self.cluster.http, self.http_port),
        ):
            if role in self.roles:
                (balancer.with_ if up else balancer.without)(port)

    async def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self._seen(up=False)
        await self.process.kill()

    def pause(self) -> None:
        """Have it stand still."""
        assert self.process is not None
        self._seen(up=False)
        self.process.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it go on."""
        assert self.process is not None
        self.process.process.send_signal(signal.SIGCONT)

    async def restarted(self) -> None:
        """End it as systemd does, whether it has noticed by itself that it shall or not, and start it again."""
        assert self.process is not None
        await self.process.stop()
        await self.start()


@dataclass
class Cluster:
    """The machines of one gateway; ``smtp`` and ``http`` are what the world sees of them."""

    stage: Scene
    smtp: Balancer
    http: Balancer
    nodes: list[Node] = field(default_factory=list)

    @property
    def house(self) -> Installation:
        """What they share."""
        return self.stage.house


@contextlib.asynccontextmanager
async def cluster(folder: Path, roles: Sequence[str]) -> AsyncIterator[Cluster]:
    """PostgreSQL, S3, and one machine for each of *roles*, none of them started yet."""
    async with contextlib.AsyncExitStack() as stack:
        database = stack.enter_context(postgres.running())
        blobs = stack.enter_context(s3.running())
        url = database.create("cluster")
        stage = await stack.enter_async_context(scene(folder, database_url=url, blobs=blobs.settings("tests")))
        made = Cluster(stage, Balancer(stage.house.smtp_port), Balancer(stage.house.http_port))
        for balancer in (made.smtp, made.http):
            await balancer.start()
            stack.push_async_callback(balancer.stop)
        for number, role in enumerate(roles):
            smtp, http = (stack.enter_context(reserved()) for _ in range(2))
            made.nodes.append(Node(made, f"machine-{number}", role, smtp, http))
        stack.push_async_callback(_end, made)
        yield made


async def _end(made: Cluster) -> None:
    for node in made.nodes:
        if node.process is not None:
            await node.process.kill()
