"""Rows of lists as JSON, kept for as long as their fax does not change.

A row is made of its fax alone, and every change of a fax moves its ``updated_at``: the two together name the text.
Programs that follow their faxes ask for the same rows again and again, and making one costs ten times finding it.
"""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from gateway.fax import Fax
from gateway.store import fax_lists
from gateway.store.database import Database, Row

#: How many texts are kept, of about 1.5 kB each.
MOST = 10_000

_Key = tuple[UUID, datetime]


class Shown:
    """The rows of one kind of list; *row* makes the object that is shown of a fax."""

    def __init__(self, db: Database, row: Callable[[Fax], Any]) -> None:
        self._db = db
        self._row = row
        self._texts: dict[_Key, str] = {}

    async def texts(self, places: Sequence[Row]) -> list[str]:
        """Return the text of each fax of *places* (id, updated_at); one that has been erased meanwhile is left out."""
        missing = [place["id"] for place in places if (place["id"], place["updated_at"]) not in self._texts]
        fresh: dict[UUID, str] = {}
        if missing:
            for fax in await fax_lists.by_ids(self._db, missing):
                fresh[fax.id] = self._keep(fax)
        found = [fresh.get(place["id"]) or self._texts.get((place["id"], place["updated_at"])) for place in places]
        return [text for text in found if text is not None]

    def _keep(self, fax: Fax) -> str:
        text = json.dumps(self._row(fax))
        while len(self._texts) >= MOST:
            del self._texts[next(iter(self._texts))]
        self._texts[fax.id, fax.updated_at] = text
        return text
