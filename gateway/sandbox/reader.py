"""A reader: a process that reads one mail after the other, forked by ``python -m gateway.sandbox.reader FD LIMITS``.

That parent has imported everything, never opens a stranger's file, and has one child at a time, which reads. When the
daemon sends the channel of the next one, the child is killed and another forked: a few milliseconds, where a program
takes 300 to start. The two share no channel, so whoever has taken over a child has nothing of those after it.

When a child ends by itself, its parent ends likewise, and so tells who is to blame. Both end when the daemon closes the
parent's channel. The daemon's clock bounds each request: a reader that hangs is ended.
"""

import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import NoReturn

from PIL import Image

from gateway.document import OFFICE, SNIFFED_BYTES, Inspection, MediaType, claimed, recognised, sniff
from gateway.documents import image_file
from gateway.documents import open as documents
from gateway.documents.html import html_blocks
from gateway.errors import Kind, Refusal, refuse
from gateway.mail import evidence, parse
from gateway.mail.own_text import own_text
from gateway.mail.report import report
from gateway.sandbox import confine, locks
from gateway.sandbox.answers import reading_header
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import OUT_OF_MEMORY, Channel, Garbled, Header, close_all, reason_header

#: Where LibreOffice is, "" for nowhere.
_office = ""


def _pages_of_mail(data: bytes, label: str, claim: MediaType | None) -> int:
    """Return the pages of a document; 0 for one whose pages only LibreOffice will tell, later, where it is there."""
    if _for_office(data, claim):
        documents.check_size(len(data), label)
        return 0
    return documents.pages_of_mail(data, label, claim)


def _for_office(data: bytes, claim: MediaType | None) -> MediaType | None:
    """Return what a document is when LibreOffice is there to open it."""
    kind = recognised(data[:SNIFFED_BYTES], claim)
    return kind if _office and kind in OFFICE else None


DOCUMENTS = parse.Documents(
    sniff=sniff,
    extent=image_file.extent,
    count_pages=_pages_of_mail,
    check_size=documents.check_size,
    check_length=documents.check_length,
)

#: Characters: some three pages.
MOST_OF_A_NOTE = 10_000

#: What a document is called where it came without a name.
THE_DOCUMENT = "the document"


def main(descriptor: int, limits: Limits) -> None:
    """Have readers forked on *descriptor* until the daemon closes it."""
    global _office  # noqa: PLW0603  # what DOCUMENTS was made with, before anything is read
    _office = limits.office
    confine.worker()
    Image.init()  # every reader of pictures now: later nothing may be loaded
    gc.collect()
    gc.freeze()  # children would copy every page that a collection touches
    control = Channel.of(descriptor)
    control.send({"ready": True, "missing": locks.parent_of_readers().missing})
    Parent(control, limits).serve()


@dataclass(slots=True)
class Parent:
    """The one that forks: the daemon's word, and the ends of children."""

    control: Channel
    limits: Limits
    _child: int = 0
    _watch: int = -1  # its pidfd

    def serve(self) -> None:
        """Have one child after the other until the daemon closes the channel."""
        try:
            while (channel := self._next()) is not None:
                self._bury()
                self._fork(channel)
                os.close(channel)
        finally:
            self._bury()

    def _next(self) -> int | None:
        """Wait for the next child's channel. The daemon's word comes first: what it no longer wants may end as it
        likes."""
        poll = select.poll()
        poll.register(self.control.fileno(), select.POLLIN)
        if self._child:
            poll.register(self._watch, select.POLLIN)
        if self.control.fileno() not in {ready for ready, _ in poll.poll()}:
            _, status = os.waitpid(self._child, 0)
            _end_likewise(os.waitstatus_to_exitcode(status))
        request = self.control.receive()
        return None if request is None else request[1][0]

    def _fork(self, channel: int) -> None:
        parent = os.getpid()
        try:
            self._child = os.fork()
        except OSError:  # no process to be had: nobody is to blame for that
            _end_likewise(-signal.SIGKILL)
        if self._child == 0:
            _be_child(channel, self.limits, parent)
        self._watch = os.pidfd_open(self._child)

    def _bury(self) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
            os.close(self._watch)
            self._child = 0


