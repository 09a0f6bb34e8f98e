"""What all sessions of the SMTP door share: the house behind it, the limits, and the work that outlives a session."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from gateway.errors import shutting_down
from gateway.smtp.auth import Authenticator
from gateway.smtp.reception import Reception

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class SmtpLimits:
    """How much and for how long. Times are in seconds.

    ``command_seconds`` is the patience for one command or for silence within a message (RFC 5321, 4.5.3.2.7: at
    least 5 minutes). A whole message may take ``data_seconds`` and what it needs at ``data_bytes_per_second``.
    ``connections_per_peer`` and ``connections_per_minute`` (of one peer, except to trusted listeners) count an IPv6
    /64 as one peer. Once ``stress`` of all connections are open, the patience for a command is ``stress_seconds``.
    One listener alone leaves the part ``kept_for_others`` of them to the others.
    ``errors`` and ``commands`` are counted anew after each message that was taken; a mail that is given up (it leaves a
    record) is an error, too.
    """

    connections: int = 500
    connections_per_peer: int = 50
    connections_per_minute: int = 60
    command_seconds: float = 300
    kept_for_others: float = 0.2
    stress: float = 0.8
    stress_seconds: float = 10
    proxy_seconds: float = 10
    data_seconds: float = 60
    data_bytes_per_second: int = 1000
    write_seconds: float = 60
    close_seconds: float = 10
    tls_handshake_seconds: float = 15
    session_seconds: float = 3600
    recipients: int = 50
    errors: int = 20
    commands: int = 300
    data_at_once: int = 16


@dataclass(slots=True, eq=False)
class Door:
    """The part of the server that its sessions see.

    ``stopping`` is set when no session may begin anything more, ``stressed`` while nearly all connections are in use.
    """

    reception: Reception
    hostname: str
    max_message_bytes: int
    limits: SmtpLimits
    authenticator: Authenticator | None = None
    stopping: bool = False
    stressed: bool = False
    turn: asyncio.Semaphore = field(init=False)
    kept: set[asyncio.Task[Any]] = field(init=False, default_factory=set)
    proofs: set[asyncio.Task[None]] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self.turn = asyncio.Semaphore(self.limits.data_at_once)

    async def keep(self, work: Coroutine[Any, Any, T]) -> T:
        """Do *work* and return its result. It is done to its end even when the caller is cancelled meanwhile."""
        task = asyncio.get_running_loop().create_task(work)
        self.kept.add(task)
        task.add_done_callback(self.kept.discard)
        return await asyncio.shield(task)

    async def prove(self, work: Coroutine[Any, Any, None]) -> None:
        """Do *work*, which takes as long as strangers like: the server gives it up when it stops.

        Raises Refusal(SHUTTING_DOWN) then.
        """
        proof = asyncio.get_running_loop().create_task(work)
        self.proofs.add(proof)
        proof.add_done_callback(self.proofs.discard)
        try:
            await proof
        except asyncio.CancelledError:
            if not self.stopping:
                raise
            raise shutting_down() from None
