"""The emulator's own record of what it accepted: one line of JSON per step, for whoever judges a trial."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from gateway.carriers.emulator.faxes import EmulatedFax
from gateway.dialects.telnyx import write_time


class Journal:
    """Appends a line for each outgoing fax when it is accepted, when its document was fetched, and at its end; for each
    incoming one when it begins and at its end."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: TextIO | None = None

    def note(self, fax: EmulatedFax) -> None:
        """Write how *fax* stands, and hand it to the operating system at once."""
        if self._path is None:
            return
        self._file = self._file or self._path.open("a", encoding="utf-8")
        line = {
            "at": write_time(datetime.now(UTC)),
            "id": fax.id,
            "direction": fax.direction.value,
            "to": fax.to_number,
            "from": fax.from_number,
            "client_state": fax.client_state,
            "media": fax.media_url or fax.media_name,
            "sha256": fax.sha256,
            "pages": fax.pages,
            "status": fax.status,
            "failure_reason": fax.failure_reason,
        }
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
