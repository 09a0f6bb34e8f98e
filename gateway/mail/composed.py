"""A mail that is ready for the smarthost, and the reason why one did not go."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ComposedMail:
    """A message with its envelope (RFC 5321): *envelope_sender* is "" for the null reverse-path.

    *message* has CRLF line ends of at most 998 octets and no bytes above 127, unless an address needs SMTPUTF8.
    *left_behind* is true when a document is not in it because of its size.
    """

    message: bytes
    envelope_sender: str
    recipient: str
    left_behind: bool = False


class NotSent(Exception):
    """A mail that did not go out, or a smarthost that is not ready for one.

    *message* is a sentence for the operator. *permanent*: trying again cannot help. *code* is the SMTP reply code,
    0 when there was none. *too_large*: a smaller mail may go.
    """

    def __init__(self, message: str, *, permanent: bool = False, code: int = 0, too_large: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.permanent = permanent
        self.code = code
        self.too_large = too_large
