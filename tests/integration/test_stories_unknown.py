"""An attempt whose outcome nobody knows: settled by evidence, and by a person's word where there is none."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest

from gateway.attempt import Attempt, AttemptState, Handle
from gateway.carrier_event import CarrierFax, Happened
from gateway.carriers.emulator import EmulatedFax
from gateway.events import EVENT
from gateway.fax import Direction, State
from gateway.notify import DELIVER
from gateway.outbox import RESOLVE, TRANSMIT
from gateway.store import attempts, schema
from gateway.telling import Tale
from tests.integration.between import Between
from tests.integration.engines import ENGINES, rows, store
from tests.integration.house import NUMBER, OPERATOR, SENDER, House, built, said, subjects


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    """Without patience: the second look at a list that decides nothing is the last."""
    async with store(request, tmp_path) as db, built(db, tmp_path, unknown_patience=timedelta(0)) as house:
        yield house


@pytest.fixture(params=ENGINES)
async def behind_nat(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path, webhooks=False) as house:
        yield house


async def unknown(house: House, *, accepted: bool) -> tuple[UUID, Attempt]:
    """Make a fax whose request got no answer, and which the carrier has *accepted* all the same, or not."""
    if accepted:
        house.emulator.faults.reset_after_accept = 1
    else:
        house.emulator.faults.fail_before_accept = 1
    fax_id = await house.queue()
    await house.step(TRANSMIT)
    (attempt,) = await house.attempts(fax_id)
    assert attempt.state is AttemptState.UNKNOWN
    assert (await house.fax(fax_id)).state is State.QUEUED
    return fax_id, attempt


async def fetch(attempt: Attempt, house: House) -> int:
    """Fetch the attempt's document as the carrier does; return the HTTP status."""
    url = house.policy.document_url(attempt.handle)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await response.read()
        return response.status


async def states(house: House, fax_id: UUID) -> list[AttemptState]:
    return [attempt.state for attempt in await house.attempts(fax_id)]


def listed(sent: EmulatedFax) -> EmulatedFax:
    """Let the carrier list *sent* without our client_state, as it may."""
    sent.client_state = ""
    return sent


# -- the carrier lists it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_client_state", [True, False])
async def test_what_the_carrier_lists_was_accepted(house: House, with_client_state: bool) -> None:
    house.emulator.faults.drop_webhooks = True
    fax_id, _ = await unknown(house, accepted=True)
    (sent,) = house.sent()
    if not with_client_state:
        listed(sent)
    await house.step(RESOLVE)
    (attempt,) = await house.attempts(fax_id)
    assert (attempt.state, attempt.carrier_fax_id) == (AttemptState.ACCEPTED, sent.id)
    assert await house.jobs() == []
    assert len(house.sent()) == 1


async def test_what_was_said_while_nobody_knew_is_heard_afterwards(house: House) -> None:
    """Words without our client_state cannot be matched until the carrier's id is known; they come only once."""
    house.emulator.faults.drop_webhooks = True
    fax_id, _ = await unknown(house, accepted=True)
    (sent,) = house.sent()
    listed(sent)
    await house.hear_of(said(Happened.SENDING, sent.id), said(Happened.DELIVERED, sent.id, pages=1))
    await house.step(RESOLVE)
    await house.drain(EVENT)
    assert (await house.fax(fax_id)).state is State.DELIVERED
    assert await house.told() == [("receipt", SENDER)]


async def test_an_event_with_our_client_state_settles_it_at_once(house: House) -> None:
    fax_id, _ = await unknown(house, accepted=True)
    await house.hear()
    assert (await house.fax(fax_id)).state is State.DELIVERED
    assert await states(house, fax_id) == [AttemptState.DELIVERED]
    assert await house.jobs(RESOLVE) == []


