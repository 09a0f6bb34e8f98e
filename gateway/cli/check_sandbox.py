"""What ``faxgate check`` says of the processes that open documents."""

from collections.abc import Iterator

from gateway.cli.finding import Finding, Verdict
from gateway.sandbox import locks

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
