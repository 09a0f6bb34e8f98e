"""What the SMTP door asks of the house behind it. ``intake.Intake`` is the one that serves it."""

from typing import Protocol

from gateway.transaction import Spooled, Transaction


class Reception(Protocol):
    """Decisions about one transaction. Each may raise Refusal, whose reason becomes the reply at once; any other
    exception is a fault of ours and is answered 451. ``transaction.mode`` and ``transaction.login`` say what is known
    of the client."""

    def sender(self, transaction: Transaction, path: str) -> None:
        """MAIL: *path* is the reverse-path between its brackets as written, "" for the null path."""

    async def recipient(self, transaction: Transaction, path: str) -> None:
        """RCPT: *path* is the forward-path between its brackets as written. Appends to transaction.recipients.

        On a listener of mode mx the sender is not known yet: it is believed in ``prove``.
        """

    def spool(self, declared_size: int) -> Spooled:
        """DATA begins: a file to write the message to. Refuses when the disk is nearly full."""

    async def prove(self, transaction: Transaction, message: Spooled) -> None:
        """The message is complete, and came in over a listener of mode mx: does it prove its sender?

        Called before ``take``, for mx only, and for any number of mails at once; raises Refusal when it does not, or
        when that cannot be known now.
        """

    async def take(self, transaction: Transaction, message: Spooled) -> str:
        """The message is complete. Return the text of the 250 reply, after everything is durable.

        It must not be cancelled by a client that leaves: the caller shields it. Writes the smtplog itself.
        """

    async def refused(self, transaction: Transaction) -> None:
        """The transaction ended without being taken (refused, reset, or the client left): write its smtplog row.
        Never raises."""
