"""What confined processes say is checked before it is believed."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pytest

from gateway.document import Automatic, Inspection, Part, Reading, RenderedDocument
from gateway.errors import Kind, Reason, Refusal
from gateway.fax import Quality
from gateway.sandbox import jobs
from gateway.sandbox.answers import (
    converted_from,
    inspection_from,
    reading_from,
    reading_header,
    rendered_from,
    step_from,
)
from gateway.sandbox.link import Gone, Link, reopened
from gateway.sandbox.reader import fault, guarded
from gateway.sandbox.requests import Source
from gateway.sandbox.wire import (
    MOST_BYTES,
    Channel,
    Garbled,
    close_all,
    decode,
    encode,
    pair,
    reason_from,
    reason_header,
)

READING = Reading(
    parts=(
        Part(0, "ä.pdf", "application/pdf", 10, used=True, pages=2),
        Part(1, "", "text/plain", 3, used=False, why="x"),
    ),
    message_id="<1@x>",
    header_from="a@example.org",
    subject="Grüße",
    automatic=Automatic.LIST,
    body_digest="00",
    refusal=Reason(Kind.NOTHING_TO_FAX, "nothing", "it"),
)


def over_the_wire(header: dict[str, Any]) -> dict[str, Any]:
    return decode(encode(header))


def test_answers_come_through_as_they_were() -> None:
    assert reading_from(over_the_wire(reading_header(READING))["reading"]) == READING
    rendered = RenderedDocument(1, 2, 3, 4)
    assert rendered_from(over_the_wire(asdict(rendered))) == rendered
    inspection = Inspection("application/pdf", 3, 100)
    assert inspection_from(over_the_wire(asdict(inspection))) == inspection
    reason = Reason(Kind.DOCUMENT_BROKEN, "it is broken", "it")
    assert reason_from(over_the_wire(reason_header(reason))["refusal"]) == reason
    source = Source("mail", (1, 2), Quality.NORMAL, "a4")
    assert Source.from_header(over_the_wire(source.as_header())) == source


def test_what_is_no_text_does_not_stop_an_answer() -> None:
    assert over_the_wire({"name": "\ud800"}) == {"name": "?"}


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"1", b"[" * 100_000, b"\xff", b'{"a": 1'])
def test_what_is_no_header_is_garbled(data: bytes) -> None:
    with pytest.raises(Garbled):
        decode(data)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (reading_from, None),
        (reading_from, {"parts": "x"}),
        (reading_from, {**reading_header(READING)["reading"], "parts": [{}]}),
        (reading_from, {**reading_header(READING)["reading"], "automatic": "?"}),
        (reading_from, {**reading_header(READING)["reading"], "subject": 3}),
        (reading_from, {**reading_header(READING)["reading"], "refusal": {"kind": "?", "sentence": "", "subject": ""}}),
        (reading_from, {**reading_header(READING)["reading"], "refusal": "no"}),
        (inspection_from, {"media_type": "x", "pages": True, "size": 1}),
        (rendered_from, {"pages": -1, "tiff_bytes": 1, "pdf_bytes": 1, "preview_bytes": 1}),
        (converted_from, "2"),
        (step_from, {"done": 5, "total": 4, "label": "x", "page": 1}),
        (step_from, {"done": 1, "total": 10**30, "label": "x", "page": 1}),
        (reason_from, {"kind": "internal"}),
    ],
)
def test_an_answer_that_does_not_add_up_is_garbled(read: Callable[[object], object], value: object) -> None:
    with pytest.raises(Garbled):
        read(value)


async def test_a_long_datagram_and_its_descriptors_arrive_whole() -> None:
    ours, theirs = pair()
    link, channel = Link(ours), Channel(theirs)
    with theirs:
        header = {"text": "x" * (MOST_BYTES - 100)}
        reading, writing = os.pipe()
        try:
            await link.send(header, [reading, writing])
            received = channel.receive()
            assert received is not None
            assert received[0] == header
            os.write(received[1][1], b"same pipe")
            assert os.read(reading, 20) == b"same pipe"
            close_all(received[1])
        finally:
            close_all([reading, writing])
        channel.send(header)
        assert await link.receive() == header
    with pytest.raises(Gone):
        await link.receive()
    with pytest.raises(Gone):
        await link.send({})
    link.close()


async def test_who_answers_without_being_asked_waits_too() -> None:
    ours, theirs = pair()
    link, channel = Link(ours), Channel(theirs)
    theirs.setblocking(False)
    with theirs:
        sent = 0
        for _ in range(1000):
            with suppress(BlockingIOError):
                channel.send({"number": sent, "padding": "x" * 50_000})
                sent += 1
            await asyncio.sleep(0)
        assert sent < 50, "no more than a few, and what the channel holds"
        assert [(await link.receive())["number"] for _ in range(sent)] == list(range(sent))
        for number in range(100):
            channel.send({"number": number})
            assert (await link.receive())["number"] == number
    link.close()


async def test_a_sender_waits_for_a_slow_receiver() -> None:
    ours, theirs = pair()
    link, channel = Link(ours), Channel(theirs)
    with theirs:
        count = 50

        async def send() -> None:
            for number in range(count):
                await link.send({"number": number, "padding": "x" * 50_000})

        sending = asyncio.ensure_future(send())
        await asyncio.sleep(0.05)
        assert not sending.done()
        numbers = []
        for _ in range(count):
            received = await asyncio.to_thread(channel.receive)
            assert received is not None
            numbers.append(received[0]["number"])
        await sending
    assert numbers == list(range(count))
    link.close()


def test_a_datagram_that_was_cut_is_garbled() -> None:
    ours, theirs = pair()
    with ours, theirs:
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 * MOST_BYTES)
        theirs.send(b"x" * (MOST_BYTES + 10))
        with pytest.raises(Garbled):
            Channel(ours).receive()


def test_a_file_is_opened_again_for_reading_only() -> None:
    file = os.memfd_create("x")
    os.write(file, b"hello")
    again = reopened(file, os.O_RDONLY)
    try:
        assert os.read(again, 10) == b"hello"
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(again, b"x")
    finally:
        close_all([file, again])


def test_a_fault_is_told_by_its_place_and_not_by_its_text() -> None:
    def work() -> dict[str, Any]:
        raise ValueError("a line of somebody's document")

    answer = guarded(work)["failed"]
    assert answer.startswith("ValueError < test_sandbox_wire.py:")
    assert "document" not in answer
    assert fault(KeyError("x")) == "KeyError"


@pytest.mark.parametrize(
    ("number", "kind"),
    [(28, Kind.STORAGE_FULL), (122, Kind.STORAGE_FULL), (27, Kind.DOCUMENT_TOO_LARGE)],
    ids=["ENOSPC", "EDQUOT", "EFBIG"],
)
def test_a_disk_that_does_not_take_the_pages_is_told(number: int, kind: Kind) -> None:
    def perform() -> dict[str, Any]:
        raise OSError(number, os.strerror(number))

    with pytest.raises(Refusal) as raised:
        jobs.with_disk_errors(perform)
    assert raised.value.reason.kind is kind


def test_other_errors_of_the_disk_are_faults() -> None:
    def perform() -> dict[str, Any]:
        raise OSError(5, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        jobs.with_disk_errors(perform)
