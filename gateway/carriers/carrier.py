"""What the gateway asks of a carrier. One file per carrier, all of this shape."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from gateway.attempt import Handle
from gateway.carrier_event import CarrierEvent, CarrierFax
from gateway.fax import Direction, Quality


@dataclass(frozen=True, slots=True)
class Order:
    """One fax to hand over. ``handle`` is a URL (Handle.TOKEN) or a name in the carrier's media (Handle.MEDIA)."""

    connection_id: str
    to_number: str
    from_number: str
    client_state: str
    handle_kind: Handle
    handle: str
    from_name: str = ""
    quality: Quality = Quality.HIGH
    t38: bool = True
    monochrome: bool = False
    webhook_url: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has the fax under its own id."""

    carrier_fax_id: str


@dataclass(frozen=True, slots=True)
class Throttled:
    """Not accepted; come back after ``wait`` (HTTP 429)."""

    wait: timedelta


@dataclass(frozen=True, slots=True)
class Rejected:
    """Certainly not accepted. ``failure_reason`` is the carrier's word or ours; ``passing``: trying again may help
    (no connection was made)."""

    failure_reason: str
    detail: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The carrier may or may not have accepted the fax: time-out, reset, 408, 409, 5xx."""

    detail: str


HandingOver = Accepted | Throttled | Rejected | Unknown


class CarrierError(Exception):
    """The carrier could not be asked. ``status`` is its HTTP status, 0 when there was no answer; ``until`` is when
    it is asked again if it was not asked now, because it has a rest."""

    def __init__(self, message: str, status: int = 0, until: datetime | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.until = until


class Carrier(Protocol):
    """A carrier. No method retries anything; ``hand_over`` makes exactly one request and never raises for what the
    network or the carrier did. All other methods raise CarrierError."""

    name: str

    async def rest(self) -> datetime | None:
        """Return until when nothing may be handed over; None when it may begin now. May wait a little."""

    async def hand_over(self, order: Order) -> HandingOver:
        """Make the one request that may start a fax."""

    def faxes(self, direction: Direction, since: datetime, to: str = "", from_: str = "") -> AsyncIterator[CarrierFax]:
        """List faxes created at or after *since*, to the end; raise CarrierError if the end was not reached."""

    async def fax(self, carrier_fax_id: str) -> CarrierFax | None:
        """Return one fax, or None when the carrier knows none by this id."""

    async def cancel(self, carrier_fax_id: str) -> bool:
        """Ask to stop a fax; False when it is too late."""

    async def refresh(self, carrier_fax_id: str) -> None:
        """Renew the link to a received document."""

    async def upload(self, name: str, content: bytes, media_type: str) -> None:
        """Put a document into the carrier's media storage, replacing one of the same name."""

    async def remove(self, name: str) -> None:
        """Delete a document from the carrier's media storage; a missing one is no error."""

    async def text(self, from_number: str, to_number: str, words: str) -> None:
        """Send a text (SMS)."""

    async def forget(self, carrier_fax_id: str) -> None:
        """Delete what the carrier keeps of a fax that is at its end; a missing one is no error."""

    async def check(self) -> str:
        """Ask something harmless with our credentials and return a sentence of what was found."""

    def event(self, raw: bytes) -> CarrierEvent:
        """Read the body of a webhook (already verified). Raises ValueError when it is malformed."""

    async def close(self) -> None:
        """Close connections."""
