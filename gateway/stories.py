"""The stories of one process: each made once, with what it needs, and each job handed to the one that tells it."""

from dataclasses import dataclass

from gateway import parts
from gateway.archive import SCRAP, Archive
from gateway.carriers.carrier import Carrier
from gateway.courier import WEBHOOK, Courier
from gateway.events import EVENT, Events
from gateway.expiry import EXPIRE, Expiry
from gateway.fetch import Fetcher
from gateway.housekeeping import FORGET, Housekeeping
from gateway.inbox import FORWARD, RETRIEVE, Inbox
from gateway.intake.submit import Submit
from gateway.links import Links
from gateway.notify import DELIVER, Notify
from gateway.outage import Outage
from gateway.outbox import (
    CANCEL,
    COLLECT,
    HELD,
    PREPARE,
    RESOLVE,
    TEXT,
    TRANSMIT,
    WITHDRAW,
    Collect,
    Command,
    Delay,
    Hold,
    Prepare,
    Resolve,
    Settle,
    Text,
    Transmit,
)
from gateway.poison import Poison
from gateway.provisioning import Provisioning
from gateway.reconcile import Reconcile
from gateway.restored import Restored
from gateway.sandbox import Sandbox
from gateway.settings import Settings
from gateway.store.blobs import Blobs
from gateway.store.database import Database
from gateway.worker import Story


@dataclass(frozen=True, slots=True)
class Tools:
    """What the stories work with; whoever opened a tool closes it."""

    db: Database
    blobs: Blobs
    sandbox: Sandbox
    carrier: Carrier
    fetcher: Fetcher


class Stories:
    """Made of the *settings* and *tools* that are ready for use; nothing happens until a door or a job calls."""

    def __init__(self, settings: Settings, tools: Tools) -> None:
        db, blobs, sandbox, carrier = tools.db, tools.blobs, tools.sandbox, tools.carrier
        limits, policy = parts.limits(settings), parts.policy(settings)
        self.provisioning: Provisioning = parts.provisioning(db, settings)
        self.notify = Notify(db, blobs, parts.smarthost(settings), parts.sender(settings))
        self.settle = Settle(self.notify, policy)
        self.inbox = Inbox(db, blobs, carrier, tools.fetcher, sandbox, self.notify)
        self.events = Events(db, self.settle, self.inbox)
        self.reconcile = Reconcile(db, carrier, self.events)
        self.submit = Submit(db, blobs, limits, sandbox, settings.fax.delay_notice)
        self.archive = Archive(db, blobs, limits)
        self.command = Command(self.settle, settings.fax.attempts)
        self.delay = Delay(db, self.notify, policy)
        self.outage = Outage(db, self.notify, policy.carrier, settings.operator.outage_notice)
        self.expiry = Expiry(db)
        self.housekeeping = Housekeeping(db, blobs, carrier, self.archive, parts.retention(settings))
        self.poison = Poison(self.notify)
        self.restored = Restored(db, carrier, self.command, self.notify, settings.retention.at_carrier)
        self.links = Links(db, parts.own_url(settings))
        self.courier = Courier(db, tools.fetcher, self.links)
        self._collect = Collect(db, blobs, tools.fetcher, self.settle)
        self._prepare = Prepare(db, blobs, sandbox, limits, self.settle, policy)
        self._transmit = Transmit(db, blobs, sandbox, carrier, limits, self.settle, self.notify, policy)
        self._hold = Hold(db, self.notify)
        self._text = Text(db, carrier, limits, settings.carrier.telnyx.sms_from)
        self._resolve = Resolve(db, carrier, self.settle, self.notify, policy)

    def by_kind(self) -> dict[str, Story]:
        """Return who does the jobs of each kind."""
        return {
            COLLECT: self._collect.run,
            PREPARE: self._prepare.run,
            TRANSMIT: self._transmit.run,
            HELD: self._hold.run,
            CANCEL: self._transmit.cancel,
            WITHDRAW: self._transmit.withdraw,
            RESOLVE: self._resolve.run,
            TEXT: self._text.run,
            EVENT: self.events.dispatch,
            RETRIEVE: self.inbox.retrieve,
            FORWARD: self.inbox.forward,
            DELIVER: self.notify.deliver,
            SCRAP: self.archive.scrap,
            FORGET: self.housekeeping.forget,
            EXPIRE: self.expiry.media,
            WEBHOOK: self.courier.deliver,
        }
