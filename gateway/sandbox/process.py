"""A process of the sandbox as its parent has it: started clean, never forked from a program that holds secrets."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import asdict
from typing import Final

from gateway.sandbox.requests import Limits

#: What may be started: ``gateway.sandbox.<name>``.
READER: Final = "reader"
ZYGOTE: Final = "zygote"
OFFICE: Final = "office"
NAMES = frozenset({READER, ZYGOTE, OFFICE})


class Process:
    """A child. ``exited`` is done, with its return code, when it has been waited for and nothing is left of it.

    Of its parent's environment it gets nothing but the way to the same modules.
    """

    def __init__(self, name: str, limits: Limits, channel: int) -> None:
        """Start ``gateway.sandbox.<name>`` at its end of a *channel*, which stays the caller's; raises OSError."""
        self._folder = tempfile.mkdtemp(prefix="faxgate-office-") if name == OFFICE else ""
        try:
            self._process = _start(name, limits, channel, self._folder)
        except OSError:
            self._remove()
            raise
        self.pid = self._process.pid
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._watch = os.pidfd_open(self.pid)
        self._loop.add_reader(self._watch, self._reap)

    @property
    def alive(self) -> bool:
        """False as soon as it has exited, even before that was noticed."""
        return not self.exited.done() and self._process.poll() is None

    def kill(self) -> None:
        """End it at once; ``exited`` follows."""
        if not self.exited.done():
            self._process.send_signal(signal.SIGKILL)

    def _reap(self) -> None:
        self._loop.remove_reader(self._watch)
        os.close(self._watch)
        code = self._process.wait()
        self._remove()
        self.exited.set_result(code)

    def _remove(self) -> None:
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)


#: A page's greys lie in a few large pieces of memory, not in a thousand small ones (glibc from 2.35 on).
_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def _start(name: str, limits: Limits, channel: int, folder: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", f"gateway.sandbox.{name}", str(channel), json.dumps(asdict(limits)), folder],
        cwd="/",
        env={"PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path), **_MEMORY},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[channel],
        start_new_session=True,
    )
