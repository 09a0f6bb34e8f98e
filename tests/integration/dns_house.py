"""A name server on the loopback that says what it is told, and is silent where it is told to be."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from dnslib import QTYPE, RCODE, RR, TXT, A, DNSError, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSServer

#: The most octets of an answer by datagram.
DATAGRAM = 512


class Names(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    """``texts`` has TXT records by name, ``addresses`` A records; they may be remembered for ``ttl`` seconds. What does
    not fit into a datagram is for those who ask again by TCP. Questions about ``broken`` names are answered SERVFAIL,
    and those about ``silent`` ones not at all; ``asked`` keeps them all."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.addresses: dict[str, list[str]] = {}
        self.broken: set[str] = set()
        self.silent: set[str] = set()
        self.asked: list[str] = []
        self.address = ("127.0.0.1", 0)
        self.ttl = 0

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        name = str(request.q.qname).rstrip(".").lower()
        self.asked.append(name)
        if name in self.silent:
            raise DNSError("silence")
        reply = request.reply()
        if name in self.broken:
            reply.header.rcode = RCODE.SERVFAIL
        elif name not in self.texts and name not in self.addresses:
            reply.header.rcode = RCODE.NXDOMAIN
        elif QTYPE[request.q.qtype] == "A":
            for address in self.addresses.get(name, []):
                reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=self.ttl))
        elif QTYPE[request.q.qtype] == "TXT" and name in self.texts:
            text = self.texts[name].encode()
            pieces = [text[start : start + 255] for start in range(0, len(text), 255)]
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(pieces), ttl=self.ttl))
        return _cut(request) if handler.protocol == "udp" and len(reply.pack()) > DATAGRAM else reply


def _cut(request: DNSRecord) -> DNSRecord:
    reply = request.reply()
    reply.header.tc = 1
    return reply


class _Quiet:
    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


@contextmanager
def naming() -> Iterator[Names]:
    """Run a name server, and yield what it says."""
    names = Names()
    names.address = _free_port()
    where = {"address": names.address[0], "port": names.address[1], "logger": _Quiet()}
    servers = [DNSServer(names, tcp=tcp, **where) for tcp in (False, True)]
    for server in servers:
        server.start_thread()
    try:
        yield names
    finally:
        for server in servers:
            server.stop()
            server.server.server_close()


def _free_port() -> tuple[str, int]:
    """Return an address at which nobody listens, neither for datagrams nor for connections."""
    while True:
        with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            stream.bind(("127.0.0.1", 0))
            with suppress(OSError):
                datagrams.bind(stream.getsockname())
                return ("127.0.0.1", int(stream.getsockname()[1]))
