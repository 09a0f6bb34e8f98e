"""All faults, in the order of the table."""

from tests.faults import carrier, kill, smarthost
from tests.faults.fault import Fault

FAULTS: tuple[Fault, ...] = (
    kill.FAULT,
    carrier.AMBIGUOUS,
    carrier.WEBHOOKS,
    smarthost.FAULT,
)
