"""Signing in with a passkey, and what ends a session."""

import pytest

from tests.accounts.asking import assert_page, assert_refused_page, assert_signed_out, refuses
from tests.support.authenticator import AT, UP, Authenticator
from tests.support.console import Console, Visitor
from tests.support.hub import Hub
from tocsin.accounts.rules import ABSOLUTE_SECONDS, CHALLENGE_SECONDS, IDLE_SECONDS
from tocsin.web.console import COOKIE, RETURN_COOKIE, new_secret


def challenge(visitor: Visitor) -> str:
    forms = [attrs for tag, attrs in visitor.read("/console/sign-in").tags if tag == "form"]
    (found,) = [form["data-challenge"] for form in forms if form.get("data-passkey")]
    assert found is not None
    return found


def sign_in(visitor: Visitor, **more):
    return visitor.post("/console/sign-in/passkey", **visitor.sign(challenge(visitor), **more))


@pytest.mark.parametrize("alg", ["ES256", "Ed25519"])
def test_a_passkey_signs_in(console: Console, handle: str, alg) -> None:
    visitor = console.visitor()
    visitor.authenticator = Authenticator(alg)
    assert visitor.enrol(console.accounts.invite(handle)).status_code == 303
    assert handle in assert_page(visitor.get("/console")).text
    assert visitor.post("/console/sign-out").status_code == 303
    assert_signed_out(visitor)
    answer = visitor.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (303, "/console")
    assert handle in assert_page(visitor.get("/console")).text
    (passkey,) = console.accounts.passkeys(handle)
    assert (passkey.id, passkey.jwk) == (visitor.authenticator.id, visitor.authenticator.jwk)


def test_signing_in_gives_a_new_cookie_and_takes_over_none(console: Console, handle: str) -> None:
    """Session fixation: a cookie that was there before, planted or not, never becomes a session."""
    visitor = console.person(handle)
    visitor.post("/console/sign-out")
    planted = new_secret()
    visitor.cookies[COOKIE] = planted
    assert visitor.sign_in().status_code == 303
    assert visitor.secret != planted
    thief = console.visitor()
    thief.cookies[COOKIE] = planted
    assert_signed_out(thief)
    first = visitor.secret
    assert visitor.sign_in().status_code == 303
    assert visitor.secret != first


def test_whoever_was_going_somewhere_arrives_there(console: Console, handle: str) -> None:
    visitor = console.person(handle)
    visitor.post("/console/sign-out")
    assert visitor.get("/console/security").headers["location"] == "/console/sign-in"
    assert visitor.sign_in().headers["location"] == "/console/security"
    assert RETURN_COOKIE not in visitor.cookies


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/log", "/console/%2e%2e/log", "/console//x"]
)
def test_nobody_is_sent_elsewhere(console: Console, handle: str, elsewhere: str) -> None:
    visitor = console.person(handle)
    visitor.post("/console/sign-out")
    visitor.cookies[RETURN_COOKIE] = elsewhere
    assert visitor.sign_in().headers["location"] == "/console"


