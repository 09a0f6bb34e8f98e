"""A fax out: collect its documents, prepare its pages, transmit them, settle what the carrier says, resolve what is
not clear."""

from gateway.outbox.collect import COLLECT, Collect
from gateway.outbox.command import Command
from gateway.outbox.decide import Decide
from gateway.outbox.delay import Delay
from gateway.outbox.enter import enter
from gateway.outbox.hold import Hold
from gateway.outbox.policy import HELD, Policy
from gateway.outbox.prepare import PREPARE, Prepare
from gateway.outbox.resolve import RESOLVE, Resolve
from gateway.outbox.settle import Settle
from gateway.outbox.text import TEXT, Text
from gateway.outbox.transmit import CANCEL, TRANSMIT, WITHDRAW, Transmit

__all__ = [
    "CANCEL",
    "COLLECT",
    "HELD",
    "PREPARE",
    "RESOLVE",
    "TEXT",
    "TRANSMIT",
    "WITHDRAW",
    "Collect",
    "Command",
    "Decide",
    "Delay",
    "Hold",
    "Policy",
    "Prepare",
    "Resolve",
    "Settle",
    "Text",
    "Transmit",
    "enter",
]
