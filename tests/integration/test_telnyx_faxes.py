"""``/v2/faxes`` with Telnyx's own library: sending in every encoding, listing, ending, and what is refused."""

import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import telnyx

from gateway.courier import WEBHOOK
from gateway.dialects.telnyx import write_time
from gateway.fax import State
from gateway.outbox import COLLECT, PREPARE, TRANSMIT
from gateway.store import faxes, schema
from gateway.web.telnyx import sending
from tests import telnyx_samples
from tests.integration.engines import ENGINES, rows
from tests.integration.house import CLINIC, NUMBER, OFFICE
from tests.integration.receiver import receiving
from tests.integration.telnyx_house import form, library, pointers
from tests.integration.telnyx_program import PDF, STATE, Program, program


@pytest.fixture(params=ENGINES)
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(request, tmp_path) as found:
        yield found


@pytest.fixture(params=["sqlite"])
async def lite(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Program]:
    async with program(request, tmp_path) as found:
        yield found


async def test_pages_that_are_ready_are_told_while_the_others_are_made(lite: Program) -> None:
    fax_id = await lite.send()
    assert "pages_done" not in await lite.shown(fax_id)
    told: dict[str, Any] = {"pages_done": 100, "pages_to_do": 300}
    change = partial(faxes.change, fax_id=UUID(fax_id), when=[State.PREPARING], **told)
    assert await lite.house.db.write(change)
    shown = await lite.shown(fax_id)
    assert {name: shown[name] for name in told} == told
    await lite.house.drain(COLLECT, PREPARE)
    assert "pages_done" not in await lite.shown(fax_id)


async def test_a_fax_has_every_field_of_the_documents_and_goes_its_way(both: Program) -> None:
    wish = {
        "connection_id": both.connection,
        "from": OFFICE,
        "to": NUMBER,
        "media_url": [f"{both.origin}a.pdf", f"{both.origin}a.pdf"],
        "from_display_name": "Ward 7",
        "quality": "very_high",
        "t38_enabled": False,
        "monochrome": True,
        "black_threshold": 60,
        "store_media": True,
        "store_preview": True,
        "client_state": STATE,
        "webhook_url": f"{both.origin}hook",
    }
    status, body = await both.ask("POST", json=wish)
    made = body["data"]
    assert status == 202
    assert telnyx_samples.fields(made) == telnyx_samples.fields(telnyx_samples.FAX) | telnyx_samples.NEWER_FAX
    assert (made["status"], made["direction"], made["media_url"]) == ("queued", "outbound", wish["media_url"])
    assert (made["client_state"], made["webhook_url"], made["quality"]) == (STATE, wish["webhook_url"], "very_high")
    assert (made["stored_media_url"], made["failure_reason"]) == (None, None)
    assert all(time.endswith("Z") for time in telnyx_samples.times(made))
    await both.house.drain(COLLECT, PREPARE)
    assert (await both.shown(made["id"]))["status"] == "media.processed"
    await both.go()
    (sent,) = both.house.sent()
    assert sent.document is not None
    assert (sent.document.pages, sent.quality, sent.from_display_name) == (4, "very_high", "Ward 7")
    assert (sent.t38_enabled, sent.monochrome) == (False, True)
    ended = await both.shown(made["id"])
    assert ended["status"] == "delivered"
    for link, start in ((ended["stored_media_url"], b"%PDF"), (ended["preview_url"], b"II*\x00")):
        found = bytearray()
        await both.house.fetcher.fetch(link, found.extend)
        assert found.startswith(start)
        async with aiohttp.ClientSession() as anybody, anybody.get(link.replace("signature=", "signature=0")) as bad:
            assert bad.status == 403


async def test_the_same_is_sent_by_library_form_and_urlencoded_and_by_a_files_name(lite: Program) -> None:
    await lite.ask("POST", "/media", data=form(media=("a.pdf", PDF, "application/pdf"), media_name="letter"))
    fields = {"connection_id": lite.connection, "from": OFFICE, "to": NUMBER}
    made = [await lite.send()]
    stored = await lite.sdk.faxes.create(
        connection_id=lite.connection, from_=OFFICE, to=NUMBER, media_name="letter", client_state=STATE
    )
    assert stored.data is not None
    made.append(str(stored.data.id))
    attached = form(**fields, contents=("a.pdf", PDF, "application/pdf"), monochrome="true", client_state=STATE)
    for data in (attached, {**fields, "media_url": f"{lite.origin}a.pdf", "store_media": "false"}):
        status, body = await lite.ask("POST", data=data)
        assert status == 202, body
        made.append(body["data"]["id"])
    await lite.ask("DELETE", "/media/letter")
    await lite.go()
    assert [(await lite.shown(each))["status"] for each in made] == ["delivered"] * 4
    assert [fax.document.pages for fax in lite.house.sent() if fax.document] == [2, 2, 2, 2]
    assert (await lite.shown(made[1]))["media_name"] == "letter"


