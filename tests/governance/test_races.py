"""Two requests at the same moment, over HTTP: one of them is done, and what they leave behind is that of one.

SQLite lets one writer in at a time; on PostgreSQL both are in, and only what they lock keeps them apart.
"""

import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import httpx2
import pytest
from sqlalchemy import text

from tests.governance.rotating import OVERLAP
from tests.support.board import Board, found
from tests.support.console import Console
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tests.support.officers import seats
from tocsin import keys
from tocsin.errors import Refused
from tocsin.governance.service import motions
from tocsin.governance.service.hub_keys import rotate
from tocsin_schemas import envelope
from tocsin_schemas.decisions import sign_ballot
from tocsin_schemas.governance import sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import dump_object

TIMES = 3
JWT = {"Content-Type": "application/jwt"}
CLOSED = "SELECT count(DISTINCT record_seq) FROM motion"


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """Five seats, and a member."""
    shared = found(module_hub, seats())
    shared.member("pixel")
    return shared


T = TypeVar("T")


def together(*acts: Callable[[], T]) -> list[T]:
    """Do all of these at the same moment."""
    start = threading.Barrier(len(acts))

    def run(act: Callable[[], T]) -> T:
        start.wait()
        return act()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def told(answers: Sequence[httpx2.Response]) -> list[str]:
    """What each was answered: `done`, or the code of the refusal."""
    return sorted("done" if answer.is_success else answer.json()["code"] for answer in answers)


def tried(act: Callable[[], object]) -> str:
    try:
        act()
    except Refused as refused:
        return refused.code
    return "done"


def count(board: Board, query: str, **values: object) -> int:
    with board.hub.database.engine.connect() as conn:
        return int(conn.execute(text(query), values).scalar_one())


def proposed(board: Board, slug: str) -> str:
    """A motion of s2's, so that every seat with an offline key may endorse it."""
    return motions.propose(board.chamber, board.seated("s2"), "community.open", slug, {})


def opened(board: Board, slug: str) -> str:
    motion = board.propose("community.open", slug)
    board.endorse(motion)
    board.discuss(motion)
    return motion


def act(board: Board, seat: str, what: str, motion: str) -> bytes:
    """An act of a seat with an offline key."""
    key = board.officers[seat].key
    assert key is not None
    said = {"seat": seat, "aud": board.hub.issuer, "iat": board.clock(), "jti": secrets.token_hex(16)}
    return envelope.sign(dump_object({**said, "act": what, "motion": motion}), key, "tocsin-seat-act+jwt")


@pytest.mark.parametrize("number", range(TIMES))
def test_two_ballots_of_one_seat(board: Board, number: int) -> None:
    """One yes, one no: one of them is the seat's vote, and the other never was."""
    motion = opened(board, f"twice-voted-{number}")
    key = board.officers["s1"].key
    assert key is not None
    digest = bytes.fromhex(board.paper(motion, "s1").digest)
    sent = [sign_ballot(digest, choice, "s1", key, 0).jws or "" for choice in ("yes", "no")]
    path = f"/v1/board/motions/{motion}/ballots"

    def cast(token: str) -> Callable[[], httpx2.Response]:
        return lambda: board.hub.http.post(path, content=token, headers=JWT)

    assert told(together(*map(cast, sent))) == ["ballot-duplicate", "done"]
    assert count(board, "SELECT count(*) FROM motion_ballot WHERE motion_id = :id", id=motion) == 1
    assert motions.motion(board.chamber, motion).meter.cast == 1


@pytest.mark.parametrize("number", range(TIMES))
def test_the_last_two_ballots_close_it_once(board: Board, number: int) -> None:
    """Each of two seats may be the last: the decision is recorded once, with both votes."""
    motion = opened(board, f"last-two-{number}")
    for seat in ("s2", "s4", "s5"):
        board.vote(motion, seat)
    papers = {seat: board.officers[seat].ballot(board.paper(motion, seat)) for seat in ("s1", "s3")}
    path = f"/v1/board/motions/{motion}/ballots"
    before = board.state.size

    def cast(seat: str) -> Callable[[], httpx2.Response]:
        token = papers[seat].jws or ""
        return lambda: board.hub.http.post(path, content=token, headers=JWT)

    assert told(together(cast("s1"), cast("s3"))) == ["done", "done"]
    view = motions.motion(board.chamber, motion)
    assert (view.state, view.result, len(view.ballots)) == ("closed", "passes", 5)
    assert board.state.size == before + 1


@pytest.mark.parametrize("number", range(TIMES))
def test_two_endorsements(board: Board, number: int) -> None:
    """By one seat they are one; by two seats they are two, and the discussion opens."""
    motion = proposed(board, f"twice-endorsed-{number}")

    def endorse(seat: str) -> Callable[[], httpx2.Response]:
        token = act(board, seat, "endorse", motion)
        return lambda: board.hub.http.post("/v1/board/acts", content=token, headers=JWT)

    assert told(together(endorse("s1"), endorse("s1"))) == ["conflict", "done"]
    view = motions.motion(board.chamber, motion)
    assert (view.state, view.endorsers) == ("proposed", ("s1",))
    assert told(together(endorse("s3"), endorse("s5"))) in (["done", "done"], ["conflict", "done"])
    view = motions.motion(board.chamber, motion)
    assert (view.state, {"s1"} < set(view.endorsers)) == ("discussion", True)
    assert view.discussion_ends == board.clock() + 7 * DAY


