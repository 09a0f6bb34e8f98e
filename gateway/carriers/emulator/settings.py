"""What an emulator is made of, and the faults that can be switched on while it runs."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

#: Telnyx allows 20 MB for stored media and for multipart contents, and 350 pages and 50 MB for a fax.
MAX_MEDIA_BYTES = 20 * 1024 * 1024


@dataclass(slots=True)
class Connection:
    """A fax application at the carrier: its webhooks ("" for none) and the numbers (E.164) that ring there."""

    id: str
    webhook_url: str = ""
    failover_url: str = ""
    numbers: list[str] = field(default_factory=list)


@dataclass(slots=True)
class EmulatorSettings:
    """``pace`` is the time between two steps of a fax, ``link_seconds`` the life of a link to a received document.

    Webhooks are posted ``webhook_tries`` times to each URL, with ``webhook_backoff`` seconds before the second try and
    twice the last wait before each further one; ``webhook_timeout`` is longer than Telnyx's 2 s, for slow machines.
    ``signing_seed`` is the private key (32 bytes). ``log`` gets a line of JSON for each step of an accepted fax.
    """

    api_key: str
    connections: list[Connection] = field(default_factory=list)
    pace: float = 0.2
    link_seconds: float = 600
    log: Path | None = None
    signing_seed: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    webhook_tries: int = 3
    webhook_backoff: float = 1.0
    webhook_timeout: float = 5.0
    user_id: str = "19a75cea-02c6-4b9a-84fa-c9bc8341feb8"

    def connection(self, connection_id: str) -> Connection | None:
        """Return the connection of this id."""
        return next((each for each in self.connections if each.id == connection_id), None)

    def owner(self, number: str) -> Connection | None:
        """Return the connection where *number* rings."""
        return next((each for each in self.connections if number in each.numbers), None)


@dataclass(slots=True)
class Faults:
    """What goes wrong on purpose.

    ``down_status``: every API request is answered so, nothing is done; 0 resets the connection instead.
    ``silent``: what is turned away or kept back is not answered at all, until the client goes.
    ``fail_before_accept``: that many POSTs of faxes are answered 503 and not accepted.
    ``reset_after_accept``: that many are accepted, and the connection reset instead of an answer;
    ``ambiguous_rate``: the same by chance, 0 to 1; ``ambiguous_status``: they are answered so instead of reset.
    ``answer_delay``: seconds between taking a fax and saying so. ``expire_links``: links in webhooks have expired
    already; a refresh helps. Received documents, that many: ``cut_links`` break off in the middle, ``slow_links``
    come in drops, ``wrong_links`` are a page that says something else. ``shuffle_webhooks``: those of one fax
    come all at its end, in any order.
    """

    down_status: int | None = None
    silent: bool = False
    fail_before_accept: int = 0
    reset_after_accept: int = 0
    ambiguous_rate: float = 0.0
    ambiguous_status: int | None = None
    answer_delay: float = 0.0
    drop_webhooks: bool = False
    shuffle_webhooks: bool = False
    expire_links: bool = False
    cut_links: int = 0
    slow_links: int = 0
    wrong_links: int = 0
