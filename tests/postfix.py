"""A Postfix of its own: Debian's programs, with settings, queue and ports that nobody else uses. Needs root."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

PATIENCE = 30  # seconds

_MAIN = """
compatibility_level = 3.6
queue_directory = {root}/queue
data_directory = {root}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = postfix.example
mydestination =
local_recipient_maps =
alias_maps =
alias_database =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_client_connection_count_limit = 0
smtp_dns_support_level = disabled
smtp_host_lookup = native
message_size_limit = 52428800
maillog_file = {root}/log
maillog_file_prefixes = {root}
{more}
"""

_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
tlsmgr    unix - - n 1000? 1 tlsmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
flush     unix n - n 1000? 0 flush
proxymap  unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp      unix - - n - - smtp
relay     unix - - n - - smtp
showq     unix n - n - - showq
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
local     unix - n n - - local
virtual   unix - n n - - virtual
lmtp      unix - - n - - lmtp
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
postlog   unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A running master. ``pid`` is its process; ``log`` is what it has said."""

    def __init__(self, root: Path, port: int, process: asyncio.subprocess.Process) -> None:
        self.root = root
        self.port = port
        self.pid = process.pid
        self._process = process

    @property
    def log(self) -> str:
        path = self.root / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def waiting(self) -> int:
        """How many mails are in its queues."""
        queues = (self.root / "queue" / name for name in ("maildrop", "incoming", "active", "deferred"))
        return sum(1 for queue in queues if queue.exists() for path in queue.rglob("*") if path.is_file())

    async def idle(self) -> None:
        """Wait until every mail has gone on."""
        async with asyncio.timeout(PATIENCE):
            while self.waiting():
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        self._process.send_signal(signal.SIGTERM)
        await self._process.wait()


def there_is_a_postfix() -> bool:
    """Say whether there is a Postfix, and the right to start it."""
    return shutil.which("postfix", path="/usr/sbin:/usr/bin") is not None and os.geteuid() == 0


@asynccontextmanager
async def postfix(more: str = "", services: str = "") -> AsyncIterator[Postfix]:
    """A Postfix with the lines *more* in its main.cf and *services* in its master.cf. Its folder is one that its own
    user may walk to."""
    with tempfile.TemporaryDirectory(prefix="postfix.", dir="/var/tmp") as folder:
        root, port = Path(folder), _free_port()
        _write(root, port, more, services)
        process = await asyncio.create_subprocess_exec(
            *("/usr/lib/postfix/sbin/master", "-c", str(root), "-d"),
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": str(root), "LANG": "C"},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        running = Postfix(root, port, process)
        try:
            await _listening(running)
            yield running
        finally:
            with contextlib.suppress(ProcessLookupError):
                await running.stop()


def _write(root: Path, port: int, more: str, services: str) -> None:
    root.chmod(0o755)
    (root / "main.cf").write_text(_MAIN.format(root=root, more=more))
    (root / "master.cf").write_text(_MASTER.format(port=port) + services)
    owner, group = pwd.getpwnam("postfix"), os.stat("/usr/sbin/postdrop").st_gid
    for name in ("queue", "data", "queue/pid"):
        (root / name).mkdir()
    for name in ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved"):
        (root / "queue" / name).mkdir(mode=0o700)
        os.chown(root / "queue" / name, owner.pw_uid, owner.pw_gid)
    os.chown(root / "data", owner.pw_uid, owner.pw_gid)
    for name, mode in (("maildrop", 0o730), ("public", 0o710)):
        (root / "queue" / name).mkdir()
        os.chown(root / "queue" / name, owner.pw_uid, group)
        (root / "queue" / name).chmod(mode)
    (root / "queue" / "trace").mkdir(mode=0o700)
    os.chown(root / "queue" / "trace", owner.pw_uid, owner.pw_gid)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


async def _listening(running: Postfix) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
                greeting = await reader.readline()
                writer.close()
                if greeting.startswith(b"220 "):
                    return
            await asyncio.sleep(0.05)
