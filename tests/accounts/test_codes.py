"""Password and codes: they let somebody in to read, once a code, and never to approve."""

import pytest
from argon2 import PasswordHasher

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
from tests.support.console import Console, seat
from tests.support.counted import statements
from tests.support.hub import Hub
from tocsin.accounts.rules import HUB_TRIES, HUB_TRY_SECONDS, TRIES, TRY_SECONDS
from tocsin.accounts.service import passwords
from tocsin.accounts.service.directory import lock
from tocsin.accounts.service.enrolling import new_seed
from tocsin.accounts.service.signing_in import sign_in_with_code
from tocsin.errors import Refused
from tocsin.web.people import Seated

STEP = 30
RECOVERY = "aaaa-bbbb-cccc-dddd"


@pytest.fixture(autouse=True)
def _later(site: Hub) -> None:
    """What earlier tests tried is forgotten."""
    site.clock.advance(TRY_SECONDS)


def test_a_password_and_a_code_sign_in(console: Console, site: Hub, handle: str) -> None:
    _, codes = with_codes(console, site, handle)
    for early_or_late in (1, 3, 4):
        site.clock.advance(STEP * 2)
        visitor, answer = code_sign_in(console, handle, PASSWORD, codes.now(early_or_late % 3 - 1))
        assert (answer.status_code, answer.headers["location"]) == (303, "/console")
        assert_page(visitor.get("/console"))


def test_a_code_is_good_once(console: Console, site: Hub, handle: str) -> None:
    _, codes = with_codes(console, site, handle)
    # The one of the enrolment is used up as well.
    with refuses(site):
        _, answer = code_sign_in(console, handle, PASSWORD, codes.now())
        assert_refused_page(answer, "sign-in-refused")
    site.clock.advance(STEP)
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303
    for code in (codes.now(), codes.now(-1)):
        assert_refused_page(code_sign_in(console, handle, PASSWORD, code)[1], "sign-in-refused")


def test_every_refusal_is_the_same(console: Console, site: Hub, handle: str) -> None:
    _, codes = with_codes(console, site, handle)
    console.person(f"{handle}-key")
    site.clock.advance(STEP)
    said = set()
    for who, password, code in (
        (handle, "another password altogether", codes.now()),
        (handle, PASSWORD, "000000"),
        (handle, PASSWORD, codes.now(4)),
        (handle, PASSWORD, "\u0661\u0662\u0663\u0664\u0665\u0666"),
        (f"{handle}-key", PASSWORD, "000000"),
        ("nobody-at-all", PASSWORD, codes.now()),
        ("<script>alert(1)</script>", PASSWORD, codes.now()),
        ("", "", ""),
    ):
        visitor, answer = code_sign_in(console, who, password, code)
        said.add(assert_refused_page(answer, "sign-in-refused").text)
        assert "alert(1)" not in answer.text
        assert_signed_out(visitor)
    assert len(said) == 1
    lock(console.accounts.context, handle, locked=True)
    assert_refused_page(code_sign_in(console, handle, PASSWORD, codes.now())[1], "sign-in-refused")


def test_every_refusal_takes_the_same_work(console: Console, site: Hub, handle: str) -> None:
    """Counted, not timed: the statements that each refusal sends to the database."""
    _, codes = with_codes(console, site, handle)
    _, locked = with_codes(console, site, f"{handle}-locked")
    lock(console.accounts.context, f"{handle}-locked", locked=True)
    site.clock.advance(STEP)

    def work(who: str, password: str, code: str) -> list[str]:
        with statements() as sent, pytest.raises(Refused, match="sign-in-refused"):
            sign_in_with_code(console.accounts.context, who, password, code)
        return sent

    nobodys = work("nobody-at-all", PASSWORD, "000000")
    assert any(statement.startswith("UPDATE person") for statement in nobodys)
    assert work(handle, "another password altogether", codes.now()) == nobodys
    assert work(handle, PASSWORD, "000000") == nobodys
    assert work(handle, PASSWORD, codes.now(-1)) == nobodys, "it was used already"
    assert work(f"{handle}-locked", PASSWORD, locked.now()) == nobodys
    nobodys = work("nobody-at-all", PASSWORD, RECOVERY)
    assert any(statement.startswith("DELETE FROM recovery_code") for statement in nobodys)
    assert work(handle, "another password altogether", RECOVERY) == nobodys
    assert work(handle, PASSWORD, RECOVERY) == nobodys


def test_guessing_is_slowed_for_a_handle(console: Console, site: Hub, handle: str) -> None:
    _, codes = with_codes(console, site, handle)
    site.clock.advance(STEP)
    for _ in range(TRIES):
        assert_refused_page(code_sign_in(console, handle, PASSWORD, "000000")[1], "sign-in-refused")
    with refuses(site):
        _, answer = code_sign_in(console, handle, PASSWORD, codes.now())
        assert_refused_page(answer, "rate-limited")
    assert 0 < int(answer.headers["retry-after"]) <= TRY_SECONDS
    site.clock.advance(int(answer.headers["retry-after"]))
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303
    # One that was right clears what came before.
    for _ in range(TRIES):
        assert_refused_page(code_sign_in(console, handle, PASSWORD, "000000")[1], "sign-in-refused")


