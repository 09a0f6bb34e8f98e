"""What ``faxgate check`` says of the processes that open documents."""

from collections.abc import Iterator

from gateway.cli.finding import Finding, Verdict
from gateway.sandbox import locks, offices

_LANDLOCK = (
    "without Landlock a document that takes one over could read files of the gateway's user; use Linux 5.13 or newer "
    "with landlock in its lsm= list, and let a container have it"
)
_SECCOMP = (
    "without seccomp a document that takes one over could reach the network; use a kernel with CONFIG_SECCOMP_FILTER, "
    "on x86_64 or aarch64"
)


def sandbox() -> Iterator[Finding]:
    """Say which of the kernel's locks hold the processes that open documents."""
    found = locks.available()
    if not found.missing:
        yield Finding("sandbox", Verdict.OK, "documents are opened in confined processes, under Landlock and seccomp")
    if not found.landlock:
        yield Finding("sandbox", Verdict.NOTE, _LANDLOCK)
    if not found.seccomp:
        yield Finding("sandbox", Verdict.NOTE, _SECCOMP)


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
