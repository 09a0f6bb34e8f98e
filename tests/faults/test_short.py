"""Each fault in a short run: whatever breaks, nothing is lost, doubled, stuck or untrue."""

from pathlib import Path

import pytest

from tests.faults.catalogue import FAULTS
from tests.faults.fault import Fault

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]


@pytest.mark.parametrize("fault", FAULTS, ids=[f"{fault.name}-{fault.title.split(',')[0]}" for fault in FAULTS])
async def test_the_promises_hold_under(fault: Fault, tmp_path: Path) -> None:
    report = await fault.run(tmp_path, fault.short)
    assert report.injected, "nothing was broken"
    report.verdict.require()
