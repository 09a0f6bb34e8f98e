"""Telling programs: what happens to a fax becomes an event for its application, in the unit in which it happens.

The row and its job are all that is written here; ``courier`` carries them out. An application without a webhook URL,
for a fax without one of its own, is told nothing.
"""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from gateway.carrier_event import Happened
from gateway.dialects import telnyx
from gateway.fax import Fax
from gateway.ids import digest, new_id
from gateway.store import deliveries, jobs, provision
from gateway.store.database import Row, Tx
from gateway.store.jobs import Keys
from gateway.store.schema import applications

#: So many requests may be under way to one host for one application: who hangs delays himself only.
AT_ONCE = 4
#: Told each time: an operator may send a failed fax once more. Everything else happens once, whatever is tried again.
_EVERY_TIME = frozenset({Happened.DELIVERED, Happened.FAILED, Happened.RECEIVED})


def announce(tx: Tx, fax: Fax | None, what: Happened) -> None:
    """Have the program of a fax told that *what* has happened to it; *fax* is as it is after that."""
    if fax is None or fax.account_id is None or fax.application_id is None:
        return
    application = provision.look(tx, applications, fax.application_id)
    urls = [] if application is None else urls_of(fax, application)
    event_type = telnyx.EVENT_NAMES[what]
    if not urls or (what not in _EVERY_TIME and deliveries.told(tx, fax.id, event_type)):
        return
    identity = new_id()
    values: dict[str, Any] = {
        "id": identity,
        "account_id": fax.account_id,
        "application_id": fax.application_id,
        "fax_id": fax.id,
        "event_type": event_type,
        "event": telnyx.event_data(identity, what, fax, datetime.now(UTC)),
    }
    deliveries.insert(tx, values)
    jobs.enqueue(tx, deliveries.WEBHOOK, identity, keys=_room(fax.application_id, urls[0]))


def urls_of(fax: Fax, application: Row) -> list[str]:
    """Return where the events of a fax go: its own URL or its application's, and then the one for when that fails."""
    first = str(fax.extra.get("webhook_url") or application["webhook_event_url"])
    return [url for url in (first, application["webhook_event_failover_url"]) if url]


def _room(application_id: int, url: str) -> Keys:
    host = urlsplit(url).hostname or ""
    return [(f"hook:{application_id}:{digest(host)[:16]}", AT_ONCE)]
