"""The one protocol of the sandbox: SOCK_SEQPACKET datagrams of a JSON header, with descriptors beside it.

| to | header | descriptors | answer |
|---|---|---|---|
| a reader's parent | ``do: next`` | channel | none |
| a reader | ``do: offers, size, authserv`` | message | ``offers`` |
| a reader | ``do: verify, size, records, which`` | message | ``verified`` |
| a reader | ``do: read_mail, size, body`` | message | ``reading`` |
| a reader | ``do: read_note, size`` | message | ``note`` |
| a reader | ``do: inspect, name, media_type`` | document | ``inspection`` |
| the zygote | ``do: render, job, source, converted`` | channel, TIFF, PDF, preview, sources, PDFs | ``rendered`` |
| the zygote | ``do: extract, job, source, at`` | channel, output, sources | ``extracted`` on the channel |
| LibreOffice | ``do: convert, ending, label`` | document, PDF | ``converted`` |
| the zygote | ``do: convert, job, to`` | channel, source, output | ``converted`` on the channel |
| the zygote | ``do: stamp, job, header`` | channel, PDF, preview, TIFFs | ``stamped`` on the channel |
| the zygote | ``do: kill, job`` | | none |

Who is started says ``ready`` once. Before its answer a job says ``step`` again and again. The zygote says of every
job ``ended: job, started``. In place of an answer may come ``refusal``, or ``failed`` with the place of our own fault.
"""

import json
import os
import socket
from array import array
from dataclasses import asdict
from typing import Any

from gateway.document import MOST_DOCUMENTS
from gateway.errors import Kind, Reason

Header = dict[str, Any]

#: The longest datagram; a reading of 200 parts with the longest names has less.
MOST_BYTES = 384 * 1024
_MOST_DESCRIPTORS = 2 * MOST_DOCUMENTS + 4
_MOST_BESIDE = socket.CMSG_LEN(_MOST_DESCRIPTORS * array("i").itemsize)

#: The ``failed`` of a process that reached its bound of memory.
OUT_OF_MEMORY = "out of memory"


class Garbled(Exception):
    """A datagram does not say what it should. Its sender is broken, or no longer ours."""


def pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a channel that takes the longest datagram."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MOST_BYTES)
    return ends


def encode(header: Header) -> bytes:
    """Return the datagram of *header*."""
    return json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def decode(data: bytes) -> Header:
    """Read a datagram; raises Garbled."""
    try:
        header = json.loads(data)
    except (ValueError, RecursionError):
        raise Garbled("no JSON") from None
    if not isinstance(header, dict):
        raise Garbled("no header")
    return header


def reason_header(reason: Reason) -> Header:
    """Return the answer that refuses."""
    return {"refusal": asdict(reason)}


def reason_from(value: object) -> Reason:
    """Read the ``refusal`` of an answer; raises Garbled."""
    if not isinstance(value, dict):
        raise Garbled("no reason")
    try:
        return Reason(Kind(value["kind"]), str(value["sentence"])[:1000], str(value["subject"])[:200])
    except (KeyError, ValueError):
        raise Garbled("no reason") from None


class Channel:
    """A child's end: it waits."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        # Made once: to make room for the longest datagram costs more than to read one.
        self._room = bytearray(MOST_BYTES)

    @classmethod
    def of(cls, descriptor: int) -> "Channel":
        """Take over *descriptor*."""
        return cls(socket.socket(fileno=descriptor))

    def fileno(self) -> int:
        return self._end.fileno()

    def send(self, header: Header) -> None:
        """Send one datagram. Raises OSError when the other side has gone."""
        self._end.send(encode(header))

    def receive(self) -> tuple[Header, list[int]] | None:
        """Wait for a datagram and return it with its descriptors, or None when the other side has gone."""
        size, beside, flags, _ = self._end.recvmsg_into([self._room], _MOST_BESIDE, socket.MSG_CMSG_CLOEXEC)
        if not size:
            return None
        descriptors = _descriptors(beside)
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            close_all(descriptors)
            raise Garbled("a datagram was cut")
        return decode(bytes(self._room[:size])), descriptors


def _descriptors(beside: list[tuple[int, int, bytes]]) -> list[int]:
    """Return what came beside a datagram, as ``socket.recv_fds`` does."""
    found = array("i")
    for level, kind, data in beside:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)


def close_all(descriptors: list[int]) -> None:
    """Close every one of *descriptors*."""
    for descriptor in descriptors:
        os.close(descriptor)
