"""The running APIs against their own description: whatever it allows is asked, and nothing that comes back may be a
fault of ours or differ from what is described."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from gateway.dialects import kazoo
from gateway.fax import Direction, State
from tests.integration.kazoo_house import a_fax, keep
from tests.integration.web_house import House, opened, record

pytestmark = pytest.mark.full
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "unsupported_method",
)
#: So many requests for each operation, well-formed and not.
EXAMPLES = 25
FOLDERS = {
    "outgoing": (State.QUEUED, Direction.OUTBOUND),
    "outbox": (State.DELIVERED, Direction.OUTBOUND),
    "incoming": (State.RECEIVING, Direction.INBOUND),
    "inbox": (State.RECEIVED, Direction.INBOUND),
}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(f"sqlite:///{tmp_path / 'faxgate.db'}", tmp_path) as house:
        yield house


def _table(name: str, ids: dict[str, str]) -> str:
    return f"[{name}]\n" + "".join(f'"path.{one}" = "{value}"\n' for one, value in ids.items())


async def _faxes(house: House, account_id: UUID, faxbox_id: UUID) -> str:
    """Make a fax for each operation that is about one, in its folder; return the settings that say which."""
    async with house.client.get(f"{house.origin}/openapi.json") as response:
        paths = (await response.json())["paths"]
    blob = await house.blobs.put_bytes(b"%PDF-1.7")
    about: dict[str, Any] = {"faxbox_id": faxbox_id, "pages_blob": blob, "media_type": "application/pdf"}
    said = ""
    for path, methods in paths.items():
        folder = next((name for name in FOLDERS if f"/{name}/" in path), None)
        for method in methods if folder else ():
            fax = a_fax(account_id, *FOLDERS[str(folder)], **about)
            await keep(house, fax)
            said += f'[[operations]]\ninclude-name = "{method.upper()} {path}"\n'
            said += _table("operations.parameters", {"fax_id": kazoo.fax_id(fax)})
    assert said
    return said


@pytest.mark.timeout(600)
# aiohttp warns of the headers of a part that it cannot read; it takes the part all the same.
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionHeader")
@pytest.mark.filterwarnings("ignore::aiohttp.multipart.BadContentDispositionParam")
async def test_what_the_apis_answer_is_what_they_describe(house: House, tmp_path: Path) -> None:
    account, token = await house.account("a.example")
    box = await house.provisioning.create_faxbox(account.id, {"name": "box"})
    await house.provisioning.assign_number("+12025550177", box.application_id, box.id)  # so that it stays
    log = record(account.id)
    await house.log(log)
    settings = tmp_path / "schemathesis.toml"
    ids = {"account_id": account.id.hex, "faxbox_id": box.id.hex, "attempt_id": log.id.hex}
    said = _table("parameters", ids) + await _faxes(house, account.id, box.id)
    await asyncio.to_thread(settings.write_text, said)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings)),
        *("run", f"{house.origin}/openapi.json", "--header", f"Authorization: Bearer {token}"),
        *("--checks", ",".join(CHECKS), "--max-examples", str(EXAMPLES), "--phases", "examples,coverage,fuzzing"),
        *("--workers", "1", "--seed", "1", "--generation-database", "none", "--no-color"),
        cwd=tmp_path,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await process.communicate())[0].decode()
    assert process.returncode == 0, said[-20_000:]
