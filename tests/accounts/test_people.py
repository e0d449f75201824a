"""People as the operator looks after them, approvals, the log of reads, and what is forgotten."""

import pytest

from tests.accounts.asking import assert_page, assert_refused_page, assert_signed_out, refuses, with_codes
from tests.support.console import Console, approval_asked, seat
from tests.support.hub import Hub
from tocsin.accounts.rules import CHALLENGE_SECONDS, READ_LOG_KEPT, READ_LOG_NAMED
from tocsin.accounts.service import directory
from tocsin.accounts.service.secrets import digest
from tocsin.errors import Refused
from tocsin.web.people import Action, Person, Seated

PIXEL = "https://pixel.example"
HERE = "/console/people"


def test_the_operator_makes_people_and_gives_roles(console: Console, site: Hub, handle: str) -> None:
    operator = console.person(handle, ("operator",))
    made = operator.post(HERE, handle=f"{handle}-b", role="vetter", issuer="")
    assert "https://hub.example/console/enrol/" in assert_page(made).text
    found = directory.entry(console.accounts.context, f"{handle}-b")
    assert (found.grants, found.passkeys, found.locked) == ((("vetter", ""),), 0, False)
    there = f"{HERE}/{handle}-b"
    assert operator.post(f"{there}/grant", role="org_admin", issuer=PIXEL).headers["location"] == there
    assert operator.post(f"{there}/revoke", role="vetter", issuer="").status_code == 303
    assert directory.entry(console.accounts.context, f"{handle}-b").grants == (("org_admin", PIXEL),)
    assert "https://hub.example/console/enrol/" in assert_page(operator.post(f"{there}/link")).text
    with refuses(site):
        for path, fields, code in (
            (HERE, {"handle": "Ada"}, "claim-invalid"),
            (HERE, {"handle": "a"}, "claim-invalid"),
            (HERE, {"handle": f"{handle}-c", "role": "board"}, "claim-invalid"),
            (HERE, {"handle": f"{handle}-c", "role": "org_admin"}, "claim-invalid"),
            (HERE, {"handle": f"{handle}-c", "role": "vetter", "issuer": PIXEL}, "claim-invalid"),
            (f"{there}/grant", {"role": "org_admin", "issuer": PIXEL}, "conflict"),
            (f"{there}/revoke", {"role": "vetter"}, "not-found"),
            (f"{HERE}/{handle}/grant", {"role": "auditor"}, "conflict"),
            (f"{HERE}/{handle}/lock", {"locked": "yes"}, "conflict"),
            (f"{HERE}/nobody/grant", {"role": "auditor"}, "not-found"),
            (f"{HERE}/nobody/link", {}, "not-found"),
            (f"{there}/lock", {"locked": "maybe"}, "request-invalid"),
        ):
            assert_refused_page(operator.post(path, **fields), code)


def test_nobody_climbs_by_a_link_or_a_role_from_a_password(console: Console, site: Hub, handle: str) -> None:
    """Neither to themselves nor by somebody they make up; nor with the browser of somebody who has a passkey."""
    operator, _ = with_codes(console, site, f"{handle}-o", ("operator",))
    console.person(f"{handle}-v", ("vetter",))
    there = f"{HERE}/{handle}-v"
    with refuses(site):
        for path, fields in (
            (HERE, {"handle": f"{handle}-x", "role": "vetter"}),
            (HERE, {"handle": f"{handle}-o"}),
            (f"{there}/link", {}),
            (f"{HERE}/{handle}-o/link", {}),
            (f"{there}/grant", {"role": "auditor"}),
        ):
            assert_refused_page(operator.post(path, **fields), "passkey-needed")
    assert "sign in with one" in operator.read(HERE).text
    assert "Make a new link" not in operator.read(there).text
    # What takes away needs no passkey: it may have to be quick.
    assert operator.post(f"{there}/lock", locked="yes").status_code == 303
    visitor = console.person(handle, ("operator",))
    stolen = console.visitor()
    stolen.cookies = dict(visitor.cookies)
    with refuses(site):
        for path, fields in ((HERE, {"handle": f"{handle}-x"}), (f"{there}/link", {})):
            assert approval_asked(stolen.offer(path, **fields)) is not None
            assert_refused_page(stolen.post(path, **fields), "credential-unknown")
        for path, fields in ((HERE, {"handle": handle}), (f"{HERE}/{handle}/link", {})):
            assert_refused_page(visitor.post(path, **fields), "conflict")


