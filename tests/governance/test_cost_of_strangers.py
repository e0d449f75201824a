"""What somebody without an account can make the hub do: little, and nobody waits for it. Work is counted, not timed."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.support.board import Board, found
from tests.support.counted import statements
from tests.support.hub import Hub
from tests.support.officers import seats
from tests.support.state import contents
from tocsin.governance.service import ballots, emergency, motions
from tocsin_schemas.ballots import Verifier
from tocsin_schemas.decisions import Ballot
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential

DOCKET = "/v1/board/motions"
MANY = 7


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """Nine seats; the even ones vote with passkeys."""
    return found(module_hub, seats(9))


@pytest.fixture(scope="module")
def half_voted(board: Board) -> str:
    """A motion whose ballot is open; three passkeys have voted."""
    motion = board.propose("community.open", "half-voted")
    board.endorse(motion)
    board.discuss(motion)
    for seat in ("s2", "s4", "s6"):
        board.vote(motion, seat)
    return motion


class Counting:
    """A verifier that counts what it is asked."""

    def __init__(self, true: Verifier) -> None:
        self.true = true
        self.asked = 0

    def assertion(
        self, ballot: Ballot, credential: Credential, challenge: bytes, rp_id: str, origin: str
    ) -> None:
        self.asked += 1
        self.true.assertion(ballot, credential, challenge, rp_id, origin)


@pytest.fixture
def counting(board: Board) -> Iterator[Counting]:
    made = Counting(board.chain.verifier)
    board.chain.verifier = made
    yield made
    board.chain.verifier = made.true


def junk(board: Board, motion: str, seat: str) -> Ballot:
    """A ballot with a key of the seat's, whose signature is another's."""
    signed = board.officers[seat].ballot(board.paper(motion, seat))
    if signed.assertion is not None:
        other = board.officers["s2"].ballot(board.paper(motion, "s2")).assertion
        assert other is not None
        wrong = signed.assertion.model_copy(update={"signature": other.signature})
        return signed.model_copy(update={"assertion": wrong})
    stranger = board.officers["s3"].ballot(board.paper(motion, "s3"))
    return signed.model_copy(update={"jws": stranger.jws})


@pytest.mark.parametrize("seat", ["s5", "s8"])
def test_a_junk_ballot_waits_for_nobody(board: Board, half_voted: str, seat: str) -> None:
    """It is refused while somebody else holds the log's head, so nobody ever waits for it either."""
    given, codes = junk(board, half_voted, seat), []

    def send() -> None:
        with pytest.raises(Refused) as refused:
            ballots.cast(board.chamber, half_voted, given)
        codes.append(refused.value.code)

    before = contents(board.hub.database)
    sender = threading.Thread(target=send)
    with board.hub.database.transaction() as uow:
        board.chain.lock(uow)
        sender.start()
        sender.join(30)
        waits = sender.is_alive()
    sender.join()
    assert (waits, codes) == (False, ["ballot-invalid"])
    assert contents(board.hub.database) == before


def test_a_junk_ballot_costs_one_signature(board: Board, half_voted: str, counting: Counting) -> None:
    given = junk(board, half_voted, "s8")
    with pytest.raises(Refused, match="ballot-invalid"):
        ballots.cast(board.chamber, half_voted, given)
    assert counting.asked == 1


def test_whether_a_seat_has_voted_is_not_told_to_who_cannot_sign(board: Board, half_voted: str) -> None:
    for seat in ("s4", "s8"):
        with pytest.raises(Refused, match="ballot-invalid"):
            ballots.cast(board.chamber, half_voted, junk(board, half_voted, seat))


@pytest.fixture(scope="module")
def docket(board: Board, half_voted: str) -> list[dict[str, Any]]:
    """Every kind of motion there is: decided, withdrawn, lapsed, in discussion, proposed; and an emergency."""
    board.member("pixel")
    made = [board.propose("community.open", f"docket-{number}") for number in range(MANY)]
    for motion in made[:3]:
        board.carry(motion)
    motions.withdraw(board.chamber, board.seated("s1"), made[3])
    board.endorse(made[4])
    emergency.begin(board.chamber, board.seated("s1"), "https://pixel.example")
    whole: list[dict[str, Any]] = board.hub.http.get(DOCKET).json()
    return whole


def test_the_docket_comes_in_pages(board: Board, docket: list[dict[str, Any]]) -> None:
    states = [line["state"] for line in docket]
    opened = [line for line in docket if line["state"] in {"proposed", "discussion", "ballot"}]
    ended = docket[len(opened) :]
    assert {"proposed", "discussion"} <= {line["state"] for line in opened}
    assert {line["state"] for line in ended} == {"closed", "withdrawn"}
    assert docket[: len(opened)] == opened == sorted(opened, key=lambda line: (line["until"], line["id"]))
    assert ended == sorted(ended, key=lambda line: (line["until"], line["id"]), reverse=True)
    assert "member.emergency_suspend" not in {line["type"] for line in docket}, "it would warn"
    assert len(states) == MANY + 1
    for size in (1, 3, len(docket)):
        paged: list[dict[str, Any]] = []
        while page := board.hub.http.get(
            DOCKET, params={"limit": size, **({"after": paged[-1]["id"]} if paged else {})}
        ).json():
            assert len(page) <= size
            paged += page
        assert paged == docket


def test_its_lines_say_what_each_motion_says(board: Board, docket: list[dict[str, Any]]) -> None:
    for line in docket:
        view = motions.motion(board.chamber, line["id"])
        assert line["text"] == view.text
        assert (line["type"], line["state"]) == (view.type, view.state)
        assert (line.get("result"), line.get("record")) == (view.result, view.record)


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"after": "mo_" + "0" * 32}, "not-found"),
        ({"after": "x"}, "not-found"),
        ({"after": "x" * 36}, "request-invalid"),
        ({"limit": "0"}, "request-invalid"),
        ({"limit": "101"}, "request-invalid"),
    ],
)
def test_a_page_that_there_is_not(board: Board, docket: list[Any], asked: dict[str, str], code: str) -> None:
    answer = board.hub.http.get(DOCKET, params=asked)
    assert answer.json()["code"] == code


def test_a_longer_docket_asks_the_database_no_more(board: Board, docket: list[Any]) -> None:
    def asked(limit: int) -> int:
        with statements() as sent:
            assert len(board.hub.http.get(DOCKET, params={"limit": limit}).json()) == min(limit, MANY + 1)
        assert sent
        return len(sent)

    assert asked(MANY + 1) == asked(MANY - 1)


def test_a_motion_that_was_changed_by_hand_hides_no_other(board: Board, docket: list[dict[str, Any]]) -> None:
    (spoilt, *_) = [line["id"] for line in docket if line["state"] == "proposed"]
    with board.hub.database.engine.connect() as conn, conn.begin():
        conn.execute(text("UPDATE motion SET params = :junk WHERE id = :id"), {"junk": b"{", "id": spoilt})
    listed = board.hub.http.get(DOCKET).json()
    assert listed == [line for line in docket if line["id"] != spoilt]
