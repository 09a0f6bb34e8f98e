"""What becomes of faxes that are at their end: sent anew, passed on, their documents removed, or erased.

Everything but ``scrap`` works inside units. Blobs are deleted by jobs after the commit that took the last row that
names them away, so that no row ever names a blob that is gone.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from gateway.address import parse_number
from gateway.errors import Kind, refuse
from gateway.fax import FINAL, Direction, Fax, Origin, State
from gateway.ids import new_id
from gateway.intake.once import Once
from gateway.intake.submit import taken_before
from gateway.limits import Limits
from gateway.notify import ENCLOSED
from gateway.outbox import enter
from gateway.store import (
    attempts,
    deliveries,
    events,
    faxes,
    jobs,
    mailbag,
    outgoing,
    provision,
    shares,
    smtplog,
    usage,
)
from gateway.store.blobs import Blobs
from gateway.store.database import Database, Tx, first
from gateway.store.jobs import Job
from gateway.store.schema import accounts

SCRAP = "scrap"
#: What a fax that is made of another one does not take over.
_NEW: dict[str, Any] = {
    **dict.fromkeys(("rendering_id", "pages_sent", "duration", "next_try_at", "finished_at"), None),
    **dict.fromkeys(("pages_done", "pages_to_do"), None),
    **dict.fromkeys(("pages_blob", "media_type", "failure_reason", "failure_text", "held_reason"), ""),
    **dict.fromkeys(("carrier_fax_id", "connection_id", "caller_id", "cover_blob"), ""),
    "state": State.PREPARING,
    "tries": 0,
    **dict.fromkeys(("partial", "approved", "carrier_forgets"), False),
    "user": "",
}


class Archive:
    """``limits`` say what may be dialled."""

    def __init__(self, db: Database, blobs: Blobs, limits: Limits) -> None:
        self._db = db
        self._blobs = blobs
        self._limits = limits

    def send_anew(
        self,
        tx: Tx,
        fax_id: UUID,
        origin: Origin,
        changes: Mapping[str, Any],
        also: Callable[[Tx, Fax], None] | None = None,
        once: Once | None = None,
    ) -> Fax:
        """Make a new outgoing fax of the documents of one that is at its end, sent or received, and return it; *also*
        runs with it. When *once* says that the request was taken before, its fax is returned and nothing is made.

        *changes* are fields of ``Fax``; ``to_written`` is read as a number, and a received fax needs it. Raises
        Refusal: NOT_FOUND, WRONG_STATE when it is not at its end or its document was removed, NUMBER_INVALID,
        DESTINATION_NOT_ALLOWED.
        """
        old = self._ended(tx, fax_id, "sent again")
        if old.direction is Direction.INBOUND and not changes.get("to_written"):
            raise refuse(Kind.INVALID, "say which number the fax shall be passed on to", "to_number")
        now = datetime.now(UTC)
        values = {**_NEW, **changes, "id": new_id(), "origin": origin, "created_at": now, "updated_at": now}
        new = replace(old, direction=Direction.OUTBOUND, **values)
        if changes.get("to_written"):
            new = replace(new, to_number=self._number(tx, new))
        self._limits.check(new.to_number)
        if (earlier := taken_before(tx, new, once)) is not None:
            return earlier
        (entered,) = enter(tx, self._limits, [replace(new, **self._documents(tx, old, new.id))])
        if also is not None:
            also(tx, entered)
        return entered

    def remove_documents(self, tx: Tx, fax_id: UUID) -> None:
        """Remove every document of a fax that is at its end, and keep what is known about it. Raises Refusal:
        NOT_FOUND, WRONG_STATE while it is under way or still has to be mailed."""
        fax = self._ended(tx, fax_id, "stripped of its document")
        self._settled(tx, fax)
        self._strip(tx, fax)

    def erase(self, tx: Tx, fax_id: UUID) -> None:
        """Erase a fax that is at its end: documents, numbers, names, mails and what the carrier said. Nothing but the
        bare row stays, so that the carrier's later words about it meet something. Raises Refusal as
        ``remove_documents``."""
        fax = self._ended(tx, fax_id, "deleted")
        self._settled(tx, fax)
        self._strip(tx, fax)
        outgoing.erase(tx, fax_id)
        deliveries.erase(tx, fax_id)
        events.erase(tx, {fax.carrier_fax_id, *(attempt.carrier_fax_id for attempt in attempts.erase(tx, fax_id))})
        faxes.erase(tx, fax_id)
        if fax.account_id is not None:
            usage.forget(tx, fax.account_id, fax.to_number)
        self._forget_mail(tx, fax)

    async def scrap(self, job: Job) -> None:
        """The job ``scrap``: delete the blob that is its subject."""
        await self._blobs.removed(job.subject)
        await self._db.write(lambda tx: jobs.finish(tx, job))

    # -- one after the other -------------------------------------------------------------------------------------------

    def _ended(self, tx: Tx, fax_id: UUID, wish: str) -> Fax:
        fax = faxes.get(tx, fax_id, lock=True)
        if fax is None:
            raise refuse(Kind.NOT_FOUND, f"there is no fax {fax_id}", str(fax_id))
        if fax.state not in FINAL:
            sentence = f"fax {fax_id} is {fax.state.value} and cannot be {wish} before it has ended"
            raise refuse(Kind.WRONG_STATE, sentence, str(fax_id))
        return fax

    def _settled(self, tx: Tx, fax: Fax) -> None:
        forwarding = fax.direction is Direction.INBOUND and jobs.exists(tx, "forward", fax.id)
        if forwarding or outgoing.waiting(tx, fax.id):
            sentence = f"mails about fax {fax.id} are still on their way; try again when they have been delivered"
            raise refuse(Kind.WRONG_STATE, sentence, str(fax.id))

    def _documents(self, tx: Tx, old: Fax, new_id: UUID) -> dict[str, Any]:
        """Return where a new fax has its documents: with the mail, or shared with the old fax."""
        if old.source and old.message_id:
            return {}
        entries = old.documents
        if old.direction is Direction.INBOUND:
            entries = [{"blob": old.pages_blob, "media_type": old.media_type, "name": ""}] if old.pages_blob else []
        if not entries:
            raise refuse(Kind.WRONG_STATE, f"the document of fax {old.id} has been removed", str(old.id))
        for entry in entries:
            if "blob" in entry:
                shares.share(tx, entry["blob"], old.id, new_id)
        return {"documents": entries}

    def _number(self, tx: Tx, fax: Fax) -> str:
        account = provision.look(tx, accounts, fax.account_id)
        assert account is not None
        return parse_number(fax.to_written, account["country"])

    def _strip(self, tx: Tx, fax: Fax) -> None:
        own = [str(entry["blob"]) for entry in fax.documents if "blob" in entry]
        if fax.direction is Direction.INBOUND and fax.pages_blob:
            own.append(fax.pages_blob)
        gone = {blob for blob in own if shares.drop(tx, blob, fax.id)}
        for_mail, rendered = faxes.others_with(tx, fax)
        nothing: dict[str, Any] = {
            "documents": [],
            "source": "",
            "parts": [],
            "pages_blob": "",
            "rendering_id": None,
            "cover_blob": "",
        }
        faxes.change(tx, fax.id, FINAL, **nothing)
        if fax.rendering_id is not None and not rendered:
            gone.update(mailbag.delete_rendering(tx, fax.rendering_id))
        if fax.source and not for_mail:
            gone.add(fax.source)
        gone.update(self._made_for(tx, fax, own))
        gone.add(fax.cover_blob)
        self._scrap(tx, gone)

    def _made_for(self, tx: Tx, fax: Fax, own: list[str]) -> set[str]:
        """Return blobs that were made for this fax alone: stamped for an attempt, or converted for a mail."""
        stamped = {blob for one in attempts.erase(tx, fax.id) for blob in (one.document_blob, one.preview_blob)}
        converted = {str(facts.get(ENCLOSED, "")) for facts in outgoing.facts_of(tx, fax.id)}
        return (stamped | converted) - {fax.pages_blob, *own}

    def _forget_mail(self, tx: Tx, fax: Fax) -> None:
        if fax.message_id is None or fax.account_id is None:
            return
        message = first(tx, mailbag.message(fax.message_id))
        if message is not None:
            smtplog.erase(tx, fax.account_id, message["message_id"], fax.created_at, fax.to_number)
        mailbag.delete_message(tx, fax.message_id)

    def _scrap(self, tx: Tx, blobs: Iterable[str]) -> None:
        for blob in sorted(set(blobs) - {""}):
            jobs.enqueue(tx, SCRAP, blob, priority=jobs.LATER)