def _end_likewise(code: int) -> NoReturn:
    """End as the child did, whose exit code this is (negative: its signal): the daemon asks who is to blame."""
    if code < 0:
        with suppress(OSError):  # what cannot be caught needs no default
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _be_child(channel: int, limits: Limits, parent: int) -> NoReturn:
    """Be the one who reads."""
    status = 1
    try:
        confine.reader(limits, parent, channel)
        with suppress(OSError, Garbled):  # the daemon has gone, or is not what it was: nobody is there to be told
            _serve(Channel.of(channel), limits)
            status = 0
    finally:
        os._exit(status)


def _serve(channel: Channel, limits: Limits) -> None:
    """Answer requests until the daemon closes the channel."""
    while (request := channel.receive()) is not None:
        header, files = request
        confine.more_cpu(limits.read_seconds)
        try:
            answer = guarded(lambda: _answer(header, files[0]))  # noqa: B023  # it is called at once
        finally:
            close_all(files)
        channel.send(answer)


def guarded(work: Callable[[], Header]) -> Header:
    """Return the answer of *work*, or the one that says why there is none."""
    try:
        return work()
    except Refusal as refusal:
        return reason_header(refusal.reason)
    except MemoryError:
        return {"failed": OUT_OF_MEMORY}
    except Exception as error:  # whatever a stranger's file brings about ends here, as an answer
        return {"failed": fault(error)}


def fault(error: BaseException) -> str:
    """Name an error and its place, without its text, which may quote a document."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join([type(error).__name__, *(f"{os.path.basename(f.filename)}:{f.lineno}" for f in reversed(frames))])


def _answer(header: Header, descriptor: int) -> Header:
    if header["do"] == "read_mail":
        return reading_header(parse.read(_mail(header, descriptor), DOCUMENTS, str(header["body"])))
    if header["do"] == "read_note":
        return {"note": note(_mail(header, descriptor))}
    if header["do"] in {"offers", "verify", "report"}:
        return _evidence(header, descriptor)
    if header["do"] == "inspect":
        claim = claimed(str(header["media_type"]), str(header["name"]))
        return {"inspection": asdict(_inspected(whole(descriptor), claim))}
    raise refuse(Kind.INTERNAL, "the request is unknown")


def _mail(header: Header, descriptor: int) -> bytes:
    return beginning(descriptor, int(header["size"]))


def _evidence(header: Header, descriptor: int) -> Header:
    message = _mail(header, descriptor)
    if header["do"] == "report":
        return {"report": asdict(report(message))}
    if header["do"] == "offers":
        return {"offers": asdict(evidence.offers(message, header["authserv"]))}
    faults = evidence.verify(message, header["records"], header["which"])
    return {"verified": [[number, fault] for number, fault in faults.items()]}


def note(message: bytes) -> str:
    """Return the text of a mail in plain characters, as much of it as anybody will want on a cover page."""
    pieces = (
        "\n".join(block.text for block in html_blocks(text)) if kind is MediaType.HTML else text
        for kind, text in own_text(message)
    )
    return "\n\n".join(piece.strip() for piece in pieces)[:MOST_OF_A_NOTE]


def _inspected(data: bytes, claim: MediaType | None) -> Inspection:
    if kind := _for_office(data, claim):
        return Inspection(kind.value, 0, len(data))
    return documents.inspect(data, THE_DOCUMENT, claim)


def whole(descriptor: int) -> bytes:
    """Return everything in a file, wherever its offset stands."""
    return beginning(descriptor, os.fstat(descriptor).st_size)


def beginning(descriptor: int, size: int) -> bytes:
    """Return the first *size* bytes of a file, wherever its offset stands.

    They are read, not mapped: the faults of its pages cost three times what the copy does.
    """
    pieces = []
    position = 0
    while position < size and (piece := os.pread(descriptor, size - position, position)):
        pieces.append(piece)
        position += len(piece)
    return b"".join(pieces)


if __name__ == "__main__":
    main(int(sys.argv[1]), Limits(**json.loads(sys.argv[2])))
