"""What systemd and a service tell each other: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3)."""

import contextlib
import os
import socket
from collections import defaultdict

_FIRST_DESCRIPTOR = 3


def notify(*states: str) -> bool:
    """Tell the service manager *states*, such as ``READY=1`` or ``STATUS=...``; False when there is none to tell.

    A manager that does not read is passed over: the service must not wait for it.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    if address.startswith("@"):  # an abstract socket (unix(7))
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as channel:
        try:
            channel.sendto("\n".join(states).encode(), address)
        except OSError:
            return False
    return True


def listen_sockets() -> dict[str, list[socket.socket]]:
    """Return the listening sockets that systemd opened for us, by their FileDescriptorName=.

    They are handed out once: the variables are taken away, so that neither a child nor a second call finds them.
    """
    for_us = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "")
    names = os.environ.pop("LISTEN_FDNAMES", "").split(":")
    found: dict[str, list[socket.socket]] = defaultdict(list)
    if not for_us or not count.isdigit():
        return {}
    for index in range(int(count)):
        opened = socket.socket(fileno=_FIRST_DESCRIPTOR + index)
        opened.set_inheritable(False)
        opened.setblocking(False)
        found[(names[index] if index < len(names) else "") or "unknown"].append(opened)
    return dict(found)


def watchdog_interval() -> float | None:
    """Return within how many seconds ``WATCHDOG=1`` is expected, None when nobody watches. Tell it twice as often."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    with contextlib.suppress(ValueError):
        microseconds = int(os.environ.get("WATCHDOG_USEC", "0"))
        return microseconds / 1e6 if microseconds > 0 else None
    return None
