"""The PROXY protocol, versions 1 and 2 (HAProxy's proxy-protocol.txt): who the client behind a proxy is.

The header is read from the socket before anything else knows the connection, octet by octet, so that nothing of what
follows (a TLS handshake) is taken away; it is parsed by aiosmtpd.
"""

import asyncio
import logging
import socket
from ipaddress import IPv4Address, IPv6Address

from aiosmtpd.proxy_protocol import get_proxy

#: The longest header of version 1 (its section 2.1), and more than any real one of version 2.
_LONGEST_LINE = 107
_LONGEST = 2048
#: The command of version 2 with which a proxy speaks for itself, as it does to see whether we live.
_LOCAL = 0

# aiosmtpd quotes what strangers send.
logging.getLogger("mail.debug").setLevel(logging.CRITICAL + 1)


class NoProxyHeader(Exception):
    """What came first is no PROXY header."""


class ClientUnknown(Exception):
    """The proxy speaks for somebody, and does not say who that is."""


async def client_behind(connection: socket.socket) -> IPv4Address | IPv6Address | None:
    """Read a PROXY header from a non-blocking *connection* and return the client's address.

    None when the proxy speaks for itself. Raises NoProxyHeader, also when the connection ends, and ClientUnknown.
    """
    try:
        header = await get_proxy(_Octets(connection))
    except (ValueError, IndexError, OSError, asyncio.IncompleteReadError):
        raise NoProxyHeader from None
    if not header.valid:
        raise NoProxyHeader
    if header.command == _LOCAL and header.version == 2:
        return None
    address = header.src_addr
    if not isinstance(address, IPv4Address | IPv6Address):
        raise ClientUnknown
    return address


class _Octets:
    """What aiosmtpd reads a header from: never an octet more than it asks for, and never much."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._left = _LONGEST

    async def read(self, n: int = -1) -> bytes:
        if not 0 <= n <= self._left:
            raise ValueError("the header is too long")
        got = await asyncio.get_running_loop().sock_recv(self._connection, n)
        self._left -= len(got)
        return got

    async def readexactly(self, n: int) -> bytes:
        got = b""
        while len(got) < n:
            piece = await self.read(n - len(got))
            if not piece:
                raise asyncio.IncompleteReadError(got, n)
            got += piece
        return got

    async def readuntil(self, until: bytes = b"\n") -> bytes:
        got = b""
        while not got.endswith(until):
            if len(got) > _LONGEST_LINE:
                raise ValueError("the line is too long")
            got += await self.readexactly(1)
        return got
