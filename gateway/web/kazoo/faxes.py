"""``/v2/accounts/{account_id}/faxes/...``: looking at faxes on their way and at their end.

The four folders of Kazoo are lists of the same faxes. The forms below a faxbox show that faxbox's alone.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from gateway.account import Scope
from gateway.audit import Action
from gateway.dialects import kazoo
from gateway.fax import Direction, Fax
from gateway.store import fax_lists
from gateway.store.database import Database
from gateway.web.errors import Fault
from gateway.web.kazoo.answers import answered, bad_identifier
from gateway.web.kazoo.listing import PAGING, Wish, found, page_of, wish
from gateway.web.kazoo.reach import FAXES, NESTED, Reach
from gateway.web.kazoo.shown import Shown
from gateway.web.openapi import Common, Operation

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_ROWS: dict[str, Any] = {
    "outgoing": kazoo.Listed[kazoo.OutgoingRow],
    "outbox": kazoo.Listed[kazoo.FaxRow],
    "incoming": kazoo.Listed[kazoo.FaxRow],
    "inbox": kazoo.Listed[kazoo.FaxRow],
}
_SHOWN: dict[str, Any] = {
    "outgoing": kazoo.Success[kazoo.OutboundFax],
    "outbox": kazoo.Success[kazoo.OutboundFax],
    "incoming": kazoo.Success[kazoo.InboundFax],
    "inbox": kazoo.Success[kazoo.InboundFax],
}


class Faxes:
    """Lists and details."""

    def __init__(self, db: Database, reach: Reach) -> None:
        self._db = db
        self._reach = reach

    def operations(self) -> list[Operation]:
        """What is served here."""
        return [one for base in (FAXES, NESTED) for name in _ROWS for one in self._of(base, name)]

    def _of(self, base: str, name: str) -> list[Operation]:
        common: Common = {"tag": f"Kazoo: {name}", "scope": Scope.READ, "faults": kazoo.Problem}
        whose = " of a faxbox" if base == NESTED else ""
        path, rows, shown = f"{base}/{name}", {200: _ROWS[name]}, {200: _SHOWN[name]}
        listed = Operation("GET", path, self._list(name), summary=f"List{whose}", query=PAGING, answers=rows, **common)
        one = Operation(
            "GET", f"{path}/{{fax_id}}", self._show(name), summary=f"Show one{whose}", answers=shown, **common
        )
        return [listed, one]

    def _list(self, name: str) -> Handler:
        row: Callable[[Fax], Any] = kazoo.outgoing_row if name == "outgoing" else kazoo.fax_row
        shown = Shown(self._db, row)

        async def handler(request: web.Request) -> web.Response:
            try:
                asked = wish(request)
            except Fault:
                await self._reach.caller(request)  # who may not ask at all is told that first
                raise
            if asked.matches is None and "faxbox_id" not in request.match_info:
                return await self._page(request, name, asked, shown)
            caller, faxbox_id = await self._reach.faxbox(request)
            rows, page = await found(
                asked,
                lambda stretch: fax_lists.folder(self._db, name, caller.account_id, stretch, faxbox_id),
                row,
                lambda fax: (fax.created_at, fax.id),
                lambda fax: fax.updated_at,
            )
            return answered(request, rows, page=page)

        return handler

    async def _page(self, request: web.Request, name: str, asked: Wish, shown: Shown) -> web.Response:
        """Answer a page of rows that need no look into them: the way that programs ask all day."""
        stretch = asked.stretch.of(asked.size + 1)
        _, found = await self._reach.asking(request, lambda account_id: fax_lists.places(name, account_id, stretch))
        places = fax_lists.placed(found)
        mine = places[: asked.size]
        data = await shown.page(mine)
        first = fax_lists.place_of(mine[0]) if mine else None
        last = fax_lists.place_of(mine[-1]) if len(places) > len(mine) else None
        return answered(request, data, page=page_of(asked, data.size, first, last))

    def _show(self, name: str) -> Handler:
        async def handler(request: web.Request) -> web.Response:
            caller, fax = await self._reach.fax(request)
            if not shows(name, fax):
                raise bad_identifier(request.match_info["fax_id"][:64])
            await self._reach.noted(caller, Action.VIEWED, fax)
            return answered(request, kazoo.fax_shown(fax, outgoing=name == "outgoing"))

        return handler


def shows(folder: str, fax: Fax) -> bool:
    """Return whether a fax is found by its id in *folder*. Who follows a fax under outgoing or incoming finds it there
    to the end and after it; outbox and inbox have what is theirs."""
    if folder in {"outgoing", "incoming"}:
        return fax.direction is (Direction.OUTBOUND if folder == "outgoing" else Direction.INBOUND)
    return kazoo.place_of(fax.direction, fax.state).folder == folder
