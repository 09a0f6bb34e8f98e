"""What one page of fifty faxes costs over HTTP, among a million, beside a handler that does nothing."""

import asyncio
import re
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from uuid import UUID

from benchmarks.figures import HEADER, cpu_seconds, spread
from gateway.store.database import open_database
from gateway.store.schema import accounts, faxes
from gateway.web.kazoo.listing import key_of
from tests.scenarios.installation import Installation, installed

FAXES, PAGE, ROUNDS, SECONDS = 1_000_000, 50, 7, 2
FAR = 10_000
FIRST = datetime(2024, 1, 1, tzinfo=UTC)

#: The HTTP role alone, and next to nothing.
DOOR = """
import asyncio, sys
from pathlib import Path
from gateway import logs
from gateway.daemon import Daemon, settle
from gateway.settings import load

async def main():
    settings = load(Path(sys.argv[1]))
    logs.configure("json", "warning")
    daemon = Daemon(settings, frozenset({"http"}))
    await daemon.start()
    settle()
    print(settings.http.address, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await daemon.stop()

asyncio.run(main())
"""
TRIVIAL = """
import asyncio, sys
from aiohttp import web

async def hello(request):
    return web.json_response({"data": "hello"})

async def main():
    app = web.Application()
    app.router.add_get("/", hello)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print("127.0.0.1:%d" % site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


async def run() -> None:
    """A list of fifty faxes: page 1 and page 10,000 of a million, and a handler that does nothing (wrk)."""
    if shutil.which("wrk") is None:
        print("wrk is not installed (Debian: apt install wrk)", file=sys.stderr)
        return
    print(HEADER)
    with tempfile.TemporaryDirectory() as folder:
        async with installed(Path(folder), f"sqlite:///{folder}/faxgate.db") as house:
            account_id = await _account(house)
            await asyncio.to_thread(_fill, Path(folder) / "faxgate.db", account_id)
            token = house.token
            path = f"/v2/accounts/{account_id.hex}/faxes/outbox?page_size={PAGE}"
            far = f"{path}&start_key={_key(FAXES - (FAR - 1) * PAGE)}"
            async with _serving(DOOR, str(house.config)) as (door, address), _serving(TRIVIAL) as (nothing, other):
                asked = {
                    f"page 1 of {FAXES // PAGE:,}": (door, f"http://{address}{path}"),
                    f"page {FAR:,}": (door, f"http://{address}{far}"),
                    "a handler that does nothing": (nothing, f"http://{other}/"),
                }
                near, distant, trivial = await _measure(asked, token)
    by_rate = f"{near[0] / distant[0]:.2f}; page 1 : nothing = {trivial[0] / near[0]:.2f}"
    by_cpu = f"{distant[1] / near[1]:.2f}; page 1 : nothing = {near[1] / trivial[1]:.2f}"
    print(f"page {FAR:,} : page 1 by requests = {by_rate}")
    print(f"page {FAR:,} : page 1 by CPU = {by_cpu}")


async def _measure(asked: dict[str, tuple[int, str]], token: str) -> list[tuple[float, float]]:
    """Print requests a second and CPU milliseconds for one, of a process and a URL by name; return the medians of both.
    They take turns, so that whatever else the machine does is shared by all."""
    rates: dict[str, list[float]] = {name: [] for name in asked}
    costs: dict[str, list[float]] = {name: [] for name in asked}
    for seconds in (1, *[SECONDS] * ROUNDS):
        for name, (pid, url) in asked.items():
            before = cpu_seconds(pid)
            requests = await _wrk(url, token, seconds)
            costs[name].append((cpu_seconds(pid) - before) / requests * 1000)
            rates[name].append(requests / seconds)
    for name in asked:  # without the first round, which warms up
        print(spread(name, rates[name][1:], "requests/s"))
        print(spread("  CPU of the process", costs[name][1:], "ms a request"))
    return [(median(rates[name][1:]), median(costs[name][1:])) for name in asked]


async def _wrk(url: str, token: str, seconds: int) -> int:
    """Return how many requests were answered with 200 in so many seconds."""
    process = await asyncio.create_subprocess_exec(
        *("wrk", "-t1", "-c4", f"-d{seconds}s", "-H", f"X-Auth-Token: {token}", url), stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode()
    if "Non-2xx" in said:
        raise RuntimeError(said)
    return int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]  # wrk always says so


@asynccontextmanager
async def _serving(program: str, *arguments: str) -> AsyncIterator[tuple[int, str]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", program, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.pid, (await process.stdout.readline()).decode().strip()
    finally:
        process.stdin.close()
        await process.wait()


async def _account(house: Installation) -> UUID:
    db = await open_database(house.database_url)
    try:
        row = (await db.rows(accounts.select()))[0]
        return UUID(str(row["id"]))
    finally:
        await db.close()


def _fill(file: Path, account_id: UUID) -> None:
    """Make a million delivered faxes of an account, a second apart."""
    values = {
        "id": "printf('%032x', n)",
        "account_id": f"'{account_id.hex}'",
        "direction": "'outbound'",
        "origin": "'kazoo'",
        "state": "'delivered'",
        "from_number": "'+12025550100'",
        "to_number": "'+1202' || (2000000 + n % 7999999)",
        "to_name": "'Dr. Who'",
        "from_name": "'St. Mary'",
        "parts": "'[]'",
        "notify": "'[\"ward@example.com\"]'",
        "documents": "'[]'",
        "extra": """'{"kazoo": {"retries": 3, "document": {"url": "http://a.example/fax.pdf", "method": "get"}}}'""",
        "pages": "3",
        "pages_sent": "3",
        "tries": "1",
        "tries_allowed": "3",
        **dict.fromkeys(
            ("created_at", "updated_at", "finished_at"),
            f"strftime('%Y-%m-%d %H:%M:%S.000000', {int(FIRST.timestamp())} + n, 'unixepoch')",
        ),
    }
    assert set(values) <= set(faxes.c.keys())
    numbers = f"WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {FAXES})"
    with sqlite3.connect(file) as connection:
        connection.execute(
            f"{numbers} INSERT INTO faxes ({', '.join(values)}) SELECT {', '.join(values.values())} FROM numbers"
        )
        connection.execute("ANALYZE")
    connection.close()


def _key(number: int) -> str:
    return key_of((FIRST + timedelta(seconds=number), UUID(int=number)))
