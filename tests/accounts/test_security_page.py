"""What somebody signs in with, changed by themselves: lately signed in, never the last way, never upwards."""

from tests.accounts.asking import (
    PASSWORD,
    SESSIONS,
    Codes,
    approved_seed,
    assert_page,
    assert_refused_page,
    assert_signed_out,
    code_sign_in,
    refuses,
    with_codes,
)
from tests.support.authenticator import UP, Authenticator
from tests.support.console import Console, Visitor, approval_asked
from tests.support.hub import Hub
from tests.support.pages import Reader
from tocsin.accounts.rules import RECENT_SECONDS, TRY_SECONDS
from tocsin.accounts.service import enrolling, signing_in
from tocsin.accounts.service.enrolling import new_seed
from tocsin.web.people import Person

HERE = "/console/security"


def add(visitor: Visitor, authenticator: Authenticator, **more):
    offered = visitor.post(f"{HERE}/passkeys/new")
    if offered.status_code != 200:
        return offered
    (challenge,) = [
        str(attrs["data-challenge"])
        for tag, attrs in Reader(offered.text).tags
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
    with refuses(site, SESSIONS | {"passkey"}):
        assert_refused_page(add(visitor, second), "conflict")
        assert_refused_page(add(visitor, Authenticator(), flags=UP), "assertion-unverified-user")
    elsewhere = console.visitor()
    elsewhere.authenticator = second
    assert elsewhere.sign_in().status_code == 303
    assert visitor.post(f"{HERE}/passkeys/remove", passkey=second.id).status_code == 303
    assert_signed_out(elsewhere)
    assert_refused_page(elsewhere.sign_in(), "credential-unknown")
    with refuses(site):
        last = visitor.post(f"{HERE}/passkeys/remove", passkey=visitor.authenticator.id)
        assert_refused_page(last, "conflict")
        assert_refused_page(visitor.post(f"{HERE}/passkeys/remove", passkey=second.id), "not-found")


def test_nobody_touches_the_passkeys_of_others(console: Console, site: Hub, handle: str) -> None:
    visitor, other = console.person(handle), console.person(f"{handle}-b")
    with refuses(site):
        answer = visitor.post(f"{HERE}/passkeys/remove", passkey=other.authenticator.id)
        assert_refused_page(answer, "not-found")


def test_changes_want_somebody_who_has_just_signed_in(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    visitor.get(HERE)
    site.clock.advance(RECENT_SECONDS)
    assert "You signed in more than 15 minutes ago" in assert_page(visitor.get(HERE)).text
    seed, sealed = new_seed(console.accounts.context, handle, visitor.secret)
    code = Codes(site, seed).now()
    with refuses(site):
        assert_refused_page(add(visitor, Authenticator()), "sign-in-again")
        for path, fields in (
            ("passkeys/remove", {"passkey": visitor.authenticator.id}),
            ("codes/new", {}),
            ("codes", {"seed": sealed, "password": PASSWORD, "code": code}),
            ("codes/remove", {}),
            ("recovery", {}),
        ):
            assert_refused_page(visitor.post(f"{HERE}/{path}", **fields), "sign-in-again")
    visitor.sign_in()
    site.clock.advance(30)
    seed, sealed = approved_seed(visitor)
    code = Codes(site, seed).now()
    assert visitor.post(f"{HERE}/codes", seed=sealed, password=PASSWORD, code=code).status_code == 303


def test_password_and_codes_come_and_go(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    with refuses(site):
        assert_refused_page(visitor.post(f"{HERE}/recovery"), "conflict")
    assert_page(visitor.get(f"{HERE}/codes"))
    seed, sealed = approved_seed(visitor)
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
    elsewhere, answer = code_sign_in(console, handle, PASSWORD, codes.now())
    assert answer.status_code == 303
    assert visitor.post(f"{HERE}/codes/remove").status_code == 303
    assert_signed_out(elsewhere)
    assert_page(visitor.get(HERE))
    site.clock.advance(30)
    assert_refused_page(code_sign_in(console, handle, PASSWORD, codes.now())[1], "sign-in-refused")


def test_a_password_cannot_go_when_it_is_the_last_way_in(console: Console, site: Hub, handle: str) -> None:
    visitor, _ = with_codes(console, site, handle)
    with refuses(site):
        assert_refused_page(visitor.post(f"{HERE}/codes/remove"), "conflict")
        answer = visitor.post(f"{HERE}/passkeys/remove", passkey=Authenticator().id)
        assert_refused_page(answer, "passkey-needed")


def test_without_a_provider_there_is_no_way_to_it(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    with refuses(site):
        assert_refused_page(visitor.get("/console/sign-in/openid"), "not-found")
        assert_refused_page(visitor.get("/console/openid?code=x&state=enter.x"), "not-found")
        assert_refused_page(visitor.post(f"{HERE}/openid"), "not-found")


def test_a_new_password_ends_the_session_of_who_knew_the_old_one(
    console: Console, site: Hub, handle: str
) -> None:
    """A thief in a session of theirs guesses no code of now, and is out when the owner changes what there is."""
    owner, codes = with_codes(console, site, handle)
    site.clock.advance(60)
    thief, answer = code_sign_in(console, handle, PASSWORD, codes.now())
    assert answer.status_code == 303
    seed, sealed = new_seed(console.accounts.context, handle)
    typed = {"seed": sealed, "password": "quite another phrase here", "code": Codes(site, seed).now()}
    with refuses(site):
        assert "Code of the app you have now" in assert_page(thief.get(f"{HERE}/codes")).text
        for current in (
            {},
            {"current": "000000"},
            {"current": codes.now()},
            {"current": "aaaa-bbbb-cccc-dddd"},
        ):
            assert_refused_page(thief.post(f"{HERE}/codes", **typed, **current), "code-wrong")
        assert_refused_page(thief.post(f"{HERE}/recovery"), "code-wrong")
        for _ in range(2):
            assert_refused_page(thief.post(f"{HERE}/recovery", current="000000"), "rate-limited")
    site.clock.advance(TRY_SECONDS)
    owner, answer = code_sign_in(console, handle, PASSWORD, codes.now())
    site.clock.advance(30)
    typed |= {"code": Codes(site, seed).now(), "current": codes.now()}
    assert owner.post(f"{HERE}/codes", **typed).status_code == 303
    assert_signed_out(thief)
    assert_page(owner.get(HERE))
    site.clock.advance(30)
    assert_refused_page(code_sign_in(console, handle, PASSWORD, codes.now())[1], "sign-in-refused")
    again = code_sign_in(console, handle, "quite another phrase here", Codes(site, seed).now())[1]
    assert again.status_code == 303


def test_a_recovery_code_stands_for_the_code_of_now_once(console: Console, site: Hub, handle: str) -> None:
    visitor, codes = with_codes(console, site, handle)
    site.clock.advance(30)
    shown = assert_page(visitor.post(f"{HERE}/recovery", current=codes.now())).text
    recovery = next(word for word in shown.split() if word.count("-") == 3)
    seed, sealed = new_seed(console.accounts.context, handle)
    typed = {"seed": sealed, "password": PASSWORD, "code": Codes(site, seed).now(), "current": recovery}
    assert visitor.post(f"{HERE}/codes", **typed).status_code == 303
    assert "9 left" in assert_page(visitor.get(HERE)).text
    with refuses(site):
        assert_refused_page(visitor.post(f"{HERE}/codes", **typed), "code-wrong")


def test_who_signed_in_with_a_passkey_sets_a_password_with_its_answer_alone(
    console: Console, site: Hub, handle: str
) -> None:
    visitor = console.person(handle)
    stolen = console.visitor()
    stolen.cookies = dict(visitor.cookies)
    seed, sealed = new_seed(console.accounts.context, handle)
    typed = {"seed": sealed, "password": PASSWORD, "code": Codes(site, seed).now()}
    with refuses(site):
        assert "A passkey answers for it first" in assert_page(stolen.get(f"{HERE}/codes")).text
        assert_refused_page(stolen.post(f"{HERE}/codes", **typed), "challenge-invalid")
        assert approval_asked(stolen.offer(f"{HERE}/codes/new")) is not None
        assert_refused_page(stolen.post(f"{HERE}/codes/new"), "credential-unknown")
    seed, sealed = approved_seed(visitor)
    # It is good in that session alone, and a slip of the finger is no reason to begin again.
    visitor.sign_in()
    typed = {"seed": sealed, "password": PASSWORD, "code": Codes(site, seed).now()}
    with refuses(site):
        assert_refused_page(visitor.post(f"{HERE}/codes", **typed), "challenge-invalid")
    seed, sealed = approved_seed(visitor)
    slip = visitor.post(f"{HERE}/codes", seed=sealed, password=PASSWORD, code="000000")
    assert "New password" in assert_refused_page(slip, "code-wrong").text
    typed = {"seed": sealed, "password": PASSWORD, "code": Codes(site, seed).now()}
    assert visitor.post(f"{HERE}/codes", **typed).status_code == 303
    assert approval_asked(visitor.offer(f"{HERE}/recovery")) is not None
    assert_page(visitor.post(f"{HERE}/recovery"))


def test_enrolling_with_a_link_ends_every_session_there_was(console: Console, site: Hub, handle: str) -> None:
    first = console.person(handle)
    first.sign_in()
    second = console.visitor()
    assert second.enrol(console.accounts.invite(handle)).status_code == 303
    assert_signed_out(first)
    with_codes(console, site, handle)
    assert_signed_out(second)
    assert first.sign_in().status_code == 303


def test_a_stolen_cookie_makes_and_takes_no_passkey(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle, ("vetter",))
    thief = console.visitor()
    thief.cookies = dict(visitor.cookies)
    page = thief.read(HERE)
    assert not [attrs for tag, attrs in page.tags if tag == "form" and "data-passkey" in attrs]
    with refuses(site):
        question = approval_asked(thief.offer(f"{HERE}/passkeys/new"))
        assert question is not None
        assert_refused_page(thief.post(f"{HERE}/passkeys/new"), "credential-unknown")
        asked = thief.offer(f"{HERE}/passkeys/remove", passkey=visitor.authenticator.id)
        assert_refused_page(asked, "conflict")
        # What a link or another session was given is no offer to this one.
        for challenge in (
            enrolling.offer_more(console.accounts.context, person(console, thief), "x").challenge,
            signing_in.sign_in_challenge(console.accounts.context, thief.secret),
            question.challenge,
        ):
            assert_refused_page(thief.post(f"{HERE}/passkeys", **thief.make(challenge)), "challenge-invalid")
    # The owner's other sessions end with what the owner changes.
    elsewhere = console.visitor()
    elsewhere.authenticator = visitor.authenticator
    assert elsewhere.sign_in().status_code == 303
    assert add(visitor, Authenticator()).status_code == 303
    assert_signed_out(elsewhere)
    assert_page(visitor.get(HERE))


def person(console: Console, visitor: Visitor) -> Person:
    return console.accounts.identify(visitor.secret)
