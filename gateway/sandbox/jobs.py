"""What a forked child does with a document: render or convert it, and say how far it is."""

import errno
import os
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, BinaryIO

from gateway.document import OFFICE, SNIFFED_BYTES, MediaType, claimed, recognised
from gateway.document import Header as HeaderLine
from gateway.documents import fonts
from gateway.documents.convert import convert
from gateway.documents.ink import BLACK_BELOW
from gateway.documents.preview import write_picture
from gateway.documents.raster import Look, Raster
from gateway.documents.render import Files, Input, Step, render
from gateway.documents.stamp import stamp
from gateway.errors import Kind, refuse
from gateway.mail.parse import extract
from gateway.sandbox.reader import THE_DOCUMENT, guarded, whole
from gateway.sandbox.requests import Source
from gateway.sandbox.wire import Channel, Header

#: What a full disk says, and what it means here.
_DISK_FULL = {errno.ENOSPC, errno.EDQUOT}


def work(header: Header, channel: Channel, files: list[int]) -> None:
    """Do the job of *header* with *files* and send its answer."""
    jobs = {"render": _render, "convert": _convert, "stamp": _stamp, "extract": _extract, "picture": _picture}
    perform = jobs[header["do"]]
    channel.send(guarded(lambda: with_disk_errors(lambda: perform(header, channel, files))))


def with_disk_errors(perform: Callable[[], Header]) -> Header:
    """Perform, with what the disk refuses told as a reason: Refusal(STORAGE_FULL or DOCUMENT_TOO_LARGE)."""
    try:
        return perform()
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise refuse(Kind.STORAGE_FULL, "the gateway's disk is full; please try again later") from None
        if error.errno == errno.EFBIG:  # RLIMIT_FSIZE
            raise refuse(Kind.DOCUMENT_TOO_LARGE, "the pages have too much detail for one fax") from None
        raise


def _render(header: Header, channel: Channel, files: list[int]) -> Header:
    source = Source.from_header(header["source"])
    outputs = Files(*(_emptied(descriptor) for descriptor in files[:3]))
    converted: list[int] = header["converted"]
    inputs = inputs_of(source, files[3 : len(files) - len(converted)])
    for at, descriptor in zip(converted, files[len(files) - len(converted) :], strict=True):
        inputs[at] = Input(inputs[at].label, whole(descriptor), MediaType.PDF)
    if not converted and (foreign := _foreign(inputs)):
        return {"foreign": foreign}
    result = render(inputs, _raster(source), outputs, _progress(channel), source.coding)
    return {"rendered": asdict(result)}


def inputs_of(source: Source, files: list[int]) -> list[Input]:
    """Return the documents that *source* names in *files*."""
    return _from_mail(source, files[0]) if source.kind == "mail" else _documents(source, files)


def _foreign(inputs: list[Input]) -> list[dict[str, Any]]:
    """Return the places, endings and labels of the documents that LibreOffice must open."""
    kinds = [recognised(item.data[:SNIFFED_BYTES], item.claim) for item in inputs]
    return [
        {"at": at, "ending": OFFICE[kind], "label": inputs[at].label} for at, kind in enumerate(kinds) if kind in OFFICE
    ]


def _extract(header: Header, channel: Channel, files: list[int]) -> Header:
    with _emptied(files[0]) as output:
        return {
            "extracted": output.write(inputs_of(Source.from_header(header["source"]), files[1:])[header["at"]].data)
        }


def _raster(source: Source) -> Raster:
    below = None
    if source.monochrome:
        below = BLACK_BELOW if source.black_threshold is None else source.black_threshold
    return Raster.of(source.quality, source.paper, Look(source.sight, below), pad=source.pad, deskew=source.deskew)


def _convert(header: Header, channel: Channel, files: list[int]) -> Header:
    output = _emptied(files[1])
    return {"converted": convert(whole(files[0]), THE_DOCUMENT, MediaType(header["to"]), output, _progress(channel))}


def _picture(header: Header, channel: Channel, files: list[int]) -> Header:
    output = _emptied(files[1])
    write_picture(whole(files[0]), THE_DOCUMENT, header["page"], header["width"], output)
    output.flush()
    return {"pictured": output.seek(0, os.SEEK_END)}


def _stamp(header: Header, channel: Channel, files: list[int]) -> Header:
    line = None if header["header"] is None else HeaderLine(**header["header"])
    pdf, preview = (_emptied(descriptor) for descriptor in files[:2])
    return {"stamped": asdict(stamp([whole(file) for file in files[2:]], line, pdf, preview, _progress(channel)))}


def _from_mail(source: Source, descriptor: int) -> list[Input]:
    if not source.parts:
        raise refuse(Kind.NOTHING_TO_FAX, "no part of the mail is to be faxed")
    message = whole(descriptor)
    return [Input(*extract(message, index)) for index in source.parts]


def _documents(source: Source, descriptors: list[int]) -> list[Input]:
    names = [f'"{name}"' if name else THE_DOCUMENT for name in source.names] or [THE_DOCUMENT] * len(descriptors)
    types = source.types or ("",) * len(descriptors)
    claims = [claimed(kind, name.strip('"')) for kind, name in zip(types, names, strict=True)]
    found = [Input(name, whole(file), claim) for name, file, claim in zip(names, descriptors, claims, strict=True)]
    return [legible(document) for document in found] if source.lenient else found


def legible(document: Input) -> Input:
    """Return a text with question marks for the letters that no font has."""
    text = document.data.decode("utf-8", "replace")
    return replace(document, data=text.translate(dict.fromkeys(map(ord, fonts.missing(text)), "?")).encode())


def _emptied(descriptor: int) -> BinaryIO:
    os.ftruncate(descriptor, 0)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return os.fdopen(descriptor, "w+b", closefd=False)


def _progress(channel: Channel) -> Callable[[Step], None]:
    return lambda step: channel.send({"step": asdict(step)})