async def test_another_fax_to_the_same_number_is_no_evidence(house: House) -> None:
    """The carrier may list without client_state; what it lists may be an earlier fax of ours."""
    house.emulator.faults.drop_webhooks = True
    first = await house.queue()
    await house.step(TRANSMIT)
    (sent,) = house.sent()
    await house.emulator.settle()
    await house.hear_of(said(Happened.DELIVERED, sent.id))
    assert (await house.fax(first)).state is State.DELIVERED
    listed(sent)
    second, _ = await unknown(house, accepted=False)
    await house.drain(RESOLVE, TRANSMIT)
    assert await states(house, second) == [AttemptState.VOID, AttemptState.ACCEPTED]
    assert len(house.sent()) == 2


async def test_of_two_candidates_the_one_with_our_client_state_is_ours(house: House) -> None:
    house.emulator.faults.drop_webhooks = True
    fax_id, _ = await unknown(house, accepted=True)
    (sent,) = house.sent()
    other = listed(replace(sent, id="another", client_state=""))
    house.emulator._exchange.faxes[other.id] = other  # newer, so it is listed first
    await house.step(RESOLVE)
    assert (await house.attempts(fax_id))[0].carrier_fax_id == sent.id


async def test_a_fax_of_another_program_with_its_own_client_state_is_not_ours(house: House) -> None:
    house.emulator.faults.drop_webhooks = True
    fax_id, _ = await unknown(house, accepted=True)
    house.sent()[0].client_state = "c29tZWJvZHkgZWxzZQ=="
    await house.step(RESOLVE, times=2)
    assert (await states(house, fax_id))[0] is not AttemptState.ACCEPTED


# -- the carrier never had it ------------------------------------------------------------------------------------------


async def test_what_is_not_listed_and_was_never_fetched_is_withdrawn_looked_at_again_and_sent_anew(
    house: House,
) -> None:
    fax_id, old = await unknown(house, accepted=False)
    await house.step(RESOLVE)
    assert await states(house, fax_id) == [AttemptState.UNKNOWN], "withdrawn, but not yet given up"
    assert (await house.attempts(fax_id))[0].revoked_at is not None
    assert await house.jobs(TRANSMIT) == []
    assert await fetch(old, house) == 410
    assert await house.db.write(lambda tx: attempts.record_fetch(tx, old.handle)) is None

    await house.step(RESOLVE)
    assert await states(house, fax_id) == [AttemptState.VOID]
    await house.step(TRANSMIT)
    first, second = await house.attempts(fax_id)
    assert second.ordinal == 2
    assert second.client_state != first.client_state
    assert second.handle != first.handle
    await house.hear()
    fax = await house.fax(fax_id)
    assert (fax.state, fax.tries) == (State.DELIVERED, 1)
    assert len(house.sent()) == 1
    assert await fetch(old, house) == 410


async def test_a_fax_that_is_listed_only_at_the_second_look_was_accepted(house: House) -> None:
    house.emulator.settings.pace = 20  # it does not fetch the document for a while
    fax_id, attempt = await unknown(house, accepted=True)
    (sent,) = house.sent()
    del house.emulator._exchange.faxes[sent.id]
    await house.step(RESOLVE)
    assert (await house.attempts(fax_id))[0].revoked_at is not None
    house.emulator._exchange.faxes[sent.id] = sent
    await house.step(RESOLVE)
    assert await states(house, fax_id) == [AttemptState.ACCEPTED]
    assert await fetch(attempt, house) == 200, "the carrier may come for its document"


async def test_until_it_is_decided_the_line_is_held(house: House) -> None:
    fax_id, _ = await unknown(house, accepted=False)
    other = await house.queue()
    await house.step(RESOLVE)
    assert [row["state"] for row in await house.jobs(TRANSMIT)] == ["blocked"]
    await house.step(RESOLVE)
    ready = {row["subject"]: row["state"] for row in await house.jobs(TRANSMIT)}
    assert ready == {str(other): "ready", str(fax_id): "blocked"}, "who waited goes first"


