"""The tree of a mail: the same as the standard library's, but bounded."""

import binascii
import email
import time
from collections.abc import Iterable, Iterator
from email.message import Message

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway.errors import Kind
from gateway.mail import parse
from gateway.mail.content import Undecodable, content, estimated_size
from gateway.mail.encoding import decoded
from gateway.mail.headers import Headers
from gateway.mail.structure import leaves
from gateway.sandbox.reader import DOCUMENTS
from tests.samples import Attachment, mail, pdf, png


def ours(message: bytes) -> list[tuple[str, bytes]]:
    headers, body = Headers.read(message, 0, len(message))
    found = leaves(message, headers, body, len(message))
    return [(leaf.headers.media_type, content(leaf)) for leaf in found]


def theirs(message: Message, *, forwarded: bool = False) -> Iterator[tuple[str, bytes]]:
    """The same leaves, as the standard library finds them."""
    kind = message.get_content_type()
    payload = message.get_payload()
    if kind == "message/rfc822" and not forwarded:
        yield from theirs(message.get_payload(0), forwarded=True)  # type: ignore[arg-type]  # it is a message
    elif isinstance(payload, list) and kind.startswith("multipart/"):
        for part in payload:
            assert isinstance(part, Message)
            yield from theirs(part, forwarded=forwarded)
    else:
        decoded = message.get_payload(decode=True)
        assert isinstance(decoded, bytes)
        yield kind, decoded


def sample_mails() -> list[bytes]:
    whole = mail([Attachment("a.pdf", pdf(2)), Attachment("b.png", png(), "image/png", "inline")], html="<p>hi</p>")
    forwarded = mail().replace(b"sample-boundary", b"other")
    rfc822 = b"Content-Type: message/rfc822\r\n\r\n" + forwarded
    in_parts = (
        b'Content-Type: multipart/mixed; boundary="x"\r\n\r\npreamble\r\n--x\r\n' + rfc822 + b"\r\n--x--\r\nepilogue"
    )
    return [
        whole,
        whole.replace(b"\r\n", b"\n"),
        rfc822,
        in_parts,
        in_parts.replace(b"--x--", b"--x --"),
        in_parts.replace(b"--x\r\n", b"--x  \t\r\n"),
        b"no header at all",
        b"Subject: only a header\r\n",
        b"Subject: x\r\nthis is no field\r\nbody",
    ]


@pytest.mark.parametrize("message", sample_mails())
def test_the_leaves_are_those_of_the_standard_library(message: bytes) -> None:
    assert ours(message) == list(theirs(email.message_from_bytes(message)))


_PIECES = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"--b",
    b"--b--",
    b"--b\r\n",
    b"--c\r\n",
    b"--c--\r\n",
    b"--",
    b"text",
    b" ",
    b"Content-Type: text/plain\r\n\r\n",
    b'Content-Type: multipart/mixed; boundary="c"\r\n\r\n',
    b"Subject: x\r\n",
]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(_PIECES), max_size=25).map(b"".join))
@example(b"--b\r\ntext--b\r\n\r\n--b--")
@example(b"--b\r\n--b--\r\n--c\r\n")
def test_a_damaged_mail_is_split_like_the_standard_library_does(body: bytes) -> None:
    message = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + body
    assert texts(ours(message)) == texts(theirs(email.message_from_bytes(message)))


def texts(found: Iterable[tuple[str, bytes]]) -> list[bytes]:
    """What is in the text leaves, but for white space: at the end of a mail that is cut off they differ by a line."""
    return [text.strip() for kind, text in found if kind == "text/plain" and text.strip()]


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600))
def test_any_bytes_are_read_without_an_exception(message: bytes) -> None:
    assert parse.read(b'Content-Type: multipart/mixed; boundary="b"\r\n' + message, DOCUMENTS).body_digest


def unreadable(message: bytes) -> str:
    begin = time.monotonic()
    reading = parse.read(message, DOCUMENTS)
    assert time.monotonic() - begin < 20  # a hang, not a measure
    assert reading.refusal is not None
    assert reading.refusal.kind is Kind.MESSAGE_UNREADABLE
    return reading.refusal.sentence


