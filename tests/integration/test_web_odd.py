"""What no library sends, and anybody can: headers of parts that are no text, addresses that are none, absurd counts."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.web_house import HANG, House, opened

OURS, THEIRS = "+12025550171", "+12025550199"
#: Latin-1, as old programs send it; NUL; a code that is none.
NAMES = [b'filename="\xdcberweisung.pdf"', b"filename*=utf-8''%00a.pdf", b"filename*=nothing''a.pdf"]
TYPES = [b"application/pdf", b"\xff\xfe/a", b"a/" + b"b" * 400, b"pdf"]


@dataclass
class Client:
    """One that writes its requests by hand."""

    house: House
    account: str
    token: str
    application: str

    async def say(self, method: str, path: str, kind: str, body: bytes, more: str = "") -> tuple[int, str]:
        """Make one request and return its status and the body of its answer."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: fax\r\nAuthorization: Bearer {self.token}\r\nContent-Type: {kind}\r\n"
        )
        close = f"Connection: close\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        reader, writer = await self.house.connect()
        writer.write((head + close).encode() + body)
        said = await asyncio.wait_for(reader.read(), HANG)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        first, _, rest = said.partition(b"\r\n\r\n")
        return int(first.split()[1]), rest.decode()

    async def telnyx(self, path: str, more: str = "", **fields: Any) -> tuple[int, str]:
        """POST JSON to one of Telnyx's paths."""
        return await self.say("POST", path, "application/json", json.dumps(fields).encode(), more)


@pytest.fixture
async def client(database_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with opened(database_url, tmp_path) as house:
        account, token = await house.account("a.example")
        fields = {"name": "ward", "webhook_event_url": "http://127.0.0.1:1/"}
        application = await house.provisioning.create_application(account.id, fields)
        await house.provisioning.assign_number(OURS, application.id)
        yield Client(house, account.id.hex, token, str(application.id))


def part(disposition: bytes, kind: bytes, content: bytes) -> bytes:
    """Return a part of a multipart body with the boundary "x"."""
    head = b"--x\r\nContent-Disposition: form-data; " + disposition + b"\r\n"
    return head + (b"Content-Type: " + kind + b"\r\n" if kind else b"") + b"\r\n" + content + b"\r\n"


@pytest.mark.filterwarnings("ignore::aiohttp.BadContentDispositionParam")
async def test_names_and_types_of_files_that_are_no_text_keep_no_fax_from_being_taken(client: Client) -> None:
    fields = {"connection_id": client.application, "to": THEIRS, "from": OURS}
    texts = b"".join(part(f'name="{name}"'.encode(), b"", text.encode()) for name, text in fields.items())
    wish = part(
        b'name="wish"', b"application/json", json.dumps({"data": {"to_number": THEIRS, "from_number": OURS}}).encode()
    )
    form, mixed = "multipart/form-data; boundary=x", "multipart/mixed; boundary=x"
    for name in NAMES:
        for kind in TYPES:
            file = part(b'name="contents"; ' + name, kind, b"%PDF-1.7") + b"--x--\r\n"
            assert (await client.say("POST", "/v2/faxes", form, texts + file))[0] == 202, (name, kind)
            status, said = await client.say("PUT", f"/v2/accounts/{client.account}/faxes", mixed, wish + file)
            assert status == 201, (name, kind, said)
            media = file.replace(b'"contents"', b'"media"')
            assert (await client.say("POST", "/v2/media", form, media))[0] == 201, (name, kind)
    for row in await client.house.rows("faxes"):
        (document,) = row["documents"]
        assert "\0" not in document["name"] + document["media_type"]
        (document["name"] + document["media_type"]).encode()  # not half a character


@pytest.mark.parametrize(
    "url", ["http://[::1/", "http://a\u2100b/", "http://a..b/x.pdf", "http://a%3Ab:c@h.example/", "http://.h.example/"]
)
async def test_what_is_no_address_is_refused_and_leaves_no_file(client: Client, url: str) -> None:
    wish = {"connection_id": client.application, "to": THEIRS, "from": OURS}
    asked = [
        ("/v2/media", {"media_url": url}),
        ("/v2/fax_applications", {"application_name": "other", "webhook_event_url": url}),
        ("/v2/faxes", wish | {"media_url": "http://127.0.0.1:1/a.pdf", "webhook_url": url}),
    ]
    for path, fields in asked:
        status, said = await client.telnyx(path, **fields)
        assert status == 422, (path, said)
    data = {"data": {"to_number": THEIRS, "from_number": OURS, "document": {"url": url}}}
    path = f"/v2/accounts/{client.account}/faxes"
    assert (await client.say("PUT", path, "application/json", json.dumps(data).encode()))[0] == 400
    assert await client.house.count("faxes") == 0
    assert list(client.house.blobs.incoming.iterdir()) == []


async def test_a_count_of_tries_that_is_none_counts_nothing(client: Client) -> None:
    wish = {"connection_id": client.application, "to": THEIRS, "from": OURS, "media_url": "http://127.0.0.1:1/a.pdf"}
    for count in ("9" * 5000, "-1", "1.5", "\u0661"):
        status, said = await client.telnyx("/v2/faxes", f"X-Stainless-Retry-Count: {count}\r\n", **wish)
        assert status == 202, said
    assert await client.house.count("faxes") == 4
