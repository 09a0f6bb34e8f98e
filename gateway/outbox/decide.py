"""Deciding about a fax by the one-time link of a mail: the operator about one that waits for him, its sender about one
that is late.

To look at a link changes nothing of the fax: those who scan mails follow every link in them. Only an answer acts, and
only once. Who looks and who answers is in the audit trail.
"""

from dataclasses import dataclass
from enum import StrEnum

from gateway.audit import Action, Actor
from gateway.errors import Kind, refuse
from gateway.fax import Fax, State
from gateway.outbox.command import Command
from gateway.store import audit, decisions, faxes
from gateway.store.database import Database, Tx
from gateway.store.decisions import Decision

#: What waits for a person.
WAITING = frozenset({State.HELD, State.UNKNOWN})
#: What a link that only cancels can still cancel. Whether a fax of unknown outcome was sent is for the operator to say.
STOPPABLE = frozenset({State.PREPARING, State.QUEUED, State.CALLING, State.SENDING, State.HELD})


class Answer(StrEnum):
    RELEASE = "release"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Question:
    """What a link asks. It is *open* while the link is good and the fax still waits."""

    decision: Decision
    fax: Fax

    @property
    def open(self) -> bool:
        """Whether an answer would be taken."""
        return self.decision.used_at is None and not self.decision.expired and self.fax.state in _open_in(self.decision)

    @property
    def seen(self) -> str:
        """What is asked about, as the answer must name it: "" where the answer is the same whatever became of it."""
        return "" if self.decision.only else f"{self.fax.state.value} {self.fax.tries}"


class Decide:
    """``question`` shows, ``answer`` acts."""

    def __init__(self, db: Database, command: Command) -> None:
        self._db = db
        self._command = command

    async def question(self, token: str, peer: str) -> Question | None:
        """Return what a link asks, and note that somebody at *peer* has seen it; None for one that was never given
        out."""
        decision = await decisions.fetch(self._db, token)
        fax = await faxes.fetch(self._db, decision.fax_id) if decision else None
        if decision is None or fax is None:
            return None
        actor, owner, fax_id = Actor("link", str(decision.id), peer), fax.account_id, fax.id
        await self._db.write(lambda tx: audit.note(tx, actor, Action.VIEWED, account_id=owner, fax_id=fax_id))
        return Question(decision, fax)

    async def answer(self, token: str, answer: Answer, peer: str, seen: str = "") -> str:
        """Do what somebody at *peer* has decided, who was shown *seen*; return a sentence. Raises Refusal NOT_FOUND or
        WRONG_STATE."""
        return await self._db.write(lambda tx: self._act(tx, token, answer, peer, seen))

    def _act(self, tx: Tx, token: str, answer: Answer, peer: str, seen: str) -> str:
        decision = decisions.get(tx, token)
        fax = faxes.get(tx, decision.fax_id, lock=True) if decision else None
        if decision is None or fax is None:
            raise refuse(Kind.NOT_FOUND, "this link is not known")
        if decision.only not in ("", answer.value):
            raise refuse(Kind.WRONG_STATE, "this link is not for that")
        if not decisions.use(tx, decision, answer.value):
            raise refuse(Kind.WRONG_STATE, "this link was used before, or has expired")
        if fax.state not in _open_in(decision):
            raise refuse(Kind.WRONG_STATE, f"the fax is {fax.state.value}: there is nothing to decide any more")
        if seen != Question(decision, fax).seen:
            # "Send it", pressed on the page about a held fax, is no word to send it again now that nobody knows whether
            # it was sent.
            raise refuse(Kind.WRONG_STATE, f"the fax is {fax.state.value} now; open the link of the mail once more")
        act = self._command.release if answer is Answer.RELEASE else self._command.cancel
        said = act(tx, fax.id)
        audit.note(
            tx,
            Actor("link", str(decision.id), peer),
            _done(fax, answer),
            account_id=fax.account_id,
            fax_id=fax.id,
            state=fax.state.value,
        )
        return said


def _open_in(decision: Decision) -> frozenset[State]:
    return STOPPABLE if decision.only == Answer.CANCEL else WAITING


def _done(fax: Fax, answer: Answer) -> Action:
    if answer is Answer.CANCEL:
        return Action.CANCELED
    return Action.RESENT if fax.state is State.UNKNOWN else Action.RELEASED
