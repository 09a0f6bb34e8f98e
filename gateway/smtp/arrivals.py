"""Who has connected, and how often a peer may."""

import socket
import ssl
from collections import Counter
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from gateway.smtp.listener import Listener, peer_key
from gateway.smtp.protocol import SmtpProtocol

MINUTE = 60.0
#: How many peers are remembered; beyond it all are forgotten, so that a flood from everywhere takes no memory.
MOST_PEERS = 50_000


@dataclass(slots=True, eq=False)
class Arrival:
    """A connection that was accepted. ``peer`` is the proxy until that has said whom it speaks for; ``protocol`` is set
    once the connection stands, and ``counted`` when it is one of its peer's."""

    connection: socket.socket
    peer: IPv4Address | IPv6Address
    listener: Listener
    context: ssl.SSLContext | None
    protocol: SmtpProtocol | None = None
    counted: bool = False

    @property
    def key(self) -> str:
        """What counts as one peer."""
        return peer_key(self.peer)


class Rates:
    """Counts connections of each peer in a minute, which begins anew when it has passed."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._seen: Counter[str] = Counter()
        self._since = float("-inf")

    def allow(self, key: str, now: float) -> bool:
        """Count one more connection of *key* at *now* (seconds); False when it is one too many."""
        if now - self._since >= MINUTE or len(self._seen) > MOST_PEERS:
            self._seen.clear()
            self._since = now
        self._seen[key] += 1
        return self._seen[key] <= self._most
