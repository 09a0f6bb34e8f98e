"""The pages of a mail as the daemon has them made: in the sandbox, in turn with Ghostscript and ImageMagick."""

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from statistics import median

from benchmarks import page_inputs
from benchmarks.figures import HEADER, cpu_seconds, spread
from benchmarks.pages import KAZOO, PAGES
from gateway.documents.preview import WIDTH
from gateway.sandbox import Outputs, Sandbox, Source

#: Mails in one measurement: the kernel counts other processes' CPU in hundredths of a second.
MAILS, ROUNDS = 10, 5


def _mail(document: bytes) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"], message["To"], message["Subject"] = "a@example.com", "12025550123@fax.example.com", "Order"
    message.set_content("Please find the order attached.\n")
    message.add_attachment(document, maintype="application", subtype="pdf", filename="order.pdf")
    return bytes(message)


async def _ours(sandbox: Sandbox, mail: bytes) -> None:
    """Read the mail, and make the pages of its document: what intake and prepare ask for."""
    with ExitStack() as stack:
        source, *made = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(4))
        source.write(mail)
        source.flush()
        reading = await sandbox.read_mail(source.fileno(), len(mail))
        used = tuple(part.index for part in reading.parts if part.used)
        await sandbox.render([source.fileno()], Source("mail", used), Outputs(*(file.fileno() for file in made)))


#: ImageMagick by the name that no other package's program has.
_MAGICK = shutil.which("convert-im6.q16") or shutil.which("magick")


def _ghostscript(document: bytes, *, picture: bool) -> None:
    """Make the pages, and the small picture of the first as a script does: from the TIFF, since ImageMagick opens no
    PDF as Debian delivers it."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.pdf")
        source.write_bytes(document)
        quiet = ("gs", "-q", "-dNOPAUSE", "-dBATCH", "-dSAFER")
        fax = (*KAZOO, "-dPDFFitPage", "-sDEVICE=tiffg4", f"-sOutputFile={folder}/out.tiff")
        subprocess.run([*quiet, *fax, "--", source], check=True, capture_output=True)
        if picture and _MAGICK:
            small = (f"{folder}/out.tiff[0]", "-resize", f"{WIDTH}x", f"{folder}/out.png")
            subprocess.run([_MAGICK, *small], check=True, capture_output=True)


async def run() -> None:
    """A mail of three pages through the sandbox, with PDF and preview, in turn with Ghostscript."""
    for program, package in ((shutil.which("gs"), "ghostscript"), (_MAGICK, "imagemagick")):
        if not program:
            print(f"the Debian package {package} is missing: measured without it")
    print(HEADER)
    sandbox = Sandbox(readers=1, renderers=1)
    await sandbox.start()
    try:
        for name, document in (("text", page_inputs.text(PAGES)[0]), ("scan", page_inputs.scan(PAGES)[0])):
            await _measure(sandbox, name, document)
    finally:
        await sandbox.stop()


async def _measure(sandbox: Sandbox, name: str, document: bytes) -> None:
    mail = _mail(document)
    ways: dict[str, Callable[[], Awaitable[None]]] = {"faxgate, sandboxed": lambda: _ours(sandbox, mail)}
    if shutil.which("gs"):
        ways["Ghostscript as Kazoo"] = lambda: asyncio.to_thread(_ghostscript, document, picture=False)
    if shutil.which("gs") and _MAGICK:
        ways["Ghostscript and ImageMagick"] = lambda: asyncio.to_thread(_ghostscript, document, picture=True)
    figures: dict[str, list[float]] = {way: [] for way in ways}
    for round_number in range(ROUNDS + 1):
        for way, work in ways.items():
            began = cpu_seconds(os.getpid())
            for _ in range(MAILS):
                await work()
            if round_number:  # the first is for what is read and built only once
                figures[way].append((cpu_seconds(os.getpid()) - began) * 1000 / MAILS)
    for way, taken in figures.items():
        print(spread(f"{name}: {way}", taken, "ms CPU a mail of three pages"))
    ours, *others = figures
    for other in others:
        ratio = median(one / two for one, two in zip(figures[ours], figures[other], strict=True))
        print(f"  {ratio:.2f} of the CPU of {other}")