async def test_behind_nat_a_withdrawn_document_is_removed_from_the_carriers_storage(behind_nat: House) -> None:
    house = behind_nat
    fax_id, old = await unknown(house, accepted=False)
    assert old.handle_kind is Handle.MEDIA
    assert house.emulator.media.get(old.handle) is not None
    await house.step(RESOLVE)
    assert house.emulator.media.get(old.handle) is None
    await house.drain(RESOLVE, TRANSMIT)
    await house.emulator.settle()
    assert len(house.sent()) == 1
    assert await states(house, fax_id) == [AttemptState.VOID, AttemptState.ACCEPTED]


async def test_what_was_given_up_and_arrives_after_all_has_arrived(house: House) -> None:
    fax_id, old = await unknown(house, accepted=False)
    await house.step(RESOLVE, times=2)
    await house.hear_of(said(Happened.DELIVERED, "ghost", client_state=old.client_state, pages=1))
    assert (await house.fax(fax_id)).state is State.DELIVERED
    assert await states(house, fax_id) == [AttemptState.DELIVERED]
    assert await house.jobs(TRANSMIT) == [], "nothing is sent again"


# -- nobody knows ------------------------------------------------------------------------------------------------------


async def held(house: House) -> tuple[UUID, Attempt]:
    """Make a fax whose document was fetched and which is not listed, and look until a person is asked."""
    fax_id, attempt = await unknown(house, accepted=False)
    assert await fetch(attempt, house) == 200
    await house.step(RESOLVE, times=2)
    return fax_id, attempt


async def test_what_was_fetched_and_is_not_listed_stays_open_and_a_person_is_asked(house: House) -> None:
    fax_id, attempt = await held(house)
    fax = await house.fax(fax_id)
    assert fax.state is State.UNKNOWN
    assert fax.held_reason
    assert await states(house, fax_id) == [AttemptState.UNKNOWN]
    assert await house.jobs(TRANSMIT) == []
    assert await house.told(Tale.HELD, Tale.OPERATOR) == [("held", SENDER), ("operator", OPERATOR)]
    assert await fetch(attempt, house) == 200, "what may be on its way is not taken away"
    assert await rows(house.db, schema.holds) == [], "others may call the number meanwhile"
    await house.step(RESOLVE, times=3)
    assert len(await house.told()) == 2, "and nobody is asked twice"
    await house.drain(DELIVER)
    assert len(subjects(house.mails(SENDER, OPERATOR))) == 2


async def test_it_stays_open_while_patience_lasts(house: House) -> None:
    house.policy = replace(house.policy, unknown_patience=timedelta(minutes=15))
    house.connect()
    fax_id, _ = await held(house)
    await house.step(RESOLVE, times=5)
    assert (await house.fax(fax_id)).state is State.QUEUED
    ago = datetime.now(UTC) - timedelta(minutes=16)
    await house.db.write(lambda tx: tx.execute(schema.attempts.update().values(list_answered_at=ago)))
    await house.step(RESOLVE)
    assert (await house.fax(fax_id)).state is State.UNKNOWN


async def test_while_the_carriers_list_is_silent_patience_does_not_run(house: House) -> None:
    fax_id, attempt = await unknown(house, accepted=False)
    assert await fetch(attempt, house) == 200
    await house.step(RESOLVE)
    house.emulator.faults.down_status = 503
    await house.step(RESOLVE, times=5)
    assert (await house.attempts(fax_id))[0].list_answered_at is None
    house.emulator.faults.down_status = None
    await house.step(RESOLVE)
    assert (await house.fax(fax_id)).state is State.QUEUED, "the time begins anew when it answers"
    await house.step(RESOLVE)
    assert (await house.fax(fax_id)).state is State.UNKNOWN


