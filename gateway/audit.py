"""The audit trail's nouns: who has done what to which fax or setting."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

ActorKind = Literal["token", "account", "shell", "link", "mail", "gateway"]


class Action(StrEnum):
    """What was done. VIEWED is to have seen what a fax says of itself, DOWNLOADED to have got its document."""

    VIEWED = "viewed"
    DOWNLOADED = "downloaded"
    SENT = "sent"
    HELD = "held"
    RELEASED = "released"
    RESENT = "resent"
    CANCELED = "canceled"
    ASSIGNED = "assigned"
    DELETED = "deleted"
    EXPIRED = "expired"  # removed by the retention rules
    CHANGED = "changed"  # a setting: account, token, application, faxbox, number
    BACKED_UP = "backed up"  # the whole gateway, into a folder
    RESTORED = "restored"  # the whole gateway, from a backup


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts. ``name`` is the id of a token or an account, the user of a shell, the id of a one-time link, or the
    author of a mail; a secret never. ``peer`` is the address that the request came from, "" where there is none."""

    kind: ActorKind
    name: str = ""
    peer: str = ""


#: What happens by the rules, without anybody's wish at that moment.
GATEWAY = Actor("gateway")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail. ``digest`` is made of everything else in it and of ``previous``, the digest before it:
    a line that was changed or taken out of the middle breaks the chain."""

    id: int
    at: datetime
    actor_kind: str
    actor: str
    peer: str
    action: str
    account_id: UUID | None
    fax_id: UUID | None
    subject: str
    details: dict[str, Any] = field(default_factory=dict)
    previous: str = ""
    digest: str = ""
