"""All faults, in the order of the table."""

from tests.faults import (
    backup,
    carrier,
    clock,
    disk,
    down,
    kill,
    machines,
    mails,
    poison,
    smarthost,
    soak,
    stop,
    synced,
    upgrade,
)
from tests.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    kill.FAULT,
    disk.POWER,
    synced.FAULT,
    disk.FULL,
    disk.FAILING,
    disk.LOCKED,
    clock.FAULT,
    carrier.AMBIGUOUS,
    down.FAULT,
    down.DAY,
    carrier.WEBHOOKS,
    carrier.LINKS,
    smarthost.FAULT,
    stop.FAULT,
    machines.FAULT,
    poison.FAULT,
    mails.LOST,
    mails.LOOPS,
    soak.FAULT,
    backup.FAULT,
    upgrade.FAULT,
)