async def test_a_silent_list_withdraws_nothing_and_sends_nothing_again(house: House) -> None:
    fax_id, attempt = await unknown(house, accepted=False)
    for status in (500, 429, 0):
        house.emulator.faults.down_status = status
        await house.step(RESOLVE, times=2)
    assert await states(house, fax_id) == [AttemptState.UNKNOWN]
    assert (await house.attempts(fax_id))[0].revoked_at is None
    assert await house.jobs(TRANSMIT) == []
    house.emulator.faults.down_status = None
    assert await fetch(attempt, house) == 200


async def test_a_list_that_breaks_off_before_its_end_decides_nothing(house: House) -> None:
    class BreaksOff(Between):
        async def faxes(
            self, direction: Direction, since: datetime, to: str = "", from_: str = ""
        ) -> AsyncIterator[CarrierFax]:
            house.emulator.faults.down_status = None
            async for fax in super().faxes(direction, since):
                yield fax
                house.emulator.faults.down_status = 503
                async for other in super().faxes(direction, since, to, from_):
                    yield other

    fax_id, _ = await unknown(house, accepted=True)
    house.sent()[0].client_state = "c29tZWJvZHkgZWxzZQ=="
    await house.talk_to(BreaksOff(house))
    await house.step(RESOLVE, times=3)
    assert (await house.attempts(fax_id))[0].revoked_at is None


@pytest.mark.parametrize("evidence", ["event", "list"])
async def test_evidence_that_comes_later_still_settles_it(house: House, evidence: str) -> None:
    fax_id, attempt = await held(house)
    if evidence == "event":
        await house.hear_of(said(Happened.SENDING, "c1", client_state=attempt.client_state))
        assert (await house.fax(fax_id)).state is State.SENDING
        await house.hear_of(said(Happened.DELIVERED, "c1", client_state=attempt.client_state, pages=1))
    else:
        late = EmulatedFax(Direction.OUTBOUND, "77", NUMBER, (await house.fax(fax_id)).from_number, "delivered")
        late.client_state = attempt.client_state
        house.emulator._exchange.faxes[late.id] = late
        await house.step(RESOLVE)
        assert (await house.fax(fax_id)).state is State.QUEUED
        await house.reconcile.poll()
        await house.drain(EVENT)
    fax = await house.fax(fax_id)
    assert (fax.state, fax.held_reason) == (State.DELIVERED, "")
    assert await house.told(Tale.RECEIPT) == [("receipt", SENDER)]
    assert await house.jobs(RESOLVE, TRANSMIT) == []


async def test_a_failure_that_becomes_known_later_is_tried_again(house: House) -> None:
    fax_id, attempt = await held(house)
    busy = said(Happened.FAILED, "c1", client_state=attempt.client_state, failure_reason="user_busy")
    await house.hear_of(busy)
    await house.step(TRANSMIT)
    await house.hear()
    fax = await house.fax(fax_id)
    assert (fax.state, fax.tries) == (State.DELIVERED, 2)


async def test_a_persons_word_sends_it_again(house: House) -> None:
    fax_id, old = await held(house)
    await house.db.write(lambda tx: house.command.release(tx, fax_id))
    assert await fetch(old, house) == 410, "the old document is not served any more"
    await house.drain(TRANSMIT)
    await house.hear()
    assert (await house.fax(fax_id)).state is State.DELIVERED
    assert await states(house, fax_id) == [AttemptState.VOID, AttemptState.DELIVERED]
    assert await house.jobs(RESOLVE) == []


async def under_way_anew(house: House) -> tuple[UUID, Attempt, EmulatedFax]:
    """Make a fax that a person has sent again: itself, its first attempt, and what the carrier is at now."""
    fax_id, old = await held(house)
    house.emulator.settings.pace = 20
    await house.db.write(lambda tx: house.command.release(tx, fax_id))
    await house.step(TRANSMIT)
    (anew,) = house.sent()
    return fax_id, old, anew


