"""A name server on the loopback that says what it is told, and is silent where it is told to be."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from dnslib import QTYPE, RCODE, RR, TXT, DNSError, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSServer


class Names(BaseResolver):  # type: ignore[misc]  # dnslib has no types
    """``texts`` has TXT records by name, which may be remembered for ``ttl`` seconds; questions about ``broken`` names
    are answered SERVFAIL, and those about ``silent`` ones not at all; ``asked`` keeps them all."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
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
        elif name not in self.texts:
            reply.header.rcode = RCODE.NXDOMAIN
        elif QTYPE[request.q.qtype] == "TXT":
            text = self.texts[name].encode()
            pieces = [text[start : start + 255] for start in range(0, len(text), 255)]
            reply.add_answer(RR(request.q.qname, QTYPE.TXT, rdata=TXT(pieces), ttl=self.ttl))
        return reply


class _Quiet:
    def __getattr__(self, name: str) -> object:
        return lambda *arguments: None


@contextmanager
def naming() -> Iterator[Names]:
    """Run a name server, and yield what it says."""
    names = Names()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        names.address = free.getsockname()
    server = DNSServer(names, address=names.address[0], port=names.address[1], logger=_Quiet())
    server.start_thread()
    try:
        yield names
    finally:
        server.stop()
        server.server.server_close()
