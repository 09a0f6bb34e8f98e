"""A zygote whose children and a reader which do what a document names instead of looking at it, as if it had taken
them over: ``python -m tests.integration.hostile zygote|reader FD LIMITS``.

Everything around this is the real thing: the processes are started, forked, confined and heard as ever. What happened
comes back as the sentence of a refusal: "done", or the name of the error.
"""

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.errors import Kind, refuse
from gateway.sandbox import confine, jobs, reader, zygote
from gateway.sandbox.reader import whole
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Channel, Header, encode


def _libc(name: str, *arguments: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    if getattr(libc, name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)


def _memory() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))


def _forks() -> None:
    while True:
        os.fork()


def _spin() -> None:
    while True:
        pass


def _flood(descriptor: int) -> None:
    """Write to an output that it was given until that is refused. What the kernel sends first is ignored."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    block = bytes(1 << 20)
    while True:
        os.write(descriptor, block)


def _say(what: object) -> None:
    raise ValueError(str(what))


def _descriptors() -> None:
    """Say which descriptors are open."""
    found = []
    for descriptor in range(1024):
        with suppress(OSError):
            os.fstat(descriptor)
            found.append(descriptor)
    _say(found[3:])


def _chatter(channel: Channel) -> None:
    """Say for ever how far it is."""
    while True:
        channel.send({"step": {"done": 1, "total": 2, "label": "the document", "page": 1}})


ATTEMPTS: dict[str, Callable[[str], object]] = {
    "read": lambda path: Path(path).read_bytes(),
    "list": os.listdir,
    "write": lambda path: Path(path).write_bytes(b"mine"),
    "append": lambda path: os.open(path, os.O_WRONLY | os.O_APPEND),
    "remove": os.unlink,
    "rename": lambda path: os.rename(path, path + ".mine"),
    "link": lambda path: os.link("/etc/hostname", path),
    "mode": lambda path: os.chmod(path, 0o777),
    "memfd": lambda _: os.memfd_create("mine"),
    "tcp": lambda _: socket.socket(socket.AF_INET, socket.SOCK_STREAM),
    "udp": lambda _: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM),
    "unix": lambda _: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),
    "raw": lambda _: socket.socket(socket.AF_PACKET, socket.SOCK_RAW),
    "pair": lambda _: socket.socketpair(),
    "exec": lambda path: os.execv(path, [path]),
    "fork": lambda _: os.fork(),
    "owner": lambda pid: fcntl.fcntl(1, fcntl.F_SETOWN, int(pid)),
    "signal": lambda _: fcntl.fcntl(1, fcntl.F_SETSIG, signal.SIGKILL),
    "flags": lambda _: fcntl.fcntl(1, fcntl.F_SETFL, fcntl.fcntl(1, fcntl.F_GETFL)),
    "descriptors": lambda _: _descriptors(),
    "extra": lambda _: _say("late"),
    "pid": lambda _: _say(os.getpid()),
    "forks": lambda _: _forks(),
    "kill": lambda pid: os.kill(int(pid), signal.SIGKILL),
    "trace": lambda pid: _libc("ptrace", 16, int(pid), 0, 0),
    "limit": lambda _: resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
    "code": lambda _: _libc("mprotect", ctypes.addressof(ctypes.c_char.from_buffer(mmap.mmap(-1, 4096))), 4096, 7),
    "unshare": lambda _: _libc("unshare", 0x10000000),
    "memory": lambda _: _memory(),
    "spin": lambda _: _spin(),
    "sleep": lambda _: time.sleep(3600),
    "flood": lambda descriptor: _flood(int(descriptor)),
    "connect": lambda port: socket.create_connection(("127.0.0.1", int(port))),
    "font": lambda path: Path(path).read_bytes(),
}


def attempt(document: bytes) -> str:
    """Do what *document* says, ``name argument``, and return what came of it."""
    name, _, argument = document.decode().partition(" ")
    try:
        ATTEMPTS[name](argument)
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except ValueError as error:
        return str(error)
    return "done"


def _job(header: Header, channel: Channel, files: list[int]) -> None:
    document = whole(files[3])
    if document == b"chatter":
        _chatter(channel)
    if document == b"flood":
        document += f" {files[0]}".encode()
    channel.send(reader.guarded(lambda: _told(attempt(document))))


def _read(header: Header, descriptor: int) -> Header:
    document = whole(descriptor)
    if document == b"extra":  # one more answer, which the next one who asks may take for his
        os.write(descriptor - 1, encode(reader.guarded(lambda: _told("extra"))))
    return _told(attempt(document))


def _told(what: str) -> Header:
    raise refuse(Kind.INVALID, what)


def _zygote(descriptor: int, limits: Limits) -> None:
    """Be a zygote that has rendered its own mail as ever, and whose children are taken over."""
    keep_memory = confine.keep_memory

    def fall() -> None:
        keep_memory()
        jobs.work = _job

    confine.keep_memory = fall  # it follows
    zygote.main(descriptor, limits)


if __name__ == "__main__":
    reader._answer = _read
    {"zygote": _zygote, "reader": reader.main}[sys.argv[1]](int(sys.argv[2]), Limits(**json.loads(sys.argv[3])))
