"""Whatever the guard lets out, everybody reads in the same way: no URL that two libraries understand differently."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from hypothesis import example, given
from hypothesis import strategies as st
from yarl import URL

from tocsin.egress import Guard
from tocsin.egress.guard import is_public
from tocsin.errors import Refused

SIGNS = [
    *"/:\\@#?%[].- &",
    "//",
    "..",
    "\t",
    "\r\n",
    "\x00",
    "\u3002",
    "\uff0f",
    "\u2488",
    "\u00df",
    "\u017f",
    "\u212a",
]
WORDS = [
    "https://",
    "http://",
    "443",
    ":443",
    "8443",
    "127.0.0.1",
    "1.1.1.1",
    "::1",
    "2606:4700::1",
    "0x7f",
    "%00",
    "%2e",
]
NAMES = ["hooks.example", "localhost", "xn--", "a", "b_c", "user:pw"]
PIECES = st.sampled_from([*SIGNS, *WORDS, *NAMES])
URLS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=14).map("".join),
    st.lists(PIECES, max_size=14).map(lambda pieces: "https://" + "".join(pieces)),
    st.lists(PIECES, max_size=14).map(lambda pieces: "https://hooks.example" + "".join(pieces)),
)


@given(URLS)
@example("https://hooks.example//127.0.0.1/..;/%2e%2e/?a=@127.0.0.1:80/")
@example("https://[2606:4700::1]:8443?@[::1]")
@example("https://1.1.1.1:443/@127.0.0.1")
def test_every_reader_finds_the_same_host(url: str) -> None:
    try:
        target = Guard([8443]).target(url)
    except Refused:
        return
    written = target.url
    assert written.isascii()
    assert Guard([8443]).target(written) == target
    one, other = urlsplit(written), URL(written, encoded=True)
    assert one.scheme == other.scheme == target.scheme == "https"
    assert one.hostname == target.host
    assert (other.raw_host or "").strip("[]") == target.host
    assert (one.port or 443) == other.port == target.port
    assert one.username is one.password is other.user is other.password is None
    assert one.fragment == other.raw_fragment == ""
    assert str(other) == written
    assert other.raw_path_qs == target.path
    assert target.port in {443, 8443}
    try:
        ip_address(target.host)
    except ValueError:
        # A name, and one that no library takes for a number.
        last = target.host.rsplit(".", 1)[-1]
        assert "." in target.host
        assert not last.isdigit()
        assert not last.startswith("0x") or set(last[2:]) - set("0123456789abcdef")
    else:
        assert is_public(target.host)


@given(st.ip_addresses())
@example(ip_address("::ffff:1.1.1.1"))
def test_what_is_let_out_is_public_for_python_too(address: object) -> None:
    """Ours is the stricter of the two: nothing that the library calls special gets through."""
    if is_public(str(address)):
        found = ip_address(str(address))
        assert found.is_global
        assert not found.is_multicast
        assert not found.is_reserved
