"""The kernel's locks on a process of the sandbox: Landlock for files, seccomp for system calls.

With both, a process that a document has taken over can compute, and write to the descriptors that it was given. It can
read programs and fonts, and nothing that belongs to anybody; it can open no file for writing, no socket, start no
program and no process, and signal nobody. Where a kernel has only one of them, that one holds.
"""

import errno
import fcntl
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import py_landlock
import seccompy
from seccompy import Action, ArgCmp, CmpOp, Filter

from gateway.documents.fonts import FOLDERS

#: What may be read: the interpreter, its libraries and ours, fonts and time zones. No settings, no data.
_READ = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo", "/usr/share/fontconfig", "/etc/fonts")
_READ_FILES = ("/etc/ld.so.cache", "/dev/null", "/dev/urandom")

_CLONE_VM, _CLONE_THREAD, _O_TMPFILE, _PROT_EXEC = 0x100, 0x10000, 0o20000000, 4
_WRITING = os.O_ACCMODE | os.O_CREAT | os.O_TRUNC | _O_TMPFILE

#: What a process needs that computes, and answers on descriptors that it has.
_COMPUTING = """
    read pread64 readv preadv write pwrite64 writev pwritev lseek close close_range dup dup2 dup3 ftruncate
    fstat newfstatat stat lstat statx access faccessat faccessat2 readlink readlinkat getdents64 getcwd fadvise64
    mmap munmap mremap madvise brk msync membarrier mlock munlock
    futex set_robust_list get_robust_list rseq restart_syscall sched_yield sched_getaffinity getcpu
    rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending sigaltstack
    getpid getppid gettid getuid geteuid getgid getegid getrandom getrusage getrlimit uname sysinfo times umask
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday time
    sendto sendmsg recvfrom recvmsg poll ppoll select pselect6 getsockname getsockopt arch_prctl exit exit_group
"""
#: What the zygote needs beside: children, their ends, and their confinement.
_FORKING = """
    clone wait4 waitid pidfd_open pidfd_send_signal kill prctl setsid prlimit64 setrlimit seccomp
"""
#: What a reader needs beside.
_OWN_BOUND = "prlimit64"
#: What LibreOffice needs beside: files in its own folder, and threads that wait for each other.
_WORKING = """
    open openat creat mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    chmod fchmod fchmodat utimensat truncate fallocate fsync fdatasync flock statfs fstatfs chdir fchdir getdents
    eventfd2 pipe pipe2 epoll_create1 epoll_ctl epoll_wait epoll_pwait prctl prlimit64 set_tid_address
    sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min getpriority getpgrp getsid ioctl
    getxattr fgetxattr lgetxattr
"""
#: What LibreOffice reads: its own files and what goes with them on a system.
_OFFICE_READ = (
    *("/usr/share", "/etc/libreoffice", "/var/lib/libreoffice", "/var/spool/libreoffice", "/etc/nsswitch.conf"),
    *("/proc/self", "/proc/cpuinfo", "/proc/filesystems", "/sys/devices/system/cpu"),
)
#: Calls that are let through with such arguments only: files to read, threads of one's own, memory without code.
_CAREFULLY = {
    "open": [ArgCmp(1, CmpOp.MASKED_EQ, 0, _WRITING)],
    "openat": [ArgCmp(2, CmpOp.MASKED_EQ, 0, _WRITING)],
    "clone": [ArgCmp(0, CmpOp.MASKED_EQ, _CLONE_VM | _CLONE_THREAD, _CLONE_VM | _CLONE_THREAD)],
    "mprotect": [ArgCmp(2, CmpOp.MASKED_EQ, 0, _PROT_EXEC)],
}
#: Flags and locks of a descriptor, and copies of it. Not its owner: who names another process there, and a signal, has
#: the kernel send it.
_FCNTL = [[ArgCmp(1, CmpOp.LE, fcntl.F_SETLKW)], [ArgCmp(1, CmpOp.EQ, fcntl.F_DUPFD_CLOEXEC)]]
#: Bounds of one's own, never of another process.
_ONLY_IF = {"prlimit64": [ArgCmp(0, CmpOp.EQ, 0)]}


