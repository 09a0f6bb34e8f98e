"""Where the SMTP door listens, to whom, and with which certificate."""

import socket
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from gateway.errors import ConfigurationError
from gateway.smtp.listener import Listener, peer_address, peer_key


@pytest.mark.parametrize(
    ("peer", "admitted"),
    [
        ("10.1.2.3", True),
        ("10.2.2.3", False),
        ("2001:db8::5", True),
        ("2001:db9::5", False),
        ("::ffff:10.1.2.3", True),
        ("::ffff:10.9.2.3", False),
    ],
)
def test_only_the_networks_of_a_listener_may_connect(peer: str, admitted: bool) -> None:
    listener = Listener("127.0.0.1:0", networks=(ip_network("10.1.0.0/16"), ip_network("2001:db8::/32")))
    assert listener.admits(peer_address(peer)) is admitted


def test_a_listener_without_networks_admits_nobody() -> None:
    assert not Listener("127.0.0.1:0").admits(ip_address("127.0.0.1"))


def test_an_ipv6_peer_is_its_64_bit_network() -> None:
    key = peer_key(peer_address("2001:db8:1:2::1"))
    assert key == peer_key(peer_address("2001:db8:1:2:ffff::9"))
    assert key != peer_key(peer_address("2001:db8:1:3::1"))
    assert peer_key(peer_address("10.0.0.1")) != peer_key(peer_address("10.0.0.2"))


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:smtp", "192.0.2.1:25"])
def test_an_address_that_cannot_be_had_is_a_configuration_error_that_names_it(address: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        Listener(address).bind()
    assert address in str(error.value)


def test_an_address_in_use_is_a_configuration_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConfigurationError, match="cannot listen there"):
            Listener(address).bind()


def test_an_ipv6_address_stands_in_brackets() -> None:
    for listening in Listener("[::1]:0").bind():
        with listening:
            assert listening.getsockname()[0] == "::1"


def test_a_mode_that_is_not_known_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="open-relay"):
        Listener("127.0.0.1:0", mode="open-relay")


def test_a_certificate_and_its_key_make_a_context(tmp_path: Path) -> None:
    certificate, key = _write(trustme.CA().issue_cert("fax.example.com"), tmp_path)
    context = Listener("127.0.0.1:0", tls_certificate=certificate, tls_key=key).context()
    assert context is not None
    assert Listener("127.0.0.1:0").context() is None


def test_a_key_that_does_not_belong_to_the_certificate_is_a_configuration_error(tmp_path: Path) -> None:
    certificate, _ = _write(trustme.CA().issue_cert("fax.example.com"), tmp_path)
    (tmp_path / "other").mkdir()
    _, key = _write(trustme.CA().issue_cert("fax.example.com"), tmp_path / "other")
    with pytest.raises(ConfigurationError, match="tls_key"):
        Listener("127.0.0.1:0", tls_certificate=certificate, tls_key=key).context()


def test_a_key_with_a_password_is_a_configuration_error_and_no_question(tmp_path: Path) -> None:
    certificate, key = _write(trustme.CA().issue_cert("fax.example.com"), tmp_path)
    private = load_pem_private_key(Path(key).read_bytes(), None)
    locked = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    Path(key).write_bytes(locked)
    with pytest.raises(ConfigurationError, match="without a password"):
        Listener("127.0.0.1:0", tls_certificate=certificate, tls_key=key).context()


def test_a_missing_certificate_is_a_configuration_error_that_names_the_file(tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    with pytest.raises(ConfigurationError, match=r"missing\.pem.*No such file"):
        Listener("127.0.0.1:0", tls_certificate=missing, tls_key=missing).context()


def _write(issued: trustme.LeafCert, folder: Path) -> tuple[str, str]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(key)
    return str(certificate), str(key)
