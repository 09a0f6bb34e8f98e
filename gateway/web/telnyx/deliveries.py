"""``/v2/webhook_deliveries``: what programs were told or shall be, and every try of it."""

from aiohttp import web

from gateway.account import Scope
from gateway.courier import with_link
from gateway.dialects import telnyx
from gateway.dialects.telnyx import shapes
from gateway.dialects.telnyx.shapes import listed, success
from gateway.ids import parse_id
from gateway.links import Links
from gateway.store import deliveries, faxes
from gateway.store.database import Database, Row
from gateway.store.pages import numbered
from gateway.web.auth import Auth
from gateway.web.openapi import Common, Operation, Query
from gateway.web.telnyx.answers import answered, unknown
from gateway.web.telnyx.caller import caller
from gateway.web.telnyx.listing import PAGING, moment, one_of, window

PATH = "/v2/webhook_deliveries"
_FILTERS = ("filter[event_type]", "filter[webhook][contains]", "filter[attempts][contains]")
_TIMES = {
    "since": "filter[started_at][gte]",
    "until": "filter[started_at][lte]",
    "finished_since": "filter[finished_at][gte]",
    "finished_until": "filter[finished_at][lte]",
}
_STATUS = "filter[status][eq]"
#: What is still tried has failed so far.
_STATES = {"delivered": ["delivered"], "failed": ["failed", "waiting"]}


class Deliveries:
    """The webhooks to an account's programs, the newest first."""

    def __init__(self, db: Database, auth: Auth, links: Links) -> None:
        self._db = db
        self._auth = auth
        self._links = links

    def operations(self) -> list[Operation]:
        """What is served here."""
        common: Common = {"tag": "Telnyx: webhook deliveries", "scope": Scope.READ, "faults": shapes.PROBLEM}
        query = [*PAGING, *(Query(name, str) for name in (_STATUS, *_FILTERS, *_TIMES.values()))]
        rows, shown, one = listed(shapes.DELIVERY), success(shapes.DELIVERY), PATH + "/{id}"
        return [
            Operation("GET", PATH, self.list, summary="List deliveries", query=query, answers={200: rows}, **common),
            Operation("GET", one, self.show, summary="Show one", answers={200: shown}, **common),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the deliveries."""
        who = await caller(request, self._auth)
        asked, query = window(request.query), request.query
        types, event, attempts = (str(telnyx.clean(query.get(name, ""))) for name in _FILTERS)
        wanted = deliveries.listing(
            who.account_id,
            states=_STATES.get(one_of(query, _STATUS, tuple(_STATES))),
            event_types=[each.strip() for each in types.split(",") if each.strip()],
            event=event,
            attempts=attempts,
            **{ours: moment(query, theirs) for ours, theirs in _TIMES.items()},
        )
        rows, total = await numbered(self._db, wanted, limit=asked.size, offset=asked.offset)
        return answered([await self._shown(row) for row in rows], meta=asked.meta(total))

    async def show(self, request: web.Request) -> web.Response:
        """Answer one delivery, by its id or (which is the same) that of its event."""
        who = await caller(request, self._auth)
        identity = parse_id(request.match_info["id"])
        row = None if identity is None else await deliveries.fetch(self._db, identity)
        if row is None or row["account_id"] != who.account_id:
            raise unknown("webhook delivery")
        return answered(await self._shown(row))

    async def _shown(self, row: Row) -> dict[str, object]:
        received = row["event_type"] == "fax.received"
        fax = await faxes.fetch(self._db, row["fax_id"]) if received else None
        return telnyx.delivery_object(row, with_link(dict(row["event"]), fax, await self._links.ready()))
