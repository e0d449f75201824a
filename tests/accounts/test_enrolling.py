"""Enrolment links: once, for fifteen minutes, for one person."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from sqlalchemy import select, text

from tests.accounts.asking import (
    PASSWORD,
    Codes,
    assert_page,
    assert_refused_page,
    assert_signed_out,
    refuses,
)
from tests.support.authenticator import UP
from tests.support.console import Console, Visitor, seat
from tests.support.hub import Hub
from tocsin.accounts.rules import LINK_SECONDS
from tocsin.accounts.service.directory import lock
from tocsin.accounts.service.enrolling import new_seed
from tocsin.accounts.store import people
from tocsin.accounts.store.tables import enrolment
from tocsin.errors import Refused
from tocsin.web.people import Seated

PIXEL, FRAME = "https://pixel.example", "https://frame.example"


def path(link) -> str:
    assert link.url.startswith("https://hub.example/console/enrol/")
    return link.url.removeprefix("https://hub.example")


def test_opening_a_link_does_not_use_it_up_and_making_a_passkey_does(
    console: Console, site: Hub, handle: str
) -> None:
    link = console.accounts.invite(handle)
    for _ in range(3):
        assert handle in assert_page(console.visitor().get(path(link))).text
    visitor = console.visitor()
    assert visitor.enrol(link).status_code == 303
    assert_page(visitor.get("/console"))
    second = console.visitor()
    with refuses(site, frozenset()):
        assert_refused_page(second.get(path(link)), "link-invalid")
        second.read("/console/sign-in")
        assert_refused_page(second.post(path(link), attestation="x"), "link-invalid")


def test_a_link_made_twice_use_of_at_once_makes_one_passkey(console: Console, handle: str) -> None:
    link = console.accounts.invite(handle)
    first, second = console.visitor(), console.visitor()
    forms = [(v, v.make(v._challenge(path(link), "create"))) for v in (first, second)]
    answers = [visitor.post(path(link), **fields) for visitor, fields in forms]
    assert [answer.status_code for answer in answers] == [303, 410]
    assert len(console.accounts.passkeys(handle)) == 1
    assert_signed_out(second)


@contextmanager
def at_once(site: Hub, *calls: Callable[[], int]) -> Iterator[list[Future[int]]]:
    """Let calls that use up a link begin together: each has seen that it is open before any of them goes on.

    The row of the link is held until all wait for it; on SQLite they wait for their turn to write instead.
    """
    with ThreadPoolExecutor(len(calls)) as pool:
        with site.database.transaction() as uow:
            uow.conn.execute(select(enrolment.c.digest).with_for_update()).all()
            yield (futures := [pool.submit(call) for call in calls])
            if site.database.dialect == "postgresql":
                wait_for_locks(site, len(calls))
        assert len([future.result(20) for future in futures]) == len(calls)


def wait_for_locks(site: Hub, waiting: int) -> None:
    """Until that many sessions of this database wait for a row."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    over = time.monotonic() + 20
    while time.monotonic() < over:
        with site.database.snapshot() as uow:
            if uow.conn.execute(query).scalar_one() == waiting:
                return
    raise AssertionError("nobody waits")


def test_of_two_who_use_a_link_at_once_one_enrols(console: Console, site: Hub, handle: str) -> None:
    link = console.accounts.invite(handle)
    visitors = [console.visitor(), console.visitor()]
    forms = [visitor.make(visitor._challenge(path(link), "create")) for visitor in visitors]

    def enrol(visitor: Visitor, fields: dict[str, str]) -> Callable[[], int]:
        return lambda: visitor.post(path(link), **fields).status_code

    with at_once(site, *map(enrol, visitors, forms)) as answers:
        pass
    assert sorted(answer.result() for answer in answers) == [303, 410]
    assert len(console.accounts.passkeys(handle)) == 1


def test_of_a_passkey_and_a_password_at_once_one_is_made(console: Console, site: Hub, handle: str) -> None:
    link = console.accounts.invite(handle)
    visitors = [console.visitor(), console.visitor()]
    made = visitors[0].make(visitors[0]._challenge(path(link), "create"))
    visitors[1].read(path(link))
    seed, sealed = new_seed(console.accounts.context, handle)
    typed = {"seed": sealed, "password": PASSWORD, "code": Codes(site, seed).now()}
    with at_once(
        site,
        lambda: visitors[0].post(path(link), **made).status_code,
        lambda: visitors[1].post(path(link), **typed).status_code,
    ) as answers:
        pass
    assert sorted(answer.result() for answer in answers) == [303, 410]
    found = console.accounts.passkeys(handle)
    with site.database.snapshot() as uow:
        known = people.by_handle(uow, handle)
    assert known is not None
    assert bool(found) != (known.password is not None)


def test_a_link_ends_after_fifteen_minutes(console: Console, site: Hub, handle: str) -> None:
    link = console.accounts.invite(handle)
    visitor = console.visitor()
    fields = visitor.make(visitor._challenge(path(link), "create"))
    site.clock.advance(LINK_SECONDS - 1)
    assert_page(visitor.get(path(link)))
    site.clock.advance(1)
    assert link.expires_at == site.clock()
    with refuses(site, frozenset()):
        assert_refused_page(visitor.get(path(link)), "link-invalid")
        assert_refused_page(visitor.post(path(link), **fields), "link-invalid")
    assert console.accounts.passkeys(handle) == ()


def test_a_newer_link_ends_the_older(console: Console, handle: str) -> None:
    older, newer = console.accounts.invite(handle), console.accounts.invite(handle)
    assert_refused_page(console.visitor().get(path(older)), "link-invalid")
    assert_page(console.visitor().get(path(newer)))


