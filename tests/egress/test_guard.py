"""What the guard lets out: published tables of addresses, and every way to write one that has fooled somebody."""

from ipaddress import ip_network

import pytest

from tocsin.egress import Guard, check_header
from tocsin.egress.guard import is_public
from tocsin.errors import Refused


def words(text: str) -> list[str]:
    return text.split()


LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128")]

# The cases of `is_allowed_test` in Svix's webhook_http_client.rs (MIT, revision of August 2026).
SVIX_REFUSED = words("""
10.254.0.0 192.168.10.65 172.16.10.65 0.1.2.3 0.0.0.0 127.0.0.1 127.0.0.254 127.254.254.254 169.254.45.1 255.255.255.255
224.1.2.3 233.252.0.16 192.0.0.0 192.0.0.255 192.0.2.255 198.51.100.65 203.0.113.6 100.100.0.0 192.88.99.3 198.18.0.0
240.240.240.240 ::0 ::1 ::ffff:127.0.0.1 ::ffff:0.0.0.1 2001:db8::1 3fff::dead:beef fe80::dead:beef febf:ffff::dead:beef
fdee:3A45:9057::0001 fd7a:115c:a1e0::1 2002:c000:0204::dead:beef 2002:c0a8:0001::dead:beef 64:ff9b::c0a8:0
64:ff9b::808:808 64:ff9b::c0a8:0000 5f00::dead:beef 64:ff9b:1::dead:beef 100::1:2:3:4
""")
SVIX_ALLOWED = ["1.1.1.1", "8.8.8.8", "2001:4860:4860::8888"]
# The one case in which it lets something through that is refused here: an address that embeds another.
SVIX_DIFFERS = "::ffff:8.8.8.8"

# All of IANA's two special-purpose address registries (RFC 6890), whether they call it reachable or not.
IANA = words("""
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
255.255.255.255/32
::1/128 ::/128 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128
2001:1::2/128 2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32
2002::/16 2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10
""")
OTHERS = words("""
224.0.0.0/4 ff00::/8 fec0::/10 ::/96 ::ffff:0:0:0/96 3ffe::/16 4000::/2 8000::/1 168.63.129.16/32
""")

# One address on each side of every network that is refused within what is public.
NEIGHBOURS = words("""
1.0.0.0 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255 169.255.0.0
172.15.255.255 172.32.0.0 191.255.255.255 192.0.1.0 192.0.1.255 192.0.3.0 192.31.195.255 192.31.197.0 192.52.192.255
192.52.194.0 192.88.98.255 192.88.100.0 192.167.255.255 192.169.0.0 192.175.47.255 192.175.49.0 198.17.255.255
198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255 168.63.129.15 168.63.129.17
2000:: 2001:200:: 2001:db7:ffff:: 2001:db9:: 2001:ffff:: 2003:: 2620:4f:7fff:: 2620:4f:8001:: 3ffd:ffff:: 3fff:1000::
2606:4700:4700::1111
""")


@pytest.mark.parametrize("address", [*SVIX_REFUSED, SVIX_DIFFERS])
def test_a_published_table_is_refused_as_address_and_as_url(address: str) -> None:
    assert not Guard().allows(address)
    host = f"[{address}]" if ":" in address else address
    refused(f"https://{host}/hook")


