"""Listeners behind a load balancer: the PROXY protocol says who the client is, and only listed proxies are believed."""

import asyncio
import socket
import ssl
import struct
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import trustme

from gateway.account import SmtpUser
from gateway.errors import Kind, refuse
from gateway.smtp.listener import MX, SUBMISSIONS, TRUSTED, Listener, Networks
from tests.integration.smtp_house import LOOPBACK, MAIL, RCPT, Client, House, certified, make_house, serving, trusting

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25\r\n"


def v2(command: int, family: int, addresses: bytes, more: bytes = b"") -> bytes:
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, len(addresses + more)) + addresses + more


def inet(source: str) -> bytes:
    here = ip_address("::1" if ":" in source else "127.0.0.1")
    return ip_address(source).packed + here.packed + struct.pack("!HH", 4711, 25)


def behind(proxies: Networks = LOOPBACK, mode: str = MX) -> Listener:
    return Listener("127.0.0.1:0", mode=mode, networks=(ip_network("192.0.2.0/24"),), proxies=proxies)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return make_house(tmp_path)


async def _mail(client: Client) -> None:
    await client.hello(MAIL, RCPT, "DATA")
    await client.send(b"x\r\n.\r\n")
    assert (await client.reply()).startswith("250 ")


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (V1, "192.0.2.7"),
        (b"PROXY TCP6 2001:db8::7 ::1 4711 25\r\n", "2001:db8::7"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", "127.0.0.1"),
        (v2(1, 0x31, bytes(216)), "127.0.0.1"),
        (v2(1, 0x11, inet("192.0.2.7")), "192.0.2.7"),
        (v2(1, 0x21, inet("2001:db8::7")), "2001:db8::7"),
        (v2(1, 0x21, inet("::ffff:192.0.2.7")), "192.0.2.7"),
        (v2(1, 0x11, inet("192.0.2.7"), b"\x02\0\x03fax" + bytes(500)), "192.0.2.7"),
        (v2(0, 0x00, b""), "127.0.0.1"),
    ],
)
async def test_the_client_is_who_the_proxy_says(house: House, header: bytes, peer: str) -> None:
    async with serving(house, listener=behind()) as server, Client(server.addresses[0]) as client:
        await client.send(header)
        await _mail(client)
    assert house.taken[0].peer == peer
    assert house.proven == house.taken


async def test_a_header_may_come_in_pieces(house: House) -> None:
    header = v2(1, 0x11, inet("192.0.2.7"), b"\x02\0\x03fax" + bytes(500))
    async with serving(house, listener=behind()) as server, Client(server.addresses[0]) as client:
        for at in range(0, len(header), 50):
            await client.send(header[at : at + 50])
            await asyncio.sleep(0.01)
        await _mail(client)
    assert house.taken[0].peer == "192.0.2.7"


@pytest.mark.parametrize(
    ("header", "greeting"),
    [(b"PROXY UNKNOWN\r\n", "554 5.7.1"), (v2(1, 0x31, bytes(216)), "554 5.7.1"), (v2(0, 0x00, b""), "220 fax.e")],
    ids=["unknown", "unix", "the proxy itself"],
)
async def test_who_is_not_named_is_in_no_network_that_is_trusted(house: House, header: bytes, greeting: str) -> None:
    listener = behind(mode=TRUSTED)
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.send(header)
        assert (await client.reply())[:9] == greeting


@pytest.mark.parametrize(
    "header",
    [
        b"EHLO client.example\r\n",
        b"PROXY TCP4 192.0.2.7\r\n",
        b"PROXY TCP4 2001:db8::7 ::1 4711 25\r\n",
        b"PROXY TCP4 999.0.2.7 127.0.0.1 4711 25\r\n",
        b"PROXY TCP4 192.0.2.7 127.0.0.1 4711 25 " + b"x" * 100 + b"\r\n",
        b"PROXY " + b"x" * 200,
        v2(3, 0x11, inet("192.0.2.7")),
        v2(1, 0x11, b"1234"),
        v2(1, 0x11, inet("192.0.2.7"), bytes(5000)),
        SIGNATURE[:11] + b"X" + bytes(16),
    ],
)
async def test_a_header_that_is_none_ends_the_connection_without_a_word(house: House, header: bytes) -> None:
    async with serving(house, listener=behind()) as server, Client(server.addresses[0]) as client:
        await client.send(header)
        assert await client.rest() == []
        assert server.connections == 0


async def test_a_proxy_that_says_nothing_is_not_waited_for(house: House) -> None:
    async with serving(house, listener=behind(), proxy_seconds=0.2) as server, Client(server.addresses[0]) as client:
        await client.send(V1[:10])
        assert await client.rest() == []


