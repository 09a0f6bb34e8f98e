"""The stories that commands tell, built from the settings as the daemon builds them."""

from contextlib import AsyncExitStack
from uuid import UUID

from gateway import parts
from gateway.audit import Action
from gateway.cli.context import House
from gateway.inbox import Inbox
from gateway.notify import Notify
from gateway.outbox import Command, Settle
from gateway.sandbox import Sandbox
from gateway.store import audit
from gateway.store.database import Tx


def commands(house: House) -> Command:
    """What may be done to outgoing faxes."""
    return Command(Settle(_notify(house), parts.policy(house.settings)), house.settings.fax.attempts)


async def assigned(house: House, fax_id: UUID, faxbox_id: UUID) -> str:
    """Give an unrouted fax to a faxbox; return the sentence about it."""
    async with AsyncExitStack() as stack:
        carrier, fetcher = parts.carrier(house.settings), parts.fetcher(house.settings)
        stack.push_async_callback(carrier.close)
        stack.push_async_callback(fetcher.close)
        # Nothing is opened here, so the sandbox is not started.
        inbox = Inbox(house.db, house.blobs, carrier, fetcher, Sandbox(), _notify(house))

        def unit(tx: Tx) -> str:
            said = inbox.assign(tx, fax_id, faxbox_id)
            audit.note(tx, house.actor, Action.ASSIGNED, fax_id=fax_id, faxbox=str(faxbox_id))
            return said

        return await house.db.write(unit)


def _notify(house: House) -> Notify:
    return Notify(house.db, house.blobs, parts.smarthost(house.settings), parts.sender(house.settings))
