"""Votes that are refused, each with its code, and with nothing changed: no row, no record, no log entry."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support.authenticator import UP, Authenticator
from tests.support.board import Board, altered, found
from tests.support.hub import Hub
from tests.support.officers import RP_ID, officer, panel, roster, seats
from tests.support.state import contents
from tocsin.governance.rules.people import Seated
from tocsin.governance.service import ballots, emergency, motions
from tocsin_schemas import envelope
from tocsin_schemas.decisions import Ballot, ballot_challenge, sign_ballot
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """A board of nine with one active member, shared by the module: a refusal changes nothing."""
    shared = found(module_hub, [*seats(9), *panel()])
    shared.member("pixel")
    shared.activate("pixel")
    return shared


@pytest.fixture
def motion(board: Board) -> Iterator[str]:
    """A motion whose ballot is open, and ends with the test."""
    made = board.propose("key.revoke", PIXEL, {"kid": board.parties["pixel"].key.public.kid})
    board.endorse(made)
    assert board.discuss(made).state == "ballot"
    yield made
    board.close(made)


def refuses(board: Board, motion: str, ballot: Ballot, code: str) -> Refused:
    """The ballot is refused with `code`, and everything is as it was."""
    before = contents(board.hub.database)
    with pytest.raises(Refused) as refused:
        ballots.cast(board.chamber, motion, ballot)
    assert refused.value.code == code
    assert contents(board.hub.database) == before
    return refused.value


def test_a_vote_on_an_altered_decision(board: Board, motion: str) -> None:
    for seat in ("s1", "s2"):
        paper = altered(board.paper(motion, seat), subject="https://other.example")
        refuses(board, motion, board.officers[seat].ballot(paper), "decision-altered")


def test_a_vote_whose_choice_was_turned(board: Board, motion: str) -> None:
    for seat in ("s1", "s2"):
        ballot = board.officers[seat].ballot(board.paper(motion, seat, "no"))
        refuses(board, motion, ballot.model_copy(update={"choice": "yes"}), "ballot-invalid")


def test_a_late_vote(board: Board, motion: str) -> None:
    held = [board.officers[seat].ballot(board.paper(motion, seat)) for seat in ("s1", "s2")]
    assert board.close(motion).result == "inquorate"
    for ballot in held:
        refuses(board, motion, ballot, "ballot-late")
        # An earlier time on the paper helps nobody: the hub's clock says when a vote was cast.
        early = ballot.model_copy(update={"cast_at": board.clock.now - 2 * DAY})
        refuses(board, motion, early, "ballot-late")


def test_a_vote_before_the_ballot_opens(board: Board) -> None:
    made = board.propose("community.open", "early-votes")
    with pytest.raises(Refused, match="conflict"):
        board.paper(made, "s1")
    ballot = sign_ballot(bytes(32), "yes", "s1", board.officers["s1"].key or SigningKey.generate(), 0)
    refuses(board, made, ballot, "conflict")
    motions.withdraw(board.chamber, board.seated("s1"), made)
    refuses(board, made, ballot, "ballot-late")


def test_a_recused_vote(board: Board) -> None:
    made = board.propose(
        "key.revoke",
        PIXEL,
        {"kid": board.parties["pixel"].key.public.kid},
        complainant="https://seat-s3.example",
    )
    motions.declare(board.chamber, board.seated("s4"), made, conflict=True)
    board.endorse(made)
    opened = board.discuss(made)
    assert opened.recusals == (("s3", "complainant"), ("s4", "declared"))
    assert opened.meter.eligible == 7
    for seat in ("s3", "s4"):
        paper = board.paper(made, "s1")
        refuses(board, made, board.officers[seat].ballot(paper), "ballot-recused")
        with pytest.raises(Refused, match="ballot-recused"):
            board.paper(made, seat)
    # Declared after the opening: no vote either, but the bar stays where the voters saw it.
    late = motions.declare(board.chamber, board.seated("s5"), made, conflict=True)
    assert late.meter.eligible == 7
    assert ("s5", "declared") in late.recusals
    refuses(board, made, board.officers["s5"].ballot(board.paper(made, "s1")), "ballot-recused")
    board.close(made)


@pytest.mark.parametrize("seat", ["s1", "s2"])
def test_a_second_vote(board: Board, motion: str, seat: str) -> None:
    other = board.officers[seat].ballot(board.paper(motion, seat, "no"))
    board.vote(motion, seat)
    refuses(board, motion, other, "ballot-duplicate")
    assert board.vote(motion, "s9", "abstain").meter.cast == 2


def test_a_passkey_that_did_not_verify_its_user(board: Board, motion: str) -> None:
    ballot = board.officers["s2"].ballot(board.paper(motion, "s2"), flags=UP)
    refuses(board, motion, ballot, "ballot-unverified-user")


def test_a_replayed_assertion(board: Board, motion: str) -> None:
    paper = board.paper(motion, "s2")
    replayed = board.officers["s2"].ballot(paper)
    board.close(motion)
    second = board.propose("community.open", "replayed-votes")
    board.endorse(second)
    board.discuss(second)
    refuses(board, second, replayed, "ballot-replayed")
    offline = board.officers["s1"].ballot(replace(board.paper(second, "s1"), digest=paper.digest))
    refuses(board, second, offline, "ballot-replayed")
    board.close(second)


def test_an_assertion_for_another_site(board: Board, motion: str) -> None:
    paper, held = board.paper(motion, "s2"), board.officers["s2"]
    refuses(board, motion, held.ballot(paper, origin="https://evil.example"), "ballot-invalid")
    refuses(board, motion, held.ballot(replace(paper, rp_id="evil.example")), "ballot-invalid")


def test_keys_that_are_not_the_seats(board: Board, motion: str) -> None:
    paper = board.paper(motion, "s1")
    stranger = sign_ballot(bytes.fromhex(paper.digest), "yes", "s1", SigningKey.generate(), 0)
    refuses(board, motion, stranger, "ballot-credential-unknown")
    key = board.officers["s3"].key
    assert key is not None
    of_another = sign_ballot(bytes.fromhex(paper.digest), "yes", "s1", key, 0)
    refuses(board, motion, of_another, "ballot-credential-unknown")
    # The right name of the key, signed by another one.
    forged = Authenticator()
    forged.credential_id = envelope.decode(board.officers["s2"].passkey.id.encode(), "id")  # type: ignore[union-attr]  # s2 has a passkey
    said = forged.get(ballot_challenge(bytes.fromhex(paper.digest), "yes"), RP_ID, f"https://{RP_ID}")
    body = {"seat": "s2", "choice": "yes", "credential": forged.id, "cast_at": 0, "assertion": said}
    refuses(board, motion, Ballot.model_validate_json(json.dumps(body)), "ballot-invalid")


def test_a_seat_that_is_not_asked(board: Board, motion: str) -> None:
    assert "vote" not in motions.motion(board.chamber, motion, board.seated("p1")).may
    ballot = board.officers["p1"].ballot(board.paper(motion, "s1"))
    refuses(board, motion, ballot, "ballot-seat-unknown")
    unknown = ballot.model_copy(update={"seat": "s77"})
    refuses(board, motion, unknown, "ballot-seat-unknown")


def test_a_duty_officers_vote_by_somebody_else(board: Board) -> None:
    made = emergency.begin(board.chamber, board.seated("s1"), PIXEL)
    assert emergency.begin(board.chamber, board.seated("s9"), PIXEL) == made
    refuses(board, made, board.officers["s3"].ballot(board.paper(made, "s1")), "ballot-seat-unknown")
    before = contents(board.hub.database)
    for seat in ("s3", "p1"):
        with pytest.raises(Refused, match="role-missing"):
            emergency.begin(board.chamber, board.seated(seat), PIXEL)
    with pytest.raises(Refused, match="role-missing"):
        emergency.begin(board.chamber, Seated("s1", "somebody-else"), PIXEL)
    assert contents(board.hub.database) == before
    # One signature suspends nobody; a day later the paper is void.
    assert board.vote(made, "s1").state == "ballot"
    board.clock.advance(DAY)
    assert motions.motion(board.chamber, made).state == "lapsed"
    assert board.state.members[PIXEL].state == "active"


def test_a_vote_with_a_key_that_was_removed(board: Board) -> None:
    """Last: it puts another roster in force, under which the open ballot is void."""
    old = board.officers["s1"]
    held = [officer("s1", "platform", duty=True), *list(board.officers.values())[1:]]
    new = roster(held, version=2)
    made = board.propose("roster.set", "", {"roster": json.loads(new.model_dump_json(exclude_none=True))})
    board.endorse(made)
    board.discuss(made)
    stale = board.propose("community.open", "stale-votes")
    board.endorse(stale)
    # The old holder for the old roster, the new holder for the new one, everybody else once for both.
    board.vote(made, "s1")
    board.officers["s1"] = held[0]
    for seat in ("s1", "s2", "s3", "s4", "s5", "s6"):
        board.vote(made, seat)
    assert board.close(made).result == "passes"
    assert board.state.roster.version == 2

    opened = board.discuss(stale)
    assert opened.state == "ballot"
    ballot = old.ballot(board.paper(stale, "s2"))
    refuses(board, stale, ballot, "ballot-credential-unknown")
    assert board.vote(stale, "s1").meter.cast == 1