async def test_what_cannot_be_a_fax_is_422_names_its_fields_and_stores_nothing(lite: Program) -> None:
    good: dict[str, Any] = {
        "connection_id": lite.connection,
        "from": OFFICE,
        "to": NUMBER,
        "media_url": f"{lite.origin}a.pdf",
    }
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"media_name": "letter"}, "/media_url"),
        ({"media_url": None}, "/media_url"),
        ({"media_url": []}, "/media_url"),
        ({"media_url": ["x"]}, "/media_url"),
        ({"media_url": "file:///etc/passwd"}, "/media_url"),
        ({"media_url": None, "media_name": "nowhere"}, "/media_name"),
        ({"client_state": "not base64!"}, "/client_state"),
        ({"client_state": 7}, "/client_state"),
        ({"from": "+12025550999"}, "/from"),
        ({"from": "2025550100"}, "/from"),
        ({"to": "sip:fax@example.com"}, "/to"),
        ({"to": "12025550142"}, "/to"),
        ({"to": "+19995550142"}, "/to"),
        ({"connection_id": "1"}, "/connection_id"),
        ({"connection_id": "c-1"}, "/connection_id"),
        ({"connection_id": [1]}, "/connection_id"),
        ({"webhook_url": "http://192.168.1.1/x"}, "/webhook_url"),
        ({"webhook_url": "gopher://x"}, "/webhook_url"),
        ({"from_display_name": "Ärzte"}, "/from_display_name"),
        ({"from_display_name": "x" * 129}, "/from_display_name"),
        ({"quality": "best"}, "/quality"),
        ({"quality": ["high"]}, "/quality"),
        ({"monochrome": "yes"}, "/monochrome"),
        ({"black_threshold": 50}, "/black_threshold"),
        ({"black_threshold": 101, "monochrome": True}, "/black_threshold"),
        ({"preview_format": "png"}, "/preview_format"),
        ({"media_url": None, "media_name": "x", "store_media": True}, "/store_media"),
    ]
    for change, pointer in wrong:
        status, body = await lite.ask("POST", json=good | change)
        assert (status, pointers(body)) == (422, [pointer]), change
        assert body["errors"][0]["code"] == "422"
    status, body = await lite.ask("POST", json={"quality": "best"})
    assert (status, pointers(body)) == (422, ["/connection_id", "/to", "/from", "/quality", "/media_url"])
    status, body = await lite.ask("POST", json=good | {"to": "+447400123456"})
    assert (status, pointers(body)) == (403, ["/to"])
    two = form(**good, contents=("a.pdf", PDF, "application/pdf"))
    status, body = await lite.ask("POST", data=two)
    assert (status, pointers(body)) == (422, ["/media_url"])
    junk = form(**{**good, "contents": ("a.pdf", b"junk", "application/pdf")} | {"media_url": ""})
    status, body = await lite.ask("POST", data=junk)
    assert (status, pointers(body)) == (422, ["/contents"])
    assert (await lite.ask("POST", data=b"{"))[0] == 400
    await lite.house.provisioning.update_application(lite.house.application.id, {"active": False})
    with pytest.raises(telnyx.UnprocessableEntityError) as refused:
        await lite.send()
    assert pointers(refused.value.body) == ["/connection_id"]  # type: ignore[arg-type]
    assert await rows(lite.house.db, schema.faxes) == []
    assert await lite.house.jobs() == []


async def test_trouble_with_the_document_ends_the_fax_in_telnyxs_words(lite: Program) -> None:
    async with receiving() as receiver:
        fields = {"webhook_event_url": receiver.url()}
        await lite.house.provisioning.update_application(lite.house.application.id, fields)
        cases = {
            f"{lite.origin}missing.pdf": "file_download_failed",
            f"{lite.origin}moved.pdf": "file_download_failed",
            "http://10.0.0.1/a.pdf": "file_download_failed",
            f"{lite.origin}junk.pdf": "file_format_invalid",
            f"{lite.origin}long.pdf": "page_count_limit_exceeded",
            f"{lite.origin}large.pdf": "file_size_limit_exceeded",
        }
        made = {await lite.send(media_url=url): word for url, word in cases.items()}
        for _ in range(4):
            await lite.house.step(COLLECT)
        await lite.house.drain(PREPARE, WEBHOOK)
        for fax_id, word in made.items():
            found = await lite.shown(fax_id)
            assert (found["status"], found["failure_reason"]) == ("failed", word), found
            assert found["internal_failure_reason"]
        told = [taken.body["data"]["payload"] for taken in receiver.taken if taken.event_type == "fax.failed"]
        assert {payload["fax_id"]: payload["failure_reason"] for payload in told} == made
        assert lite.house.sent() == []


