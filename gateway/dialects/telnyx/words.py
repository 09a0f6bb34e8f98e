"""Telnyx's words for what happens to a fax and for where it stands."""

from gateway.carrier_event import Happened
from gateway.fax import State

#: Event types of the fax webhooks. None is sent when the carrier dials (status ``originated``).
EVENT_TYPES = {
    "fax.queued": Happened.QUEUED,
    "fax.media.processed": Happened.MEDIA_PROCESSED,
    "fax.sending.started": Happened.SENDING,
    "fax.delivered": Happened.DELIVERED,
    "fax.failed": Happened.FAILED,
    "fax.receiving.started": Happened.RECEIVING,
    "fax.media.processing.started": Happened.PROCESSING,
    "fax.received": Happened.RECEIVED,
}
EVENT_NAMES = {happened: name for name, happened in EVENT_TYPES.items()}

#: The ``status`` of a fax. The first word of each meaning is the one that is written.
STATUSES = {
    "queued": Happened.QUEUED,
    "media.processed": Happened.MEDIA_PROCESSED,
    "originated": Happened.CALLING,
    "sending": Happened.SENDING,
    "sending.started": Happened.SENDING,
    "delivered": Happened.DELIVERED,
    "failed": Happened.FAILED,
    "receiving": Happened.RECEIVING,
    "initiated": Happened.RECEIVING,
    "media.processing": Happened.PROCESSING,
    "received": Happened.RECEIVED,
}
STATUS_WORDS = {happened: word for word, happened in reversed(STATUSES.items())}

#: Our states in Telnyx's words. They know no "canceled" (it is failed, with that reason) and nothing like "held".
STATE_WORDS = {
    State.PREPARING: "queued",
    State.QUEUED: "media.processed",
    State.HELD: "queued",
    State.CALLING: "originated",
    State.SENDING: "sending",
    State.UNKNOWN: "sending",
    State.DELIVERED: "delivered",
    State.FAILED: "failed",
    State.CANCELED: "failed",
    State.RECEIVING: "receiving",
    State.PROCESSING: "media.processing",
    State.RECEIVED: "received",
}
