"""Who logs in: passwords are checked off the loop, with the same effort for every name, and ever more slowly.

An attempt books its place with three rates, of the name at this network, of the network, and of the name; each makes
the next one later the more attempts have failed there. Nobody is locked out: whoever knows the password waits at most
as long as the bookings ask for, and one who would wait too long is told to come again. Where nobody has failed with a
name, its owner waits a few seconds and then in a faster row, since guesses from elsewhere can take all turns there are:
to fill that one, too, takes thousands of networks an hour, and they get no more than a guess a second.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from ipaddress import ip_network
from time import monotonic
from typing import Protocol

from gateway import logs, metrics, passwords
from gateway.account import SmtpUser
from gateway.errors import Kind, Refusal, refuse
from gateway.store import provision
from gateway.store.database import Database, one

log = logs.logger(__name__)

#: Passwords that are checked at the same time, and that may wait for a thread. Each takes 32 MiB and 50 ms.
THREADS = 2
MOST_WAITING = 64
#: The longest that an attempt is kept waiting, in seconds; beyond it the client is asked to come again.
PATIENCE = 20.0
#: Failures are forgotten after so many seconds without one.
FORGET_AFTER = 3600.0
MOST_KEYS = 20_000


@dataclass(frozen=True, slots=True)
class Rate:
    """The first ``free`` failures cost nothing; each further one doubles the distance, up to ``most`` seconds."""

    free: int
    most: float

    def distance(self, failures: int) -> float:
        """Return how far apart attempts are after so many failures, in seconds."""
        return 0.0 if failures < self.free else min(self.most, 2.0 ** min(failures - self.free, 16))


#: A name at one network; all names at one network; a name wherever from, which others can drive up: never far.
PAIR, NETWORK, NAME = Rate(2, 60.0), Rate(5, 10.0), Rate(10, 5.0)
#: A name at which many have failed, at a network where hardly anybody has.
NEW = Rate(0, 1.0)


class Authenticator(Protocol):
    """What the door asks about a login."""

    async def login(self, name: str, password: str, peer: str) -> SmtpUser:
        """Return who *name* is if *password* is his. *peer* is the client's address.

        Raises Refusal: LOGIN_FAILED (also for a name that nobody has), or LOGIN_LATER when there were too many.
        """


@dataclass(slots=True)
class _Record:
    failures: int = 0
    next_at: float = 0.0
    failed_at: float = 0.0


class Delays:
    """What failed lately, and how late the next attempt is therefore. At most ``MOST_KEYS`` are remembered."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def book(self, name: str, network: str) -> float:
        """Take the next free place and return how many seconds it is away; 0.0 for now, more than ``PATIENCE``
        when there is none (nothing is booked then)."""
        now = self._clock()
        found = [(self._record(key, now), rate) for key, rate in _keys(name, network)]
        (pair, _), _, (everywhere, _) = found
        delay = 0.0
        if pair.failures < PAIR.free:  # nobody guesses here: he is delayed, but not behind all who guess elsewhere
            delay = NAME.distance(everywhere.failures)
            found[-1:] = [(self._record(f"{name}|new", now), NEW)] if delay else []
        place = max([now + delay, *(record.next_at for record, _ in found)])
        if place - now <= PATIENCE:
            for record, rate in found:
                record.next_at = place + rate.distance(record.failures)
            pair.next_at = max(pair.next_at, place + delay)
        return place - now

    def failed(self, name: str, network: str) -> int:
        """Note a failure; return how many there were of this name at this network."""
        now = self._clock()
        for key, rate in _keys(name, network):
            record = self._record(key, now)
            record.failures += 1
            record.failed_at = now
            record.next_at = max(record.next_at, now + rate.distance(record.failures))
        return self._record(f"{name}|{network}", now).failures

    def succeeded(self, name: str, network: str) -> None:
        """Forget what failed of this name at this network: it was its owner."""
        self._records.pop(f"{name}|{network}", None)

    def _record(self, key: str, now: float) -> _Record:
        record = self._records.get(key)
        if record is None or (record.failures and now - record.failed_at > FORGET_AFTER):
            record = self._records[key] = _Record()
            if len(self._records) > MOST_KEYS:
                self._records.popitem(last=False)
        self._records.move_to_end(key)
        return record


def _keys(name: str, network: str) -> list[tuple[str, Rate]]:
    return [(f"{name}|{network}", PAIR), (f"@{network}", NETWORK), (f"{name}|", NAME)]


class Logins:
    """Serves ``Authenticator`` from the table of SMTP users. ``stop`` it at the end."""

    def __init__(
        self,
        db: Database,
        *,
        clock: Callable[[], float] = monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._db = db
        self._sleep = sleep
        self._delays = Delays(clock)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        #: Checked in place of the hash of a name that nobody has: it fits no password that can be sent.
        self._nobody: str | None = None

    def stop(self) -> None:
        """End the threads; what they are checking is finished."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def login(self, name: str, password: str, peer: str) -> SmtpUser:
        """See ``Authenticator``."""
        name, network = name.strip().casefold(), _network(peer)
        wait = self._delays.book(name, network)
        if wait > PATIENCE:
            raise _later()
        if wait > 0:
            await self._sleep(wait)
        if self._waiting >= MOST_WAITING:  # for a thread: who must wait for his time is in nobody's way
            raise _later()
        self._waiting += 1
        try:
            user = await self._checked(name, password)
        finally:
            self._waiting -= 1
        if user is None:
            raise self._failed(name, network, peer)
        self._delays.succeeded(name, network)
        metrics.smtp_logins.labels("ok").inc()
        return user

    async def _checked(self, name: str, password: str) -> SmtpUser | None:
        nobody = await self._nobodys()
        row = await one(self._db, provision.smtp_user_by_name(name)) if _storable(name) else None
        stored = nobody if row is None else row["password_hash"]
        loop = asyncio.get_running_loop()
        fits = await loop.run_in_executor(self._threads, _fits, password, stored)
        return provision.smtp_user_from(row) if fits and row is not None else None

    async def _nobodys(self) -> str:
        if self._nobody is None:
            loop = asyncio.get_running_loop()
            self._nobody = await loop.run_in_executor(self._threads, passwords.hashed, "\0")
        return self._nobody

    def _failed(self, name: str, network: str, peer: str) -> Refusal:
        failures = self._delays.failed(name, network)
        metrics.smtp_logins.labels("failed").inc()
        # The line that fail2ban reads; a name may be a password that was typed into the wrong field.
        log.warning("login failed", peer=peer, failures=failures)
        return refuse(Kind.LOGIN_FAILED, "the user name or the password is wrong; check both in the mail program")


def _later() -> Refusal:
    metrics.smtp_logins.labels("later").inc()
    return refuse(Kind.LOGIN_LATER, "too many logins have failed; wait a minute and try again")


def _fits(password: str, stored: str) -> bool:
    storable = password.isprintable() and len(password.encode()) <= passwords.MOST_BYTES
    return storable and passwords.fits(password, stored)


def _storable(name: str) -> bool:
    return 0 < len(name) <= 255 and name.isprintable()


def _network(peer: str) -> str:
    """Return what counts as one network: an IPv4 /24, an IPv6 /48 (a customer may have 65,536 of 64 bits)."""
    bits = 48 if ":" in peer else 24
    return str(ip_network(f"{peer}/{bits}", strict=False))
