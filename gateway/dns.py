"""Looking things up in the DNS, at name servers that the settings may name."""

import asyncio
import struct
from collections.abc import Sequence
from ipaddress import ip_address
from time import time
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.message
import dns.rdatatype
import dns.resolver
from dns.nameserver import Do53Nameserver

from gateway.errors import ConfigurationError

#: How many answers are remembered, for as long as they say, but not longer than so many seconds; that there is no such
#: record as long as its server says (RFC 2308), and otherwise not at all.
REMEMBERED = 2000
LONGEST, LONGEST_NOTHING = 3600.0, 300.0
#: The largest answer that is remembered, in octets.
LARGEST = 8192
#: Answers of more records are no answers. To read the 4000 that fit into one takes a fifth of a second, in which
#: everybody else waits; what mail needs has a dozen.
MOST_RECORDS = 400
DEFAULT_PORT = 53
#: The octets of an answer before its question; the last six of them count the records.
_HEADER = 12


class DnsTrouble(Exception):
    """No name server gave an answer that says yes or no: it may do so later."""


class _Memory(dns.resolver.LRUCache):
    """The library's own remembers for ever that there is nothing, where the server does not say how long that holds."""

    def put(self, key: dns.resolver.CacheKey, value: dns.resolver.Answer) -> None:
        if len(value.response.wire or b"") > LARGEST:
            return
        nothing = value.rrset is None
        if nothing and not any(found.rdtype == dns.rdatatype.SOA for found in value.response.authority):
            return
        value.expiration = min(value.expiration, time() + (LONGEST_NOTHING if nothing else LONGEST))
        super().put(key, value)


class _NameServer(Do53Nameserver):
    """Looks at how much an answer holds before it is read. Only by TCP can it be much."""

    def __str__(self) -> str:
        return self.address if self.port == DEFAULT_PORT else f"{self.address} port {self.port}"

    async def async_query(
        self,
        request: dns.message.QueryMessage,
        timeout: float,
        source: str | None,
        source_port: int,
        max_size: bool,
        backend: Any,
        one_rr_per_rrset: bool = False,
        ignore_trailing: bool = False,
    ) -> dns.message.Message:
        """Ask, by TCP if *max_size*."""
        if not max_size:
            return await super().async_query(
                request, timeout, source, source_port, max_size, backend, one_rr_per_rrset, ignore_trailing
            )
        async with asyncio.timeout(timeout):
            answer = await self._asked(request.to_wire(prepend_length=True))
        if len(answer) < _HEADER or sum(struct.unpack("!3H", answer[6:_HEADER])) > MOST_RECORDS:
            raise OSError("the answer is none, or too large")  # another server is asked
        response = dns.message.from_wire(answer)
        if not request.is_response(response):
            raise OSError("this answers another question")
        return response

    async def _asked(self, question: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(question)
            (length,) = struct.unpack("!H", await reader.readexactly(2))
            return await reader.readexactly(length)
        finally:
            writer.close()


class Resolver:
    """*servers* are ``host:port`` of name servers; without any, those of the system. *timeout* is in seconds, for a
    question with all its tries."""

    def __init__(self, servers: Sequence[tuple[str, int]] = (), timeout: float = 5.0) -> None:
        self._servers = servers
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._timeout = timeout

    async def texts(self, name: str) -> list[str]:
        """Return the TXT records of *name*, each joined from its strings; [] when there are none.

        Raises DnsTrouble. Octets beyond ASCII are surrogates.
        """
        return [text.decode("ascii", "surrogateescape") for text in await self.look_up(name, "TXT")]

    async def look_up(self, name: str, kind: str) -> list[bytes]:
        """Return the strings of TXT records, or the presentation of others (A, AAAA, MX, PTR); raises DnsTrouble."""
        try:
            answer = await self._made().resolve(name, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.resolver.NoNameservers, dns.exception.Timeout, OSError) as error:
            raise DnsTrouble(f"{name} {kind}: {type(error).__name__}") from error
        except (dns.exception.DNSException, ValueError):
            return []  # no name that anybody can own
        if answer.rrset is None:
            return []
        if answer.rdtype == dns.rdatatype.TXT:
            return [b"".join(record.strings) for record in answer.rrset]
        return [record.to_text().encode("ascii", "replace") for record in answer.rrset]

    async def check(self) -> str:
        """Ask whether a name server answers at all; return a sentence about it. Raises ConfigurationError."""
        try:
            await self._made().resolve(".", "NS", search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            pass
        except (dns.exception.DNSException, OSError) as error:
            raise ConfigurationError(
                f"[dns] servers: no name server answers ({type(error).__name__}); name one that does, "
                "or take no mail from strangers (a listener of mode mx)"
            ) from None
        return f"name servers answer: {', '.join(str(server) for server in self._made().nameservers)}"

    def _made(self) -> dns.asyncresolver.Resolver:
        """Return the resolver. The system's settings are read at the first question. Raises ConfigurationError."""
        if self._resolver is None:
            self._resolver = _resolver(self._servers, self._timeout)
        return self._resolver


def _resolver(servers: Sequence[tuple[str, int]], timeout: float) -> dns.asyncresolver.Resolver:
    try:
        made = dns.asyncresolver.Resolver(configure=not servers)
    except dns.resolver.NoResolverConfiguration:
        raise ConfigurationError("[dns] servers: the system names no name server; name one here") from None
    named = servers or [(str(server), made.nameserver_ports.get(str(server), made.port)) for server in made.nameservers]
    made.nameservers = [_NameServer(str(ip_address(host)), port) for host, port in named]
    made.lifetime = timeout
    made.timeout = min(2.0, timeout)
    made.cache = _Memory(REMEMBERED)
    return made


def blocking(resolver: Resolver, loop: asyncio.AbstractEventLoop, name: str, kind: str, patience: float) -> list[bytes]:
    """Look something up from another thread, by way of *loop*. Raises DnsTrouble, also after *patience* seconds."""
    asked = asyncio.run_coroutine_threadsafe(resolver.look_up(name, kind), loop)
    try:
        return asked.result(patience)
    except TimeoutError:
        asked.cancel()
        raise DnsTrouble(f"{name} {kind}: no answer in time") from None