def test_what_is_no_link(console: Console, site: Hub) -> None:
    for token in ("x", "A" * 43, "%00", "A" * 4000):
        with refuses(site, frozenset()):
            assert_refused_page(console.visitor().get(f"/console/enrol/{token}"), "link-invalid")


def test_only_an_authenticator_that_asks_who_is_there(console: Console, site: Hub, handle: str) -> None:
    link = console.accounts.invite(handle)
    visitor = console.visitor()

    def made(**more):
        return visitor.make(visitor._challenge(path(link), "create"), **more)

    other = console.visitor()
    others_link = console.accounts.invite(f"{handle}-b")
    with refuses(site, frozenset()):
        for fields, code in (
            (made(flags=UP), "assertion-unverified-user"),
            (made(origin="https://evil.example"), "assertion-invalid"),
            (made(type="webauthn.get"), "assertion-invalid"),
            ({**made(), "attestation": "AAAA"}, "assertion-invalid"),
            ({**made(), "attestation": ""}, "request-invalid"),
            ({**made(), "client_data": "e30"}, "assertion-invalid"),
            (visitor.make(other._challenge(path(others_link), "create")), "challenge-invalid"),
        ):
            assert_refused_page(visitor.post(path(link), **fields), code)
    assert_signed_out(visitor)
    assert visitor.post(path(link), **made()).status_code == 303


def test_a_passkey_belongs_to_one_person(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    other = console.visitor()
    other.authenticator = visitor.authenticator
    link = console.accounts.invite(f"{handle}-b")
    fields = other.make(other._challenge(path(link), "create"))
    with refuses(site, frozenset()):
        assert_refused_page(other.post(path(link), **fields), "conflict")


def test_a_password_that_is_easily_guessed_is_refused(console: Console, site: Hub, handle: str) -> None:
    link = console.accounts.invite(handle)
    visitor = console.visitor()
    visitor.read(path(link))
    seed, sealed = new_seed(console.accounts.context, handle)
    code = Codes(site, seed).now()
    with refuses(site, frozenset()):
        for password in ("short", "a" * 40, f"{handle}{handle}", "x" * 129):
            answer = visitor.post(path(link), seed=sealed, password=password, code=code)
            assert_refused_page(answer, "claim-invalid")
        answer = visitor.post(path(link), seed=sealed, password=PASSWORD, code="000000")
        assert_refused_page(answer, "code-wrong")
        answer = visitor.post(path(link), seed=sealed[:-4], password=PASSWORD, code=code)
        assert_refused_page(answer, "challenge-invalid")
    assert visitor.post(path(link), seed=sealed, password=PASSWORD, code=code).status_code == 303


def test_somebody_locked_out_cannot_enrol(console: Console, handle: str) -> None:
    link = console.accounts.invite(handle)
    lock(console.accounts.context, handle, locked=True)
    assert_refused_page(console.visitor().get(path(link)), "link-invalid")


def test_a_link_from_the_operator_gives_nobody_a_seat(console: Console, site: Hub, handle: str) -> None:
    """A new passkey of a seated person signs in, and approves nothing until the roster names it."""
    owner = console.person(handle)
    named = frozenset({owner.authenticator.id})
    seat(site, {handle: Seated("s1", "platform", chair=False, duty=False, credentials=named)})
    assert console.accounts.identify(owner.secret).passkey
    taker = console.visitor()
    assert taker.enrol(console.accounts.invite(handle)).status_code == 303
    taken = console.accounts.identify(taker.secret)
    assert (taken.handle, taken.method, taken.passkey) == (handle, "passkey", False)
    with pytest.raises(Refused, match="passkey-unseated"):
        console.accounts.admit(taken, taker.secret, "motion.endorse", "/console")
    challenge, allow = console.accounts.approval(taken, "motion.endorse", "3")
    assert allow == (owner.authenticator.id,)
    with pytest.raises(Refused, match="credential-unknown"):
        console.accounts.approve(taken, "motion.endorse", "3", taker.sign(challenge))


def test_whom_an_administrator_of_a_member_may_invite(console: Console, site: Hub, handle: str) -> None:
    admin = console.accounts.identify(console.person(handle, ["org_admin"], PIXEL).secret)
    invite = console.accounts.invite
    invite(f"{handle}-new", ("org_analyst",), PIXEL, admin)
    invite(f"{handle}-new", ("org_admin",), PIXEL, admin)
    invite(f"{handle}-vet", ("vetter",))
    invite(f"{handle}-else", ("org_analyst",), FRAME)
    invite(f"{handle}-seat")
    seat(site, {f"{handle}-seat": Seated("s1", "platform", chair=False, duty=False)})
    with refuses(site, frozenset()):
        for who, roles, issuer, code in (
            (f"{handle}-x", ("org_analyst",), FRAME, "role-missing"),
            (f"{handle}-x", ("vetter",), None, "role-missing"),
            (f"{handle}-x", ("vetter",), PIXEL, "claim-invalid"),
            (f"{handle}-x", ("board",), None, "claim-invalid"),
            (f"{handle}-vet", ("org_analyst",), PIXEL, "forbidden-person"),
            (f"{handle}-else", ("org_analyst",), PIXEL, "forbidden-person"),
            (f"{handle}-seat", ("org_analyst",), PIXEL, "forbidden-person"),
            ("Ada", (), PIXEL, "claim-invalid"),
        ):
            with pytest.raises(Refused, match=code):
                invite(who, roles, issuer, admin)