async def test_what_was_sent_anew_is_stopped_when_the_first_has_arrived_after_all(house: House) -> None:
    fax_id, old, anew = await under_way_anew(house)
    await house.hear_of(said(Happened.DELIVERED, "ghost", client_state=old.client_state, pages=1))
    assert (await house.fax(fax_id)).state is State.DELIVERED
    await house.step("cancel")
    assert anew.canceled.is_set()
    await house.hear()
    assert (await house.fax(fax_id)).state is State.DELIVERED
    assert await house.told(Tale.RECEIPT, Tale.FAILURE) == [("receipt", SENDER)]


async def test_a_person_may_also_give_it_up(house: House) -> None:
    fax_id, old = await held(house)
    sentence = await house.db.write(lambda tx: house.command.cancel(tx, fax_id))
    assert "may have sent it" in sentence
    assert (await house.fax(fax_id)).state is State.CANCELED
    assert await fetch(old, house) == 410
    await house.drain(RESOLVE)
    assert await house.jobs(TRANSMIT) == []


async def test_who_sent_a_fax_that_was_given_up_is_not_told_that_it_did_not_arrive(house: House) -> None:
    fax_id, _ = await held(house)
    await house.db.write(lambda tx: house.command.cancel(tx, fax_id))
    assert "not known whether the carrier has sent" in (await house.fax(fax_id)).failure_text
    await house.drain(DELIVER)
    mail = house.mails(SENDER)[-1]
    words = mail.parsed.get_body(("plain",))
    assert words is not None
    text = " ".join(words.get_content().split())
    assert "outcome not known - it was canceled" in mail.subject
    assert "was canceled, and may have been sent." in text
    assert "Ask the recipient whether it has come before you send it again." in text
    assert "not delivered" not in text + mail.subject


async def test_what_was_given_up_by_a_person_and_arrives_after_all_has_arrived(house: House) -> None:
    fax_id, old = await held(house)
    await house.db.write(lambda tx: house.command.cancel(tx, fax_id))
    await house.hear_of(said(Happened.DELIVERED, "ghost", client_state=old.client_state, pages=1))
    fax = await house.fax(fax_id)
    assert (fax.state, fax.failure_reason, fax.failure_text, fax.pages_sent) == (State.DELIVERED, "", "", 1)
    assert await house.told(Tale.RECEIPT, Tale.FAILURE) == [("failure", SENDER), ("receipt", SENDER)]


async def test_what_was_sent_anew_in_vain_and_had_arrived_has_arrived(house: House) -> None:
    fax_id, old, anew = await under_way_anew(house)
    no_fax = "receiver_invalid_number_format"
    await house.hear_of(said(Happened.FAILED, anew.id, client_state=anew.client_state, failure_reason=no_fax))
    assert (await house.fax(fax_id)).state is State.FAILED
    await house.hear_of(said(Happened.DELIVERED, "ghost", client_state=old.client_state, pages=1))
    assert (await house.fax(fax_id)).state is State.DELIVERED


async def test_a_cancelled_fax_whose_attempt_was_lost_is_not_sent_anew(house: House) -> None:
    fax_id, _ = await unknown(house, accepted=False)
    await house.db.write(lambda tx: house.command.cancel(tx, fax_id))
    await house.drain("cancel", RESOLVE, TRANSMIT)
    assert (await house.fax(fax_id)).state is State.CANCELED
    assert house.sent() == []


async def test_a_cancelled_fax_that_the_carrier_turns_out_to_have_is_stopped_there(house: House) -> None:
    house.emulator.settings.pace = 20
    fax_id, _ = await unknown(house, accepted=True)
    await house.db.write(lambda tx: house.command.cancel(tx, fax_id))
    await house.drain("cancel", RESOLVE, "cancel")
    async with asyncio.timeout(10):
        await house.hear()
    assert (await house.fax(fax_id)).state is State.CANCELED
    assert house.sent()[0].failure_reason == "sender_canceled"
