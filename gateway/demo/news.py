"""What has happened since one last looked: faxes that came to an end, mails that went out, mails that were refused."""

from datetime import datetime

from gateway.address import pretty
from gateway.demo.catcher import MailCatcher
from gateway.fax import FINAL, Direction, Fax
from gateway.store import faxes, smtplog
from gateway.store.database import Database

Item = tuple[datetime, str, str]
#: The most that is looked at each time.
LIMIT = 200


class News:
    """Everything that is dated after *since*, each thing once."""

    def __init__(self, db: Database, catcher: MailCatcher, since: datetime) -> None:
        self._db = db
        self._catcher = catcher
        self._faxes = self._mails = self._refusals = since

    async def since_last(self) -> list[Item]:
        """Return when, what and a text, the oldest first."""
        items = [*await self._finished(), *await self._refused(), *self._caught()]
        return sorted(items)

    async def _finished(self) -> list[Item]:
        ended = await faxes.page(self._db, states=FINAL, limit=LIMIT)
        new = [(fax.finished_at, fax) for fax in ended if fax.finished_at and fax.finished_at > self._faxes]
        self._faxes = max((at for at, _ in new), default=self._faxes)
        return [(at, "fax", _ending(fax)) for at, fax in new]

    async def _refused(self) -> list[Item]:
        records = await smtplog.page(self._db, limit=LIMIT)
        new = [record for record in records if record.at > self._refusals]
        self._refusals = max((record.at for record in new), default=self._refusals)
        return [(record.at, "refused", f"{record.sender}: {record.reply}") for record in new if record.errors]

    def _caught(self) -> list[Item]:
        new = [mail for mail in self._catcher.mails if mail.at > self._mails]
        self._mails = max((mail.at for mail in new), default=self._mails)
        return [(mail.at, "mail", f"to {', '.join(mail.envelope_to)}: {mail.subject}") for mail in new]


def _ending(fax: Fax) -> str:
    inbound = fax.direction is Direction.INBOUND
    way = f"from {pretty(fax.from_number)}" if inbound else f"to {pretty(fax.to_number)}"
    tries = "" if inbound or fax.tries == 1 else f", {fax.tries} tries"
    why = f" ({fax.failure_reason})" if fax.failure_reason else ""
    return f"{way}: {fax.state.value}{why}{tries}"
