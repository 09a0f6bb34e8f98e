"""Telnyx's webhook_delivery for a row of ours."""

from collections.abc import Mapping
from typing import Any

from gateway.dialects.telnyx.times import write_time


def delivery_object(row: Mapping[str, Any], event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the webhook_delivery of a row of ``webhook_deliveries``; *event* is what is told. One that is still
    tried has failed so far, and has no end."""
    waiting = "failed" if row["tries"] else "pending"
    return {
        "record_type": "webhook_delivery",
        "id": str(row["id"]),
        "user_id": str(row["account_id"]),
        "status": waiting if row["state"] == "waiting" else row["state"],
        "webhook": dict(event),
        "started_at": write_time(row["created_at"]),
        "finished_at": write_time(row["finished_at"]) if row["finished_at"] else None,
        "attempts": row["attempts"],
    }
