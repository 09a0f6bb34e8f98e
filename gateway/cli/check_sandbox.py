"""What ``faxgate check`` says of the processes that open documents."""

from gateway.cli.finding import Finding, Verdict
from gateway.sandbox import Limits, locks, offices
from gateway.sandbox.link import Gone
from gateway.sandbox.process import READER
from gateway.sandbox.worker import Worker

#: What a document can do that takes over a process without one of them.
_WITHOUT = {
    "Landlock": "without Landlock a document that takes one over could read files of the gateway's user; use Linux "
    "5.13 or newer with landlock in its lsm= list, and let a container have it",
    "seccomp": "without seccomp a document that takes one over could reach the network; use a kernel with "
    "CONFIG_SECCOMP_FILTER, on x86_64 or aarch64",
}


async def sandbox(service: str = "") -> list[Finding]:
    """Say which of the kernel's locks hold the processes that open documents; *service* starts them, or the daemon."""
    if not service:
        return _held("documents are opened in confined processes, under {}", locks.available().missing)
    try:
        reader = await Worker.start(READER, Limits(service=service))
    except (Gone, OSError) as error:
        sentence = f"[sandbox] service: {error}; start faxgate-sandbox.socket, or leave the key empty"
        return [Finding("sandbox", Verdict.WRONG, sentence)]
    await reader.end()
    return _held(f"documents are opened by faxgate-sandbox.service ({service}), under {{}}", list(reader.missing))


def _held(sentence: str, missing: list[str]) -> list[Finding]:
    held = [name for name in ("Landlock", "seccomp") if name not in missing]
    found = Finding(
        "sandbox", Verdict.NOTE if missing else Verdict.OK, sentence.format(" and ".join(held) or "neither")
    )
    return [found, *(Finding("sandbox", Verdict.NOTE, _WITHOUT[name]) for name in missing)]


def office(wish: str) -> Finding:
    """Say whether word processor files can be faxed; *wish* is ``sandbox.libreoffice``."""
    program = offices.find(wish)
    if program:
        return Finding("sandbox", Verdict.OK, f"word processor files are opened by LibreOffice ({program})")
    if wish == "off":
        return Finding("sandbox", Verdict.OK, "word processor files are refused, as sandbox.libreoffice says")
    if wish == "auto":
        sentence = (
            "word processor files are refused, since LibreOffice is not installed; where they are to be faxed, install "
            "it (Debian: libreoffice-writer-nogui, libreoffice-calc-nogui and libreoffice-impress-nogui)"
        )
        return Finding("sandbox", Verdict.NOTE, sentence)
    return Finding("sandbox", Verdict.WRONG, f"sandbox.libreoffice: {wish} is no program folder of LibreOffice")
