"""Outgoing HTTP to addresses that others choose: documents to fax, received media, webhooks.

The address is checked where the socket is made, after the name was resolved, so that every spelling of a private
address, a name that changes its mind between two look-ups, and one name with several addresses meet the same check.
Redirects are not followed, proxies and cookies not used, and compressed answers refused: the size that is limited and
compared with Content-Length is the size on the wire.
"""

import asyncio
import errno
import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from yarl import URL

from gateway.address import shown
from gateway.document import MAX_BYTES, media_type_in

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE = ipaddress.IPv6Network("::/96")
#: NAT64 inside a network (RFC 8215): private, though older Pythons call it global.
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")
_CHUNK = 1 << 16
#: How long a look-up of a name may take that only warns early.
LOOK_UP_SECONDS = 2.0
#: A URL that can be sent as it was written: signed links must not be requoted.
_PLAIN_URL = re.compile(r"[\x21-\x7e]+")
_NO_URL = "not a URL of the form https://host/path"


class FetchError(Exception):
    """Nothing, or not everything, was fetched. ``status`` is the HTTP status, 0 when there was none."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class TooLarge(FetchError):
    """There is more than may be fetched."""


@dataclass(frozen=True, slots=True)
class Wish:
    """How a document is asked for: by *method* (GET or POST), with *headers* and, for POST, *content* as the body.

    A ``Host`` among the headers is sent as it is; the connection goes to the host of the URL all the same.
    """

    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came: the media type without parameters, in lower case ("" when not told), and the size in bytes."""

    content_type: str
    size: int


class Fetcher:
    """An HTTP client for foreign URLs. Close it after use.

    ``allowed_networks`` (CIDR) may be reached although they are private; ``timeout`` is for the whole exchange, in
    seconds. Raises ValueError for a network that is none.
    """

    def __init__(
        self,
        allowed_networks: Iterable[str] = (),
        max_bytes: int = MAX_BYTES,
        timeout: float = 60,
        connect_timeout: float = 10,
    ) -> None:
        self._allowed = [ipaddress.ip_network(network) for network in allowed_networks]
        self._max_bytes = max_bytes
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=connect_timeout)
        self._session: aiohttp.ClientSession | None = None

    async def fetch(
        self, url: str, write: Callable[[bytes], object], limit: int | None = None, wish: Wish | None = None
    ) -> Fetched:
        """Ask for *url* (GET, or as *wish* says) and hand the body to *write* in pieces; at most *limit* bytes (else
        ``max_bytes``).

        Raises FetchError for everything that the network and the other side do, also when the body is larger or
        shorter than it should be: *write* may then have been called already. What *write* raises is passed on.
        """
        most = self._max_bytes if limit is None else min(limit, self._max_bytes)
        target = _parse(url)
        with _told(target):
            wish = wish or Wish()
            async with self._client().request(
                wish.method, target, headers=wish.headers, data=wish.content or None, allow_redirects=False
            ) as response:
                return await _receive(response, write, most)

    async def post(self, url: str, content: bytes, headers: Mapping[str, str], timeout: float | None = None) -> int:
        """POST *content* to *url* and return the HTTP status, whichever it is; the answer's body is not read.

        Raises FetchError when there was no answer within *timeout* seconds.
        """
        patience = self._timeout if timeout is None else aiohttp.ClientTimeout(total=timeout)
        target = _parse(url)
        with _told(target):
            async with self._client().post(
                target, data=content, headers=headers, timeout=patience, allow_redirects=False
            ) as response:
                return response.status

    async def objection(self, url: str) -> str:
        """Return why *url* can never be reached from here, "" when it may be: it is no URL, or its host has private
        addresses only. A name that has no address now may have one later."""
        try:
            host = str(_parse(url).host)
        except FetchError as error:
            return str(error)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOK_UP_SECONDS):
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError, TimeoutError):
            return ""
        addresses = [ipaddress.ip_address(str(target[0]).partition("%")[0]) for *_, target in found]
        if any(is_public(address) or self._is_allowed(address) for address in addresses):
            return ""
        return f"{shown(host)} is not on the public internet, and its network is not allowed here"

    def may_reach(self, url: str) -> bool:
        """Return whether *url* might be fetched, as far as can be said without asking: False for what is no URL, and
        for an address of a network that is neither public nor allowed."""
        try:
            host = _parse(url).host or ""
            address = ipaddress.ip_address("127.0.0.1" if host.rstrip(".") == "localhost" else host)
        except FetchError:
            return False
        except ValueError:  # a name
            return True
        return is_public(address) or self._is_allowed(address)

    async def close(self) -> None:
        """Close connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                # How many go at once is for those to say who ask: a hundred that hang shall keep no others waiting.
                connector=aiohttp.TCPConnector(limit=0, socket_factory=self._socket, force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=self._timeout,
                auto_decompress=False,
                headers={"Accept-Encoding": "identity", "User-Agent": "faxgate"},
            )
        return self._session

    def _socket(self, info: Any) -> socket.socket:
        """Make the socket for one resolved address; refused is what is not public and not allowed."""
        family, kind, protocol, _, target = info
        address = ipaddress.ip_address(str(target[0]).partition("%")[0])
        if not (is_public(address) or self._is_allowed(address)):
            raise OSError(errno.EACCES, "the address is not public")
        made = socket.socket(family, kind, protocol)
        made.setblocking(False)
        return made

    def _is_allowed(self, address: Address) -> bool:
        forms = [address, address.ipv4_mapped] if isinstance(address, ipaddress.IPv6Address) else [address]
        return any(form is not None and form in network for form in forms for network in self._allowed)


def is_public(address: Address) -> bool:
    """Return whether *address* is one of the open internet, looking through every IPv6 form of an IPv4 address."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address.is_site_local or address in _LOCAL_NAT64:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64 or address in _COMPATIBLE:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.teredo is not None:
        return address.teredo[1]
    return address.ipv4_mapped or address.sixtofour