def test_nor_does_an_administrator_of_a_member(console: Console, site: Hub, handle: str) -> None:
    here = "/console/organisation/people"
    console.accounts.invite(handle, ("org_admin",), PIXEL)
    admin, _ = with_codes(console, site, handle)
    with refuses(site):
        for name in (handle, f"{handle}-second"):
            assert_refused_page(admin.post(here, handle=name, role="org_admin"), "passkey-needed")
    visitor = console.person(f"{handle}-b", ("org_admin",), PIXEL)
    with refuses(site):
        assert_refused_page(visitor.post(here, handle=f"{handle}-b", role="org_admin"), "conflict")
        assert approval_asked(visitor.offer(here, handle=f"{handle}-c", role="org_admin")) is not None
    # Who has lost every passkey gets a link from somebody else.
    assert f"The link for {handle}" in assert_page(visitor.post(here, handle=handle, role="org_admin")).text


def test_what_is_taken_away_is_gone_at_the_next_click(console: Console, handle: str) -> None:
    context = console.accounts.context
    visitor = console.person(handle, ("operator",))
    assert_page(visitor.get(HERE))
    directory.revoke(context, handle, "operator")
    assert_refused_page(visitor.get(HERE), "role-missing")
    directory.lock(context, handle, locked=True)
    assert_signed_out(visitor)
    assert_refused_page(visitor.sign_in(), "sign-in-refused")
    directory.lock(context, handle, locked=False)
    assert visitor.sign_in().status_code == 303


def test_an_auditor_looks_and_cannot_touch(console: Console, site: Hub, handle: str) -> None:
    auditor = console.person(handle, ("auditor",))
    assert "<form" not in auditor.get(f"{HERE}/{handle}").text.split("<main")[1]
    with refuses(site):
        for path in (HERE, f"{HERE}/{handle}/grant", f"{HERE}/{handle}/lock", f"{HERE}/{handle}/link"):
            assert_refused_page(auditor.post(path, handle="x", role="vetter", locked="yes"), "role-missing")


def test_an_administrator_gives_roles_of_their_member_alone(console: Console, site: Hub, handle: str) -> None:
    context = console.accounts.context
    admin = console.accounts.identify(console.person(handle, ("org_admin",), PIXEL).secret)
    console.accounts.invite(f"{handle}-b")
    directory.grant(context, f"{handle}-b", "org_analyst", PIXEL, admin)
    assert [entry.handle for entry in directory.everyone(context, PIXEL)][-2:] == [handle, f"{handle}-b"]
    with refuses(site):
        for role, issuer, code in (
            ("org_analyst", "https://frame.example", "role-missing"),
            ("vetter", None, "role-missing"),
        ):
            with pytest.raises(Refused, match=code):
                directory.grant(context, f"{handle}-b", role, issuer, admin)
        with pytest.raises(Refused, match="conflict"):
            directory.revoke(context, handle, "org_admin", PIXEL, admin)


