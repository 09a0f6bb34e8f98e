"""``/v2/accounts/{account_id}/faxes/smtplog``: who tried to send a fax by mail, and what became of it."""

from aiohttp import web

from gateway.account import Scope
from gateway.dialects import kazoo
from gateway.store import smtplog
from gateway.store.database import Database
from gateway.web.auth import Auth
from gateway.web.kazoo.answers import answered, bad_identifier
from gateway.web.kazoo.caller import caller_of
from gateway.web.kazoo.listing import PAGING, found, wish
from gateway.web.openapi import Common, Operation

PATH = "/v2/accounts/{account_id}/faxes/smtplog"


class Smtplog:
    """One record for every SMTP transaction of an account, taken or refused; the newest first."""

    def __init__(self, db: Database, auth: Auth) -> None:
        self._db = db
        self._auth = auth

    def operations(self) -> list[Operation]:
        """What is served here."""
        common: Common = {"tag": "Kazoo: smtplog", "scope": Scope.READ, "faults": kazoo.Problem}
        rows, detail = kazoo.Listed[kazoo.SmtplogRow], kazoo.Success[kazoo.SmtplogDetail]
        return [
            Operation(
                "GET",
                PATH,
                self.list,
                summary="Who tried to send a fax by mail, and what became of it",
                query=PAGING,
                answers={200: rows},
                **common,
            ),
            Operation(
                "GET",
                PATH + "/{attempt_id}",
                self.show,
                summary="One such attempt with all its details",
                answers={200: detail},
                **common,
            ),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the log, or (``paginate=false``) all of it."""
        account_id = (await caller_of(request, self._auth)).account_id
        rows, page = await found(
            wish(request),
            lambda stretch: smtplog.page(self._db, account_id=account_id, **stretch.criteria()),
            kazoo.smtplog_row,
            lambda record: (record.at, record.id),
            lambda record: record.at,
        )
        return answered(request, rows, page=page)

    async def show(self, request: web.Request) -> web.Response:
        """Answer one record."""
        account_id = (await caller_of(request, self._auth)).account_id
        written = request.match_info["attempt_id"]
        identity = kazoo.read_id(written)
        record = await smtplog.fetch(self._db, identity) if identity else None
        if record is None or record.account_id != account_id:
            raise bad_identifier(written[:64])
        return answered(request, kazoo.smtplog_detail(record))