@contextmanager
def _told(url: URL) -> Iterator[None]:
    """Turn what aiohttp raises into a FetchError that says what happened and leaks no address."""
    host = shown(url.host or "")
    try:
        yield
    except aiohttp.InvalidURL as error:
        raise FetchError(_NO_URL) from error
    except TimeoutError as error:
        raise FetchError(f"{host} took too long to answer") from error
    except aiohttp.ClientConnectorError as error:
        raise FetchError(_unconnected(host, error)) from error
    except aiohttp.ClientPayloadError as error:
        raise FetchError("the document ended too early") from error
    except aiohttp.ClientError as error:
        raise FetchError(f"{host} did not answer as a web server should") from error


def _unconnected(host: str, error: aiohttp.ClientConnectorError) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return f"there is no host {host}"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"{host} has no valid certificate"
    if isinstance(error, aiohttp.ClientSSLError):
        return f"{host} does not speak TLS on this port"
    if error.errno == errno.EACCES:
        return f"{host} is not on the public internet, and its network is not allowed here"
    return f"no connection to {host} could be made"


def _parse(url: str) -> URL:
    try:
        parsed = URL(url, encoded=_PLAIN_URL.fullmatch(url) is not None)
        usable = parsed.scheme in ("http", "https") and bool(parsed.host) and _speakable(parsed)
    except ValueError:
        usable = False
    if not usable:
        raise FetchError(_NO_URL)
    return parsed


def host_of(url: str) -> str:
    """Return the host that is asked for *url*, "" for what is no URL."""
    try:
        return _parse(url).raw_host or ""
    except FetchError:
        return ""


def _speakable(url: URL) -> bool:
    """Return whether host and login can be written as DNS and HTTP (RFC 7617) want them, or raise ValueError. Else
    it would only be found out, and by other exceptions, when the request is made."""
    user = url.user or ""
    (url.raw_host or "").encode("idna")
    f"{user}{url.password}".encode("latin-1")
    return ":" not in user


async def _receive(response: aiohttp.ClientResponse, write: Callable[[bytes], object], most: int) -> Fetched:
    _check(response, most)
    size = 0
    async for chunk in response.content.iter_chunked(_CHUNK):
        size += len(chunk)
        if size > most:
            raise _too_large(most, response)
        write(chunk)
    if response.content_length not in (None, size):
        raise FetchError("the document ended too early", response.status)
    return Fetched(media_type_in(response.headers.get("Content-Type", "")), size)


def _check(response: aiohttp.ClientResponse, most: int) -> None:
    """Refuse what cannot be the document, before anything of it is read."""
    if 300 <= response.status < 400:
        raise FetchError("the server redirects elsewhere; give the final URL", response.status)
    if response.status != 200:
        raise FetchError(f"the server answered with status {response.status}", response.status)
    if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise FetchError("the server sent a compressed answer, which was not asked for", response.status)
    if (response.content_length or 0) > most:
        raise _too_large(most, response)


def _too_large(most: int, response: aiohttp.ClientResponse) -> TooLarge:
    return TooLarge(f"the document is larger than {most:,} bytes", response.status)