@dataclass(frozen=True, slots=True)
class Locks:
    """Which of the kernel's locks hold."""

    landlock: bool
    seccomp: bool

    @property
    def missing(self) -> list[str]:
        """The names of those that do not."""
        return [name for name, holds in (("Landlock", self.landlock), ("seccomp", self.seccomp)) if not holds]


def available() -> Locks:
    """Say what this kernel offers to this process."""
    try:
        landlock = py_landlock.get_abi_version() >= 1
    except (py_landlock.LandlockError, OSError):
        landlock = False
    try:
        seccomp = seccompy.action_supported(Action.ERRNO)
    except (seccompy.SeccompError, OSError):
        seccomp = False
    return Locks(landlock, seccomp)


def prepare() -> None:
    """Have seccompy look for the C library while it can: it starts a program for that. And build the children's filter
    once for all of them."""
    available()
    _program()


def parent_of_readers() -> Locks:
    """Lock a process that forks readers, for good; ``reader`` locks these further."""
    _program(_OWN_BOUND)
    return zygote()


def reader() -> None:
    """Lock a reader: it has its parent's locks and cannot fork. It may still move its own bound of CPU time."""
    _load(_program(_OWN_BOUND))


def zygote() -> Locks:
    """Lock a process that forks others, for good; ``child`` locks these further."""
    return Locks(_landlock(), _load(_program(_FORKING)))


def office(program: Path, folder: Path) -> Locks:
    """Lock the process that LibreOffice, installed around *program*, runs in, for good: it may write in *folder*."""
    return Locks(_landlock([program, *map(Path, _OFFICE_READ)], folder), _load(_program(_WORKING)))


def child() -> None:
    """Lock a child of the zygote: it has the zygote's locks, and can neither fork nor loosen its bounds."""
    _load(_program())


def _landlock(more: Sequence[Path] = (), writable: Path | None = None) -> bool:
    rules = py_landlock.Landlock(strict=False)
    try:
        if writable is not None:
            rules.allow_read_write(writable)
        for path in (*_readable(), *(path for path in more if path.exists())):
            access = py_landlock.AccessFs.READ_FILE
            rules.add_path_rule(path, access=access | py_landlock.AccessFs.READ_DIR if path.is_dir() else access)
        rules.apply()
    except (py_landlock.LandlockError, OSError):
        return False
    return True


def _readable() -> list[Path]:
    ours = Path(__file__).parents[1]
    libraries = [Path(entry) for entry in sys.path if "site-packages" in entry or "dist-packages" in entry]
    fixed = [Path(path) for path in (*_READ, *_READ_FILES)]
    installed = [Path(os.__file__).parent, Path(sys.base_prefix) / "lib", *libraries]
    return [path for path in (ours, *installed, *FOLDERS, *fixed) if path.exists()]


@cache
def _program(more: str = "") -> Filter | None:
    """Return the filter that lets *more* calls through, None where there is none for this machine.

    A call may have several rules; the first that fits counts.
    """
    try:
        rules = Filter(int(Action.ERRNO) | errno.EPERM)
        for name in (*_COMPUTING.split(), *more.split()):
            _allow(rules, name, _ONLY_IF.get(name))
        for name, condition in (*_CAREFULLY.items(), *(("fcntl", condition) for condition in _FCNTL)):
            _allow(rules, name, condition)
        rules.errno("clone3", errno.ENOSYS)  # so that the C library asks for clone, whose flags can be seen
        rules.errno("openat2", errno.ENOSYS)
        _ = rules.program
    except seccompy.UnsupportedError:
        return None
    return rules


def _allow(rules: Filter, name: str, arguments: Sequence[ArgCmp] | None) -> None:
    """Let a call through; one that this architecture does not have is left out."""
    try:
        seccompy.syscall_nr(name)
    except ValueError:
        return
    rules.allow(name, args=arguments)


def _load(rules: Filter | None) -> bool:
    if rules is None:
        return False
    try:
        rules.load()
    except (seccompy.SeccompError, OSError):
        return False
    return True
