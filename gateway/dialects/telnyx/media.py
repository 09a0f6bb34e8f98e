"""Telnyx's Media for our Media."""

from typing import Any

from gateway.dialects.telnyx.times import write_time
from gateway.media import Media


def media_object(file: Media) -> dict[str, Any]:
    """Return the Media of a file."""
    return {
        "record_type": "media",
        "media_name": file.name,
        "content_type": file.content_type,
        "created_at": write_time(file.created_at),
        "updated_at": write_time(file.updated_at),
        "expires_at": write_time(file.expires_at),
    }
