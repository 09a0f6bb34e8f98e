"""The reader of messages: what is stored, what ends a message and what spoils one, whatever the chunks are."""

import errno
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.errors import Kind, Refusal
from gateway.smtp import lines
from gateway.smtp.content import WRITE_BYTES, Content
from gateway.smtp.replies import Rejection

MESSAGE = b"Subject: dots\r\n\r\n..\r\n...two\r\nmid.dle.\r\n\r\n..end\r\n.\r\n"
STORED = b"Subject: dots\r\n\r\n.\r\n..two\r\nmid.dle.\r\n\r\n.end\r\n"


class Disk:
    def __init__(self, error: Exception | None = None) -> None:
        self.data = b""
        self.largest = 0
        self.error = error

    def write(self, data: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.largest = max(self.largest, len(data))
        self.data += data


def read(chunks: list[bytes], limit: int = 10_000) -> tuple[Content, Disk]:
    disk = Disk()
    content = Content(disk.write, limit)
    for number, chunk in enumerate(chunks):
        content.feed(chunk)
        assert not content.ended or number == len(chunks) - 1
    return content, disk


def test_the_stored_message_is_the_same_wherever_it_was_cut() -> None:
    for first in range(len(MESSAGE) + 1):
        for second in range(first, len(MESSAGE) + 1):
            chunks = [chunk for chunk in (MESSAGE[:first], MESSAGE[first:second], MESSAGE[second:]) if chunk]
            content, disk = read(chunks)
            assert (content.ended, content.error, content.rest) == (True, None, b"")
            assert disk.data == STORED
            assert content.size == len(STORED)
            assert content.received == len(MESSAGE)


def test_a_message_may_come_octet_by_octet() -> None:
    content, disk = read([MESSAGE[i : i + 1] for i in range(len(MESSAGE))])
    assert content.ended
    assert disk.data == STORED


@pytest.mark.parametrize(("sent", "stored"), [(b".\r\n", b""), (b"\r\n.\r\n", b"\r\n"), (b"..\r\n.\r\n", b".\r\n")])
def test_the_first_line_is_a_line_like_any_other(sent: bytes, stored: bytes) -> None:
    content, disk = read([sent])
    assert content.ended
    assert disk.data == stored


def test_what_comes_behind_the_end_is_left_alone() -> None:
    content, disk = read([b"a\r\n.\r\nMAIL FROM:<x@y>\r\n.\r\n"])
    assert disk.data == b"a\r\n"
    assert content.rest == b"MAIL FROM:<x@y>\r\n.\r\n"


def by_lines(sent: bytes) -> tuple[bytes, bool, bytes] | None:
    """The same reading done slowly: the stored message, whether it has a bare CR or LF, and the rest."""
    stored, bare = b"", False
    while b"\r\n" in sent:
        line, _, sent = sent.partition(b"\r\n")
        if line == b".":
            return stored, bare, sent
        bare |= b"\r" in line or b"\n" in line
        stored += line.removeprefix(b".") + b"\r\n"
    return None


@given(st.lists(st.lists(st.sampled_from([b"\r", b"\n", b".", b"a", b"\r\n", b"\r\n."]), max_size=8).map(b"".join)))
@example([b"\r", b"\n.\r", b"\n"])
@example([b"\n.\r\n"])
@example([b"\r\r\n", b".\r\n"])
@example([b"a\r\n", b"\r\n", b"."])
def test_chunks_are_read_as_lines_would_be(chunks: list[bytes]) -> None:
    disk = Disk()
    content = Content(disk.write, 10_000)
    for chunk in chunks:
        if not content.ended:
            content.feed(chunk)
    expected = by_lines(b"".join(chunks))
    if expected is None:
        assert not content.ended
        return
    stored, bare, rest = expected
    assert content.ended
    assert rest.startswith(content.rest)
    assert (content.error is not None) == bare
    if not bare:
        assert disk.data == stored


def slowly(text: bytes) -> bool:
    return re.search(rb"\r(?!\n)|(?<!\r)\n", text) is None


#: The one in Python, and the one in C where there is one.
WHOLE = [lines.are_whole, lines.lines_are_whole]
_LINES = [b"abcd\r\n", b"abcd\r\n" * 5, b"ab\r\n", b"\r\n", b"\r", b"\n", b"abc", b"abcd\n", b"abc\r\r\n", b"ab\rd\r\n"]


@given(st.lists(st.sampled_from(_LINES), max_size=20).map(b"".join))
@example(b"a\r\nb\rc\r\nd\r\n")
@example(b"x" * 76 + b"\r\n" + b"y" * 76 + b"\n" + b"z" * 75 + b"\r\n")
@example(b"\n\r\n\r\n\r")
def test_a_lone_cr_or_lf_is_seen_wherever_it_stands(text: bytes) -> None:
    for whole in WHOLE:
        assert whole(text) is slowly(text)


@pytest.mark.parametrize("count", [20, 200], ids=["20 lines", "several blocks"])
def test_a_lone_cr_or_lf_among_lines_of_base64_is_seen(count: int) -> None:
    text = (b"A" * 76 + b"\r\n") * count
    assert all(whole(text) for whole in WHOLE)
    for at in [*range(100), *range(4000, 4200), *range(len(text) - 80, len(text))]:
        for octet in (b"\r", b"\n", b"A"):
            spoilt = text[:at] + octet + text[at + 1 :]
            for whole in WHOLE:
                assert whole(spoilt) is slowly(spoilt), (at, octet)


@pytest.mark.skipif(lines.compiled is None, reason="needs a compiler")
def test_only_octets_have_lines() -> None:
    with pytest.raises(TypeError):
        lines.lines_are_whole("a\r\n")  # type: ignore[arg-type]


@given(st.lists(st.sampled_from([*_LINES, b".", b"..\r\n"]), max_size=30).map(b"".join), st.integers(1, 7))
def test_line_ends_are_mended_for_who_may(text: bytes, size: int) -> None:
    """The end is CR LF . CR LF all the same, and a line that only a lone CR or LF begins is no end."""
    sent = text + b"\r\n.\r\n"
    disk = Disk()
    content = Content(disk.write, 10_000, mends=True)
    for at in range(0, len(sent), size):
        if not content.ended:
            content.feed(sent[at : at + size])
    whole = (b"\r\n" + sent)[: (b"\r\n" + sent).index(b"\r\n.\r\n") + 2].replace(b"\r\n.", b"\r\n")[2:]
    assert content.ended
    assert content.error is None
    assert slowly(disk.data)
    assert disk.data == re.sub(rb"\r(?!\n)|(?<!\r)\n", b"\r\n", whole)


@pytest.mark.parametrize(
    "fake",
    [
        *(b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\n\n.\r\n"),
        *(b"\r\n\x00.\r\n\n", b"\r\n.\x00\r\n\r", b"\n\r.\r\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\n\n.\n\r\n"),
    ],
)
def test_a_bare_cr_or_lf_spoils_the_message_and_ends_nothing(fake: bytes) -> None:
    sent = b"one" + fake + b"MAIL FROM:<smuggled@evil.example>\r\n.\r\n"
    for cut in range(len(sent)):
        content, _ = read([sent[:cut] or b"", sent[cut:]])
        assert content.ended
        assert content.rest == b""
        assert isinstance(content.error, Rejection)
        assert content.error.reply.startswith("550 5.5.2 ")


def test_a_message_over_the_limit_is_read_to_its_end_and_not_stored_further() -> None:
    content, disk = read([b"x" * 50 + b"\r\n", b"y" * 60, b"z" * 60, b"\r\n.\r\n"], limit=100)
    assert content.ended
    assert isinstance(content.error, Refusal)
    assert content.error.reason.kind is Kind.MESSAGE_TOO_LARGE
    assert len(disk.data) <= 100
    assert b"z" not in disk.data


def test_the_limit_counts_the_octets_of_the_message_itself() -> None:
    content, disk = read([b"..\r\n" * 10 + b".\r\n"], limit=30)
    assert content.error is None
    assert len(disk.data) == 30
    assert read([b"..\r\n" * 10 + b".\r\n"], limit=29)[0].error is not None


def test_a_message_becomes_hopeless_at_twice_the_limit() -> None:
    content, _ = read([b"x" * 150], limit=100)
    assert not content.hopeless
    content.feed(b"x" * 51)
    assert content.hopeless


def test_a_disk_that_fails_is_remembered_and_the_message_read_to_its_end() -> None:
    disk = Disk(OSError(errno.ENOSPC, "No space left on device"))
    content = Content(disk.write, 10 * WRITE_BYTES)
    content.feed(b"x" * 2 * WRITE_BYTES)
    disk.error = None
    content.feed(b"y" * 2 * WRITE_BYTES + b"\r\n.\r\n")
    assert content.ended
    assert isinstance(content.error, OSError)
    assert disk.data == b""


def test_a_line_without_end_is_written_on_and_never_held() -> None:
    disk = Disk()
    content = Content(disk.write, 100 * WRITE_BYTES)
    for _ in range(80):
        content.feed(b"x" * WRITE_BYTES)
        assert content.received - len(disk.data) < 2 * WRITE_BYTES
    assert disk.largest < 3 * WRITE_BYTES