def test_an_approval_is_fresh_for_one_thing_and_once(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    seat(site, {handle: Seated("s1", "platform", chair=False, duty=False)})
    accounts = console.accounts
    person = accounts.identify(visitor.secret)
    challenge, allow = accounts.approval(person, "motion.endorse", "motion 3")
    assert allow == (visitor.authenticator.id,)
    signed = visitor.sign(challenge)
    other = accounts.identify(console.person(f"{handle}-b").secret)
    with refuses(site):
        others: list[tuple[Person, Action, str]] = [
            (person, "motion.endorse", "motion 4"),
            (person, "motion.propose", "motion 3"),
            (other, "motion.endorse", "motion 3"),
        ]
        for who, action, subject in others:
            with pytest.raises(Refused, match="challenge-invalid"):
                accounts.approve(who, action, subject, signed)
        with pytest.raises(Refused, match="assertion-unverified-user"):
            accounts.approve(person, "motion.endorse", "motion 3", visitor.sign(challenge, flags=0x01))
    assert accounts.approve(person, "motion.endorse", "motion 3", signed) == visitor.authenticator.id
    with refuses(site, frozenset({"passkey"})), pytest.raises(Refused, match="challenge-invalid"):
        accounts.approve(person, "motion.endorse", "motion 3", signed)
    late, _ = accounts.approval(person, "motion.endorse", "motion 3")
    site.clock.advance(CHALLENGE_SECONDS)
    with pytest.raises(Refused, match="challenge-invalid"):
        accounts.approve(person, "motion.endorse", "motion 3", visitor.sign(late))


def test_every_sensitive_read_is_logged_with_its_purpose(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("vetter",))
    accounts, path = console.accounts, f"/console/applications/{handle}"
    person = accounts.identify(visitor.secret)
    with refuses(site), pytest.raises(Refused, match="purpose-needed"):
        accounts.admit(person, visitor.secret, "application.read", path)
    with refuses(site):
        for action, purpose, code in (
            ("application.read", "own-signals", "request-invalid"),
            ("application.read", "curiosity", "request-invalid"),
            ("signal.read", "investigation", "role-missing"),
            ("home.read", "audit", "request-invalid"),
            ("nothing", "audit", "request-invalid"),
        ):
            assert_refused_page(visitor.post("/console/purpose", action=action, purpose=purpose), code)
    visitor.post("/console/purpose", action="application.read", purpose="vetting")
    for _ in range(2):
        assert accounts.admit(person, visitor.secret, "application.read", path).purpose == "vetting"
    found = directory.reads(accounts.context, path)
    said = [(read.handle, read.action, read.purpose, read.subject) for read in found]
    assert said == [(handle, "application.read", "vetting", digest(path))] * 2
    auditor = console.person(f"{handle}-b", ("auditor",))
    assert (
        f"{handle} application.read vetting {digest(path).hex()[:16]}"
        in assert_page(auditor.get("/console/reads")).text
    )
    # A new session says it anew.
    visitor.sign_in()
    with pytest.raises(Refused, match="purpose-needed"):
        accounts.admit(person, visitor.secret, "application.read", path)


def test_what_is_over_is_forgotten(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("vetter",))
    accounts, path = console.accounts, f"/console/applications/{handle}"
    visitor.post("/console/purpose", action="application.read", purpose="vetting")
    accounts.admit(accounts.identify(visitor.secret), visitor.secret, "application.read", path)
    accounts.invite(f"{handle}-b")
    visitor.sign_in()

    def left(table: str) -> int:
        with site.database.snapshot() as uow:
            return int(uow.conn.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())

    directory.forget(site.database)
    kept = {table: left(table) for table in ("console_session", "enrolment", "used_challenge")}
    assert all(kept.values()), kept
    assert directory.forget(site.database) == 0
    site.clock.advance(READ_LOG_NAMED - 1)
    directory.forget(site.database)
    assert not any(left(table) for table in (*kept, "session_purpose", "sign_in_try"))
    assert [read.handle for read in directory.reads(accounts.context, path)] == [handle]
    site.clock.advance(1)
    directory.forget(site.database)
    assert [read.handle for read in directory.reads(accounts.context, path)] == [None]
    site.clock.advance(READ_LOG_KEPT - READ_LOG_NAMED)
    directory.forget(site.database)
    assert list(directory.reads(accounts.context, path)) == []
    assert site.run_job("accounts.forget") == 0
