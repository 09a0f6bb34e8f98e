"""A process of the sandbox, seen from the daemon: started clean, never forked from it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict

from gateway.sandbox.link import Gone, Link
from gateway.sandbox.requests import Limits
from gateway.sandbox.wire import Garbled, pair


class Worker:
    """A process and our end of its channel. ``exited`` is done, with its return code, when it has been waited for.

    Of the daemon's environment it gets nothing but the way to the same modules.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", link: Link) -> None:
        self.link = link
        self.served = 0
        #: Locks that the kernel did not give it.
        self.missing: tuple[str, ...] = ()
        #: A folder of its own, which whoever ends it removes.
        self.folder = ""
        self.pid = process.pid
        self._process = process
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._watch = os.pidfd_open(process.pid)
        self._loop.add_reader(self._watch, self._reap)

    @classmethod
    async def start(cls, module: str, limits: Limits) -> "Worker":
        """Start ``gateway.sandbox.<module>`` and wait until it is ready; raises Gone when it does not get there."""
        worker = cls._spawn(module, limits)
        try:
            async with asyncio.timeout(limits.start_seconds):
                header = await worker.link.receive()
        except (Gone, Garbled, TimeoutError):
            await worker.end()
            raise Gone(f"the sandbox's {module} did not start") from None
        except BaseException:
            await worker.end()
            raise
        worker.missing = _names(header.get("missing"))
        worker.folder = str(header.get("folder", ""))
        return worker

    @classmethod
    def _spawn(cls, module: str, limits: Limits) -> "Worker":
        ours, theirs = pair()
        with theirs:
            arguments = [str(theirs.fileno()), json.dumps(asdict(limits))]
            try:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", f"gateway.sandbox.{module}", *arguments],
                    cwd="/",
                    env={"PYTHONPATH": os.pathsep.join(os.path.abspath(entry) for entry in sys.path)},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                )
            except OSError:
                ours.close()
                raise
        return cls(process, Link(ours))

    @property
    def alive(self) -> bool:
        """False as soon as it has exited, even before that was noticed."""
        return not self.exited.done() and self._process.poll() is None

    def kill(self) -> None:
        """End it at once; ``exited`` follows."""
        if not self.exited.done():
            self._process.send_signal(signal.SIGKILL)

    async def end(self) -> None:
        """Kill it, wait for its exit and close the channel; it holds nothing that would have to be saved.

        Whoever waits for a datagram learns of the end before: a process closes its channel before it has exited.
        """
        self.kill()
        await asyncio.wait([self.exited])
        self.link.close()

    def _reap(self) -> None:
        self._loop.remove_reader(self._watch)
        os.close(self._watch)
        self.exited.set_result(self._process.wait())


def _names(value: object) -> tuple[str, ...]:
    return tuple(str(name)[:40] for name in value) if isinstance(value, list) else ()
