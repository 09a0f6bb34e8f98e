"""Rows of lists as JSON, kept for as long as their fax does not change.

A row is made of its fax alone, and every change of a fax moves its ``updated_at``: the two together name the text.
Programs that follow their faxes ask for the same rows again and again, and making one costs ten times finding it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from gateway.fax import Fax
from gateway.store import fax_lists
from gateway.store.database import Database, Row

#: How many texts are kept, of about 1.5 kB each.
MOST = 10_000

#: The id of a fax and the time of its last change, as the driver has them.
_Key = tuple[Any, Any]


class Shown:
    """The rows of one kind of list; *row* makes the object that is shown of a fax."""

    def __init__(self, db: Database, row: Callable[[Fax], Any]) -> None:
        self._db = db
        self._row = row
        self._texts: dict[_Key, str] = {}

    async def texts(self, places: Sequence[Row]) -> list[str]:
        """Return the text of each fax of *places*; one that has been erased meanwhile is left out."""
        known = self._texts
        keys = [(place["id"], place["updated_at"]) for place in places]
        missing = [place for key, place in zip(keys, places, strict=True) if key not in known]
        fresh: dict[_Key, str] = {}
        if missing:
            for place, fax in zip(missing, await fax_lists.by_places(self._db, missing), strict=True):
                if fax is not None:
                    fresh[place["id"], place["updated_at"]] = json.dumps(self._row(fax))
            self._keep(fresh)
        return [text for key in keys if (text := fresh.get(key) or known.get(key)) is not None]

    def _keep(self, fresh: dict[_Key, str]) -> None:
        """Add texts; the oldest go. A fax that has changed since its place was read is never asked for again so."""
        self._texts.update(fresh)
        for key in list(self._texts)[: max(0, len(self._texts) - MOST)] if len(self._texts) > MOST else ():
            del self._texts[key]