def nested(depth: int, kind: str) -> bytes:
    if kind == "rfc822":
        return b"Content-Type: message/rfc822\r\n\r\n" * depth + b"Subject: x\r\n\r\nx"
    parts = (f'Content-Type: multipart/mixed; boundary="{n}"\r\n\r\n--{n}\r\n'.encode() for n in range(depth))
    return b"".join(parts) + b"Content-Type: text/plain\r\n\r\nx"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (b"Subject: " + b"=?utf-8?q?=41?=\r\n " * 20_000 + b"\r\n\r\nx", "its header has more than 1000 lines"),
        (b"Subject: " + b"=?utf-8?q?=41?= " * 17_500 + b"\r\n\r\nx", "a line of its header has more than 16 KB"),
        (b"X: " + b"x" * 300_000 + b"\r\n\r\nx", "a line of its header has more than 16 KB"),
        (b"".join(b"X-%d: %s\r\n" % (n, b"y" * 400) for n in range(900)) + b"\r\nx", "its header has more than 256 KB"),
        (b"X: y\r\n" * 100_000 + b"\r\nx", "its header has more than 1000 lines"),
        (
            b"Content-Type: text/plain" + b'; a="b"' * 60 + b"\r\n\r\nx",
            "a Content-Type field has more than 50 parameters",
        ),
        (
            b"Content-Disposition: attachment" + b"; filename*%d=a" * 60 % tuple(range(60)) + b"\r\n\r\nx",
            "a Content-Disposition field has more than 50 parameters",
        ),
        (nested(1000, "multipart"), "its parts are nested more than 20 deep"),
        (
            b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + b"--b\r\n\r\nx\r\n" * 100_000,
            "it has more than 200 parts",
        ),
    ],
    ids=["words", "long words", "long line", "bytes", "lines", "type", "disposition", "depth", "parts"],
)
def test_a_bomb_is_refused_before_it_is_parsed(message: bytes, why: str) -> None:
    assert unreadable(message) == f"the mail cannot be read: {why}"


def test_mails_in_mails_are_opened_once_however_many_there_are() -> None:
    reading = parse.read(nested(1000, "rfc822"), DOCUMENTS)
    assert [part.media_type for part in reading.parts] == ["message/rfc822"]


def test_twenty_thousand_words_in_a_header_within_its_bounds_are_decoded_in_no_time() -> None:
    words = b"Subject: " + b"\r\n ".join([b"=?utf-8?q?=41?=" * 17] * 900) + b"\r\n\r\nx"
    reading = parse.read(words, DOCUMENTS)
    assert 0 < len(reading.subject) <= 200


def test_a_header_within_its_bounds_is_taken() -> None:
    message = b"X-Long: " + b"x" * 16_000 + b"\r\n" + b"X: y\r\n" * 900 + mail()
    assert parse.read(message, DOCUMENTS).refusal is None


def test_padding_within_base64_loses_nothing() -> None:
    document = pdf(2)
    pieces = b"\r\n".join(
        binascii.b2a_base64(document[n : n + 100], newline=False) for n in range(0, len(document), 100)
    )
    message = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + pieces
    assert ours(message) == [("application/pdf", document)]


def test_foreign_characters_in_base64_are_skipped() -> None:
    message = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\naGV!sb*G8="
    assert ours(message) == [("text/plain", b"hello")]


@given(
    st.binary(max_size=120), st.integers(0, 200), st.lists(st.tuples(st.integers(0, 160), st.sampled_from("\r\n !-")))
)
def test_the_beginning_of_base64_is_the_beginning_of_what_it_encodes(
    data: bytes, cut: int, foreign: list[tuple[int, str]]
) -> None:
    text = binascii.b2a_base64(data, newline=False).decode()
    for at, odd in foreign:
        text = text[:at] + odd + text[at:]
    start = text[:cut]
    digits = sum(character.isalnum() or character in "+/" for character in start)
    found = decoded(start.encode(), "base64", cut=True)
    assert data.startswith(found)
    assert len(found) >= digits // 4 * 3


def test_sizes_are_told_without_decoding() -> None:
    message = mail([Attachment("a.png", png(), "image/png")])
    headers, body = Headers.read(message, 0, len(message))
    found = leaves(message, headers, body, len(message))
    assert estimated_size(found[1]) == len(png())


def test_an_unknown_encoding_is_an_error_not_an_empty_part() -> None:
    with pytest.raises(Undecodable, match="unknown"):
        ours(b"Content-Transfer-Encoding: x-odd\r\n\r\nx")
