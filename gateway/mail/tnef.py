"""Outlook's winmail.dat (MS-OXTNEF): the files that it holds. What else stands there, the text among it, is skipped.

The stream is walked here, in one pass and with bounds; the properties of an attachment are read by tnefparse.
"""

import codecs
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tnefparse import properties
from tnefparse.codepage import Codepage
from tnefparse.mapi import decode_mapi

#: Types by which mails announce it, and what it begins with.
TYPES = frozenset({"application/ms-tnef", "application/vnd.ms-tnef"})
#: What the file is called everywhere.
NAME = "winmail.dat"
SIGNATURE = struct.pack("<I", 0x223E9F78)
MOST_FILES = 100
MOST_ATTRIBUTES = 20_000

_ATTRIBUTE = struct.Struct("<BII")  # level, id, length; the data and a checksum of two bytes follow
_ATTACHMENT_LEVEL = 2
_LEVELS = (1, _ATTACHMENT_LEVEL)
# attAttachRendData begins a file; attAttachTitle, attAttachData, attAttachment; attOemCodepage (MS-OXTNEF, 2.1.3.4)
_BEGIN, _TITLE, _DATA, _PROPERTIES, _CODEPAGE = 0x9002, 0x8010, 0x800F, 0x9005, 0x9007
#: What an attached message is preceded by: IID_IMessage.
_MESSAGE = bytes.fromhex("0703020000000000c000000000000046")


class Damaged(Exception):
    """It is no TNEF, or has been cut."""


@dataclass(slots=True)
class File:
    """A file of a winmail.dat: its name and type as they stand there, "" for none."""

    name: str = ""
    media_type: str = ""
    data: bytes = b""


def files(stream: bytes) -> list[File]:
    """Return the files in *stream*, in order; those of an attached message (one level) in its place.

    Raises Damaged.
    """
    return [file for file in _files(stream, nested=False) if file.data]


def _files(stream: bytes, *, nested: bool) -> list[File]:
    if not stream.startswith(SIGNATURE):
        raise Damaged
    found: list[File] = []
    codepage = "cp1252"
    for level, kind, data in _attributes(stream):
        if level != _ATTACHMENT_LEVEL:
            codepage = _codepage(data) if kind == _CODEPAGE else codepage
        elif kind == _BEGIN:
            if len(found) >= MOST_FILES:
                raise Damaged
            found.append(File())
        elif found:
            _note(found[-1], kind, data, codepage)
    return [inner for file in found for inner in _opened(file, nested=nested)]


def _attributes(stream: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield level, id and data of each attribute. The id without its type, which is the upper half."""
    position, count = len(SIGNATURE) + 2, 0
    while position + _ATTRIBUTE.size <= len(stream):
        level, kind, length = _ATTRIBUTE.unpack_from(stream, position)
        if level not in _LEVELS:
            return  # some gateways leave a few bytes behind the end
        start = position + _ATTRIBUTE.size
        position, count = start + length + 2, count + 1
        if start + length > len(stream) or count > MOST_ATTRIBUTES:
            raise Damaged
        yield level, kind & 0xFFFF, stream[start : start + length]


def _note(file: File, kind: int, data: bytes, codepage: str) -> None:
    if kind == _TITLE and not file.name:
        file.name = _text(data, codepage)
    elif kind == _DATA:
        file.data = data
    elif kind == _PROPERTIES:
        _note_properties(file, data, codepage)


def _note_properties(file: File, data: bytes, codepage: str) -> None:
    try:
        found = {one.name: one.data for one in decode_mapi(data, codepage)}
    except Exception:  # the library trusts lengths and codepages; a file without its long name is a file all the same
        return
    file.name = _text(found.get(properties.MAPI_ATTACH_LONG_FILENAME), codepage) or file.name
    file.media_type = _text(found.get(properties.MAPI_ATTACH_MIME_TAG), codepage).lower()
    inner = found.get(properties.MAPI_ATTACH_DATA_OBJ)
    if isinstance(inner, bytes) and not file.data:
        file.data = inner


def _opened(file: File, *, nested: bool) -> list[File]:
    if not file.data.startswith(_MESSAGE):
        return [file]
    return [] if nested else _files(file.data.removeprefix(_MESSAGE), nested=True)


def _codepage(data: bytes) -> str:
    try:
        found = str(Codepage(struct.unpack_from("<I", data)[0]).codepage())
        return codecs.lookup(found).name
    except (struct.error, LookupError, ValueError):
        return "cp1252"


def _text(value: object, codepage: str) -> str:
    if isinstance(value, bytes):
        return _text(value.decode(codepage, "replace"), codepage)
    return value.replace("\0", "").strip() if isinstance(value, str) else ""
