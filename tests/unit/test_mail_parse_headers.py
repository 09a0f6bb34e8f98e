"""Header fields: decoded for display, and never trusted further than they are certain."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mail.headers import Headers, decoded, display_name, display_text, message_id, plain_address


def headers(block: bytes) -> Headers:
    return Headers.read(block, 0, len(block))[0]


@pytest.mark.parametrize(
    ("field", "address"),
    [
        ("alice@example.org", "alice@example.org"),
        ("Alice <alice@Example.ORG>", "alice@example.org"),
        ("<alice@example.org>", "alice@example.org"),
        ('"Doe, Alice" <alice@example.org>', "alice@example.org"),
        ('"say \\"hi\\"" <alice@example.org>', "alice@example.org"),
        ("=?utf-8?q?J=C3=B6rg?= <joerg@example.org>", "joerg@example.org"),
        ("=?utf-8?q?boss=40bank=2Eexample?= <joerg@example.org>", "joerg@example.org"),
        ("alice@example.org (Alice)", "alice@example.org"),
        ("Alice (at work) <alice@example.org>", "alice@example.org"),
        ("boss@bank.example <alice@example.org>", "alice@example.org"),
    ],
)
def test_one_plain_address_is_read(field: str, address: str) -> None:
    assert plain_address([field]) == address


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["alice@example.org", "bob@example.org"],
        ["alice@example.org, bob@example.org"],
        ["Alice <alice@example.org>, Bob <bob@example.org>"],
        ["Alice <alice@example.org> <bob@example.org>"],
        ["<alice@example.org>bob@example.org"],
        ["alice"],
        ["Alice <alice>"],
        ["undisclosed-recipients:;"],
        ["Friends: alice@example.org;"],
        ['"alice@example.org'],
        ["alice(comment)@example.org"],
        ["alice@example.org@evil.example"],
        ["alice@[127.0.0.1]"],
        ["=?utf-8?q?alice=40example.org?="],
        ["alice@exämple.org"],
        ["a" * 65 + "@example.org"],
        ["x" * 5000 + " <alice@example.org>"],
    ],
)
def test_anything_else_is_no_address(fields: list[str]) -> None:
    assert plain_address(fields) == ""


def test_an_address_field_takes_no_time_however_hostile() -> None:
    begin = time.process_time()
    for field in ("(" * 4000, '"' * 3999, "a" * 4000, " " * 3999 + "<", "()" * 1999, '"\\' * 1999):
        assert plain_address([field]) == ""
    assert time.process_time() - begin < 30  # a hang, not a measure


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("report.pdf", "report.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\scan.pdf", "scan.pdf"),
        ("..", ""),
        ("  ", ""),
        ("a\x00b\x1b[31m.pdf", "ab[31m.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),
        ("a\u2066b\u200b.pdf", "ab.pdf"),
        ("two\r\n lines.pdf", "two lines.pdf"),
        ("x" * 300 + ".pdf", "x" * 90 + "...pdf"),
        ("x" * 300, "x" * 100),
    ],
)
def test_a_file_name_is_fit_to_be_shown(raw: str, name: str) -> None:
    assert display_name(raw) == name


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (b"attachment; filename=plain.pdf", "plain.pdf"),
        (b'attachment; filename="with space.pdf"', "with space.pdf"),
        (b"attachment; filename*=UTF-8''Rechnung%20M%C3%BCller.pdf", "Rechnung Müller.pdf"),
        (b'attachment; filename*0="one"; filename*1="two.pdf"', "onetwo.pdf"),
        (b"attachment; filename*0*=UTF-8''%C3%A4; filename*1*=%C3%B6.pdf", "äö.pdf"),
        (b'attachment; filename="=?utf-8?B?w6QucGRm?="', "ä.pdf"),
        (b"attachment; filename*=no-such-charset''%e4.pdf", "ä.pdf"),
        (b"attachment; filename=\xc3\xa4.pdf", "ä.pdf"),
        (b"attachment; filename=\xe4.pdf", "ä.pdf"),
        (b"attachment", ""),
        (b"attachment; filename*=%00''x", ""),
    ],
)
def test_a_file_name_is_decoded(disposition: bytes, name: str) -> None:
    assert headers(b"Content-Disposition: " + disposition + b"\r\n\r\n").filename == name


def test_the_name_of_the_content_type_serves_when_there_is_no_other() -> None:
    assert headers(b'Content-Type: application/pdf; name="a.pdf"\r\n\r\n').filename == "a.pdf"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("plain", "plain"),
        ("=?iso-8859-1?Q?Gr=FC=DFe?=", "Grüße"),
        ("=?utf-8?B?4oCu?=evil", "evil"),
        ("=?utf-8?q?a=0D=0ABcc:_x?=", "a Bcc: x"),
        ("=?no-such?q?=E4?=", "ä"),
        ("=?utf-8?b?%%%?=", ""),
        ("one\r\n two", "one two"),
        ("x" * 300, "x" * 200),
        ("\udcc3\udca4", "ä"),
        ("\udce4", "ä"),
        ("=?utf-7?q?+2AA-?=", ""),
        # Bytes and characters that should have been encoded, beside some that are and within them.
        ("=?iso-8859-1?Q?Fr\udcf6sche?=", "Frösche"),
        ("Fr\udcc3\udcb6sche =?utf-8?q?=C3=A4?=", "Frösche ä"),
        ("日本 =?utf-8?q?=C3=A4?= \\u0041", "日本 ä \\u0041"),
        ("=?utf-8?q?=E2=82?= =?utf-8?q?=AC?=", "€"),
    ],
)
def test_a_subject_is_decoded_to_one_line(raw: str, text: str) -> None:
    assert display_text(raw, 200) == text


@pytest.mark.parametrize(
    ("raw", "clean"),
    [(" <1@x> ", "<1@x>"), ("<1\x00@\udcffx>", "<1@x>"), ("<1@\t x>", "<1@x>"), ("", ""), ("x" * 2000, "x" * 998)],
)
def test_a_message_id_is_visible_ascii(raw: str, clean: str) -> None:
    assert message_id(raw) == clean


@given(st.text(max_size=300))
def test_decoding_never_fails(raw: str) -> None:
    decoded(raw)
    display_text(raw, 200).encode("utf-8", "replace")


@given(st.binary(max_size=400))
def test_a_header_block_of_any_bytes_is_read(raw: bytes) -> None:
    read, body = Headers.read(raw, 0, len(raw))
    assert 0 <= body <= len(raw)
    assert "/" in read.media_type
    assert isinstance(read.filename + read.disposition + read.encoding, str)
    assert isinstance(read.boundary, bytes)
