"""What somebody signs in with, changed by themselves: lately signed in, never the last way, never upwards."""

from tests.accounts.asking import (
    PASSWORD,
    Codes,
    assert_page,
    assert_refused_page,
    assert_signed_out,
    code_sign_in,
    refuses,
    with_codes,
)
from tests.support.authenticator import UP, Authenticator
from tests.support.console import Console, Visitor
from tests.support.hub import Hub
from tocsin.accounts.rules import RECENT_SECONDS
from tocsin.accounts.service.enrolling import new_seed

HERE = "/console/security"


def add(visitor: Visitor, authenticator: Authenticator, **more):
    (challenge,) = [
        str(attrs["data-challenge"])
        for tag, attrs in visitor.read(HERE).tags
        if tag == "form" and attrs.get("data-passkey") == "create"
    ]
    before, visitor.authenticator = visitor.authenticator, authenticator
    fields = visitor.make(challenge, **more)
    visitor.authenticator = before
    return visitor.post(f"{HERE}/passkeys", **fields)


def test_a_second_passkey_signs_in_as_well_and_can_go_again(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    second = Authenticator("Ed25519")
    assert add(visitor, second).status_code == 303
    with refuses(site):
        assert_refused_page(add(visitor, second), "conflict")
        assert_refused_page(add(visitor, Authenticator(), flags=UP), "assertion-unverified-user")
    elsewhere = console.visitor()
    elsewhere.authenticator = second
    assert elsewhere.sign_in().status_code == 303
    assert visitor.post(f"{HERE}/passkeys/remove", credential=second.id).status_code == 303
    assert_signed_out(elsewhere)
    assert_refused_page(elsewhere.sign_in(), "credential-unknown")
    with refuses(site):
        last = visitor.post(f"{HERE}/passkeys/remove", credential=visitor.authenticator.id)
        assert_refused_page(last, "conflict")
        assert_refused_page(visitor.post(f"{HERE}/passkeys/remove", credential=second.id), "not-found")


def test_nobody_touches_the_passkeys_of_others(console: Console, site: Hub, handle: str) -> None:
    visitor, other = console.person(handle), console.person(f"{handle}-b")
    with refuses(site):
        answer = visitor.post(f"{HERE}/passkeys/remove", credential=other.authenticator.id)
        assert_refused_page(answer, "not-found")


def test_changes_want_somebody_who_has_just_signed_in(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    visitor.get(HERE)
    site.clock.advance(RECENT_SECONDS)
    assert "You signed in more than 15 minutes ago" in assert_page(visitor.get(HERE)).text
    seed, sealed = new_seed(console.accounts.context, handle)
    code = Codes(site, seed).now()
    with refuses(site):
        assert_refused_page(add(visitor, Authenticator()), "sign-in-again")
        for path, fields in (
            ("passkeys/remove", {"credential": visitor.authenticator.id}),
            ("codes", {"seed": sealed, "password": PASSWORD, "code": code}),
            ("codes/remove", {}),
            ("recovery", {}),
        ):
            assert_refused_page(visitor.post(f"{HERE}/{path}", **fields), "sign-in-again")
    visitor.sign_in()
    site.clock.advance(30)
    code = Codes(site, seed).now()
    assert visitor.post(f"{HERE}/codes", seed=sealed, password=PASSWORD, code=code).status_code == 303


def test_password_and_codes_come_and_go(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    with refuses(site):
        assert_refused_page(visitor.post(f"{HERE}/recovery"), "conflict")
    assert_page(visitor.get(f"{HERE}/codes"))
    seed, sealed = new_seed(console.accounts.context, handle)
    codes = Codes(site, seed)
    with refuses(site):
        for password, code, why in (
            (PASSWORD, "000000", "code-wrong"),
            ("short", codes.now(), "claim-invalid"),
        ):
            answer = visitor.post(f"{HERE}/codes", seed=sealed, password=password, code=code)
            assert_refused_page(answer, why)
    assert visitor.post(f"{HERE}/codes", seed=sealed, password=PASSWORD, code=codes.now()).status_code == 303
    site.clock.advance(30)
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303
    assert visitor.post(f"{HERE}/codes/remove").status_code == 303
    site.clock.advance(30)
    assert_refused_page(code_sign_in(console, handle, PASSWORD, codes.now())[1], "sign-in-refused")


def test_a_password_cannot_go_when_it_is_the_last_way_in(console: Console, site: Hub, handle: str) -> None:
    visitor, _ = with_codes(console, site, handle)
    with refuses(site):
        assert_refused_page(visitor.post(f"{HERE}/codes/remove"), "conflict")
        answer = visitor.post(f"{HERE}/passkeys/remove", credential=Authenticator().id)
        assert_refused_page(answer, "passkey-needed")


def test_without_a_provider_there_is_no_way_to_it(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    with refuses(site):
        assert_refused_page(visitor.get("/console/sign-in/openid"), "not-found")
        assert_refused_page(visitor.get("/console/openid?code=x&state=enter.x"), "not-found")
        assert_refused_page(visitor.post(f"{HERE}/openid"), "not-found")
