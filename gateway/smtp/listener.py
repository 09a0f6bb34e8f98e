"""Where the SMTP door listens, and to whom."""

import socket
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.errors import ConfigurationError
from gateway.smtp.tls import server_context

BACKLOG = 256


#: What a listener believes: its networks; people who log in, by STARTTLS or inside TLS; mails that prove their sender.
TRUSTED, SUBMISSION, SUBMISSIONS, MX = "trusted", "submission", "submissions", "mx"
MODES = (TRUSTED, SUBMISSION, SUBMISSIONS, MX)

Networks = tuple[IPv4Network | IPv6Network, ...]


@dataclass(frozen=True, slots=True)
class Listener:
    """One ``[[smtp.listeners]]``: *address* is ``host:port``, ``[host]:port`` or ``:port`` (every interface).

    ``mode`` ``trusted``: whoever connects from one of ``networks`` may send for every permitted sender. STARTTLS is
    offered when there are a ``tls_certificate`` and its ``tls_key`` (paths of PEM files). Who connects from one of
    ``proxies`` says in a PROXY header whom he speaks for. From ``bare_newlines`` lines may end with a lone LF or CR.
    """

    address: str
    mode: str = TRUSTED
    networks: Networks = ()
    tls_certificate: str = ""
    tls_key: str = ""
    proxies: Networks = ()
    bare_newlines: Networks = ()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ConfigurationError(f'[[smtp.listeners]] mode = "{self.mode}": use one of {", ".join(MODES)}')
        if self.logins and not self.tls_certificate:
            raise ConfigurationError(
                f"[[smtp.listeners]] {self.address}: passwords travel there; give it tls_certificate and tls_key"
            )

    @property
    def logins(self) -> bool:
        """True where people log in before they send."""
        return self.mode in {SUBMISSION, SUBMISSIONS}

    def admits(self, peer: IPv4Address | IPv6Address) -> bool:
        """True when *peer* may connect: from one of the networks of a trusted listener, from anywhere to others."""
        return self.mode != TRUSTED or _within(peer, self.networks)

    def proxied(self, peer: IPv4Address | IPv6Address) -> bool:
        """True when *peer* is one of the listener's proxies."""
        return _within(peer, self.proxies)

    def mends(self, peer: IPv4Address | IPv6Address) -> bool:
        """True when the line ends of *peer* are mended."""
        return _within(peer, self.bare_newlines)

    def context(self) -> ssl.SSLContext | None:
        """Return the TLS context of the listener, None when it offers no TLS. Raises ConfigurationError."""
        return server_context(self.tls_certificate, self.tls_key) if self.tls_certificate else None

    def bind(self) -> list[socket.socket]:
        """Return listening sockets, one for each address that the host has. Raises ConfigurationError."""
        host, _, port = self.address.rpartition(":")
        if not port.isascii() or not port.isdigit():
            raise ConfigurationError(f'[[smtp.listeners]] address = "{self.address}": write it as "host:port"')
        found: list[socket.socket] = []
        try:
            for family, address in _resolved(host.removeprefix("[").removesuffix("]"), int(port)):
                found.append(socket.create_server(address, family=family, backlog=BACKLOG))
        except OSError as error:
            for opened in found:
                opened.close()
            raise ConfigurationError(
                f'[[smtp.listeners]] address = "{self.address}": cannot listen there: {error.strerror or error}'
            ) from None
        return found


def _resolved(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, (str(address[0]), port)) for family, _, _, _, address in found))


def _within(peer: IPv4Address | IPv6Address, networks: Networks) -> bool:
    return any(peer in network for network in networks)


def peer_address(text: str) -> IPv4Address | IPv6Address:
    """Read a peer's address; an IPv4 address that an IPv6 socket reports is the IPv4 address."""
    address = ip_address(text)
    return getattr(address, "ipv4_mapped", None) or address


def peer_key(peer: IPv4Address | IPv6Address) -> str:
    """Return what counts as one peer: an IPv4 address, or an IPv6 /64 (one customer's share)."""
    return str(peer) if peer.version == 4 else f"{int(peer) >> 64:x}::/64"