async def test_who_is_no_proxy_is_not_believed(house: House) -> None:
    listener = behind(proxies=(ip_network("10.0.0.0/8"),))
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.reply()
        assert (await client.say(V1.decode().strip())).startswith("500 5.5.1 ")
        await client.say("EHLO client.example")
        await client.say(MAIL)
    assert [refused.peer for refused in house.refusals] == ["127.0.0.1"]


async def test_networks_and_counts_are_the_clients_and_not_the_proxys(house: House) -> None:
    async with (
        serving(house, listener=behind(mode="trusted"), connections_per_peer=1) as server,
        Client(server.addresses[0]) as first,
        Client(server.addresses[0]) as second,
        Client(server.addresses[0]) as third,
        Client(server.addresses[0]) as stranger,
    ):
        for client, address in ((first, "192.0.2.7"), (second, "192.0.2.8")):
            await client.send(V1.replace(b"192.0.2.7", address.encode()))
            await client.hello()
        await third.send(V1)
        assert [reply[:9] for reply in await third.rest()] == ["421 4.7.0"]
        await stranger.send(V1.replace(b"192.0.2.7", b"198.51.100.9"))
        assert [reply[:31] for reply in await stranger.rest()] == ["554 5.7.1 198.51.100.9 is not i"]
        await first.say("QUIT")
        assert await first.reply() == ""
        async with Client(server.addresses[0]) as again:
            await again.send(V1)
            await again.hello()


async def test_an_ipv6_network_is_one_peer(house: House) -> None:
    async def greeting(client: Client, address: str) -> str:
        await client.send(v2(1, 0x21, inet(address)))
        return (await client.reply())[:9]

    async with (
        serving(house, listener=behind(), connections_per_peer=1, connections_per_minute=2) as server,
        Client(server.addresses[0]) as first,
        Client(server.addresses[0]) as near,
        Client(server.addresses[0]) as far,
        Client(server.addresses[0]) as next_,
        Client(server.addresses[0]) as last,
    ):
        assert (await greeting(first, "2001:db8:0:1::7")).startswith("220 ")
        assert await greeting(near, "2001:db8:0:1:ffff::8") == "421 4.7.0", "as many at once as one may have"
        assert (await greeting(far, "2001:db8:0:2::7")).startswith("220 ")
        await first.say("QUIT")
        assert await first.reply() == ""
        assert (await greeting(next_, "2001:db8:0:1::9")).startswith("220 ")
        await next_.say("QUIT")
        assert await next_.reply() == ""
        assert await greeting(last, "2001:db8:0:1::a") == "421 4.7.0", "as many in a minute as one may have"


@pytest.mark.parametrize("header", [V1, v2(1, 0x11, inet("192.0.2.7"))], ids=["version 1", "version 2"])
async def test_the_client_is_kept_across_starttls(house: House, tmp_path: Path, header: bytes) -> None:
    authority = trustme.CA()
    listener = certified(authority, tmp_path, mode=MX, proxies=LOOPBACK)
    async with serving(house, listener=listener) as server, Client(server.addresses[0]) as client:
        await client.send(header)
        await client.hello("STARTTLS")
        await client.start_tls(trusting(authority))
        for command in ("EHLO client.example", MAIL, RCPT, "DATA"):
            await client.say(command)
        await client.send(b"x\r\n.\r\n")
        assert (await client.reply()).startswith("250 ")
    assert (house.taken[0].peer, house.taken[0].tls[:4]) == ("192.0.2.7", "TLSv")


async def test_tls_begins_right_behind_the_header(house: House, tmp_path: Path) -> None:
    """Nothing of the handshake is taken for a part of the header, although both may come at once."""
    authority = trustme.CA()
    listener = certified(authority, tmp_path, mode=SUBMISSIONS, proxies=LOOPBACK)

    class Nobody:
        async def login(self, name: str, password: str, peer: str) -> SmtpUser:
            peers.append(peer)
            raise refuse(Kind.LOGIN_FAILED, "nobody is known")

    peers: list[str] = []
    async with serving(house, listener=listener, authenticator=Nobody()) as server:
        reply = await _speak_tls(server.addresses[0], trusting(authority), "AUTH PLAIN AGEAYg==")
    assert reply.startswith(b"535 ")
    assert peers == ["192.0.2.7"]


async def _speak_tls(address: tuple[str, int], context: ssl.SSLContext, command: str) -> bytes:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="fax.example.com")
    loop = asyncio.get_running_loop()
    with socket.create_connection(address) as connection:
        connection.setblocking(False)
        first = V1
        with_replies = b""
        said = [b"EHLO c\r\n", command.encode() + b"\r\n"]
        while True:
            try:
                if tls.version() is None:
                    tls.do_handshake()
                with_replies = tls.read()
                if not said:
                    return with_replies
                tls.write(said.pop(0))
            except ssl.SSLWantReadError:
                pass
            if outgoing.pending:
                await loop.sock_sendall(connection, first + outgoing.read())
                first = b""
            else:
                incoming.write(await loop.sock_recv(connection, 65536))
