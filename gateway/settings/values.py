"""Kinds of value in the settings file, each checked with a sentence that says what to write instead."""

import base64
import binascii
import ipaddress
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import SplitResult, urlsplit

import email_validator
import phonenumbers
from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, ValidationInfo

# Hospitals and offices have mail domains below .local, .internal or .test: the library's documented switch.
email_validator.SPECIAL_USE_DOMAIN_NAMES[:] = ["invalid"]

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MASK = "********"
FOREVER = "forever"
LOOPBACK: tuple[IpNetwork, ...] = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_BUCKET = re.compile(r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()/-]*)?")
_HOSTNAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")


def checked_email(text: str) -> str:
    """Return *text* as one ASCII mail address with its domain in lower case. Raises ValueError with a sentence.

    Nothing is looked up in the DNS, and names that only a private network knows are allowed.
    """
    text = text.strip()
    try:
        found = email_validator.validate_email(
            text,
            allow_smtputf8=False,
            check_deliverability=False,
            globally_deliverable=not text.lower().endswith("@localhost"),
        )
    except email_validator.EmailNotValidError as error:
        raise ValueError(f"is not a mail address: {error}") from None
    return found.ascii_email or found.normalized


def parse_duration(value: object) -> timedelta:
    """Read ``30s``, ``5m``, ``12h``, ``90d`` or ``500ms`` (or several: ``1h30m``). Raises ValueError."""
    if isinstance(value, timedelta):
        return value
    pieces = re.findall(r"([0-9]+)(ms|[smhd])", value) if isinstance(value, str) else []
    if not pieces or "".join(number + unit for number, unit in pieces) != value:
        raise ValueError('is not a duration: write "30s", "5m", "12h" or "2d"')
    try:
        return sum((int(number) * _UNITS[unit] for number, unit in pieces), timedelta())
    except OverflowError:
        raise ValueError("is too long a duration") from None


def parse_keeping(value: object) -> timedelta | None:
    """Read how long something is kept: a duration, or None for ``forever`` and "". Raises ValueError."""
    return None if value in (None, "", FOREVER) else parse_duration(value)


def keeping_text(value: timedelta | None) -> str:
    """Return *value* as ``parse_keeping`` reads it."""
    return FOREVER if value is None else duration_text(value)


def duration_text(value: timedelta) -> str:
    """Return *value* as ``parse_duration`` reads it, in its largest whole unit."""
    if not value:
        return "0s"
    unit = next((unit for unit, length in _UNITS.items() if not value % length), "ms")
    return f"{value // _UNITS[unit]}{unit}"


def split_address(text: str) -> tuple[str, int]:
    """Split ``host:port`` or ``[ipv6]:port`` of a checked address into what ``bind`` takes."""
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def resolved(text: str, info: ValidationInfo) -> str:
    """Return the path *text* made absolute: relative ones start at the settings file's folder. "" stays ""."""
    if not text:
        return ""
    folder: Path = (info.context or {}).get("folder", Path())
    return str((folder / Path(text).expanduser()).absolute())


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address to listen on: write host:port, like 127.0.0.1:2525 or [::]:25")
    if not host:
        raise ValueError(f"{text!r} names no host: for all interfaces write 0.0.0.0:{port} or [::]:{port}")
    if host.startswith("[") and host.endswith("]"):
        _ip(host[1:-1], text)
    elif ":" in host:
        raise ValueError(f"{text!r} needs brackets around its IPv6 address, like [::1]:{port}")
    else:
        _hostname(host)
    return text


def _name_server(text: str) -> str:
    """A name server is named by its address: there is nobody yet who could look up a name."""
    host, port = (text, "53") if _is_ip(text.strip("[]")) else text.rpartition(":")[::2]
    if not _is_ip(host.strip("[]")) or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} is no name server: write its address, like 127.0.0.1:53 or [::1]:53")
    host = host.strip("[]")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ip(text: str) -> bool:
    try:
        return bool(ipaddress.ip_address(text))
    except ValueError:
        return False


def _ip(host: str, text: str) -> None:
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        raise ValueError(f"{text!r} has no IPv6 address between its brackets") from None


