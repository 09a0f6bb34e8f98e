"""Faxes sent through Kazoo's API, seen from it at each step until they have arrived, and what is done to them then."""

import base64
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gateway.audit import Action
from gateway.events import EVENT
from gateway.fax import Direction
from gateway.ids import parse_id
from gateway.inbox import FORWARD, RETRIEVE
from gateway.notify import DELIVER
from gateway.outbox import COLLECT, PREPARE, TRANSMIT
from gateway.store import audit
from tests import samples
from tests.integration.engines import ENGINES, store
from tests.integration.house import CLINIC, OFFICE, SENDER, House, built
from tests.integration.live_house import MINE, Live, live, parts

TO = "document.to_number"
SEND_TO = "notifications.email.send_to"
WISH = {"to_number": "+12025550142", "from_number": MINE}
REMOTE = {**WISH, "document": {"url": "http://a.example/"}}


@pytest.fixture(params=ENGINES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    async with store(request, tmp_path) as db, built(db, tmp_path) as house:
        yield house


@pytest.fixture
async def kazoo(house: House) -> AsyncIterator[Live]:
    async with live(house) as opened:
        yield opened


async def test_a_fax_by_url_is_seen_at_each_step_of_its_life(kazoo: Live) -> None:
    mail = {"email": {"send_to": SENDER}, "sms": {"send_to": ["+12025550190"]}}
    made = await kazoo.create(from_name="Test Fax", to_name="To Name", retries=3, notifications=mail, mine={"a": 1})
    assert (made["status"], made["attempts"], made["retries"]) == ("pending", 0, 3)
    assert made["document"] == {"method": "get", "url": kazoo.url("/2.pdf")}
    assert made["tx_result"]["success"] is False
    path = f"/outgoing/{made['id']}"
    assert await kazoo.folders() == {"outgoing": [made["id"]], "outbox": [], "incoming": [], "inbox": []}
    await kazoo.house.drain(COLLECT, PREPARE)
    assert (await kazoo.data(path))["status"] == "pending"
    await kazoo.house.drain(TRANSMIT)
    await kazoo.house.emulator.settle()
    seen = []
    for job in await kazoo.house.claim(EVENT):
        await kazoo.house.stories[EVENT](job)
        seen.append((await kazoo.data(path))["status"])
    assert seen == sorted(seen, key=["pending", "processing", "completed"].index)
    assert set(seen) >= {"processing", "completed"}
    folders = await kazoo.folders()
    assert folders["outgoing"] == []
    (sent,) = folders["outbox"]
    assert sent.endswith(f"-{made['id']}")
    told = await kazoo.data(f"/outbox/{sent}")
    assert (told["tx_result"]["success"], told["tx_result"]["pages_sent"], told["attempts"]) == (True, 2, 1)
    assert (told["notifications"], told["mine"], told["from_name"]) == (mail, {"a": 1}, "Test Fax")
    assert (await kazoo.data(path))["delivered"] > told["created"] - 1
    await kazoo.through()
    assert [mail.envelope_to for mail in kazoo.house.mails(SENDER)] == [(SENDER,)]
    (text,) = kazoo.house.emulator.messages
    assert text["to"][0]["phone_number"] == "+12025550190"
    assert text["from"]["phone_number"] == OFFICE
    assert "delivered" in text["text"]


async def test_a_received_fax_is_seen_at_each_step_of_its_life(kazoo: Live) -> None:
    await kazoo.house.emulator.receive(CLINIC, "+12125550199", samples.pdf(2))
    await kazoo.house.emulator.settle()
    seen = []
    for job in await kazoo.house.claim(EVENT):
        await kazoo.house.stories[EVENT](job)
        (row,) = await kazoo.data("/incoming")
        seen.append(row["status"])
        assert (await kazoo.data(f"/incoming/{row['id']}"))["rx_result"]["success"] is False
    assert seen[0] == "receiving"
    assert seen[-1] == "processing"
    await kazoo.house.drain(RETRIEVE)
    folders = await kazoo.folders()
    assert folders["incoming"] == []
    (identity,) = folders["inbox"]
    shown = await kazoo.data(f"/inbox/{identity}")
    assert (shown["rx_result"]["success"], shown["rx_result"]["total_pages"]) == (True, 2)
    assert (shown["from_number"], shown["to_number"]) == ("+12125550199", CLINIC)
    assert shown["faxbox_id"] == kazoo.house.faxbox.id.hex


async def test_the_document_is_asked_for_as_the_client_says(kazoo: Live) -> None:
    asked = {"method": "post", "content": "id=7", "content_type": "text/x-id", "host": "doc.example", "referer": "x"}
    await kazoo.create(document={"url": kazoo.url("/1.pdf"), **asked})
    await kazoo.create(document={"url": kazoo.url("/1.pdf"), "method": "post"})
    await kazoo.house.drain(COLLECT)
    method, headers, body = kazoo.asked[0]
    assert (method, headers["Host"], headers["Referer"], body) == ("POST", "doc.example", "x", b"id=7")
    assert headers["Content-Type"] == "text/x-id"
    assert kazoo.asked[1][1]["Content-Type"] == "text/plain"


@pytest.mark.parametrize("status", [404, 302])
async def test_a_document_that_is_not_there_ends_the_fax_with_the_documented_words(kazoo: Live, status: int) -> None:
    made = await kazoo.create(document={"url": kazoo.url(f"/{status}")})
    await kazoo.house.drain(COLLECT)
    told = await kazoo.data(f"/outgoing/{made['id']}")
    assert told["status"] == "failed"
    words = f"could not retrieve file, HTTP response {status}"
    assert (told["tx_result"]["result_text"], told["tx_result"]["error_message"]) == (words, words)


async def test_files_come_in_any_order_and_number_and_coding(kazoo: Live) -> None:
    pdf, tiff, wish = samples.pdf(2), samples.tiff(1), {"data": WISH}
    coded = base64.encodebytes(pdf)
    bodies = {
        "json first": (parts(("application/json", wish), ("application/pdf", pdf)), 2),
        "file first": (parts(("application/pdf", pdf), ("application/json", wish)), 2),
        "several": (parts(("image/tiff", tiff), ("application/json", wish), ("application/pdf", pdf)), 3),
        "no type": (parts(("application/json", wish), ("application/octet-stream", pdf)), 2),
        "base64": (parts(("application/json", wish), ("application/base64", coded)), 2),
        "data uri": (parts(("application/json", wish), ("application/x-base64", b"data:x/y;base64," + coded)), 2),
    }
    expected = {}
    for body, pages in bodies.values():
        made = await kazoo.data("", "PUT", data=body)
        assert made["status"] == "attaching_files"
        expected[made["id"]] = pages
    await kazoo.house.drain(PREPARE)
    assert {id_: (await kazoo.data(f"/outgoing/{id_}"))["pages"] for id_ in expected} == expected


@pytest.mark.parametrize(
    ("request_", "status", "problem"),
    [
        ({"json": {"data": {}}}, 400, "from_number"),
        ({"json": {"data": WISH}}, 400, "document.url"),
        ({"json": {"data": {**WISH, "to_number": "none", "document": {"url": "http://a.example/"}}}}, 400, TO),
        ({"json": {"data": {**REMOTE, "from_number": "none"}}}, 400, "from_number"),
        ({"json": {"data": {**WISH, "document": {"url": "ftp://a.example/"}}}}, 400, "document.url"),
        ({"json": {"data": {**WISH, "document": {"url": "http://10.0.0.1/x"}}}}, 400, "document.url"),
        ({"json": {"data": {**WISH, "document": {"url": "http://[::1]/x"}}}}, 400, "document.url"),
        ({"json": {"data": {**WISH, "retries": 9, "document": {"url": "http://a.example/"}}}}, 400, "retries"),
        ({"json": {"data": {"from_number": {}, "to_number": [1], "document": "x", "retries": []}}}, 400, "retries"),
        ({"json": {"data": {**WISH, "notifications": {"email": {"send_to": ["nobody"]}}}}}, 400, "document.url"),
        ({"json": {"data": {**REMOTE, "notifications": {"email": {"send_to": ["nobody"]}}}}}, 400, SEND_TO),
        ({"json": {"data": {**REMOTE, "fax_timezone": "Mars/Olympus"}}}, 400, "fax_timezone"),
        ({"json": {"data": {**REMOTE, "faxbox_id": "0" * 32}}}, 400, "faxbox_id"),
        ({"json": {"data": []}}, 400, None),
        ({"json": [1]}, 400, None),
        ({"data": b"{"}, 400, "json"),
        ({"data": b'{"data":{"a":"\\u0000"}}'}, 400, "json"),
        ({"data": b"x" * 300_000}, 413, None),
        ({"data": b"x", "headers": {"Content-Type": "text/html"}}, 415, None),
        ({"data": b"%PDF", "headers": {"Content-Type": "application/pdf"}}, 400, "from_number"),
        ({"data": b"--x", "headers": {"Content-Type": "multipart/mixed"}}, 400, None),
        ({"data": b"--x\r\n[None]--x--\r\n", "headers": {"Content-Type": "multipart/mixed; boundary=x"}}, 400, None),
        ({"data": b"--x\r\n\r\n{", "headers": {"Content-Type": "multipart/mixed; boundary=x"}}, 400, None),
        ({"data": parts(("application/json", {"data": WISH}), ("application/pdf", b"PK\3\4 no pdf"))}, 400, None),
        ({"data": parts(("application/json", "{"), ("application/pdf", b"x"))}, 400, "json"),
        ({"data": parts(("application/json", {"data": WISH}), ("application/base64", b"%%%%%"))}, 400, None),
    ],
)
async def test_what_cannot_be_sent_is_refused_and_nothing_is_stored(
    kazoo: Live, request_: dict[str, Any], status: int, problem: str | None
) -> None:
    before = sum(1 for _ in kazoo.house.blobs.names())
    told, envelope = await kazoo.ask("", "PUT", **request_)
    assert (told, envelope["error"]) == (status, str(status)), envelope
    assert problem is None or problem in envelope["data"], envelope
    assert await kazoo.folders() == {"outgoing": [], "outbox": [], "incoming": [], "inbox": []}
    assert sum(1 for _ in kazoo.house.blobs.names()) == before


async def test_what_is_too_large_is_413_and_nothing_is_stored(kazoo: Live) -> None:
    before = sum(1 for _ in kazoo.house.blobs.names())
    upload = samples.pdf(1) + bytes(10_000_000)
    for body, headers in (
        (parts(("application/json", {"data": WISH}), ("application/pdf", io.BytesIO(upload))), {}),
        (parts(("application/pdf", io.BytesIO(upload)), ("application/json", {"data": WISH})), {}),
        (io.BytesIO(upload), {"Content-Type": "application/pdf"}),
    ):
        status, envelope = await kazoo.ask("", "PUT", data=body, headers=headers)
        assert (status, list(envelope["data"]["file"])) == (413, ["maxSize"])
    assert await kazoo.folders() == {"outgoing": [], "outbox": [], "incoming": [], "inbox": []}
    assert sum(1 for _ in kazoo.house.blobs.names()) == before


async def test_what_is_wrong_is_said_in_kazoos_words_and_of_its_fields(kazoo: Live) -> None:
    wrong = {"from_number": {}, "retries": "x", "document": "x", "notifications": {"sms": {"send_to": 1.5}}}
    _, envelope = await kazoo.ask("", "PUT", json={"data": wrong})
    told = {path: next(iter(rules.items())) for path, rules in envelope["data"].items()}
    assert told["to_number"] == ("required", {"message": "Field is required but missing"})
    for path, target in (("from_number", "string"), ("retries", "integer"), ("document", "object")):
        assert told[path] == ("type", {"message": f"Value did not match type(s): {target}", "target": target})
    assert told["document"][1]["target"] == "object"
    _, envelope = await kazoo.ask("", "PUT", json={"data": {**REMOTE, "document": {"method": "head"}}})
    listed = {"message": "Value not found in enumerated list of values", "target": ["get", "post"]}
    assert envelope["data"] == {"document.method": {"enum": listed}}
    _, envelope = await kazoo.ask("", "PUT", json={"data": {**REMOTE, "notifications": {"email": {"send_to": "x"}}}})
    assert envelope["data"][SEND_TO]["wrong_format"]["message"].startswith(f"{SEND_TO} is not a mail address: An ")


@pytest.mark.parametrize(("way", "address", "most"), [("email", "a{}@b.example", 100), ("sms", "+120255501{:02}", 10)])
async def test_the_result_is_told_to_so_many_at_most(kazoo: Live, way: str, address: str, most: int) -> None:
    everybody = [address.format(number) for number in range(most + 1)]
    told = {"notifications": {way: {"send_to": everybody}}}
    status, envelope = await kazoo.ask("", "PUT", json={"data": REMOTE | told})
    assert (status, envelope["data"]) == (
        400,
        {f"notifications.{way}.send_to": {"maxItems": {"message": f"{most} at most", "target": most}}},
    )
    told["notifications"][way]["send_to"].pop()
    assert (await kazoo.ask("", "PUT", json={"data": REMOTE | told}))[0] == 201


async def test_the_number_of_another_account_is_not_sent_from(kazoo: Live) -> None:
    other, _ = await kazoo.house.provisioning.create_account("B", "b.example")
    application = await kazoo.house.provisioning.create_application(
        other.id, {"name": "b", "webhook_event_url": "https://b.example/"}
    )
    await kazoo.house.provisioning.assign_number("+12025550177", application.id)
    made = await kazoo.create(from_number="+12025550177")
    told = await kazoo.data(f"/outgoing/{made['id']}")
    assert (told["status"], told["tx_result"]["result_code"]) == ("failed", 400)
    assert told["tx_result"]["result_text"] == "invalid fax cid number: +12025550177"
    await kazoo.through()
    assert kazoo.house.emulator.faxes == []


async def test_a_faxbox_fills_in_what_the_request_leaves_out(kazoo: Live) -> None:
    box = kazoo.house.faxbox
    path = f"/v2/accounts/{kazoo.house.account.id.hex}/faxboxes/{box.id.hex}/faxes"
    wish = {"to_number": "+12025550142", "from_number": None, "subject": None, "notifications": None}
    body = parts(("application/json", {"data": wish}), ("application/pdf", samples.pdf(1)))
    made = await kazoo.data(path, "PUT", data=body)
    assert (made["from_number"], made["faxbox_id"], made["retries"]) == (OFFICE, box.id.hex, 3)
    assert None not in (made.get("subject", ""), made.get("notifications", ""))
    (row,) = await kazoo.data(f"{path}/outgoing")
    assert row["faxbox_id"] == box.id.hex


async def test_an_attachment_comes_as_pdf_or_tiff_whole_or_in_part(kazoo: Live) -> None:
    made = await kazoo.create()
    await kazoo.through()
    (sent,) = (await kazoo.folders())["outbox"]
    path = f"{kazoo.origin}{kazoo.base}/outbox/{sent}/attachment"

    async def get(query: str = "", **headers: str) -> tuple[int, Any, bytes]:
        async with kazoo.client.get(f"{path}?auth_token={kazoo.token}{query}", headers=headers) as response:
            return response.status, response.headers, await response.read()

    status, headers, pdf = await get()
    assert (status, headers["Content-Type"], pdf[:5]) == (200, "application/pdf", b"%PDF-")
    assert headers["Content-Disposition"].startswith("attachment; filename=fax_document_2")
    assert headers["Content-Disposition"].endswith(".pdf")
    wishes = ("", "image/tiff"), ("&format=tiff", "application/pdf"), ("&accept=image/tiff", "*/*")
    for query, accept in (*wishes, ("", "application/pdf;q=0.5, image/tiff;q=0.8"), ("", "*/*;q=0, image/*")):
        status, headers, tiff = await get(query, Accept=accept)
        assert (status, headers["Content-Type"]) == (200, "image/tiff")
        with Image.open(io.BytesIO(tiff)) as image:
            assert getattr(image, "n_frames", 0) == 2
    assert (await get("&disposition=inline"))[1]["Content-Disposition"].startswith("inline; ")
    status, headers, part = await get(Range="bytes=1-3")
    assert (status, headers["Content-Range"], part) == (206, f"bytes 1-3/{len(pdf)}", pdf[1:4])
    assert [(await get(query, **more))[0] for query, more in (("&format=gif", {}), ("", {"Accept": "text/html"}))] == [
        400,
        406,
    ]
    assert (await get("", Range=f"bytes={len(pdf)}-"))[0] == 416
    lines = await audit.page(kazoo.house.db, fax_id=parse_id(made["id"]), limit=500)
    assert [line.action for line in lines].count(Action.DOWNLOADED.value) == 9
    assert lines[-1].action == Action.SENT.value


async def test_a_received_tiff_is_given_out_as_pdf(kazoo: Live) -> None:
    await kazoo.house.emulator.receive(CLINIC, "+12125550199", samples.tiff(2))
    await kazoo.through()
    (identity,) = (await kazoo.folders())["inbox"]
    for wanted, start in (("tiff", b"II"), ("pdf", b"%PDF-")):
        path = f"{kazoo.origin}{kazoo.base}/inbox/{identity}/attachment?format={wanted}&auth_token={kazoo.token}"
        async with kazoo.client.get(path) as response:
            assert (response.status, (await response.read())[: len(start)]) == (200, start)


async def test_a_sent_fax_is_sent_again_with_changes(kazoo: Live) -> None:
    await kazoo.create(from_name="First", kept="yes", notifications={"email": {"send_to": [SENDER]}})
    await kazoo.through()
    (sent,) = (await kazoo.folders())["outbox"]
    path = f"/outbox/{sent}"
    for body, code in (({"data": {}}, 400), ({"action": "forward", "data": {}}, 400)):
        status, envelope = await kazoo.ask(path, "PUT", json=body)
        assert (status, "action" in envelope["data"]) == (code, True)
    status, envelope = await kazoo.ask(path, "PUT", json={"action": "resubmit", "data": {"to_number": "x"}})
    assert (status, list(envelope["data"])) == (400, ["to_number"])
    again = {"action": "resubmit", "data": {"to_number": "2025550143", "retries": 2}}
    new = await kazoo.data(path, "PUT", json=again)
    assert (new["to_number"], new["retries"], new["from_name"], new["kept"]) == ("+12025550143", 2, "First", "yes")
    assert (new["attempts"], new["tx_result"]["success"]) == (0, False)
    assert len(new["id"]) == 32
    await kazoo.through()
    assert [fax.to_number for fax in kazoo.house.emulator.faxes] == ["+12025550142", "+12025550143"]
    assert len(kazoo.house.mails(SENDER)) == 2
    same = await kazoo.data(path, "PUT", json={"action": "resubmit", "data": {}})
    assert same["to_number"] == "+12025550142"


async def test_a_received_fax_is_passed_on_from_a_number_of_ours(kazoo: Live) -> None:
    await kazoo.house.emulator.receive(CLINIC, "+12125550199", samples.pdf(2))
    await kazoo.through()
    (identity,) = (await kazoo.folders())["inbox"]
    path = f"/inbox/{identity}"
    status, envelope = await kazoo.ask(path, "PUT", json={"action": "forward", "data": {}})
    assert (status, list(envelope["data"])) == (400, ["to_number"])
    new = await kazoo.data(path, "PUT", json={"action": "forward", "data": {"to_number": "+12025550143"}})
    assert (new["from_number"], new["to_number"]) == (OFFICE, "+12025550143")
    await kazoo.through()
    (fax,) = [fax for fax in kazoo.house.emulator.faxes if fax.direction is Direction.OUTBOUND]
    assert (fax.from_number, fax.to_number, fax.pages) == (OFFICE, "+12025550143", 2)
    assert (await kazoo.folders())["inbox"] == [identity]


async def test_a_document_is_removed_once_and_the_fax_stays(kazoo: Live) -> None:
    await kazoo.create()
    await kazoo.through()
    (sent,) = (await kazoo.folders())["outbox"]
    path = f"/outbox/{sent}"
    assert await kazoo.data(f"{path}/attachment", "DELETE") == {}
    assert (await kazoo.ask(f"{path}/attachment", "DELETE"))[0] == 409
    status, envelope = await kazoo.ask(f"{path}/attachment")
    assert (status, envelope["data"]["message"]) == (404, "no attachment found")
    status, envelope = await kazoo.ask(path, "PUT", json={"action": "resubmit", "data": {}})
    assert (status, envelope["message"]) == (409, "datastore_conflict")
    assert (await kazoo.data(path))["tx_result"]["success"] is True
    assert (await kazoo.folders())["outgoing"] == []


async def test_a_deleted_fax_is_gone_and_the_audit_trail_says_who_did_it(kazoo: Live) -> None:
    made = await kazoo.create()
    await kazoo.through()
    (sent,) = (await kazoo.folders())["outbox"]
    gone = await kazoo.data(f"/outbox/{sent}", "DELETE")
    assert (gone["id"], gone["_read_only"]) == (sent, {"deleted": True})
    for method in ("DELETE", "GET"):
        status, envelope = await kazoo.ask(f"/outbox/{sent}", method)
        assert (status, envelope["message"]) == (404, "bad_identifier")
    assert (await kazoo.ask(f"/outgoing/{made['id']}"))[0] == 404
    assert (await kazoo.folders())["outbox"] == []
    lines = await audit.page(kazoo.house.db, fax_id=parse_id(made["id"]))
    assert lines[0].action == Action.DELETED.value


async def test_a_waiting_fax_is_canceled_and_one_that_is_sent_is_not(kazoo: Live) -> None:
    waiting = await kazoo.create()
    await kazoo.house.drain(COLLECT, PREPARE)
    gone = await kazoo.data(f"/outgoing/{waiting['id']}", "DELETE")
    assert (gone["status"], gone["tx_result"]["result_text"]) == ("failed", "canceled")
    assert (await kazoo.ask(f"/outgoing/{waiting['id']}", "DELETE"))[0] == 409
    sending = await kazoo.create()
    await kazoo.house.drain(COLLECT, PREPARE, TRANSMIT)
    await kazoo.house.emulator.settle()
    refused = 0
    for job in await kazoo.house.claim(EVENT):
        await kazoo.house.stories[EVENT](job)
        if (await kazoo.data(f"/outgoing/{sending['id']}"))["status"] == "processing":
            status, envelope = await kazoo.ask(f"/outgoing/{sending['id']}", "DELETE")
            assert (status, envelope["message"]) == (409, "datastore_conflict")
            refused += 1
    assert refused
    assert (await kazoo.data(f"/outgoing/{sending['id']}"))["status"] == "completed"
    await kazoo.house.drain(DELIVER, FORWARD)


async def test_curl_without_a_content_type_and_with_its_own_is_understood(kazoo: Live) -> None:
    body = b'{"data":{"document":{"url":"' + kazoo.url("/2.pdf").encode() + b'"},"from_number":"2025550100",'
    body += b'"to_number":12025550142}}'
    for content_type in ("application/x-www-form-urlencoded", "application/json; charset=utf-8", "application/x-json"):
        made = await kazoo.data("/outgoing", "PUT", data=body, headers={"Content-Type": content_type})
        assert (made["to_number"], made["from_number"]) == ("+12025550142", "2025550100")
    async with kazoo.client.put(
        f"{kazoo.origin}{kazoo.base}",
        data=body,
        headers={"X-Auth-Token": kazoo.token},
        skip_auto_headers=["Content-Type"],
    ) as response:
        assert response.status == 201
        assert response.headers["Location"]
