"""Logins: the same effort for every name, and ever slower after failures."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway import passwords
from gateway.account import SmtpUser
from gateway.errors import Kind, Refusal
from gateway.provisioning import Provisioning
from gateway.smtp import auth
from gateway.smtp.auth import Delays, Logins
from gateway.store import migrate
from gateway.store.database import Database, open_database

PASSWORD = "correct horse"
PEER = "192.0.2.7"


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
async def db(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_database(f"sqlite:///{tmp_path / 'faxgate.db'}")
    await migrate.upgrade(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def user(db: Database) -> SmtpUser:
    rules = Provisioning(db, mail_host="fax.example")
    account, _ = await rules.create_account("Acme", "acme.example")
    box = await rules.create_faxbox(account.id, {"name": "ward", "permit": ["desk@clinic.example", "d.*@x.example"]})
    return await rules.create_smtp_user(account.id, box.id, "Desk", PASSWORD)


@pytest.fixture
async def time() -> Time:
    return Time()


@pytest.fixture
async def logins(db: Database, user: SmtpUser, time: Time) -> AsyncIterator[Logins]:
    made = Logins(db, clock=time.clock, sleep=time.sleep)
    yield made
    made.stop()


async def refused(logins: Logins, name: str, password: str, peer: str = PEER) -> Kind:
    with pytest.raises(Refusal) as refusal:
        await logins.login(name, password, peer)
    return refusal.value.reason.kind


async def test_who_knows_the_password_is_known_with_faxbox_and_addresses(logins: Logins, user: SmtpUser) -> None:
    found = await logins.login(" DESK", PASSWORD, PEER)
    assert found == user
    assert found.addresses == ["desk@clinic.example"]
    assert found.owns("Desk@Clinic.example")
    assert not found.owns("boss@clinic.example")


@pytest.mark.parametrize("password", ["wrong horse", "", "correct horse\0", "x" * 5000, "\udcff"])
async def test_any_other_password_is_refused(logins: Logins, password: str) -> None:
    assert await refused(logins, "desk", password) is Kind.LOGIN_FAILED


@pytest.mark.parametrize("name", ["nobody", "", "x" * 300, "a\nb", "\udcff"])
async def test_a_name_that_nobody_has_costs_the_same_check(
    logins: Logins, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    checked: list[tuple[str, str]] = []
    fits = passwords.fits

    def noted(password: str, stored: str) -> bool:
        checked.append((password, stored.rpartition("$")[0].rpartition("$")[0]))
        return fits(password, stored)

    monkeypatch.setattr(passwords, "fits", noted)
    assert await refused(logins, name, PASSWORD) is Kind.LOGIN_FAILED
    assert await refused(logins, "desk", "wrong horse") is Kind.LOGIN_FAILED
    (_, of_nobody), (_, of_desk) = checked
    assert of_nobody == of_desk  # the same algorithm at the same costs


async def test_failures_make_the_next_try_of_that_name_later_and_success_clears_them(
    logins: Logins, time: Time
) -> None:
    for _ in range(5):
        await refused(logins, "desk", "wrong horse")
    assert time.slept == [1.0, 2.0, 4.0]
    await logins.login("desk", PASSWORD, PEER)
    del time.slept[:]
    await logins.login("desk", PASSWORD, "203.0.113.1")  # the name alone has failed too seldom to cost anything
    assert time.slept == []


def test_tries_side_by_side_wait_for_each_other_and_the_last_are_sent_away() -> None:
    delays = Delays(Time().clock)
    for number in range(7):
        delays.failed(f"user{number}", "192.0.2.0/24")
    places = [delays.book(f"more{number}", "192.0.2.0/24") for number in range(8)]
    assert places == [4.0, 8.0, 12.0, 16.0, 20.0, 24.0, 24.0, 24.0]
    assert places[-1] > auth.PATIENCE
    assert delays.book("desk", "203.0.113.0/24") == 0.0


def test_who_guesses_from_many_networks_does_not_lock_the_owner_out() -> None:
    time = Time()
    delays = Delays(time.clock)
    for network in range(12):
        for _ in range(4):
            delays.failed("desk", f"198.51.{network}.0/24")
    time.now += 60
    guesses = [delays.book("desk", f"198.51.{network}.0/24") for network in range(12)]
    assert guesses == [0.0, 5.0, 10.0, 15.0, 20.0] + [25.0] * 7, "one at a time, wherever from"
    assert [delays.book("desk", "192.0.2.0/24") for _ in range(2)] == [5.0, 10.0]
    for _ in range(auth.PAIR.free):
        delays.failed("desk", "192.0.2.0/24")
    assert delays.book("desk", "192.0.2.0/24") == 25.0


def test_who_guesses_once_from_each_of_very_many_networks_gets_a_guess_a_second() -> None:
    time = Time()
    delays = Delays(time.clock)
    for network in range(10):
        delays.failed("desk", f"198.51.{network}.0/24")
    time.now += 60
    guesses = [delays.book("desk", f"203.0.{network}.0/24") for network in range(18)]
    assert guesses == [1.0, *(float(second) for second in range(2, 19))]


@pytest.mark.parametrize(
    ("peer", "same", "other"),
    [("192.0.2.7", "192.0.2.200", "192.0.3.7"), ("2001:db8:1:2::7", "2001:db8:1:ffff::1", "2001:db8:2:2::7")],
)
def test_what_counts_as_one_network(peer: str, same: str, other: str) -> None:
    assert auth._network(peer) == auth._network(same) != auth._network(other)


async def test_who_would_wait_too_long_is_asked_to_come_again(logins: Logins, time: Time) -> None:
    for _ in range(8):
        logins._delays.failed("desk", "192.0.2.0/24")
    assert await refused(logins, "desk", PASSWORD) is Kind.LOGIN_LATER
    assert time.slept == []
    time.now += 60
    await logins.login("desk", PASSWORD, PEER)


async def test_guesses_that_wait_for_their_time_keep_nobody_else_from_logging_in(
    db: Database, user: SmtpUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth, "MOST_WAITING", 2)
    asleep = asyncio.Semaphore(0)

    async def sleep(seconds: float) -> None:
        asleep.release()
        await asyncio.Event().wait()

    logins = Logins(db, sleep=sleep)
    guesses = []
    for number in range(3):
        for _ in range(4):
            logins._delays.failed(f"guess{number}", f"198.51.{number}.0/24")
        guesses.append(asyncio.create_task(logins.login(f"guess{number}", "wrong", f"198.51.{number}.1")))
        await asyncio.wait_for(asleep.acquire(), 20)
    assert (await logins.login("desk", PASSWORD, PEER)).name == user.name
    for guess in guesses:
        guess.cancel()
    await asyncio.gather(*guesses, return_exceptions=True)
    logins.stop()


def test_what_is_remembered_is_bounded_and_fades(monkeypatch: pytest.MonkeyPatch) -> None:
    time = Time()
    delays = Delays(time.clock)
    for _ in range(8):
        delays.failed("desk", "192.0.2.0/24")
    assert delays.book("desk", "192.0.2.0/24") == 60.0
    time.now += auth.FORGET_AFTER + 1
    assert delays.book("desk", "192.0.2.0/24") == 0.0
    monkeypatch.setattr(auth, "MOST_KEYS", 30)
    for number in range(100):
        delays.failed(f"user{number}", "198.51.100.0/24")
    assert len(delays._records) <= 30
    assert delays.book("somebody", "198.51.100.0/24") == 10.0  # the network was not forgotten


async def test_passwords_are_checked_off_the_loop(logins: Logins) -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    await logins.login("desk", PASSWORD, PEER)
    counting.cancel()
    assert turns > 100
