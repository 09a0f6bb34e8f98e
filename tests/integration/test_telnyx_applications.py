"""``/v2/fax_applications`` and ``/v2/phone_numbers`` with Telnyx's own library, and what it would never send."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import telnyx

from tests import telnyx_samples
from tests.integration.telnyx_house import Desk, desk, pointers

URL = "https://example.com/events"
FAXES, NUMBERS = "/fax_applications", "/phone_numbers"


@pytest.fixture
async def both(database_url: str, tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(database_url, tmp_path) as found:
        yield found


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Desk]:
    async with desk(f"sqlite:///{tmp_path}/web.db", tmp_path) as found:
        yield found


async def make(at: Desk, name: str, **fields: Any) -> str:
    made = await at.sdk.fax_applications.create(application_name=name, webhook_event_url=URL, **fields)
    assert made.data is not None
    assert made.data.id is not None
    return made.data.id


async def test_an_application_has_every_field_of_the_documents_and_gives_them_back(both: Desk) -> None:
    status, body = await both.ask("POST", FAXES, json=telnyx_samples.APPLICATION_REQUEST)
    assert status == 201
    made = body["data"]
    known = telnyx_samples.fields(telnyx_samples.APPLICATION) | telnyx_samples.NEWER_APPLICATION
    assert telnyx_samples.fields(made) == known
    assert {name: made[name] for name in telnyx_samples.APPLICATION_REQUEST} == {
        **telnyx_samples.APPLICATION_REQUEST,
        "inbound": {**telnyx_samples.APPLICATION["inbound"], "inbound_fax_file_type": "pdf"},
    }
    assert all(time.endswith("Z") for time in telnyx_samples.times(made))
    assert str(int(made["id"])) == made["id"]
    found = await both.sdk.fax_applications.retrieve(made["id"])
    assert found.data is not None
    assert found.data.model_dump()["inbound"]["sip_subdomain"] == "example"
    deleted = await both.sdk.fax_applications.delete(made["id"])
    assert deleted.data is not None
    assert deleted.data.id == made["id"]
    with pytest.raises(telnyx.NotFoundError):
        await both.sdk.fax_applications.retrieve(made["id"])


async def test_what_is_not_given_has_its_default(lite: Desk) -> None:
    _, body = await lite.ask("GET", f"{FAXES}/{await make(lite, 'plain')}")
    made = body["data"]
    assert made["inbound"] == {
        "channel_limit": None,
        "sip_subdomain": None,
        "sip_subdomain_receive_settings": "from_anyone",
        "inbound_fax_file_type": "pdf",
    }
    assert made["outbound"] == {"channel_limit": None, "outbound_voice_profile_id": None}
    assert (made["active"], made["anchorsite_override"], made["tags"]) == (True, "Latency", [])
    assert (made["webhook_timeout_secs"], made["webhook_event_failover_url"]) == (None, "")
    assert made["fax_email_recipient"] is None


async def test_a_change_names_one_field_and_leaves_the_others(both: Desk) -> None:
    more: dict[str, Any] = {"inbound": {"channel_limit": 3, "sip_subdomain": "acme"}, "tags": ["a"]}
    identity = await make(both, "router", extra_body={"fax_email_recipient": "in@acme.example"}, **more)
    for change, expected in (
        ({"active": False}, ("active", False)),
        ({"inbound": {"channel_limit": None}}, ("inbound.sip_subdomain", "acme")),
        ({"outbound": {"channel_limit": 2}}, ("outbound.channel_limit", 2)),
        ({"fax_email_recipient": None}, ("fax_email_recipient", None)),
        ({"inbound": {"inbound_fax_file_type": "tiff"}}, ("inbound.inbound_fax_file_type", "tiff")),
    ):
        status, body = await both.ask("PATCH", f"{FAXES}/{identity}", json=change)
        assert status == 200
        value: Any = body["data"]
        for name in expected[0].split("."):
            value = value[name]
        assert value == expected[1], change
    assert (body["data"]["tags"], body["data"]["inbound"]["channel_limit"]) == (["a"], None)
    changed = await both.sdk.fax_applications.update(identity, application_name="new", webhook_event_url=URL + "/2")
    assert changed.data is not None
    assert (changed.data.application_name, changed.data.webhook_event_url) == ("new", URL + "/2")


async def test_the_list_goes_through_its_pages_filters_and_orders(both: Desk) -> None:
    for name in ("alpha", "Beta-Router", "gamma"):
        await make(both, name, outbound={"outbound_voice_profile_id": "77"} if name == "alpha" else {})
    listed = [each.application_name async for each in both.sdk.fax_applications.list(page_size=1)]
    assert listed == ["gamma", "Beta-Router", "alpha", "acme.example (default)"]

    async def names(**query: str) -> list[str]:
        status, body = await both.ask("GET", FAXES, params=query)
        assert status == 200
        return [each["application_name"] for each in body["data"]]

    assert await names(**{"filter[application_name][contains]": "ROUTER"}) == ["Beta-Router"]
    assert await names(**{"filter[application_name][contains]": "a%a"}) == []
    assert await names(**{"filter[outbound_voice_profile_id]": "77"}) == ["alpha"]
    assert (await names(sort="created_at"))[1:] == ["alpha", "Beta-Router", "gamma"]
    assert (await names(sort="-connection_name"))[0] == "gamma"
    assert (await names(sort="application_name"))[-1] == "gamma"
    _, body = await both.ask("GET", FAXES, params={"page[number]": "9", "page[size]": "0"})
    assert body == {"data": [], "meta": {"page_number": 9, "page_size": 1, "total_pages": 4, "total_results": 4}}
    _, body = await both.ask("GET", FAXES, params={"page[number]": "-1", "page[size]": "999"})
    assert (body["meta"]["page_number"], body["meta"]["page_size"]) == (1, 250)


async def test_a_query_that_cannot_be_read_is_400_and_names_its_parameter(lite: Desk) -> None:
    for name, value in (
        ("page[size]", "x"),
        ("page[number]", "1.5"),
        ("sort", "secret"),
        ("filter[application_name][contains]", "ab"),
    ):
        status, body = await lite.ask("GET", FAXES, params={name: value})
        (error,) = body["errors"]
        assert (status, error["source"]) == (400, {"parameter": name})
        assert error["code"].startswith("100")
        assert error["meta"]["url"].endswith(error["code"])


async def test_a_body_that_cannot_be_is_422_names_the_field_and_stores_nothing(lite: Desk) -> None:
    good = {"application_name": "x", "webhook_event_url": URL}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"application_name": ""}, "/application_name"),
        ({"application_name": 7}, "/application_name"),
        ({"webhook_event_url": "example.com"}, "/webhook_event_url"),
        ({"webhook_event_url": "http://10.0.0.1/x"}, "/webhook_event_url"),
        ({"webhook_event_url": "http://[fe80::1]/x"}, "/webhook_event_url"),
        ({"webhook_event_failover_url": "ftp://example.com"}, "/webhook_event_failover_url"),
        ({"webhook_event_failover_url": ["x"]}, "/webhook_event_failover_url"),
        ({"webhook_timeout_secs": 31}, "/webhook_timeout_secs"),
        ({"webhook_timeout_secs": "5"}, "/webhook_timeout_secs"),
        ({"active": "yes"}, "/active"),
        ({"anchorsite_override": "Atlantis"}, "/anchorsite_override"),
        ({"fax_email_recipient": "no address"}, "/fax_email_recipient"),
        ({"inbound": {"channel_limit": -1}}, "/inbound/channel_limit"),
        ({"inbound": {"sip_subdomain": "a.b"}}, "/inbound/sip_subdomain"),
        ({"inbound": {"sip_subdomain_receive_settings": "x"}}, "/inbound/sip_subdomain_receive_settings"),
        ({"inbound": {"inbound_fax_file_type": "png"}}, "/inbound/inbound_fax_file_type"),
        ({"inbound": []}, "/inbound"),
        ({"outbound": {"channel_limit": 0}}, "/outbound/channel_limit"),
        ({"outbound": {"outbound_voice_profile_id": "x"}}, "/outbound/outbound_voice_profile_id"),
        ({"tags": "x"}, "/tags"),
    ]
    for change, pointer in wrong:
        status, body = await lite.ask("POST", FAXES, json=good | change)
        assert (status, pointers(body)) == (422, [pointer]), change
        assert (body["errors"][0]["code"], body["errors"][0]["title"]) == ("422", "Unprocessable Entity")
    status, body = await lite.ask("POST", FAXES, json={})
    assert (status, pointers(body)) == (422, ["/application_name", "/webhook_event_url"])
    for raw in (b"{", b"[1]", b'{"application_name": NaN}', b"\xff", b"[" * 100_000):
        status, body = await lite.ask("POST", FAXES, data=raw)
        assert status == 400
    assert await lite.house.count("applications") == 1
    _, body = await lite.ask("POST", FAXES, json=good | {"application_name": "a\u0000b\ud800"})
    assert body["data"]["application_name"] == "ab?"


async def test_strangers_are_401_and_other_accounts_see_nothing(lite: Desk) -> None:
    identity = await make(lite, "mine")
    _, foreign = await lite.house.account("other.example")
    for token in ("", "wrong", "fxg_ö"):
        status, body = await lite.ask("GET", FAXES, token=token)
        (error,) = body["errors"]
        assert (status, error["code"], error["title"]) == (401, "10009", "Authentication failed")
    for method in ("GET", "PATCH", "DELETE"):
        status, body = await lite.ask(method, f"{FAXES}/{identity}", token=foreign, json={"active": False})
        assert (status, body["errors"][0]["code"]) == (404, "404")
    for written in ("0", "x", "-1", "99999999999999999999", "6a09cdc3-8948-47f0-aa62-74ac943d6c58", "%00"):
        status, _ = await lite.ask("GET", f"{FAXES}/{written}")
        assert status == 404, written


async def test_numbers_are_registered_listed_and_moved_and_keep_their_application(both: Desk) -> None:
    first, second = await make(both, "first"), await make(both, "second")
    new = {"phone_number": "+12025550177", "connection_id": first}
    status, body = await both.ask("POST", NUMBERS, json=new)
    assert (status, body["data"]["id"], body["data"]["connection_name"]) == (201, "12025550177", "first")
    with pytest.raises(telnyx.UnprocessableEntityError) as refused:
        await both.sdk.fax_applications.delete(first)
    assert "numbers are still assigned" in str(refused.value.body)
    moved = await both.sdk.phone_numbers.update("12025550177", connection_id=second)
    assert moved.data is not None
    assert moved.data.connection_id == second
    await both.sdk.fax_applications.delete(first)
    listed = [each.phone_number async for each in both.sdk.phone_numbers.list()]
    assert listed == ["+12025550177"]
    found = await both.sdk.phone_numbers.retrieve("+12025550177")
    assert found.data is not None
    assert found.data.connection_name == "second"
    for query, count in (({"filter[phone_number]": "0177"}, 1), ({"filter[connection_id]": "5"}, 0)):
        _, body = await both.ask("GET", NUMBERS, params=query)
        assert body["meta"]["total_results"] == count
    await both.sdk.phone_numbers.delete("12025550177")
    assert [each async for each in both.sdk.phone_numbers.list()] == []


async def test_a_number_of_somebody_else_cannot_be_taken(lite: Desk) -> None:
    mine = await make(lite, "mine")
    await lite.ask("POST", NUMBERS, json={"phone_number": "+12025550177", "connection_id": mine})
    _, foreign = await lite.house.account("other.example")
    own = {"application_name": "theirs", "webhook_event_url": URL}
    _, body = await lite.ask("POST", FAXES, token=foreign, json=own)
    theirs = body["data"]["id"]
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"phone_number": "+12025550177", "connection_id": theirs}, "/phone_number"),
        ({"phone_number": "2025550178", "connection_id": theirs}, "/phone_number"),
        ({"phone_number": "+1", "connection_id": theirs}, "/phone_number"),
        ({"phone_number": "+19995550178", "connection_id": theirs}, "/phone_number"),
        ({"phone_number": "+12025550178", "connection_id": mine}, "/connection_id"),
        ({"phone_number": "+12025550178"}, "/connection_id"),
        ({"connection_id": theirs}, "/phone_number"),
    ]
    for body, pointer in wrong:
        status, answer = await lite.ask("POST", NUMBERS, token=foreign, json=body)
        assert (status, pointers(answer)) == (422, [pointer]), body
    status, _ = await lite.ask("PATCH", f"{NUMBERS}/12025550177", token=foreign, json={"connection_id": theirs})
    assert status == 404
    assert [row["account_id"] for row in await lite.house.rows("numbers")] == [lite.account.id]
