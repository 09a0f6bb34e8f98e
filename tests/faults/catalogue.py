"""All faults, in the order of the table."""

from tests.faults import backup, carrier, kill, machines, smarthost
from tests.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    kill.FAULT,
    carrier.AMBIGUOUS,
    carrier.WEBHOOKS,
    smarthost.FAULT,
    machines.FAULT,
    backup.FAULT,
)
