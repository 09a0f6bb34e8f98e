"""The zygote: a warm process that forks a confined child for each document.

It runs as ``python -m gateway.sandbox.zygote FD LIMITS``. It has imported and tried everything that a child needs, and
never opens a stranger's file itself. It reports the end of every child and kills those that the daemon names; it ends
when the daemon closes the channel, and its children die with it.
"""

import gc
import json
import os
import select
import sys
from dataclasses import dataclass, field

from PIL import Image

from gateway.sandbox import confine, jobs, locks
from gateway.sandbox.rehearsal import rehearse
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Channel, Header, close_all


@dataclass(slots=True)
class _Child:
    job: int
    process: int
    watch: int  # pidfd


@dataclass(slots=True)
class Zygote:
    """The loop: requests from the daemon, ends of children."""

    control: Channel
    limits: Limits
    _children: dict[int, _Child] = field(default_factory=dict)  # by pidfd
    _poll: select.poll = field(default_factory=select.poll)

    def serve(self) -> None:
        """Serve until the daemon closes the channel."""
        self._poll.register(self.control.fileno(), select.POLLIN)
        while True:
            for ready, _ in self._poll.poll():
                if ready != self.control.fileno():
                    self._bury(ready)
                elif not self._take():
                    return

    def _take(self) -> bool:
        request = self.control.receive()
        if request is None:
            return False
        header, files = request
        try:
            if header["do"] == "kill":
                self._kill(header["job"])
            else:
                self._fork(header, files)
        finally:
            close_all(files)
        return True

    def _fork(self, header: Header, files: list[int]) -> None:
        zygote = os.getpid()
        try:
            process = os.fork()
        except OSError:
            self.control.send({"ended": header["job"], "started": False})
            return
        if process == 0:
            _child(header, files, self.limits, zygote)
        watch = os.pidfd_open(process)
        self._children[watch] = _Child(header["job"], process, watch)
        self._poll.register(watch, select.POLLIN)

    def _kill(self, job: int) -> None:
        for child in self._children.values():
            if child.job == job:
                os.kill(child.process, 9)

    def _bury(self, watch: int) -> None:
        child = self._children.pop(watch)
        self._poll.unregister(watch)
        os.close(watch)
        os.waitpid(child.process, 0)
        self.control.send({"ended": child.job, "started": True})


def _child(header: Header, files: list[int], limits: Limits, parent: int) -> None:
    """Be the child: never returns."""
    status = 1
    try:
        confine.job(limits, parent, files)
        jobs.work(header, Channel.of(files[0]), files[1:])
        status = 0
    finally:
        os._exit(status)


def main(descriptor: int, limits: Limits) -> None:
    """Serve requests on *descriptor* until the daemon closes it."""
    confine.worker()
    Image.init()
    rehearse()
    gc.collect()
    gc.freeze()  # children would copy every page that a collection touches
    confine.keep_memory()
    control = Channel.of(descriptor)
    control.send({"ready": True, "missing": locks.zygote().missing})
    Zygote(control, limits).serve()


if __name__ == "__main__":
    main(int(sys.argv[1]), Limits(**json.loads(sys.argv[2])))
