"""What is sent and received: messages, renderings, faxes and their attempts."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from gateway.store.schema.base import metadata, text_column
from gateway.store.types import Json, UtcDateTime

_BY_MAIL, _RENDERED = text("message_id IS NOT NULL"), text("rendering_id IS NOT NULL")

messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid, nullable=False),
    Column("blob", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False),  # of the body: the header changes with the way a mail takes
    Column("message_id", Text, nullable=False),
    Column("sender", String(320), nullable=False),
    Column("subject", Text, nullable=False),
    Column("parts", Json, nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
)

#: The same mail sent again is answered with its first fax. ``key`` digests what makes two mails the same.
submissions = Table(
    "submissions",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("fax_id", Uuid, nullable=False, index=True),
    Column("at", UtcDateTime, nullable=False),
    Column("until", UtcDateTime, nullable=False),
)

renderings = Table(
    "renderings",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    Column("tiff_blob", String(64), nullable=False),
    Column("pdf_blob", String(64), nullable=False),
    Column("preview_blob", String(64), nullable=False),
    Column("pages", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

#: Kazoo's folders: what each of them holds. A list names exactly this, so that its index is found.
FOLDERS = {
    "outgoing": "direction = 'outbound' AND state NOT IN ('delivered', 'failed', 'canceled') AND erased_at IS NULL",
    "outbox": "direction = 'outbound' AND state IN ('delivered', 'failed', 'canceled') AND erased_at IS NULL",
    "incoming": "direction = 'inbound' AND state <> 'received' AND erased_at IS NULL",
    "inbox": "direction = 'inbound' AND state = 'received' AND erased_at IS NULL",
}


def _folder(name: str) -> Index:
    """A page of what is over needs no look at the rows: ``updated_at`` stands in the index, and seldom changes."""
    holds, more = text(FOLDERS[name]), ("updated_at",) if name in {"outbox", "inbox"} else ()
    columns = ("account_id", "direction", "created_at", "id", *more)
    return Index(f"ix_faxes_{name}", *columns, sqlite_where=holds, postgresql_where=holds)


#: Who holds a blob that several rows may name (``store/shares.py``).
shares = Table(
    "shares",
    metadata,
    Column("blob", String(64), primary_key=True),
    Column("owner", String(64), primary_key=True),
)

#: No deadline runs for a fax that the carrier has, or that waits for a person.
_WAITING = text("state IN ('preparing', 'queued')")
#: Whose senders are told when it takes long.
_LATE = text("state IN ('preparing', 'queued') AND delay_at IS NOT NULL")
#: Those that wait for a person.
_DECIDED_BY_PEOPLE = text("state IN ('held', 'unknown')")
#: At its end here, and still at the carrier.
_AT_CARRIER = text("finished_at IS NOT NULL AND carrier_fax_id <> '' AND NOT carrier_forgets")

faxes = Table(
    "faxes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("account_id", Uuid),
    Column("application_id", BigInteger),
    Column("faxbox_id", Uuid),
    Column("direction", String(8), nullable=False),
    Column("origin", String(8), nullable=False),
    Column("state", String(16), nullable=False),
    text_column("from_number", 64),
    text_column("to_number", 64),
    text_column("to_written", 320),
    text_column("from_name"),
    text_column("to_name"),
    Column("subject", Text, nullable=False, server_default=""),
    text_column("quality", 16),
    Column("message_id", Uuid, ForeignKey("messages.id")),
    text_column("source", 64),
    Column("parts", Json, nullable=False),
    Column("rendering_id", Uuid, ForeignKey("renderings.id")),
    text_column("pages_blob", 64),
    text_column("media_type", 64),
    Column("pages", Integer),
    Column("pages_done", Integer),
    Column("pages_to_do", Integer),
    text_column("cover_blob", 64),
    Column("pages_sent", Integer),
    Column("duration", Integer),
    Column("partial", Boolean, nullable=False, server_default=text("false")),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("tries_allowed", Integer, nullable=False, server_default="1"),
    Column("next_try_at", UtcDateTime),
    Column("deadline_at", UtcDateTime),
    Column("delay_at", UtcDateTime),
    Column("failure_reason", Text, nullable=False, server_default=""),
    Column("failure_text", Text, nullable=False, server_default=""),
    Column("held_reason", Text, nullable=False, server_default=""),
    Column("approved", Boolean, nullable=False, server_default=text("false")),
    text_column("user"),
    text_column("carrier_fax_id", 64),
    text_column("connection_id", 64),
    text_column("caller_id"),
    Column("notify", Json, nullable=False),
    Column("documents", Json, nullable=False, server_default=text("'[]'")),
    Column("monochrome", Boolean, nullable=False, server_default=text("false")),
    Column("black_threshold", Integer),
    Column("t38", Boolean, nullable=False, server_default=text("true")),
    text_column("header"),
    text_column("identity", 64),
    text_column("timezone", 64),
    Column("extra", Json, nullable=False, server_default=text("'{}'")),
    Column("erased_at", UtcDateTime),
    Column("carrier_forgets", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    # The direction last: who wants one direction of an account without a folder reads it in the index, and for a folder
    # SQLite's planner prefers the folder's own index.
    Index("ix_faxes_account", "account_id", "created_at", "id", "direction"),
    Index("ix_faxes_created", "direction", "created_at", "id"),
    Index("ix_faxes_faxbox", "faxbox_id", "direction", "created_at", "id"),
    *map(_folder, FOLDERS),
    Index("ix_faxes_message", "message_id", sqlite_where=_BY_MAIL, postgresql_where=_BY_MAIL),
    Index("ix_faxes_rendering", "rendering_id", sqlite_where=_RENDERED, postgresql_where=_RENDERED),
    # A received fax is one row however many events and polls speak of it.
    Index(
        "uq_faxes_inbound_carrier",
        "carrier_fax_id",
        unique=True,
        sqlite_where=text("direction = 'inbound'"),
        postgresql_where=text("direction = 'inbound'"),
    ),
    Index("ix_faxes_carrier", "finished_at", "id", sqlite_where=_AT_CARRIER, postgresql_where=_AT_CARRIER),
    Index("ix_faxes_deadline", "deadline_at", sqlite_where=_WAITING, postgresql_where=_WAITING),
    Index("ix_faxes_held", "state", sqlite_where=_DECIDED_BY_PEOPLE, postgresql_where=_DECIDED_BY_PEOPLE),
    Index("ix_faxes_delay", "delay_at", sqlite_where=_LATE, postgresql_where=_LATE),
    Index(
        "ix_faxes_open",
        "direction",
        "updated_at",
        sqlite_where=text("state NOT IN ('delivered', 'failed', 'canceled', 'received')"),
        postgresql_where=text("state NOT IN ('delivered', 'failed', 'canceled', 'received')"),
    ),
)

attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("fax_id", Uuid, ForeignKey("faxes.id", ondelete="CASCADE"), nullable=False),
    Column("ordinal", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("client_state", String(128), nullable=False, unique=True),
    Column("handle_kind", String(8), nullable=False),
    Column("handle", String(64), nullable=False, unique=True),
    Column("document_blob", String(64), nullable=False),
    text_column("preview_blob", 64),
    Column("intent_at", UtcDateTime, nullable=False),
    Column("unknown_at", UtcDateTime),
    Column("list_answered_at", UtcDateTime),
    Column("fetched_at", UtcDateTime),
    Column("fetches", Integer, nullable=False, server_default="0"),
    Column("revoked_at", UtcDateTime),
    text_column("carrier_fax_id", 64),
    Column("failure_reason", Text, nullable=False, server_default=""),
    Column("pages_sent", Integer),
    Column("duration", Integer),
    Column("settled_at", UtcDateTime),
    UniqueConstraint("fax_id", "ordinal"),
    Index("ix_attempts_carrier", "carrier_fax_id"),
    Index(
        "uq_attempts_open",
        "fax_id",
        unique=True,
        sqlite_where=text("state IN ('intent', 'accepted', 'unknown')"),
        postgresql_where=text("state IN ('intent', 'accepted', 'unknown')"),
    ),
)
