"""Who is kept from an application: recused, by their own word or by themselves, or not asked yet whether they are."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from tests.support.board import DOCUMENT, VETTERS, Board, form, governed
from tests.support.clock import MovableClock
from tests.support.officers import panel, seats
from tests.support.state import contents
from tocsin.config import Settings
from tocsin.governance.rules.people import Caller
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import appeals, applications, motions, vetting
from tocsin.governance.service.views import ApplicationLine, Applied
from tocsin_schemas import envelope
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import dump_object
from tocsin_schemas.vocabulary import Choice

ISSUER = "https://newcomer.example"
RECUSED, ASKED = ("ballot-recused", "seat"), ("conflict", "conflict")


@pytest.fixture
def board(settings: Settings, clock: MovableClock) -> Iterator[Board]:
    """Five seats and a panel; two members that may sponsor. The term of s5 ends in fifty days."""
    officers = seats(5)
    ends = rfc3339(clock.now + 50 * DAY)[:10]
    officers[4] = replace(officers[4], seat=officers[4].seat.model_copy(update={"term_ends": ends}))
    with governed(settings, clock, [*officers, *panel()]) as made:
        for name in ("pixel", "kiosk"):
            made.member(name)
        made.activate("pixel", "kiosk")
        yield made


def applied(board: Board, **wanted: Any) -> Applied:
    whole = form(board.hub, "newcomer", SigningKey.generate(), communities={}, **wanted)
    return applications.apply(board.chamber, whole, submit=True)


def moved(board: Board, application: str) -> str:
    """A motion of s1's to admit whoever handed that in."""
    board.vet(application)
    board.sponsor(application)
    return motions.propose_admission(board.chamber, board.seated("s1"), application)


def by(board: Board, seat: str) -> Caller:
    return Caller(board.seated(seat).handle, frozenset({"board"}))


def acts(board: Board, application: str, caller: Caller) -> list[Callable[[], object]]:
    """Everything that somebody may read of an application, or do to it."""
    at = board.chamber
    return [
        partial(applications.application, at, application, caller),
        partial(vetting.report, at, application, caller),
        partial(vetting.begin, at, application, caller),
        partial(vetting.discard, at, application, caller),
        partial(vetting.request_info, at, application, caller, ["domain"]),
        partial(vetting.check, at, application, caller, ITEMS[0], "pass", DOCUMENT),
    ]


def closed(board: Board, application: str, caller: Caller, *why: str) -> ApplicationLine:
    """Nothing opens, and nothing changes; the line that a list has of it."""
    before = contents(board.hub.database)
    for act in acts(board, application, caller):
        with pytest.raises(Refused) as refused:
            act()
        assert (refused.value.code, refused.value.field) == why
    (line,) = applications.applications(board.chamber, caller)
    assert (line.file, line.status.id) == (None, application)
    assert contents(board.hub.database) == before
    return line


def opened(board: Board, application: str, caller: Caller) -> None:
    assert applications.application(board.chamber, application, caller).id == application
    (line,) = applications.applications(board.chamber, caller)
    assert line.file is not None


def test_a_seat_says_first_whether_it_has_a_conflict(board: Board) -> None:
    chamber, application = board.chamber, applied(board).id
    for seat in ("s2", "s3"):
        opened(board, application, by(board, seat))
    motion = moved(board, application)
    # Who proposed it has opened it already; whoever vets without a seat is asked nothing.
    for caller in (by(board, "s1"), *VETTERS, Caller("aud", frozenset({"auditor"}))):
        opened(board, application, caller)
    assert closed(board, application, by(board, "s2"), *ASKED).motion == motion
    motions.declare(chamber, board.seated("s2"), motion, conflict=False)
    opened(board, application, by(board, "s2"))
    # What was said of no conflict can still become one.
    motions.declare(chamber, board.seated("s2"), motion, conflict=True)
    assert closed(board, application, by(board, "s2"), *RECUSED).motion is None
    # The motion goes on: nobody has stopped it.
    assert applications.status(chamber, application).state == "vetting"
    motions.declare(chamber, board.seated("s3"), motion, conflict=False)
    board.endorse(motion, "s3")
    vetting.request_info(chamber, application, by(board, "s3"), ["domain"])


def test_what_a_seat_found_before_it_said_so_stands(board: Board) -> None:
    chamber, application = board.chamber, applied(board).id
    vetting.begin(chamber, application, by(board, "s2"))
    for item in ITEMS:
        for caller in (by(board, "s2"), VETTERS[0]):
            vetting.check(chamber, application, caller, item, "pass", DOCUMENT)
    board.sponsor(application)
    report = vetting.report(chamber, application, VETTERS[0])
    motion = motions.propose_admission(chamber, board.seated("s1"), application)
    motions.declare(chamber, board.seated("s2"), motion, conflict=True)
    assert vetting.report(chamber, application, VETTERS[0]) == report
    closed(board, application, by(board, "s2"), *RECUSED)
    decided = board.carry(motion)
    assert (decided.result, decided.params["vetting"]) == ("passes", report.digest)