def test_guessing_is_slowed_for_the_hub(console: Console, site: Hub, handle: str, monkeypatch) -> None:
    monkeypatch.setattr("tocsin.accounts.rules.HUB_TRIES", 6)
    _, codes = with_codes(console, site, handle)
    site.clock.advance(STEP)
    answers = [code_sign_in(console, f"{handle}-{n}", PASSWORD, "000000")[1].status_code for n in range(6)]
    assert set(answers) == {401}
    _, answer = code_sign_in(console, handle, PASSWORD, codes.now())
    assert_refused_page(answer, "rate-limited")
    assert 0 < int(answer.headers["retry-after"]) <= HUB_TRY_SECONDS < HUB_TRIES * HUB_TRY_SECONDS
    site.clock.advance(HUB_TRY_SECONDS)
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303


def test_what_is_refused_unlooked_leaves_no_row_of_its_handle(
    console: Console, site: Hub, handle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.accounts.rules.HUB_TRIES", 3)

    def rows() -> int:
        with site.database.snapshot() as uow:
            return int(uow.conn.exec_driver_sql("SELECT count(*) FROM sign_in_try").scalar_one())

    answers = [code_sign_in(console, f"{handle}-{n}", PASSWORD, "000000")[1].status_code for n in range(3)]
    before = rows()
    answers += [code_sign_in(console, f"{handle}-x{n}", PASSWORD, "000000")[1].status_code for n in range(9)]
    assert answers == [401] * 3 + [429] * 9
    assert rows() == before


def test_recovery_codes_stand_for_a_code_once(console: Console, site: Hub, handle: str) -> None:
    visitor, codes = with_codes(console, site, handle)
    site.clock.advance(STEP)
    shown = assert_page(visitor.post("/console/security/recovery", current=codes.now()))
    recovery = [word for word in shown.text.split() if word.count("-") == 3]
    assert len(set(recovery)) == 10
    written = recovery[0].upper().replace("-", " ")
    assert code_sign_in(console, handle, PASSWORD, written)[1].status_code == 303
    for used in (recovery[0], "aaaa-bbbb-cccc-dddd", "aaaa", "1"):
        assert_refused_page(code_sign_in(console, handle, PASSWORD, used)[1], "sign-in-refused")
    assert "9 left" in assert_page(visitor.get("/console/security")).text
    # New ones void the old.
    site.clock.advance(TRY_SECONDS - STEP)
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303
    visitor, _ = code_sign_in(console, handle, PASSWORD, recovery[2])
    assert_page(visitor.post("/console/security/recovery", current=recovery[3]))
    assert_refused_page(code_sign_in(console, handle, PASSWORD, recovery[1])[1], "sign-in-refused")
    site.clock.advance(TRY_SECONDS)
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303


def test_the_seed_and_the_password_are_not_in_the_database(
    console: Console, site: Hub, handle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def row():
        with site.database.snapshot() as uow:
            query = f"SELECT password, totp FROM person WHERE handle = '{handle}'"
            return uow.conn.exec_driver_sql(query).one()

    _, codes = with_codes(console, site, handle)
    assert row().password.startswith("$argon2id$")
    assert codes.seed.encode() not in bytes(row().totp)
    # As a hub hashes it; whoever signs in has an older hash renewed.
    monkeypatch.setattr(passwords, "HASHER", PasswordHasher())
    site.clock.advance(STEP)
    assert code_sign_in(console, handle, PASSWORD, codes.now())[1].status_code == 303
    assert row().password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")


def test_whoever_came_with_a_password_reads_and_approves_nothing(
    console: Console, site: Hub, handle: str
) -> None:
    visitor, _ = with_codes(console, site, handle)
    seat(site, {handle: Seated("s1", "platform", chair=True, duty=True)})
    person = console.accounts.identify(visitor.secret)
    assert (person.method, person.passkey, person.seat is not None) == ("code", False, True)
    assert console.accounts.may(person, "motion.vote")
    console.accounts.admit(person, visitor.secret, "motion.read", "/console")
    for action in ("motion.vote", "motion.propose", "emergency.sign", "application.vet"):
        with pytest.raises(Refused, match="passkey-needed"):
            console.accounts.admit(person, visitor.secret, action, "/console")
    # Nor can they make themselves a passkey to do it with.
    assert_refused_page(visitor.post("/console/security/passkeys"), "passkey-needed")
    assert "Make another passkey" not in visitor.get("/console/security").text


def test_a_seed_is_sealed_for_one_person(console: Console, site: Hub, handle: str) -> None:
    visitor = console.person(handle)
    seed, sealed = new_seed(console.accounts.context, "somebody-else")
    with refuses(site):
        answer = visitor.post(
            "/console/security/codes", seed=sealed, password=PASSWORD, code=Codes(site, seed).now()
        )
    assert_refused_page(answer, "challenge-invalid")