@pytest.mark.parametrize("network", [*IANA, *OTHERS])
def test_all_of_a_special_network_is_refused(network: str) -> None:
    found = ip_network(network)
    for address in (found[0], found[-1], found[found.num_addresses // 2]):
        assert not is_public(str(address)), address


@pytest.mark.parametrize("address", [*SVIX_ALLOWED, *NEIGHBOURS])
def test_what_is_public_is_not(address: str) -> None:
    assert Guard().allows(address)
    host = f"[{address}]" if ":" in address else address
    assert Guard().check_url(f"https://{host}/hook") == f"https://{host}/hook"


@pytest.mark.parametrize(
    "text", ["", "localhost", "1.2.3", "01.1.1.1", "2606:4700::1%eth0", "fe80::1%1", "1.1.1.1/32"]
)
def test_what_is_no_address_is_none_to_call(text: str) -> None:
    guard = Guard(allow_subnets=[ip_network("0.0.0.0/0"), ip_network("fe80::/10")])
    assert not is_public(text)
    assert not Guard().allows(text)
    assert guard.listed(text) is (text == "fe80::1%1")


@pytest.mark.parametrize(
    ("url", "written"),
    [
        ("https://hooks.example", "https://hooks.example/"),
        ("HTTPS://Hooks.Example:443/A?b=%C3%A9&c", "https://hooks.example/A?b=%C3%A9&c"),
        ("https://hooks.example?x", "https://hooks.example/?x"),
        ("https://b\u00fccher.example/", "https://xn--bcher-kva.example/"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://hooks\u3002example/", "https://hooks.example/"),
        (
            "https://r3---sn-4g5e.hooks.example/a//b/../c;d='(e)!*~",
            "https://r3---sn-4g5e.hooks.example/a//b/../c;d='(e)!*~",
        ),
        ("https://[2606:4700:4700:0:0:0:0:1111]/", "https://[2606:4700:4700::1111]/"),
    ],
)
def test_a_url_is_written_in_one_way(url: str, written: str) -> None:
    assert Guard().check_url(url) == written
    assert Guard().check_url(written) == written


def refused(url: str, guard: Guard | None = None) -> str:
    with pytest.raises(Refused) as caught:
        (guard or Guard()).check_url(url)
    assert (caught.value.code, caught.value.field) == ("egress-refused", "url")
    assert "example" not in str(caught.value)
    return caught.value.reason


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hooks.example",
        "//hooks.example",
        "https:/hooks.example",
        "https:hooks.example",
        "https://",
        "https:///hook",
        "https://?x",
        " https://hooks.example",
        "https://hooks.example\n",
        "http://hooks.example",
        "ftp://hooks.example",
        "file:///etc/passwd",
        "gopher://hooks.example",
        "http\u017f://hooks.example",  # a long s, which is an s to who ignores case
        "https://user@hooks.example",
        "https://user:secret@hooks.example",
        "https://@hooks.example",
        "https://hooks.example#fragment",
        "https://hooks.example/#",
        "https://hooks.example:0",
        "https://hooks.example:0443",
        "https://hooks.example:80",
        "https://hooks.example:8443",
        "https://hooks.example:65536",
        "https://hooks.example:99999",
        "https://hooks.example:",
        "https://hooks.example:443:80",
        "https://hooks.example:4\u0664\u0663",
        "https://hooks.example\\@127.0.0.1",
        "https://hooks.example\\.evil.example",
        "https://hooks.example/a b",
        "https://hooks.example/a\tb",
        "https://hooks.example/\r\nX-Injected: 1",
        "https://hooks.example/%",
        "https://hooks.example/%zz",
        "https://hooks.example/\u00e9",
        "https://hooks.example/<>",
        "https://hooks.example/\x00",
        "https://hooks%2eexample/",
        "https://hooks_1.example/",
        "https://-hooks.example/",
        "https://hooks-.example/",
        "https://hooks..example/",
        "https://hooks.example./",
        "https://.example/",
        "https://xn--a/",
        "https://xn--a.example/",
        "https://\u00ad.example/",
        f"https://{'a' * 64}.example/",
        f"https://{'.'.join(['a' * 60] * 5)}.example/",
        f"https://hooks.example/{'a' * 2048}",
    ],
)
def test_an_odd_url_is_refused(url: str) -> None:
    refused(url)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "017700000001",
        "127.1",
        "127.0.1",
        "0177.0.0.1",
        "0x7f.0.0.1",
        "0x7f.1",
        "127.0.0.0x1",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.256",
        "1.1.1.1.1",
        "0",
        "0x",
        "hooks.0x",
        "hooks.1",
        "\uff11\uff12\uff17.0.0.1",
        "\u2460\u2461\u2466.0.0.1",
        "127\u30020\u30020\u30021",
        "1\u2488\u2488\u24881",
        "[::1",
        "::1",
        "[::1]x",
        "[]",
        "[1.1.1.1]x",
        "[::ffff:1.1.1]",
        "[fe80::1%25eth0]",
        "[2606:4700:4700::1111%251]",
        "[v1.fe80::a]",
        "localhost",
        "LOCALHOST",
        "api.localhost",
        "db",
    ],
)
def test_an_address_that_is_written_otherwise_is_refused(host: str) -> None:
    refused(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/hook",
        "http://127.255.0.9/",
        "https://127.0.0.1:8443/",
        "https://127.0.0.1/",
        "http://[::1]:8080/",
        "http://localhost:8080/",
        "http://receiver/",
        "https://receiver.internal:8443/",
    ],
)
def test_the_operators_networks_may_be_called_plainly(url: str) -> None:
    assert Guard(allow_subnets=LOOPBACK).check_url(url) == url
    if not url.startswith("https://receiver.internal"):
        refused(url)
    refused("http://10.0.0.1/", Guard(allow_subnets=LOOPBACK))
    refused("http://1.1.1.1/", Guard(allow_subnets=LOOPBACK))
    refused("https://1.1.1.1:8443/", Guard(allow_subnets=LOOPBACK))


def test_a_name_on_an_odd_port_must_lead_into_the_operators_networks() -> None:
    guard = Guard([8443], LOOPBACK)
    assert not guard.target("https://hooks.example/").confined
    assert not guard.target("https://hooks.example:8443/").confined
    for url in (
        "https://hooks.example:9443/",
        "http://hooks.example/",
        "https://localhost/",
        "https://a.localhost/",
        "https://db/",
    ):
        assert guard.target(url).confined
    assert guard.allows("127.0.0.1")
    assert guard.allows("1.1.1.1")
    assert guard.listed("127.0.0.1")
    assert not guard.listed("1.1.1.1")
    assert not guard.listed("::ffff:127.0.0.1")
    assert not guard.allows("::ffff:127.0.0.1")


def test_a_port_that_the_operator_allows_is_one() -> None:
    assert Guard([8443]).check_url("https://hooks.example:8443/") == "https://hooks.example:8443/"
    assert "allowed port" in refused("http://hooks.example:8443/", Guard([8443]))


@pytest.mark.parametrize(
    ("name", "value"),
    [("Authorization", "Bearer a.b~c+/="), ("webhook-id", "msg_1"), ("X", "a b  c"), ("X", "!")],
)
def test_a_header_is_one_line(name: str, value: str) -> None:
    check_header(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X", ""),
        ("X", " a"),
        ("X", "a "),
        ("X", "a\r\nHost: other"),
        ("X", "a\nb"),
        ("X", "a\n"),
        ("X", "a\rb"),
        ("X", "a\x00b"),
        ("X", "a\tb"),
        ("X", "a\x7f"),
        ("X", "a\u00e9"),
        ("X", "a\u560a"),  # whose last byte in UTF-16 is a line feed
        ("X", "a" * 4097),
        ("", "a"),
        ("X Y", "a"),
        ("X:", "a"),
        ("X\r\nY", "a"),
        ("X\n", "a"),
        ("\u00e9", "a"),
        ("X" * 65, "a"),
    ],
)
def test_what_would_be_two_is_refused(name: str, value: str) -> None:
    with pytest.raises(Refused) as caught:
        check_header(name, value)
    assert (caught.value.code, caught.value.field) == ("egress-refused", "header")