def test_a_word_given_holds_until_the_next_motion_asks(board: Board) -> None:
    chamber, application = board.chamber, applied(board).id
    motion = moved(board, application)
    motions.declare(chamber, board.seated("s3"), motion, conflict=True)
    motions.withdraw(chamber, board.seated("s1"), motion)
    closed(board, application, by(board, "s3"), *RECUSED)
    # Nor does it move the admission itself, at the console or by a signed act.
    for propose in (motions.propose_admission, motions.rehearse_admission):
        with pytest.raises(Refused, match="ballot-recused"):
            propose(chamber, board.seated("s3"), application)
    said = {
        "seat": "s3",
        "aud": board.hub.issuer,
        "iat": board.clock.now,
        "jti": "a" * 32,
        "act": "propose-admission",
        "application": application,
    }
    key = board.officers["s3"].key
    assert key is not None
    signed = envelope.sign(dump_object(said), key, "tocsin-seat-act+jwt")
    answer = board.hub.http.post(
        "/v1/board/acts", content=signed, headers={"Content-Type": "application/jwt"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "ballot-recused")
    assert len(motions.docket(chamber)) == 1
    # A seat that was never asked is not asked by what is over.
    opened(board, application, by(board, "s2"))
    board.clock.advance(1)
    again = motions.propose_admission(chamber, board.seated("s2"), application)
    assert closed(board, application, by(board, "s3"), *ASKED).motion == again
    assert closed(board, application, by(board, "s1"), *ASKED).motion == again


def test_a_tie_closes_it_while_the_tie_counts(board: Board) -> None:
    chamber, application, now = board.chamber, applied(board).id, board.clock.now
    motions.declare_tie(chamber, board.seated("s2"), ISSUER, None)
    motions.declare_tie(chamber, board.seated("s3"), ISSUER, now - 729 * DAY)
    motions.declare_tie(chamber, board.seated("s4"), ISSUER, now - 731 * DAY)
    for seat in ("s2", "s3"):
        closed(board, application, by(board, seat), *RECUSED)
    opened(board, application, by(board, "s4"))
    # The tie is the person's: with the role of a vetter beside it they vet no more.
    closed(board, application, Caller("handle-s2", frozenset({"vetter"})), *RECUSED)
    moved(board, application)
    closed(board, application, by(board, "s2"), *RECUSED)
    closed(board, application, by(board, "s4"), *ASKED)


def test_a_seat_of_the_applicants_or_a_sponsors_owner_is_recused_by_itself(board: Board) -> None:
    group = board.officers["s2"].seat.control_group
    assert group is not None
    application = applied(board, owner=group).id
    reading = acts(board, application, by(board, "s2"))[0]
    with pytest.raises(Refused, match="ballot-recused"):
        reading()
    (line,) = applications.applications(board.chamber, by(board, "s2"))
    assert line == (applications.status(board.chamber, application), None, None)
    opened(board, application, by(board, "s3"))

    board.member("seat-s3", owner=board.officers["s3"].seat.control_group)
    board.activate("seat-s3")
    caller = Caller("adam", frozenset({"org_admin"}), "https://seat-s3.example")
    applications.sponsor(board.chamber, application, caller)
    closed(board, application, by(board, "s3"), *RECUSED)


def test_an_appeal_against_the_rejection_asks_too(board: Board) -> None:
    chamber, made = board.chamber, applied(board)
    no: dict[str, Choice] = {f"s{number}": "no" for number in range(1, 6)}
    assert board.carry(moved(board, made.id), no).result == "fails"
    opened(board, made.id, by(board, "p1"))
    appeal = appeals.appeal_rejection(chamber, made.id, made.secret)
    for seat in ("p1", "p2"):
        assert closed(board, made.id, by(board, seat), *ASKED).motion == appeal
    motions.declare(chamber, board.seated("p1"), appeal, conflict=False)
    motions.declare(chamber, board.seated("p2"), appeal, conflict=True)
    opened(board, made.id, by(board, "p1"))
    closed(board, made.id, by(board, "p2"), *RECUSED)


def test_whoever_the_ballot_names_as_recused_stays_out_to_its_end(board: Board) -> None:
    chamber, application = board.chamber, applied(board).id
    motions.declare_tie(chamber, board.seated("s2"), ISSUER, board.clock.now + 10 * DAY - 730 * DAY)
    motion = moved(board, application)
    board.endorse(motion)
    assert dict(board.discuss(motion).recusals) == {"s2": "tie"}
    board.clock.advance(4 * DAY)
    closed(board, application, by(board, "s2"), *RECUSED)


def test_whose_term_is_over_vets_as_others_do(board: Board) -> None:
    application = applied(board).id
    moved(board, application)
    closed(board, application, by(board, "s5"), *ASKED)
    board.clock.advance(21 * DAY)
    opened(board, application, by(board, "s5"))
    closed(board, application, by(board, "s4"), *ASKED)
