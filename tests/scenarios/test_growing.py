"""A gateway of one file grows to several machines, step by step as docs/operations.md says, with faxes waiting."""

import asyncio
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest

from tests import postgres, s3
from tests.faults.scene import scene
from tests.scenarios.installation import reserved

pytestmark = [pytest.mark.full, pytest.mark.timeout(300)]
MAILS = 10


async def test_a_gateway_of_one_file_grows_to_several_machines(
    tmp_path: Path, postgres_server: postgres.Postgres
) -> None:
    with s3.running() as blobs, reserved() as watched:
        async with scene(tmp_path) as stage:
            house = stage.house
            alone = await house.start()
            await stage.receive()
            for _ in range(MAILS):
                stage.mail()
            await stage.answered()
            # Behind the last answer, so that much is still to be done.
            assert await alone.stop() == 0
            house.database_url = postgres_server.create(f"grown_{uuid4().hex}")
            house.blobs = blobs.settings("tests")
            house.write_settings()
            code, printed = await house.run(
                *("migrate", "--copy-from", f"sqlite:///{tmp_path}/faxgate.db"),
                *("--copy-blobs-from", f"file://{tmp_path}/blobs"),
            )
            assert code == 0, printed
            assert f"{MAILS + 1} faxes among them" in printed
            for left in (tmp_path / "faxgate.db", tmp_path / "blobs"):
                left.rename(tmp_path / f"{left.name}.old")
            await house.start(only="smtp,http")
            environment = {"FAXGATE_HTTP__METRICS_ADDRESS": f"127.0.0.1:{watched}"}
            worker = await house.start(only="worker", environment=environment)
            async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{watched}/readyz") as answer:
                assert await answer.json() == {"ready": True, "parts": {"database": "", "blobs": ""}}
            async with stage.load(mails=3, faxes=1):
                await asyncio.sleep(1.0)
            verdict = await stage.judged()
            assert verdict.acked > MAILS
            assert verdict.received > 1
            assert await worker.stop() == 0
