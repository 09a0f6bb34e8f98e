"""Strangers who send mail: what they sign, where they publish their keys, and the door that they come to."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from ipaddress import ip_network
from pathlib import Path

import dkim
import pytest
from nacl.signing import SigningKey

from gateway.dns import Resolver
from gateway.intake.evidence import Evidence, Relay
from tests.integration.dns_house import Names
from tests.integration.door_house import PDF, Door, opened
from tests.integration.house import REALM, SENDER, House
from tests.samples import mail

NUMBER = f"+12025550142@{REALM}"
SIGNED = [b"from", b"to", b"subject", b"date", b"message-id"]
KEY = SigningKey.generate()


@asynccontextmanager
async def strangers_door(
    request: pytest.FixtureRequest, folder: Path, names: Names, patience: float = 1.0
) -> AsyncIterator[Door]:
    """A door for strangers, and a relay of ours in front of it at 127.0.0.2. *patience* is that with a name server."""
    request.param = "sqlite"
    relays = [Relay("mx.front.example", (ip_network("127.0.0.2/32"),))]

    def evidence(house: House) -> Evidence:
        return Evidence(Resolver([names.address], timeout=patience), house.sandbox, relays)

    async with opened(request, folder, mode="mx", evidence=evidence) as one:
        yield one


def signed(
    message: bytes,
    domain: str = REALM,
    *,
    headers: list[bytes] = SIGNED,
    canonical: bytes = b"relaxed",
    length: bool = False,
) -> bytes:
    """Return *message* with a DKIM signature of *domain* above it."""
    key = base64.b64encode(bytes(KEY))
    present = [name for name in headers if b"\n" + name + b":" in b"\n" + message.partition(b"\r\n\r\n")[0].lower()]
    signature = dkim.sign(
        message,
        b"s1",
        domain.encode(),
        key,
        signature_algorithm=b"ed25519-sha256",
        canonicalize=(canonical, canonical),
        include_headers=present,
        length=length,
    )
    return bytes(signature) + message


def publish(names: Names, domain: str = REALM) -> None:
    public = base64.b64encode(bytes(KEY.verify_key)).decode()
    names.texts[f"s1._domainkey.{domain}"] = f"v=DKIM1; k=ed25519; p={public}"


def letter(
    to: str = NUMBER,
    sender: str = f"Alice <{SENDER}>",
    message_id: str = "<1@acme.example>",
    written_at: datetime | None = None,
) -> bytes:
    date = format_datetime(written_at or datetime.now(UTC))
    return mail([PDF], to=to, sender=sender, message_id=message_id, date=date)


async def answer(door: Door, content: bytes, sender: str = SENDER, to: list[str] | str = NUMBER) -> str:
    return (await door.send(to, content, sender=sender))[-1]
