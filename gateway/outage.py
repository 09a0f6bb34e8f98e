"""A carrier that is away for long: the operator is told once, and once when it is back, whichever node sees it."""

from datetime import UTC, datetime, timedelta

from gateway import logs
from gateway.notify import Notify
from gateway.outbox import TRANSMIT
from gateway.store import carriers, jobs
from gateway.store.database import Database, Row, Tx, one

#: More faxes that wait are not counted: nobody needs the number, and a count of a million takes long.
MOST_COUNTED = 10_000
log = logs.logger(__name__)


class Outage:
    """Looks at the gate before the carrier *name*; what lasts for less than *patience* is nobody's business (0: nothing
    is ever told)."""

    def __init__(self, db: Database, notify: Notify, name: str, patience: timedelta) -> None:
        self._db = db
        self._notify = notify
        self._name = name
        self._patience = patience

    async def look(self) -> None:
        """Tell what there is to tell. Nothing is written while there is nothing."""
        row = await one(self._db, carriers.state(self._name)) if self._patience else None
        if row is not None and (row["open_until"] is not None or row["told_since"] is not None):
            await self._db.write(self.tell)

    def tell(self, tx: Tx) -> None:
        """The same inside a unit: the mark that it was told and the mail are one."""
        if (since := carriers.end_outage(tx, self._name)) is not None:
            self._over(tx, since)
        if (row := carriers.begin_outage(tx, self._name, self._patience)) is not None:
            self._begun(tx, row)

    def _begun(self, tx: Tx, row: Row) -> None:
        since: datetime = row["failing_since"]
        answer = row["answer"].rstrip(".") or "nothing"
        advice = (
            f"What it has said last: {answer}. {self._waiting(tx)}. None fails by this before its deadline: they go "
            "out by themselves when it is back, and you are told then. faxgate check asks it again."
        )
        note = f"The carrier has not answered as it should since {_at(since)}"
        serial = f"outage-{self._name}-{since.isoformat()}"
        self._notify.operator_without_fax(tx, note, "", serial, advice=advice)

    def _over(self, tx: Tx, since: datetime) -> None:
        lasted = spoken(datetime.now(UTC) - since)
        note = f"The carrier answers again, after {lasted} (since {_at(since)})"
        serial = f"back-{self._name}-{since.isoformat()}"
        self._notify.operator_without_fax(tx, note, "", serial, advice=f"{self._waiting(tx)}.")

    def _waiting(self, tx: Tx) -> str:
        number = jobs.number_of(tx, TRANSMIT, MOST_COUNTED + 1)
        if number > MOST_COUNTED:
            return f"More than {MOST_COUNTED:,} faxes wait to be sent"
        return "One fax waits to be sent" if number == 1 else f"{number or 'No'} faxes wait to be sent"


def spoken(time: timedelta) -> str:
    """A duration in its two largest units: "3 h 20 min"."""
    minutes = max(1, round(time.total_seconds() / 60))
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "d"), (hours, "h"), (rest, "min")]
    first = next(index for index, (number, _) in enumerate(parts) if number)
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number)


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
