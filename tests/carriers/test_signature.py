"""Webhooks' signatures: Ed25519 over ``timestamp|raw body``, within five minutes."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl.signing import SigningKey

from gateway.carriers.telnyx import Signature, public_key, sign, verify, verify_any

SEED = bytes(range(32))
KEY = public_key(SEED)
RAW = b'{\n  "data": {}\n}'
NOW = 1_700_000_000
SIGNED = sign(SEED, str(NOW), RAW)


def test_a_signature_by_another_implementation_is_valid() -> None:
    signature = SigningKey(SEED).sign(str(NOW).encode() + b"|" + RAW).signature
    assert verify(KEY, base64.b64encode(signature).decode(), str(NOW), RAW, NOW) is Signature.VALID


def test_the_example_of_rfc_8032_gives_its_public_key() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    expected = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert base64.b64decode(public_key(seed)).hex() == expected


@pytest.mark.parametrize("offset", [0, -300, 300, 299.9])
def test_five_minutes_either_way_are_valid(offset: float) -> None:
    assert verify(KEY, SIGNED, str(NOW), RAW, NOW + offset) is Signature.VALID


@pytest.mark.parametrize("offset", [301, -301, 86400, 1e12])
def test_a_valid_signature_of_another_time_is_stale(offset: float) -> None:
    assert verify(KEY, SIGNED, str(NOW), RAW, NOW + offset) is Signature.STALE


@pytest.mark.parametrize("timestamp", ["", "1e9", "-5", "+1700000000", " 1700000000", "1_700_000_000", "9" * 40])
def test_a_signed_timestamp_that_is_no_number_is_stale(timestamp: str) -> None:
    assert verify(KEY, sign(SEED, timestamp, RAW), timestamp, RAW, NOW) is Signature.STALE


def test_a_changed_body_or_time_is_forged() -> None:
    assert verify(KEY, SIGNED, str(NOW), RAW + b" ", NOW) is Signature.FORGED
    assert verify(KEY, SIGNED, str(NOW + 1), RAW, NOW) is Signature.FORGED


def test_a_forged_stale_webhook_is_forged() -> None:
    assert verify(KEY, sign(bytes(32), "1", RAW), "1", RAW, NOW) is Signature.FORGED


@pytest.mark.parametrize(
    "key", ["", "what", KEY[:-4], KEY + "AAAA", public_key(bytes(32)), "é", base64.b64encode(bytes(32)).decode()]
)
def test_without_the_right_key_everything_is_forged(key: str) -> None:
    assert verify(key, SIGNED, str(NOW), RAW, NOW) is Signature.FORGED


@pytest.mark.parametrize("signature", ["", "what", SIGNED[:-4], SIGNED + "=", SIGNED + "\n", "é", "\udc80"])
def test_a_broken_signature_is_forged(signature: str) -> None:
    assert verify(KEY, signature, str(NOW), RAW, NOW) is Signature.FORGED


def test_while_the_key_changes_either_one_is_right() -> None:
    other = public_key(bytes(32))
    assert verify_any([other, KEY], SIGNED, str(NOW), RAW, NOW) is Signature.VALID
    assert verify_any([KEY, other], SIGNED, str(NOW), RAW, NOW + 999) is Signature.STALE
    assert verify_any([other], SIGNED, str(NOW), RAW, NOW) is Signature.FORGED
    assert verify_any([], SIGNED, str(NOW), RAW, NOW) is Signature.FORGED


@settings(max_examples=50)
@given(st.text(), st.text(), st.text(), st.binary(), st.floats(allow_nan=True))
def test_whatever_the_headers_hold_nothing_is_raised(
    key: str, signature: str, timestamp: str, raw: bytes, now: float
) -> None:
    assert verify(key, signature, timestamp, raw, now) is Signature.FORGED
