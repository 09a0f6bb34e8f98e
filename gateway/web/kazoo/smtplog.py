"""``/v2/accounts/{account_id}/faxes/smtplog``: who tried to send a fax by mail, and what became of it."""

from aiohttp import web

from gateway.dialects import kazoo
from gateway.ids import parse_id
from gateway.store import smtplog
from gateway.store.database import Database
from gateway.web.auth import Auth
from gateway.web.kazoo.answers import answered, bad_identifier
from gateway.web.kazoo.caller import account_of
from gateway.web.kazoo.listing import page, wish

PATH = "/v2/accounts/{account_id}/faxes/smtplog"


class Smtplog:
    """One record for every SMTP transaction of an account, taken or refused; the newest first."""

    def __init__(self, db: Database, auth: Auth) -> None:
        self._db = db
        self._auth = auth

    def routes(self) -> list[web.RouteDef]:
        """What is served here."""
        return [web.get(PATH, self.list), web.get(PATH + "/{attempt_id}", self.show)]

    async def list(self, request: web.Request) -> web.Response:
        """Answer one page of the log, or (``paginate=false``) all of it."""
        account_id = await account_of(request, self._auth)
        asked = wish(request.query)
        records = await smtplog.page(
            self._db,
            account_id=account_id,
            before=asked.before,
            since=asked.since,
            until=asked.until,
            limit=asked.size + 1,
        )
        where = page(asked, [(record.at, record.id) for record in records])
        return answered(request, [kazoo.smtplog_row(record) for record in records[: asked.size]], page=where)

    async def show(self, request: web.Request) -> web.Response:
        """Answer one record."""
        account_id = await account_of(request, self._auth)
        written = request.match_info["attempt_id"]
        identity = parse_id(written)
        record = await smtplog.fetch(self._db, identity) if identity else None
        if record is None or record.account_id != account_id:
            raise bad_identifier(written[:64])
        return answered(request, kazoo.smtplog_detail(record))
