"""The tables. Domain tables say what is; ``jobs`` says what is to be done next; both change in one transaction.

The migrations in ``migrations/versions`` build exactly this; a test compares the two.
"""

from gateway.store.schema.base import metadata
from gateway.store.schema.papers import attempts, faxes, messages, renderings, shares, submissions
from gateway.store.schema.people import (
    accounts,
    applications,
    destinations,
    faxboxes,
    numbers,
    revisions,
    smtp_users,
    tokens,
    usage,
)
from gateway.store.schema.programs import media, secrets, webhook_deliveries
from gateway.store.schema.queue import carriers, holds, jobs, nodes, watermarks
from gateway.store.schema.records import decisions, events, outgoing, smtplog
from gateway.store.schema.trail import audit

__all__ = [
    "accounts",
    "applications",
    "attempts",
    "audit",
    "carriers",
    "decisions",
    "destinations",
    "events",
    "faxboxes",
    "faxes",
    "holds",
    "jobs",
    "media",
    "messages",
    "metadata",
    "nodes",
    "numbers",
    "outgoing",
    "renderings",
    "revisions",
    "secrets",
    "shares",
    "smtp_users",
    "smtplog",
    "submissions",
    "tokens",
    "usage",
    "watermarks",
    "webhook_deliveries",
]