def _hostname(text: str) -> str:
    if text and (len(text) > 253 or _HOSTNAME.fullmatch(text) is None):
        raise ValueError(f"{text!r} is not a host name: letters, digits, hyphens and dots, like fax.example.com")
    return text.lower()


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        return _hostname(text)


def _network(value: object) -> IpNetwork:
    if isinstance(value, IpNetwork):
        return value
    try:
        return _plain(ipaddress.ip_network(str(value), strict=False))
    except ValueError:
        raise ValueError(f"{value!r} is not a network: write it like 10.0.0.0/8, 192.0.2.7 or fd00::/8") from None


def _plain(network: IpNetwork) -> IpNetwork:
    """Return an IPv4 network that is written as IPv6 sockets name it (::ffff:10.0.0.0/104) as what it is."""
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    return ipaddress.ip_network(f"{mapped}/{network.prefixlen - 96}") if mapped and network.prefixlen >= 96 else network


def _country(text: str) -> str:
    code = text.strip().upper()
    if code not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{text!r} is not a country: write its two letters of ISO 3166, like US or DE")
    return code


def _web_url(text: str) -> str:
    if not text:
        return ""
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{text!r} is not a web address: write it like https://fax.example.com")
    if parts.query or parts.fragment or parts.username or parts.password:
        raise ValueError("is a plain address, without a user, ? or #: write it like https://fax.example.com")
    _port(parts)
    return text.rstrip("/")


def _public_key(text: str) -> str:
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ValueError("is not an Ed25519 public key: copy the 44 characters from the carrier's portal")
    return text


def _listed(value: Any) -> Any:
    """Let one text stand for a list: a JSON array or words between commas, as environment variables have them."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError(f"is not a JSON list ({error})") from None
    return [word.strip() for word in value.split(",") if word.strip()]


def _email_or_nothing(text: str) -> str:
    return checked_email(text) if text else ""


def _database_url(text: str, info: ValidationInfo) -> str:
    if text.startswith("sqlite:///") and not text.endswith("/"):
        if "?" in text:
            raise ValueError("takes no options behind the path of an SQLite file")
        return f"sqlite:///{resolved(text.removeprefix('sqlite:///'), info)}"
    parts = urlsplit(text)
    if parts.scheme != "postgresql" or len(parts.path) < 2:
        raise ValueError("is neither sqlite:////absolute/path, sqlite:///relative/path nor postgresql://user@host/name")
    _port(parts)
    return text


def _port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:  # its own words would repeat a part of the password
        raise ValueError("has no port number behind its colon; is a / in the password? write it %2F") from None


def _blobs_url(text: str, info: ValidationInfo) -> str:
    path = text.removeprefix("file://")
    if path != text and path:
        return f"file://{resolved(path, info)}"
    if not _BUCKET.fullmatch(text):
        raise ValueError(
            "names a folder or a bucket: write it like file:///var/lib/faxgate/blobs or s3://bucket/prefix"
        )
    return text.rstrip("/")


def without_password(url: str) -> str:
    """Return *url* with its password, if it has one, replaced by asterisks."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    return parts._replace(netloc=f"{name}:{MASK}{at}{host}").geturl() if colon else url


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(duration_text, when_used="json")]
Keeping = Annotated[timedelta | None, BeforeValidator(parse_keeping), PlainSerializer(keeping_text, when_used="json")]
Address = Annotated[str, AfterValidator(_address)]
NameServer = Annotated[str, AfterValidator(_name_server)]
OptionalAddress = Annotated[str, AfterValidator(lambda text: _address(text) if text else "")]
Hostname = Annotated[str, AfterValidator(_hostname)]
Host = Annotated[str, AfterValidator(_host)]
Network = Annotated[IpNetwork, PlainValidator(_network), PlainSerializer(str, when_used="json")]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_listed)]
Country = Annotated[str, AfterValidator(_country)]
Countries = Annotated[tuple[Country, ...], BeforeValidator(_listed)]
Email = Annotated[str, AfterValidator(_email_or_nothing)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
PublicKeys = Annotated[tuple[Annotated[str, AfterValidator(_public_key)], ...], BeforeValidator(_listed)]
FilePath = Annotated[str, AfterValidator(resolved)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
BlobsUrl = Annotated[str, AfterValidator(_blobs_url)]
Listed = BeforeValidator(_listed)
