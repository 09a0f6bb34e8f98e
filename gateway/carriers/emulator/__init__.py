"""The carrier's side of Telnyx's fax API, for trials and tests: a telephone network in one process.

``Emulator`` runs it inside a program, ``python -m gateway.carriers.emulator`` alone. State is in memory.
"""

from gateway.carriers.emulator.app import Emulator
from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.carriers.emulator.settings import Connection, EmulatorSettings, Faults

__all__ = ["Connection", "EmulatedFax", "Emulator", "EmulatorSettings", "Faults"]
