"""What the outbox was told about how to send: one value for all its steps."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from gateway.attempt import Attempt, Handle
from gateway.fax import Fax, Sight
from gateway.fetch import host_of
from gateway.ids import digest
from gateway.store import jobs, provision
from gateway.store.database import Tx
from gateway.store.jobs import Keys
from gateway.store.schema import accounts, applications

COLLECT = "collect"
PREPARE = "prepare"
TRANSMIT = "transmit"
RESOLVE = "resolve"
CANCEL = "cancel"
WITHDRAW = "withdraw"
HELD = "held"
#: So many faxes of an account may be fetched at once, and so many of them from one host: who hangs delays himself only.
FETCHES, FETCHES_OF_HOST = 8, 4


@dataclass(frozen=True, slots=True)
class Policy:
    """``public_url`` "" means that the carrier cannot reach us: documents go to its own storage.

    ``settle_delay`` is the distance to the first look at a hand-over whose outcome is not known; later looks are
    further apart. ``unknown_patience`` is how long the carrier's list may stay silent about it before a person
    decides. ``lease`` is how long a worker may be silent: half of it must be left when the carrier is asked.
    ``pad`` gives short pages the whole length of the paper, ``deskew`` sets scans straight, and ``sight`` is what pages
    are taken for. ``header`` says whether the header line is put on every page, ``cover_template`` is the file of the
    cover page ("" for our own). ``deadline`` is how long after a fax was accepted its last try may begin,
    ``delay_notice`` after how long its sender is told that it still waits (0: never). ``max_calls`` is what ``carrier``
    may have at once, 0 for no limit.
    """

    public_url: str = ""
    connection_id: str = ""
    retry_delay: timedelta = timedelta(minutes=5)
    settle_delay: timedelta = timedelta(seconds=5)
    unknown_patience: timedelta = timedelta(minutes=15)
    lease: timedelta = timedelta(seconds=60)
    paper: Literal["letter", "a4", "legal"] = "letter"
    pad: bool = False
    deskew: bool = False
    sight: Sight = Sight.AUTO
    header: bool = False
    cover_template: str = ""
    deadline: timedelta = timedelta(days=2)
    delay_notice: timedelta = timedelta(hours=4)
    carrier: str = "telnyx"
    max_calls: int = 0

    @property
    def handle_kind(self) -> Handle:
        """How the carrier gets our documents."""
        return Handle.TOKEN if self.public_url else Handle.MEDIA

    def lines(self, tx: Tx, fax: Fax) -> Keys:
        """Return what a transmission of *fax* holds: the line to its number, and a channel of its application, of its
        account and of the carrier where these are limited."""
        keys = [(f"number:{fax.to_number}", 1)]
        owners = (("app", applications, fax.application_id), ("account", accounts, fax.account_id))
        for what, table, identity in owners:
            row = provision.look(tx, table, identity)
            if row is not None and row["channel_limit"]:
                keys.append((f"{what}:{identity}", int(row["channel_limit"])))
        if self.max_calls:
            keys.append((f"carrier:{self.carrier}", self.max_calls))
        return keys

    def delay_at(self, since: datetime) -> datetime | None:
        """Return when the sender of a fax is told that it still waits, which has waited *since* then."""
        return since + self.delay_notice if self.delay_notice else None

    def document_url(self, token: str) -> str:
        """Where the carrier fetches the document *token*."""
        return f"{self.public_url.rstrip('/')}/m/{token}"


def fetching(fax: Fax) -> Keys:
    """Return what the fetching of the documents of *fax* holds."""
    host = host_of(next(str(document["url"]) for document in fax.documents if "blob" not in document))
    account = f"fetch:{fax.account_id}"
    return [(account, FETCHES), (f"{account}:{digest(host)[:16]}", FETCHES_OF_HOST)]


def withdraw(tx: Tx, attempt: Attempt) -> None:
    """An attempt has ended: what was uploaded to the carrier for it shall not stay there."""
    if attempt.handle_kind is Handle.MEDIA:
        jobs.enqueue(tx, WITHDRAW, attempt.id, priority=jobs.LATER)
