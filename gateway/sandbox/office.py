"""LibreOffice kept warm: ``python -m gateway.sandbox.office FD LIMITS`` makes PDFs of word processor files.

The process is locked like the others of the sandbox, but for a private folder in which LibreOffice keeps its profile
and we put one document at a time. It ends when the daemon closes the channel.
"""

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.document import MAX_BYTES
from gateway.errors import Kind, refuse
from gateway.sandbox import confine, locks
from gateway.sandbox.libreoffice import LibreOffice
from gateway.sandbox.reader import guarded, whole
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Channel, Header, close_all

#: LibreOffice maps far more than it uses.
_MEMORY_BYTES = 4 << 30


def main(descriptor: int, limits: Limits, folder: Path) -> None:
    """Serve requests on *descriptor* until the daemon closes it, with what there is to write in *folder*."""
    confine.worker()
    os.environ.update(HOME=str(folder), TMPDIR=str(folder), SAL_USE_VCLPLUGIN="svp", LC_ALL="C.UTF-8")
    program = Path(limits.office)
    for which, most in ((resource.RLIMIT_AS, _MEMORY_BYTES), (resource.RLIMIT_FSIZE, limits.output_bytes)):
        resource.setrlimit(which, (most, most))
    held = locks.office(program.parent, folder)
    channel = Channel.of(descriptor)
    office = LibreOffice(program, folder)
    os.dup2(1, 2)  # standard output is /dev/null: LibreOffice talks, and what it says may quote a document
    channel.send({"ready": True, "missing": held.missing})
    while (request := channel.receive()) is not None:
        header, files = request
        confine.more_cpu(limits.page_seconds)
        try:
            answer = guarded(_conversion(office, folder, header, files))
        finally:
            close_all(files)
        channel.send(answer)


def _conversion(office: LibreOffice, folder: Path, header: Header, files: list[int]) -> Callable[[], Header]:
    def convert() -> Header:
        source, target = folder / f"document.{header['ending']}", folder / "document.pdf"
        try:
            source.write_bytes(whole(files[0]))
            if not office.convert(source, target):
                raise _unreadable(str(header["label"]))
            if target.stat().st_size > MAX_BYTES:
                raise refuse(Kind.DOCUMENT_TOO_LARGE, f"{header['label']} is too large for one fax; send it in parts")
            os.ftruncate(files[1], 0)
            return {"converted": os.pwrite(files[1], target.read_bytes(), 0)}
        finally:
            for file in (source, target):
                file.unlink(missing_ok=True)

    return convert


def _unreadable(label: str) -> Exception:
    sentence = f"{label} cannot be opened: it is damaged, or has a password; save it as a PDF and send that"
    return refuse(Kind.DOCUMENT_BROKEN, sentence, label.strip('"'))


if __name__ == "__main__":
    main(int(sys.argv[1]), Limits(**json.loads(sys.argv[2])), Path(sys.argv[3]))