@pytest.mark.parametrize("number", range(TIMES))
def test_one_act_sent_twice(board: Board, number: int) -> None:
    motion = proposed(board, f"replayed-{number}")
    token = act(board, "s1", "endorse", motion)

    def send() -> httpx2.Response:
        return board.hub.http.post("/v1/board/acts", content=token, headers=JWT)

    assert told(together(send, send)) == ["done", "jti-reused"]


@pytest.mark.parametrize("number", range(TIMES))
def test_two_closings(board: Board, number: int) -> None:
    """The windows are moved by whoever asks first; the others find it done."""
    motion = opened(board, f"closed-twice-{number}")
    for seat in ("s1", "s2", "s3", "s4"):
        board.vote(motion, seat)
    ends = motions.motion(board.chamber, motion).closes_at
    assert ends is not None
    board.clock.now = max(ends, board.clock.now)
    before, closed = board.state.size, count(board, CLOSED)
    together(*[lambda: motions.advance(board.chamber)] * 3)
    assert board.state.size - before == count(board, CLOSED) - closed >= 1
    view = motions.motion(board.chamber, motion)
    assert (view.state, view.result) == ("closed", "passes")
    assert count(board, "SELECT count(*) FROM motion WHERE record_seq = :seq", seq=view.record or 0) == 1


@pytest.mark.parametrize("number", range(TIMES))
def test_two_enrolments_with_one_link(board: Board, number: int) -> None:
    """Two browsers at one link: one of them gets in, with one passkey."""
    console, handle = Console(board.hub), f"racer-{number}"
    link = console.accounts.invite(handle)
    path = link.url.removeprefix(console.accounts.party.origin)
    visitors = [console.visitor(), console.visitor()]
    made = [visitor.make(visitor._challenge(path, "create")) for visitor in visitors]

    def enrol(place: int) -> Callable[[], int]:
        return lambda: visitors[place].post(path, **made[place]).status_code

    answered = together(enrol(0), enrol(1))
    assert sorted(answered)[0] == 303
    assert sorted(answered)[1] >= 400
    assert len(console.accounts.passkeys(handle)) == 1


@pytest.mark.parametrize("number", range(TIMES))
def test_two_rotations_of_an_endpoints_secret(board: Board, number: int) -> None:
    headers = board.parties["pixel"].bearer()
    board.clock.advance(60)
    made = board.hub.http.post(
        "/v1/webhooks/endpoints", json={"url": f"https://9.9.9.9/{number}"}, headers=headers
    )
    path = f"/v1/webhooks/endpoints/{made.json()['id']}"

    def change() -> httpx2.Response:
        return board.hub.http.post(f"{path}/rotation", headers=headers)

    answers = together(change, change)
    assert told(answers) == ["done", "endpoint-rotating"]
    query = "SELECT generation FROM webhook_endpoint WHERE public_id = :id"
    assert count(board, query, id=made.json()["id"]) == 2
    assert board.hub.http.delete(path, headers=headers).is_success


@pytest.mark.parametrize("number", range(TIMES))
def test_two_rotations_of_a_members_key(board: Board, number: int) -> None:
    """Two new keys at once are two records, one behind the other; one signed act, sent twice, is one."""
    party, now = board.parties["pixel"], board.clock()
    life = {"not_before": now, "not_after": now + 365 * DAY}

    def added() -> str:
        new = SigningKey.generate()
        proof = sign_key_proof(iss=party.issuer, aud=board.hub.issuer, iat=now, key=new)
        return board.signed_act("pixel", party.key, "key-add", jwk=new.public.jwk(), proof=proof, **life)

    def send(token: str) -> Callable[[], httpx2.Response]:
        return lambda: board.hub.http.post("/v1/members/acts", content=token, headers=JWT)

    before, held, again = board.state.size, len(board.state.members[party.issuer].keys), added()
    assert told(together(send(added()), send(added()))) == ["done", "done"]
    assert told(together(send(again), send(again))) == ["done", "jti-reused"]
    assert board.state.size == before + 3
    assert len(board.state.members[party.issuer].keys) == held + 3


def test_two_rotations_of_a_key_of_the_hub(board: Board) -> None:
    """Two operators, each with a key that is to come: one of them comes, and the chain has it once."""
    hub, chain = board.hub, board.chain
    going = keys.load(hub.settings).delivery
    coming: list[Any] = [SigningKey.generate(), SigningKey.generate()]

    def change(key: Any) -> Callable[[], str]:
        return lambda: tried(lambda: rotate(chain, hub.database, "delivery", going, key, OVERLAP))

    before = board.state.size
    ended = together(*map(change, coming))
    assert sorted(ended)[-1] == "done"
    assert sorted(ended)[0] != "done"
    assert board.state.size == before + 1


def test_what_they_left_is_whole(board: Board) -> None:
    assert check_hub(board.hub.database) > 0
