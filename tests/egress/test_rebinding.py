"""A host name proves nothing: the hub asks again, looks at every address, and connects to what it has looked at."""

import asyncio
import ssl
from ipaddress import ip_network
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from tests.egress.conftest import LOOPBACK, post, said, through
from tests.egress.servers import Names, certificate, raw, saying, secure
from tocsin.config import Settings
from tocsin.egress import Answer, Egress, Guard, door, open_egress
from tocsin.egress.names import MOST_ADDRESSES, Checked, Nameservers
from tocsin.egress.trust import system_tls
from tocsin.errors import Refused

PUBLIC = "93.184.216.34"
NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"


def test_a_name_that_moves_inside_between_two_questions_is_not_followed(zone: Names) -> None:
    """The rebinding server: public when the endpoint is made, loopback when it is called."""
    with raw(saying(NO_CONTENT)) as inside:
        zone.answers["rebind.example"] = [[PUBLIC], ["127.0.0.1"]]
        egress = through(zone, Guard([inside.port]))
        url = egress.vet(f"https://rebind.example:{inside.port}/hook")
        assert said(egress, post(url)) == "refused"
        assert said(egress, post(url)) == "refused"
        with pytest.raises(Refused, match="does not call"):
            egress.vet(url)
        assert inside.accepted == 0
        assert zone.asked.count("rebind.example") >= 4
        # The same name, the same port: had the guard not looked, it would have been called.
        open_door = through(zone, LOOPBACK)
        assert said(open_door, post(f"http://rebind.example:{inside.port}/hook")) == Answer(204, "", b"")
        assert inside.accepted == 1


@pytest.mark.parametrize(
    "addresses",
    [
        [PUBLIC, "127.0.0.1"],
        ["127.0.0.1", PUBLIC],
        [PUBLIC, "1.1.1.1", "8.8.8.8", "9.9.9.9", "1.0.0.1", "169.254.169.254"],
        [PUBLIC, "::1"],
        [PUBLIC, "::ffff:127.0.0.1"],
        [PUBLIC, "fd00:ec2::254"],
        ["2606:4700:4700::1111", "10.0.0.1"],
        ["100.64.0.1"],
        ["64:ff9b::7f00:1"],
    ],
)
def test_one_bad_address_among_good_ones_spoils_them_all(zone: Names, addresses: list[str]) -> None:
    with raw(saying(NO_CONTENT)) as inside:
        zone.answers["mixed.example"] = [addresses]
        egress = through(zone, Guard([inside.port]))
        url = f"https://mixed.example:{inside.port}/"
        with pytest.raises(Refused) as caught:
            egress.vet(url)
        assert (caught.value.code, caught.value.field) == ("egress-refused", "url")
        assert "mixed" not in str(caught.value)
        assert said(egress, post(url)) == "refused"
        assert inside.accepted == 0


@pytest.mark.parametrize(
    ("guard", "expected"),
    [(LOOPBACK, "refused"), (Guard(allow_subnets=[ip_network("127.0.0.0/30")]), "refused")],
)
def test_a_plain_url_leads_into_the_operators_networks_or_nowhere(
    zone: Names, guard: Guard, expected: str
) -> None:
    zone.answers["plain.example"] = [[PUBLIC]]
    zone.answers["both.example"] = [["127.0.0.1", PUBLIC]]
    egress = through(zone, guard)
    for name in zone.answers:
        assert said(egress, post(f"http://{name}:8080/")) == expected
        with pytest.raises(Refused):
            egress.vet(f"http://{name}:8080/")


def test_a_name_that_leads_nowhere_is_no_address(zone: Names) -> None:
    zone.answers["empty.example"] = [[]]
    egress = through(zone)
    for name in ("empty.example", "unknown.example"):
        assert said(egress, post(f"https://{name}/")) == "dns"
        with pytest.raises(Refused, match="stands for no address"):
            egress.vet(f"https://{name}/")


