"""The octets of a message between 354 and the final dot (RFC 5321, 4.1.1.4), decoded as they arrive.

Only CR LF . CR LF ends a message. A CR or LF that stands alone spoils it, because other servers take such a line for
an end or a beginning where we see none, and what they smuggle through must not become a fax. For devices that know no
better it can be mended: it becomes CR LF, and never ends a message either. Work is done on whole chunks, never by the
line, and at most two chunks are held, however long the message or its lines are.
"""

import re
from collections.abc import Callable

from gateway.smtp.lines import lines_are_whole
from gateway.smtp.paths import too_large
from gateway.smtp.replies import Rejection

#: How much is gathered before it is written, in bytes.
WRITE_BYTES = 1 << 16

_END = b"\r\n.\r\n"
#: So many dots are looked at one by one.
_FEW_DOTS = 64
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_BARE_NEWLINE = (
    "550 5.5.2 the message has a line that does not end with CR LF; set the sending program to standard line ends"
)


class Content:
    """One message on its way in. ``feed`` it until it has ``ended``, then ask ``error`` whether it can be taken.

    ``received`` counts the octets as sent, ``size`` those of the message itself; ``rest`` is what came behind the end.
    A message that cannot be taken is read to its real end all the same, and nothing more of it is written.
    """

    def __init__(self, write: Callable[[bytes], None], max_bytes: int, *, mends: bool = False) -> None:
        """*write* stores octets; a message has at most *max_bytes*. *mends*: lone CR and LF become CR LF."""
        self._write = write
        self._max_bytes = max_bytes
        self._mends = mends
        # The line before the first one, so that a first line with a dot is found like any other.
        self._held = b"\r\n"
        self._begun = False
        self._gathered = bytearray()
        self.received = 0
        self.size = 0
        self.ended = False
        self.rest = b""
        self.error: Exception | None = None

    @property
    def hopeless(self) -> bool:
        """True when it cannot be taken, and more than twice the limit has come without an end."""
        return self.error is not None and self.received > 2 * self._max_bytes

    def feed(self, data: bytes) -> None:
        """Take in the next octets. Never raises: what goes wrong is kept in ``error``."""
        self.received += len(data)
        text = self._held + data
        end, stuffed = _dots(text)
        if end < 0:
            border = _border(text)
            self._held = text[border:]
            self._add(text[:border], stuffed)
            return
        self.ended = True
        self.rest = text[end + len(_END) :]
        self._add(text[: end + 2], stuffed)
        self._store(bytes(self._gathered))
        self._gathered.clear()

    def _add(self, text: bytes, stuffed: bool) -> None:
        bare = not lines_are_whole(text)
        if bare and not self._mends:
            self._spoil(Rejection(_BARE_NEWLINE))
        if stuffed:
            text = text.replace(b"\r\n.", b"\r\n")
        if bare and self._mends:
            text = _BARE.sub(b"\r\n", text)
        if text and not self._begun:
            self._begun = True
            text = text[2:]
        self.size += len(text)
        if self.size > self._max_bytes:
            self._spoil(too_large(self._max_bytes))
        if self.error is None:
            self._gather(text)

    def _gather(self, text: bytes) -> None:
        if not self._gathered and len(text) >= WRITE_BYTES:
            return self._store(text)
        self._gathered += text
        if len(self._gathered) >= WRITE_BYTES:
            self._store(bytes(self._gathered))
            self._gathered.clear()
        return None

    def _store(self, text: bytes) -> None:
        try:
            if text:
                self._write(text)
        except Exception as error:  # whatever it is, the message is read to its end first
            self._spoil(error)

    def _spoil(self, error: Exception) -> None:
        self.error = self.error or error
        self._gathered.clear()


def _dots(text: bytes) -> tuple[int, bool]:
    """Return where the end of the message begins (-1: nowhere), and whether a line may begin with a dot.

    To look for one octet is by far the fastest search, and base64 has no dots; where there are many, it gives up.
    """
    dot, stuffed = text.find(b"."), False
    for _ in range(_FEW_DOTS):
        if dot < 0:
            return -1, stuffed
        if text.startswith(b"\r\n", max(dot - 2, 0)):
            if text.startswith(b"\r\n", dot + 1):
                return dot - 2, stuffed
            stuffed = True
        dot = text.find(b".", dot + 1)
    return text.find(_END), True


def _border(text: bytes) -> int:
    """Return where *text* can be cut so that neither the end nor a CR LF with the dot behind it is cut in two."""
    border = max(len(text) - len(_END) + 1, 0)
    if text.endswith(b"\r\n", 0, border):
        return border - 2
    return border - 1 if text.endswith(b"\r", 0, border) else border