def test_an_answer_is_good_once(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    visitor.post("/console/sign-out")
    fields = visitor.sign(challenge(visitor))
    before = dict(visitor.cookies)
    assert visitor.post("/console/sign-in/passkey", **fields).status_code == 303
    replayed = console.visitor()
    replayed.cookies = before
    with refuses(site, frozenset()):
        assert_refused_page(replayed.post("/console/sign-in/passkey", **fields), "challenge-invalid")
    assert_signed_out(replayed)


def test_a_challenge_is_for_one_visitor_and_five_minutes(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    visitor.post("/console/sign-out")
    other = console.visitor()
    fields = visitor.sign(challenge(other))
    visitor.read("/console/sign-in")
    with refuses(site, frozenset()):
        assert_refused_page(visitor.post("/console/sign-in/passkey", **fields), "challenge-invalid")
    fields = visitor.sign(challenge(visitor))
    site.clock.advance(CHALLENGE_SECONDS)
    with refuses(site, frozenset()):
        assert_refused_page(visitor.post("/console/sign-in/passkey", **fields), "challenge-invalid")


def test_what_is_no_answer_is_refused(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    visitor.post("/console/sign-out")
    other = Authenticator()
    other.credential_id = visitor.authenticator.credential_id
    asked = challenge(visitor)
    good = visitor.sign(asked)
    stranger = {**good, "credential": Authenticator().id}
    forged = visitor.authenticator
    visitor.authenticator = other
    wrong_key = visitor.sign(challenge(visitor))
    visitor.authenticator = forged
    cases = [
        (sign_in(visitor, flags=UP), "assertion-unverified-user"),
        (sign_in(visitor, flags=0x04), "assertion-invalid"),
        (sign_in(visitor, flags=AT | UP), "assertion-invalid"),
        (sign_in(visitor, origin="https://evil.example"), "assertion-invalid"),
        (sign_in(visitor, type="webauthn.create"), "assertion-invalid"),
        (visitor.post("/console/sign-in/passkey", **stranger), "credential-unknown"),
        (visitor.post("/console/sign-in/passkey", **wrong_key), "assertion-invalid"),
        (visitor.post("/console/sign-in/passkey", **{**good, "signature": "AAAA"}), "assertion-invalid"),
        (visitor.post("/console/sign-in/passkey", **{**good, "signature": ""}), "request-invalid"),
        (
            visitor.post("/console/sign-in/passkey", **{**good, "authenticator_data": "AAAA"}),
            "assertion-invalid",
        ),
        (visitor.post("/console/sign-in/passkey", **{**good, "client_data": "e30"}), "assertion-invalid"),
        (visitor.post("/console/sign-in/passkey", **{**good, "client_data": "*"}), "request-invalid"),
        (visitor.post("/console/sign-in/passkey"), "request-invalid"),
    ]
    for number, (answer, code) in enumerate(cases):
        assert_refused_page(answer, code), number
        assert "alert" in answer.text
    assert_signed_out(visitor)
    party = visitor.party
    visitor.party = type(party)("evil.example", party.origin)
    assert_refused_page(sign_in(visitor), "assertion-invalid")
    visitor.party = party
    assert sign_in(visitor).status_code == 303


def test_a_counter_that_goes_back_kills_the_passkey_and_its_sessions(
    console: Console, site: Hub, handle: str
) -> None:
    visitor = console.visitor()
    visitor.authenticator.sign_count = 5
    visitor.enrol(console.accounts.invite(handle))
    elsewhere = console.visitor()
    elsewhere.authenticator = visitor.authenticator
    visitor.authenticator.sign_count = 6
    assert elsewhere.sign_in().status_code == 303
    # The copy does not know how often the other was used.
    visitor.authenticator.sign_count = 6
    third = console.visitor()
    third.authenticator = visitor.authenticator
    assert_refused_page(third.sign_in(), "credential-cloned")
    assert_signed_out(elsewhere)
    assert_signed_out(visitor)
    visitor.authenticator.sign_count = 7
    with refuses(site):
        assert_refused_page(third.sign_in(), "credential-cloned")


def test_a_session_ends_when_it_is_not_used(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    for _ in range(3):
        site.clock.advance(IDLE_SECONDS - 1)
        assert visitor.get("/console").status_code == 200
    site.clock.advance(IDLE_SECONDS)
    assert_signed_out(visitor)


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(
    console: Console, site: Hub, handle: str
) -> None:
    visitor = console.person(handle)
    step = IDLE_SECONDS - 1
    for _ in range(ABSOLUTE_SECONDS // step):
        site.clock.advance(step)
        assert visitor.get("/console").status_code == 200
    site.clock.advance(ABSOLUTE_SECONDS % step)
    assert_signed_out(visitor)


def test_signing_out_ends_the_session_and_not_the_cookie_alone(console: Console, handle: str) -> None:
    visitor = console.person(handle)
    kept = visitor.secret
    assert visitor.post("/console/sign-out").headers["location"] == "/console/sign-in"
    assert COOKIE not in visitor.cookies
    visitor.cookies[COOKIE] = kept
    assert_signed_out(visitor)


def test_signing_out_everywhere(console: Console, handle: str) -> None:
    visitor = console.person(handle)
    other = console.visitor()
    other.authenticator = visitor.authenticator
    other.sign_in()
    assert visitor.post("/console/security/sessions/end").status_code == 303
    assert_signed_out(visitor)
    assert_signed_out(other)


def test_what_nobody_signed_in_may_see_is_a_way_to_sign_in(console: Console) -> None:
    visitor = console.visitor()
    for path in ("/console", "/console/people", "/console/security", "/console/reads", "/console/people/ada"):
        answer = visitor.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/console/sign-in")
    visitor.read("/console/sign-in")
    assert_refused_page(visitor.post("/console/people", handle="ada"), "signed-out")
    assert_page(visitor.get("/console/nothing"), 404)
    assert_page(visitor.send("DELETE", "/console/people"), 405)
    assert "application/problem+json" in visitor.get("/consolex").headers["content-type"]


def test_passkeys_keep_no_word_of_anybody(console: Console, site: Hub, handle: str) -> None:
    console.person(handle)
    with site.database.snapshot() as uow:
        rows = uow.conn.exec_driver_sql("SELECT digest FROM console_session").all()
    assert all(len(bytes(row.digest)) == 32 for row in rows)
