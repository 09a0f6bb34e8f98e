"""What a process of the sandbox gives up before it touches what a stranger sent.

It runs in the process itself, after all imports. ``locks`` has what only the kernel can refuse.
"""

import contextlib
import ctypes
import math
import os
import resource
import signal
import warnings

from gateway.sandbox import locks
from gateway.sandbox.requests import Limits

# linux/prctl.h
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

# malloc.h
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3

_libc = ctypes.CDLL(None, use_errno=True)

#: Descriptors that a job may have open: its channel, its files, and a few that libraries want.
_MOST_DESCRIPTORS = 64


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl {option}: {os.strerror(error)}")


def worker() -> None:
    """Confine a process that lives as long as the daemon.

    It dies with the daemon, also when that is killed; signals to the process group pass it by, since the daemon ends
    it by closing the channel. It gains no privileges, leaves no core, and cannot be traced by its siblings.
    """
    locks.prepare()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    os.environ.clear()
    os.umask(0o077)
    warnings.simplefilter("ignore")  # libraries tell the log of every odd file
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)
    _limit(resource.RLIMIT_CORE, 0)


def keep_memory() -> None:
    """Let the C library give back what is free now, and keep what will be freed.

    Children copy what they write to, whether it was in use or not; fresh memory is cheaper. And a short-lived process
    gains nothing by giving memory back: the kernel takes as long for fresh memory as PDFium for a page of text.
    """
    with contextlib.suppress(AttributeError):  # not glibc
        _libc.malloc_trim(0)
        _libc.mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        _libc.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def reader(limits: Limits, parent: int, channel: int) -> None:
    """Confine a freshly forked reader: of its parent's descriptors it has the *channel* and nothing else; its memory is
    bounded, it writes no file and starts no process, and it dies with its *parent*."""
    _die_with(parent)
    os.dup2(1, 2)  # standard output is /dev/null: the log is not for those who take over a reader
    _close_all_but([channel])
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_NPROC, 0)
    locks.reader()


def more_cpu(seconds: float) -> None:
    """Allow *seconds* more of CPU than were used so far: a warm process has a bound for each request, not one for
    its life."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + seconds), hard))


def job(limits: Limits, parent: int, keep: list[int]) -> None:
    """Confine a freshly forked child: it has its own session, the descriptors in *keep* and nothing else.

    It dies with its *parent*.
    """
    _die_with(parent)
    os.setsid()
    os.dup2(1, 2)  # standard output is /dev/null: the log is not for those who take over a child
    _close_all_but(keep)
    _limit(resource.RLIMIT_AS, limits.memory_bytes)
    _limit(resource.RLIMIT_CPU, math.ceil(limits.job_seconds))
    _limit(resource.RLIMIT_FSIZE, limits.output_bytes)
    _limit(resource.RLIMIT_NOFILE, _MOST_DESCRIPTORS)
    _limit(resource.RLIMIT_NPROC, 0)
    locks.child()


def _die_with(parent: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the line above
        os._exit(1)


def _limit(which: int, value: int) -> None:
    """Set both limits, so that they cannot be raised again; a lower one that is in force stays."""
    _, hard = resource.getrlimit(which)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(which, (bound, bound))


def _close_all_but(keep: list[int]) -> None:
    start = 3
    for descriptor in sorted(keep):
        os.closerange(start, descriptor)
        start = descriptor + 1
    os.closerange(start, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
