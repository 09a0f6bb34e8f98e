"""A message that is far too large costs the daemon no memory, and the sender hears why."""

from pathlib import Path

import pytest

from tests.scenarios.flood import LINES, NO_LINES, flood
from tests.scenarios.installation import CLINIC, REALM, SENDER, installed

pytestmark = pytest.mark.full
MB = 1_000_000


@pytest.mark.parametrize(("total", "chunk"), [(200 * MB, LINES), (600 * MB, NO_LINES)], ids=["200 MB", "one line"])
async def test_a_flood_costs_no_memory_and_is_refused(tmp_path: Path, total: int, chunk: bytes) -> None:
    async with installed(tmp_path, f"sqlite:///{tmp_path}/faxgate.db") as house, house.serving() as running:
        await house.mail(CLINIC)
        await house.until(lambda: house.mails(SENDER, "receipt"), "the receipt")  # everything is warm
        result = await flood(house.smtp_port, running.process.pid, total, chunk)
        assert result.reply.startswith("552 5.3.4 ")
        assert len(result.waits) > 10, "others were served meanwhile"
        assert result.largest - result.before <= 30
        assert not list((tmp_path / "blobs" / "incoming").iterdir()), "nothing of it stays"
        assert "taken as" in await house.mail(CLINIC)
        await house.until(lambda: len(house.mails(f"ward@{REALM}")) == 2, "the next fax")
