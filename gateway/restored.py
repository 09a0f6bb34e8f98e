"""After a restore: what the carrier was given since the moment of the backup is found before anything is sent.

The carrier's list since then is read to its end. Each of its faxes names, in the client_state that the carrier gives
back, the fax of ours that it was made for:

- one that we know of: nothing to do;
- one of a fax that we have: the attempt is written down again, and ends as the carrier says;
- one of a fax that was taken after the backup: the fax is lost here, and was sent; it is told in the log;
- one without a client_state: it may be any of our waiting faxes between the same two numbers. These are held until a
  person decides.

Until the list has been read, nothing is sent (``outbox.transmit`` looks at the same mark).
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from gateway import logs
from gateway.attempt import OPEN, Attempt, AttemptState, Handle, parse_client_state
from gateway.audit import GATEWAY, Action
from gateway.carrier_event import CarrierFax
from gateway.carriers.carrier import Carrier
from gateway.fax import FINAL, Direction, Fax, State
from gateway.notify import Notify
from gateway.outbox import Command
from gateway.store import attempts, audit, faxes
from gateway.store import events as said
from gateway.store.database import Database, Tx
from gateway.store.events import RESTORED

log = logs.logger(__name__)
#: Lists lag, and clocks differ.
OVERLAP = timedelta(minutes=10)
#: The carrier's list is relied on for so long, or less where faxes are deleted there earlier: a backup that is older
#: is not believed where the list says nothing.
CARRIER_KEEPS = timedelta(days=14)
LOST = "restored from a backup; the attempt that followed says more"
WAITS = "A fax waits for your word since the gateway was restored from a backup"
MAYBE = (
    "The gateway was restored from a backup, and the carrier has had a fax between the same two numbers since: it may "
    "have been this one. It is not sent without your word."
)
TOO_OLD = (
    "The gateway was restored from a backup that is so old that the carrier may not list any more what was sent since. "
    "It is not sent without your word."
)
_WAITING = [State.PREPARING, State.QUEUED]


@dataclass
class Findings:
    """What the carrier's list has shown: faxes found again, faxes that are held, and faxes that are lost here."""

    again: list[UUID] = field(default_factory=list)
    held: list[UUID] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


class Restored:
    """``look`` does nothing in a gateway that was not restored."""

    def __init__(
        self, db: Database, carrier: Carrier, command: Command, notify: Notify, kept_there: timedelta | None = None
    ) -> None:
        """*kept_there* is how long faxes are left at the carrier, None for ever."""
        self._relied_on = CARRIER_KEEPS if kept_there is None else min(CARRIER_KEEPS, kept_there)
        self._db = db
        self._carrier = carrier
        self._command = command
        self._notify = notify

    async def look(self) -> Findings | None:
        """Compare with the carrier and let faxes go on; None when there is nothing to compare. Raises CarrierError
        when the list cannot be read to its end: nothing is sent then, and the next look begins anew."""
        since = await said.watermark(self._db, RESTORED)
        if since is None:
            return None
        listed = [each async for each in self._carrier.faxes(Direction.OUTBOUND, since - OVERLAP)]
        findings = await self._db.write(lambda tx: self._decide(tx, since, listed))
        log.warning(
            "restored and compared with the carrier",
            backup=since.isoformat(),
            again=[str(each) for each in findings.again],
            held=[str(each) for each in findings.held],
            lost=findings.lost,
        )
        return findings

    def _decide(self, tx: Tx, since: datetime, listed: list[CarrierFax]) -> Findings:
        findings = Findings()
        if not said.remove_watermark(tx, RESTORED):  # another process was faster
            return findings
        ours: dict[UUID, list[tuple[UUID, CarrierFax]]] = defaultdict(list)
        for each in sorted(listed, key=lambda one: one.created_at):
            if attempts.matching(tx, each.client_state, each.id) is not None:
                continue
            names = parse_client_state(each.client_state)
            if names is None:
                self._nameless(tx, each, findings)
            elif faxes.get(tx, names[1]) is None:
                findings.lost.append(f"{each.id} to {each.to_number} at {each.created_at:%Y-%m-%d %H:%M}")
            else:
                ours[names[1]].append((names[0], each))
        for fax_id, made in ours.items():
            self._again(tx, fax_id, made)
            findings.again.append(fax_id)
        if datetime.now(UTC) - since > self._relied_on:
            for fax in faxes.in_states(tx, Direction.OUTBOUND, _WAITING):
                self._hold(tx, fax, TOO_OLD, findings)
        details: dict[str, Any] = {
            "again": len(findings.again),
            "held": len(findings.held),
            "lost": findings.lost[:100],
        }
        audit.note(tx, GATEWAY, Action.RESTORED, compared_since=since.isoformat(), **details)
        return findings

    def _again(self, tx: Tx, fax_id: UUID, made: list[tuple[UUID, CarrierFax]]) -> None:
        """Write down attempts that were lost. Another one was only made after the one before had failed."""
        fax = faxes.get(tx, fax_id, lock=True)
        assert fax is not None
        last = attempts.last_of(tx, fax_id)
        if last is not None:
            attempts.change(tx, last.id, OPEN, state=AttemptState.FAILED, failure_reason=LOST)
        ordinal = last.ordinal if last is not None else 0
        for number, (attempt_id, listed) in enumerate(made, 1):
            open_ = number == len(made)
            attempts.insert(tx, self._attempt(fax, attempt_id, ordinal + number, listed, open_=open_))
        faxes.change(tx, fax_id, list(State), tries=fax.tries + len(made))
        if fax.state not in FINAL:
            faxes.change(tx, fax_id, [fax.state], carrier_fax_id=made[-1][1].id, next_try_at=None)
        log.warning("an attempt that was made after the backup", fax=str(fax_id), carrier_fax=made[-1][1].id)

    def _attempt(self, fax: Fax, attempt_id: UUID, ordinal: int, listed: CarrierFax, *, open_: bool) -> Attempt:
        now = datetime.now(UTC)
        return Attempt(
            id=attempt_id,
            fax_id=fax.id,
            ordinal=ordinal,
            state=AttemptState.ACCEPTED if open_ else AttemptState.FAILED,
            client_state=listed.client_state,
            handle_kind=Handle.TOKEN,
            handle=f"lost-{attempt_id.hex}",
            document_blob=fax.pages_blob,
            intent_at=listed.created_at,
            fetched_at=now,
            carrier_fax_id=listed.id,
            failure_reason="" if open_ else (listed.failure_reason or LOST),
            settled_at=None if open_ else now,
        )

    def _nameless(self, tx: Tx, listed: CarrierFax, findings: Findings) -> None:
        for fax in faxes.between(tx, listed.from_number, listed.to_number, _WAITING):
            self._hold(tx, fax, MAYBE, findings)

    def _hold(self, tx: Tx, fax: Fax, why: str, findings: Findings) -> None:
        last = attempts.last_of(tx, fax.id)
        if last is not None and last.state in OPEN:
            return  # the carrier's word, or a person, settles that one
        self._command.hold(tx, fax.id, why)
        now = faxes.get(tx, fax.id)
        assert now is not None
        self._notify.operator(tx, now, WAITS, f"faxgate queue release {fax.id}")
        findings.held.append(fax.id)
