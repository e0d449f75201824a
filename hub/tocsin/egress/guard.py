"""What the hub may be made to call by somebody who is not its operator: which URLs, and which addresses.

Rules: a member's endpoint is https on an allowed port of a host on the public internet, named in one way only: no user,
no fragment, no number written as anything but four decimal parts, nothing that two readers of URLs could read
differently. A host name proves nothing, since its owner decides what it stands for, and can change that between two
questions: so what counts is asked again of every address before a connection to it is opened. The table of networks is
our own: Python's `is_global` changes with its patch level and calls several of these public. The operator may list
networks of theirs: hosts there may be called too, plainly and on any port, which is for development and tests.

Pure: nothing is resolved here. No reason repeats a URL.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple, NoReturn

import idna

from tocsin.errors import Refused

Network = IPv4Network | IPv6Network

HTTPS_PORT: Final = 443
MAX_URL: Final = 2048
MAX_HEADER: Final = 4096
_REMEMBERED: Final = 4096
_REFUSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        # IANA IPv4 Special-Purpose Address Registry (RFC 6890): all of it, reachable or not.
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        # Multicast (RFC 5771), reserved and limited broadcast (RFC 1112 §4, RFC 919 §7).
        "224.0.0.0/4",
        "240.0.0.0/4",
        # A public number that every machine in Azure reaches the host under it by.
        "168.63.129.16/32",
    )
)
_UNICAST_V6: Final = IPv6Network("2000::/3")
"""All that has been given out for unicast (RFC 4291 §2.4): loopback, mapped, NAT64, local, multicast lie outside."""
_REFUSED_V6: Final = tuple(
    IPv6Network(network)
    for network in (
        # IANA IPv6 Special-Purpose Address Registry, so far as it lies in 2000::/3.
        "2001::/23",  # protocol assignments: Teredo, benchmarking, ORCHID and others
        "2001:db8::/32",
        "2002::/16",  # 6to4 carries an IPv4 address of the sender's choice
        "2620:4f:8000::/48",
        "3fff::/20",
        "3ffe::/16",  # returned by the 6bone (RFC 3701)
    )
)

# RFC 3986 without user, fragment and percent-encoded hosts; what stands between slashes is not looked at further.
_URL: Final = re.compile(
    r"(?P<scheme>[A-Za-z]+)://"
    r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^\x00-\x20\"#$%&'()*+,/:;<=>?@\[\\\]^`{|}~\x7f]+)"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:/[A-Za-z0-9\-._~!$&'()*+,;=:@/%]*)?(?:\?[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*)?)"
)
_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
_V4: Final = re.compile(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}")
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


class Target(NamedTuple):
    """A URL taken apart: `host` in ASCII, without brackets; `path` with its query, and at least a slash.

    `confined` says that only an address in a network that the operator lists will do.
    """

    scheme: str
    host: str
    port: int
    path: str
    confined: bool

    @property
    def url(self) -> str:
        """The one way to write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _port_of(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path}"


class Guard:
    """What may be called: https on 443 and `ports`, on the public internet; and anything in `allow_subnets`."""

    def __init__(self, ports: Iterable[int] = (), allow_subnets: Iterable[Network] = ()) -> None:
        self._ports = frozenset({HTTPS_PORT, *ports})
        self._listed = tuple(allow_subnets)
        # The same endpoints are called again and again, and every call asks both.
        self._allows = lru_cache(_REMEMBERED)(self._decide)
        self._target = lru_cache(_REMEMBERED)(self._take_apart)

    def check_url(self, url: str) -> str:
        """Check what can be told from a URL alone; the same URL in the one way it is written from here on.

        Raises:
            Refused: `egress-refused`.
        """
        return self.target(url).url

    def target(self, url: str) -> Target:
        """A checked URL, taken apart.

        Raises:
            Refused: `egress-refused`.
        """
        return self._target(url)

    def allows(self, address: str) -> bool:
        """Whether a connection to this address (a literal) may be opened for a member."""
        return self._allows(address)

    def listed(self, address: str) -> bool:
        """Whether the operator lists a network that this address is in."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._listed)

    def _take_apart(self, url: str) -> Target:
        found = _URL.fullmatch(url) if len(url) <= MAX_URL else None
        if found is None or _ESCAPE.search(found["path"]):
            _refuse("must be https://host/path in plain characters, with no user and no fragment")
        scheme, host = found["scheme"].lower(), found["host"].lower()
        port = int(found["port"] or _port_of(scheme))
        if scheme not in {"http", "https"} or port > 65535:
            _refuse("must be https://host/path on an allowed port")
        path = found["path"] if found["path"].startswith("/") else f"/{found['path']}"
        confined = scheme != "https" or port not in self._ports
        if host.startswith("[") or _V4.fullmatch(host):
            host = _address(host)
            if not (self.listed(host) if confined else self.allows(host)):
                _refuse("its address is not one that the hub calls")
        else:
            host = _name(host)
            confined = confined or "." not in host or host.endswith(".localhost")
            if confined and not self._listed:
                _refuse("must be https on an allowed port of a host with a public name")
        return Target(scheme, host, port, path, confined)

    def _decide(self, address: str) -> bool:
        return self.listed(address) or is_public(address)


def is_public(address: str) -> bool:
    """Whether this literal is a host on the public internet; nothing that embeds or stands for another is."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv4Address):
        return not any(parsed in network for network in _REFUSED_V4)
    if parsed.scope_id is not None:
        return False
    return parsed in _UNICAST_V6 and not any(parsed in network for network in _REFUSED_V6)


def check_header(name: str, value: str) -> None:
    """Check that a header is one header: a token, and visible characters with spaces between (RFC 9110 §5.5).

    Raises:
        Refused: `egress-refused`.
    """
    # What is ASCII and can be printed is a space or can be seen.
    shown = 0 < len(value) <= MAX_HEADER and value.isascii() and value.isprintable()
    if not shown or value[0] == " " or value[-1] == " " or not _HEADER_NAME.fullmatch(name):
        raise Refused("egress-refused", "header", "must be visible ASCII characters in one line")


def _name(host: str) -> str:
    """A host name in ASCII."""
    name = host
    if not host.isascii() or "xn--" in host:
        try:
            # UTS #46 maps look-alike digits and dots to plain ones: only what comes out is looked at.
            name = idna.encode(host, uts46=True).decode("ascii")
        except UnicodeError:
            _refuse("its host is not a name")
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        _refuse("its host is not a name")
    # Numbers as hosts are read in as many ways as there are libraries: WHATWG URL §3.5, "ends in a number".
    if _NUMBER.fullmatch(labels[-1]):
        _refuse("an address is written as four decimal numbers, or in brackets")
    return name


def _address(text: str) -> str:
    try:
        parsed: IPv4Address | IPv6Address = ip_address(text.strip("[]"))
    except ValueError:
        _refuse("an address is written as four decimal numbers, or in brackets")
    return str(parsed)


def _port_of(scheme: str) -> int:
    return HTTPS_PORT if scheme == "https" else 80


def _refuse(reason: str) -> NoReturn:
    raise Refused("egress-refused", "url", reason)
