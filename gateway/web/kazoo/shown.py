"""Rows of lists as JSON, kept for as long as their fax does not change.

A row is made of its fax alone, and every change of a fax moves its ``updated_at``: the two together name the text.
Programs that follow their faxes ask for the same rows again and again, and making one costs ten times finding it.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

from gateway.fax import Fax
from gateway.ids import digest
from gateway.store import fax_lists
from gateway.store.database import Database
from gateway.web.kazoo.answers import Written

#: How many texts are kept, of about 1.5 kB each, and how many pages of them, of at most so many rows.
MOST, MOST_PAGES, MOST_ROWS = 10_000, 20, 100


class Shown:
    """The rows of one kind of list; *row* makes the object that is shown of a fax."""

    def __init__(self, db: Database, row: Callable[[Fax], Any]) -> None:
        self._db = db
        self._row = row
        self._texts: dict[str, str] = {}
        self._pages: dict[str, Written] = {}

    async def page(self, places: Sequence[str]) -> Written:
        """Return the faxes of *places* as one list; one that has been erased meanwhile is left out."""
        key = "".join(places)
        page = self._pages.get(key)
        if page is None:
            texts = await self._rows(places)
            page = Written(f"[{', '.join(texts)}]".encode(), digest(f"{self._row.__name__}{key}")[:32], len(texts))
            if len(places) <= MOST_ROWS:
                self._pages[key] = page
                _bound(self._pages, MOST_PAGES)
        return page

    async def _rows(self, places: Sequence[str]) -> list[str]:
        known = self._texts
        missing = [place for place in places if place not in known]
        fresh: dict[str, str] = {}
        if missing:
            for place, fax in zip(missing, await fax_lists.by_places(self._db, missing), strict=True):
                if fax is not None:
                    fresh[place] = json.dumps(self._row(fax))
            # A fax that has changed since its place was read is never asked for again under this place.
            known.update(fresh)
            _bound(known, MOST)
        return [text for place in places if (text := fresh.get(place) or known.get(place)) is not None]


def _bound(kept: dict[str, Any], most: int) -> None:
    """Let the oldest go."""
    for key in list(kept)[: len(kept) - most] if len(kept) > most else ():
        del kept[key]