async def test_links_live_ten_minutes(lite: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    fax_id = await lite.send(store_media=True, store_preview=True, preview_format="pdf")
    await lite.house.emulator.receive(CLINIC, "+12025559999", PDF)
    await lite.go()
    sent, received = await lite.shown(fax_id), (await lite.sdk.faxes.list(filter={"direction": {"eq": "inbound"}})).data
    assert received is not None
    old = [sent["stored_media_url"], sent["preview_url"], str(received[0].media_url)]

    async def statuses(links: list[str]) -> set[int]:
        found = set()
        async with aiohttp.ClientSession() as anybody:
            for link in links:
                async with anybody.get(link) as response:
                    found.add(response.status)
        return found

    start = time.time()
    assert await statuses(old) == {200}
    monkeypatch.setattr("gateway.links.time", lambda: start + 590)
    assert await statuses(old) == {200}
    monkeypatch.setattr("gateway.links.time", lambda: start + 610)
    assert await statuses(old) == {403}
    await lite.sdk.faxes.actions.refresh(str(received[0].id))
    again = await lite.shown(fax_id)
    fresh = [again["stored_media_url"], again["preview_url"], (await lite.shown(str(received[0].id)))["media_url"]]
    assert await statuses(fresh) == {200}


async def test_the_list_is_filtered_and_goes_through_its_pages(both: Program) -> None:
    first = await both.send()
    second = await both.send(to="+12025550143")
    await both.go()
    incoming = await both.house.emulator.receive(CLINIC, "+12025559999", PDF)
    await both.go()
    listed = [fax async for fax in both.sdk.faxes.list(page_size=1)]
    assert [fax.id for fax in listed][1:] == [second, first]
    assert (listed[0].direction, listed[0].status, listed[0].from_) == ("inbound", "received", "+12025559999")
    assert incoming.id not in {fax.id for fax in listed}

    async def ids(**query: str) -> list[str]:
        status, body = await both.ask("GET", params=query)
        assert status == 200
        return [fax["id"] for fax in body["data"]]

    assert await ids(**{"filter[direction][eq]": "outbound", "filter[to][eq]": NUMBER}) == [first]
    assert await ids(**{"filter[from][eq]": "+12025559999"}) == [listed[0].id]
    created = listed[1].created_at
    assert created is not None
    gt = await both.sdk.faxes.list(filter={"created_at": {"gt": created}})
    gte = await both.sdk.faxes.list(filter={"created_at": {"gte": created}})
    assert [len(page.data or []) for page in (gt, gte)] == [1, 2]
    for name, value in (("filter[direction][eq]", "up"), ("filter[created_at][gte]", "x"), ("page[size]", "x")):
        status, body = await both.ask("GET", params={name: value})
        assert (status, body["errors"][0]["source"]) == (400, {"parameter": name})
    assert await ids(**{"page[size]": "0", "page[number]": "7"}) == []
    received = await both.shown(str(listed[0].id))
    document = bytearray()
    await both.house.fetcher.fetch(received["media_url"], document.extend)
    assert document.startswith(b"%PDF")
    assert (await both.sdk.faxes.actions.refresh(str(listed[0].id))).data is not None


async def test_a_fax_is_canceled_once_and_deleted_for_good(both: Program) -> None:
    fax_id = await both.send()
    with pytest.raises(telnyx.UnprocessableEntityError):
        await both.sdk.faxes.delete(fax_id)
    answer = await both.sdk.faxes.actions.cancel(fax_id)
    assert answer.data is not None
    assert answer.data.result == "ok"
    ended = await both.shown(fax_id)
    assert (ended["status"], ended["failure_reason"]) == ("failed", "canceled")
    status, body = await both.ask("POST", f"/faxes/{fax_id}/actions/cancel")
    assert (status, body["errors"][0]["code"]) == (422, "422")
    assert (await both.ask("DELETE", f"/faxes/{fax_id}")) == (204, None)
    actions = (("POST", f"/actions/{action}") for action in ("cancel", "release", "refresh"))
    for method, path in (("GET", ""), ("DELETE", ""), *actions):
        assert (await both.ask(method, f"/faxes/{fax_id}{path}"))[0] == 404
    (row,) = await rows(both.house.db, schema.faxes)
    assert (row["to_number"], row["extra"], row["documents"]) == ("", {}, [])
    await both.go()
    assert both.house.sent() == []


@pytest.mark.parametrize(("state", "action"), [(State.HELD, "released"), (State.UNKNOWN, "resent")])
async def test_a_fax_that_waits_for_a_person_says_why_and_is_released_once(
    both: Program, state: State, action: str
) -> None:
    fax_id = await both.send()
    await both.house.drain(COLLECT, PREPARE)
    assert "held_reason" not in await both.shown(fax_id)
    assert (await both.ask("POST", f"/faxes/{fax_id}/actions/release"))[0] == 422, "it waits for nobody"
    await both.house.db.write(lambda tx: both.house.command.hold(tx, UUID(fax_id), "too much for a day"))
    await both.house.db.write(lambda tx: faxes.change(tx, UUID(fax_id), [State.HELD], state=state))
    assert (await both.shown(fax_id))["held_reason"] == "too much for a day"
    status, body = await both.ask("POST", f"/faxes/{fax_id}/actions/release")
    assert (status, body) == (202, {"data": {"result": "ok"}})
    assert "held_reason" not in await both.shown(fax_id)
    assert (await both.ask("POST", f"/faxes/{fax_id}/actions/release"))[0] == 422
    noted = [row["action"] for row in await rows(both.house.db, schema.audit) if str(row["fax_id"]) == fax_id]
    assert action in noted
    await both.go()
    assert (await both.shown(fax_id))["status"] == "delivered"


async def test_who_may_only_send_releases_nothing(lite: Program) -> None:
    fax_id = await lite.send()
    await lite.house.db.write(lambda tx: lite.house.command.hold(tx, UUID(fax_id)))
    _, sender = await lite.house.provisioning.create_token(lite.house.account.id, scopes=["read", "send"])
    headers = {"Authorization": f"Bearer {sender}"}
    assert (await lite.ask("POST", f"/faxes/{fax_id}/actions/release", headers=headers))[0] == 403
    assert "held_reason" in await lite.shown(fax_id)


async def test_the_next_try_is_shown_while_a_fax_waits_for_it(both: Program) -> None:
    fax_id = await both.send(to="+12025550001")
    await both.house.drain(COLLECT, PREPARE)
    # Telnyx makes one attempt; a fax that came by mail, or through Kazoo's API, has more.
    await both.house.db.write(lambda tx: faxes.change(tx, UUID(fax_id), [State.QUEUED], tries_allowed=3))
    shown = await both.shown(fax_id)
    assert (shown["attempts"], shown["attempts_allowed"], "next_attempt_at" in shown) == (0, 3, False)
    await both.house.step(TRANSMIT)
    await both.house.hear()
    fax = await both.house.fax(UUID(fax_id))
    assert fax.next_try_at is not None
    assert fax.deadline_at is not None
    shown = await both.shown(fax_id)
    assert (shown["attempts"], shown["attempts_allowed"]) == (1, 3)
    assert shown["next_attempt_at"] == write_time(fax.next_try_at)
    assert shown["attempts_until"] == write_time(fax.deadline_at)
    (listed,) = (await both.ask("GET", "/faxes"))[1]["data"]
    assert listed["next_attempt_at"] == shown["next_attempt_at"]
    await both.go()
    ended = await both.shown(fax_id)
    assert not {"attempts", "attempts_allowed", "next_attempt_at", "attempts_until", "held_reason"} & ended.keys()


async def test_other_accounts_faxes_are_not_there(lite: Program) -> None:
    fax_id = await lite.send()
    other, _ = await lite.house.provisioning.create_account("Other", "other.example")
    _, token = await lite.house.provisioning.create_token(other.id)
    async with library(lite.house.http, token) as foreign:
        with pytest.raises(telnyx.NotFoundError):
            await foreign.faxes.retrieve(fax_id)
        assert (await foreign.faxes.list()).data == []
        with pytest.raises(telnyx.UnprocessableEntityError):
            await foreign.faxes.create(
                connection_id=lite.connection, from_=OFFICE, to=NUMBER, media_url="https://x.y/z"
            )
    for written in ("x", "0", "00000000-0000-0000-0000-000000000000"):
        assert (await lite.ask("GET", f"/faxes/{written}"))[0] == 404


async def test_a_crowd_is_429_and_a_fault_of_ours_is_not_sent_again(
    lite: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    await lite.send()
    with monkeypatch.context() as patched:
        patched.setattr(sending, "MOST_IN_PROCESS", 1)
        with pytest.raises(telnyx.RateLimitError) as refused:
            await lite.send()
    assert refused.value.response.headers["Retry-After"] == "30"

    async def broken(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(lite.house.submit, "take", broken)
    patient = lite.sdk.with_options(max_retries=2)
    with pytest.raises(telnyx.InternalServerError) as failed:
        await patient.faxes.create(connection_id=lite.connection, from_=OFFICE, to=NUMBER, media_url="https://x.y/z")
    assert failed.value.response.headers["x-should-retry"] == "false"
    assert failed.value.response.request.headers["x-stainless-retry-count"] == "0"
    assert "bug" not in str(failed.value.body)