class Nothing(AbstractResolver):
    """A resolver that finds no address and does not say so."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        return []

    async def close(self) -> None:
        """Nothing to close."""


def test_no_address_at_all_is_not_a_good_one() -> None:
    egress = Egress(resolver=Nothing)
    assert said(egress, post("https://hooks.example/")) == "dns"
    with pytest.raises(Refused, match="stands for no address"):
        egress.vet("https://hooks.example/")


def test_the_operator_says_what_else_may_be_called(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, egress_allow_subnets="127.0.0.0/8", egress_ports="8443")
    egress = open_egress(settings)
    assert egress.vet("HTTP://127.0.0.1:80/hook") == "http://127.0.0.1/hook"
    assert egress.vet("https://1.1.1.1:8443") == "https://1.1.1.1:8443/"
    with pytest.raises(Refused):
        open_egress(Settings(data_dir=tmp_path)).vet("http://127.0.0.1/hook")


def test_no_search_domain_is_put_behind_a_name(zone: Names) -> None:
    said(through(zone), post("https://unknown.example/"))
    assert set(zone.asked) == {"unknown.example"}


def test_a_name_server_that_says_nothing_costs_its_time_and_no_more(
    zone: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "CONNECT_SECONDS", 0.8)
    zone.answers["silent.example"] = None
    zone.answers["quick.example"] = [["127.0.0.1"]]
    egress = through(zone, LOOPBACK)
    with raw(saying(NO_CONTENT)) as served:

        async def all_of_them() -> int:
            # More at once than there are threads: a slow name server must not be a queue for everybody.
            waiting = [asyncio.create_task(egress.send(post("https://silent.example/"))) for _ in range(64)]
            await asyncio.sleep(0.05)
            await egress.send(post(f"http://quick.example:{served.port}/"))
            ended = sum(task.done() for task in waiting)
            found = await asyncio.gather(*waiting, return_exceptions=True)
            assert {getattr(each, "why", None) for each in found} == {"timeout"}
            return ended

        assert egress.run(all_of_them()) == 0
    with pytest.raises(Refused, match="not resolved in time"):
        egress.vet("https://silent.example/")


def test_the_connection_goes_to_the_address_and_the_certificate_to_the_name(
    zone: Names, tmp_path: Path
) -> None:
    public, private = certificate(tmp_path, "hooks.example")
    zone.answers["hooks.example"] = [["127.0.0.2"]]
    zone.answers["other.example"] = [["127.0.0.2"]]
    egress = through(zone, LOOPBACK, ca_file=public)
    names: list[str | None] = []
    with raw(saying(NO_CONTENT), "127.0.0.2", wrap=secure(public, private, names)) as served:
        assert said(egress, post(f"https://hooks.example:{served.port}/a")) == Answer(204, "", b"")
        # Nobody who points a name of theirs here gets a connection under it.
        assert said(egress, post(f"https://other.example:{served.port}/a")) == "tls"
        assert said(egress, post(f"https://127.0.0.2:{served.port}/a")) == "tls"
    assert names[:2] == ["hooks.example", "other.example"]
    (request,) = served.received
    assert f"Host: hooks.example:{served.port}\r\n".encode() in request


def test_an_address_is_looked_at_once_more_before_it_is_connected_to(
    zone: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Should a resolver ever let one through, the socket is not made."""
    monkeypatch.setattr(door, "Checked", lambda inner, _allows: inner)
    with raw(saying(NO_CONTENT)) as inside:
        zone.answers["slip.example"] = [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]]
        egress = through(zone, Guard([inside.port]))
        for _ in range(2):
            assert said(egress, post(f"https://slip.example:{inside.port}/")) == "refused"
        assert inside.accepted == 0


def test_few_of_many_addresses_are_tried(zone: Names) -> None:
    zone.answers["many.example"] = [[f"127.0.1.{number}" for number in range(1, 30)]]

    async def found() -> int:
        checked = Checked(Nameservers(["127.0.0.1"], zone.port), LOOPBACK.listed)
        try:
            return len(await checked.resolve("many.example", 80))
        finally:
            await checked.close()

    assert Egress().run(found()) == MOST_ADDRESSES


def test_tls_is_never_left_out() -> None:
    context = system_tls()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.keylog_filename is None
