"""Telnyx's Fax, as a client is shown it (``wish`` reads what he asks for)."""

from typing import Any

from gateway.application import Application
from gateway.dialects.telnyx.outgoing import failure_reason, status
from gateway.dialects.telnyx.times import write_time
from gateway.fax import Direction, Fax, State, plan, progress

_TIMES = {"next_attempt": "next_attempt_at", "attempts_until": "attempts_until"}


def fax_object(fax: Fax, application: Application | None, *, media: str = "", preview: str = "") -> dict[str, Any]:
    """Return the Fax of a fax. *media* is a link to its document (received, or sent and to be stored), *preview* one
    to its preview, each "" for none. Of a fax that did not come through this API the fields of a request are empty.

    Besides it has fields that Telnyx's own does not: while its pages are made ``pages_done`` and ``pages_to_do``; while
    it waits for a try ``attempts`` (made), ``attempts_allowed``, ``next_attempt_at`` and ``attempts_until``; while it
    waits for a person ``held_reason``.
    """
    inbound = fax.direction is Direction.INBOUND
    given = fax.extra
    return {
        "record_type": "fax",
        "id": str(fax.id),
        "connection_id": None if fax.application_id is None else str(fax.application_id),
        "direction": fax.direction.value,
        "from": fax.from_number,
        "to": fax.to_number,
        "from_display_name": given.get("from_display_name") or fax.from_name or fax.from_number,
        "media_url": (media or None) if inbound else given.get("media_url"),
        "media_name": given.get("media_name"),
        "quality": fax.quality.value,
        "status": status(fax),
        "store_media": bool(given.get("store_media")),
        "stored_media_url": None if inbound else media or None,
        "preview_url": preview or None,
        "webhook_url": given.get("webhook_url") or (application.webhook_event_url if application else ""),
        "webhook_failover_url": application.webhook_event_failover_url if application else "",
        "client_state": given.get("client_state"),
        "failure_reason": failure_reason(fax),
        "internal_failure_reason": (fax.failure_text or None) if fax.state in (State.FAILED, State.CANCELED) else None,
        "created_at": write_time(fax.created_at),
        "updated_at": write_time(fax.updated_at),
        **progress(fax),
        **_waiting(fax),
    }


def _waiting(fax: Fax) -> dict[str, Any]:
    if fax.state in (State.HELD, State.UNKNOWN):
        return {"held_reason": fax.held_reason} if fax.held_reason else {}
    times = {_TIMES[name]: write_time(at) for name, at in plan(fax).items()}
    return {"attempts": fax.tries, "attempts_allowed": fax.tries_allowed, **times} if times else {}
