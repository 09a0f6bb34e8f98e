"""How the rules reach the database: one unit each, with its line in the audit trail; what a constraint forbids is a
conflict."""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar
from uuid import UUID

from gateway.audit import Action, Actor
from gateway.errors import Kind, refuse
from gateway.store import audit
from gateway.store.database import Database, Tx, Violation

T = TypeVar("T")


class Units:
    """The database, and who is named in the audit trail."""

    def __init__(self, db: Database, actor: Actor) -> None:
        self._db = db
        self._actor = actor

    async def _write(
        self,
        unit: Callable[[Tx], T],
        subject: str,
        did: str,
        account_id: UUID | None = None,
        changes: Iterable[str] = (),
    ) -> T:
        """Run *unit* and note that *did* happened to *subject*; of *changes* the names alone are noted."""

        def noted(tx: Tx) -> T:
            value = unit(tx)
            owner = account_id or getattr(value, "account_id", None)
            more: dict[str, Any] = {"fields": sorted(changes)} if changes else {}
            audit.note(tx, self._actor, Action.CHANGED, account_id=owner, subject=subject, did=did, **more)
            return value

        try:
            return await self._db.write(noted)
        except Violation as error:
            raise refuse(Kind.CONFLICT, "that name is taken, or something still refers to it") from error
