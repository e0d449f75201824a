"""A seat's own vote: only on what stands on the verified chain, in words made from the decision itself."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.client.board.simulated import SimulatedBoard
from tests.client.webserver import Answer, serving
from tests.support.clock import MovableClock
from tocsin_client.board.seat_acts import PAGE, SeatDesk, open_motions
from tocsin_client.board.voting import ask_paper, changed, paper_for, seat_with, send_ballot, sign_paper
from tocsin_client.http import HubError, Transport
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import (
    Decision,
    Plain,
    Recusal,
    SetPolicy,
    SetRoster,
    decision_digest,
    open_vote,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential, canonical

MOTION = "mo_" + "0" * 32


@pytest.fixture
def state(board: SimulatedBoard) -> BoardState:
    assert board.state is not None
    return board.state


@pytest.fixture
def decision(board: SimulatedBoard) -> Decision:
    return board.decision("community.open", "lair", Plain())


def offline_key(board: SimulatedBoard) -> SigningKey:
    return board.chairs[1].key


def test_a_vote_signs_the_decision_as_it_reads(
    board: SimulatedBoard, state: BoardState, decision: Decision, clock: MovableClock
) -> None:
    key = offline_key(board)
    paper = paper_for(state, decision, key.public.kid, clock())
    assert paper.digest == decision_digest(decision)
    assert paper.seat.seat == "s2"
    ballot = sign_paper(paper, "no", key, clock())
    assert ballot.jws is not None
    vote = open_vote(ballot.jws, paper.seat.credentials[0])
    assert (vote.digest, vote.choice, vote.seat) == (paper.digest.hex(), "no", "s2")


Change = Callable[[Decision], Decision]
WRONG: list[tuple[Change, str]] = [
    (lambda d: d.model_copy(update={"prev": "0" * 64}), "decision-prev-unknown"),
    (lambda d: d.model_copy(update={"roster_version": 2}), "roster-mismatch"),
    (lambda d: d.model_copy(update={"expires_at": d.issued_at}), "ballot-late"),
    (lambda d: d.model_copy(update={"issued_at": d.expires_at - 1}), "ballot-late"),
    (
        lambda d: Decision.model_validate_json(
            json.dumps({**json.loads(canonical(d)), "recused": [{"seat": "s2", "reason": "tie"}]})
        ),
        "ballot-recused",
    ),
]


@pytest.mark.parametrize(("change", "code"), WRONG, ids=[code for _, code in WRONG])
def test_a_paper_that_does_not_stand_on_the_chain_is_not_signed(
    board: SimulatedBoard,
    state: BoardState,
    decision: Decision,
    clock: MovableClock,
    change: Change,
    code: str,
) -> None:
    with pytest.raises(Refused) as refused:
        paper_for(state, change(decision), offline_key(board).public.kid, clock())
    assert refused.value.code == code


def test_a_new_holder_is_not_barred_by_the_name_of_the_seat(
    board: SimulatedBoard, state: BoardState, clock: MovableClock
) -> None:
    """The organisation of s2 is recused; somebody else is to sit there, and votes for the next roster."""
    key, old = SigningKey.generate(), board.roster(2)
    credential = Credential(id=key.public.kid, kind="ed25519", jwk=key.public.jwk())
    changed_seat = {"handle": "ida", "issuer": "https://ida.example", "control_group": "cg_" + "q" * 16}
    fresh = old.seats[1].model_copy(update={**changed_seat, "credentials": [credential]})
    said = SetRoster(roster=old.model_copy(update={"seats": [old.seats[0], fresh, old.seats[2]]}))
    decision = board.decision("roster.set", "roster", said).model_copy(
        update={"recused": [Recusal(seat="s2", reason="declared")]}
    )
    assert paper_for(state, decision, key.public.kid, clock()).seat == fresh
    with pytest.raises(Refused) as refused:
        paper_for(state, decision, offline_key(board).public.kid, clock())
    assert refused.value.code == "ballot-recused"


def test_a_key_that_no_seat_has_signs_nothing(
    state: BoardState, decision: Decision, clock: MovableClock
) -> None:
    with pytest.raises(Refused) as refused:
        paper_for(state, decision, SigningKey.generate().public.kid, clock())
    assert refused.value.code == "ballot-credential-unknown"


def test_a_passkey_does_not_vote_from_a_shell(board: SimulatedBoard, state: BoardState) -> None:
    passkey = board.chairs[0].passkey
    assert passkey is not None
    with pytest.raises(Refused):
        seat_with((state.roster,), passkey.id)


def test_what_a_new_policy_changes_is_shown(board: SimulatedBoard, state: BoardState) -> None:
    policy = state.policy.model_copy(update={"version": 2, "corroborating_groups": 3})
    decision = board.decision("policy.set", "policy", SetPolicy(policy=policy))
    assert changed(state, decision) == ["version: 1 -> 2", "corroborating_groups: 2 -> 3"]


def test_what_a_new_roster_changes_is_shown(board: SimulatedBoard, state: BoardState) -> None:
    roster = board.roster(version=2)
    seats = [*roster.seats[:2], roster.seats[2].model_copy(update={"handle": "dora"})]
    new = roster.model_copy(update={"seats": seats, "expires_at": state.roster.expires_at + DAY})
    decision = board.decision("roster.set", "roster", SetRoster(roster=new))
    shown = changed(state, decision)
    assert [line.partition(":")[0] for line in shown] == ["version", "expires_at", "s3"]
    assert "cleo until 2029-01-01" in shown[2]
    assert "-> vendor on duty, dora until 2029-01-01" in shown[2]


def test_other_decisions_say_it_all_in_words(state: BoardState, decision: Decision) -> None:
    assert changed(state, decision) == []


def _answered(body: Any) -> Callable[[Any], Answer]:
    return lambda _: Answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize("body", [[], {}, {"decision": {"type": "community.open"}}, "text"])
def test_an_answer_that_is_no_paper_is_the_hubs_fault(body: Any) -> None:
    with serving(_answered(body)) as web, Transport(web.url) as transport, pytest.raises(HubError) as failed:
        ask_paper(transport, MOTION, "yes")
    assert failed.value.code == "answer-invalid"


@pytest.mark.parametrize("body", [{}, ["text"], "text"])
def test_an_answer_that_is_no_list_of_motions_is_the_hubs_fault(body: Any) -> None:
    with serving(_answered(body)) as web, Transport(web.url) as transport, pytest.raises(HubError) as failed:
        open_motions(transport)
    assert failed.value.code == "answer-invalid"


def test_an_answer_to_an_act_that_is_no_motion_is_the_hubs_fault(clock: MovableClock) -> None:
    with serving(_answered([])) as web, Transport(web.url) as transport, pytest.raises(HubError) as failed:
        SeatDesk(transport, "s2", SigningKey.generate(), clock()).declare(MOTION, conflict=True)
    assert failed.value.code == "answer-invalid"


def test_only_open_motions_are_listed() -> None:
    lines = [{"id": "mo_1", "state": "ballot"}, {"id": "mo_2", "state": "closed"}]
    with serving(_answered(lines)) as web, Transport(web.url) as transport:
        assert open_motions(transport) == lines[:1]


def test_a_long_list_is_read_page_by_page() -> None:
    opened = [{"id": f"mo_{number}", "state": "proposed"} for number in range(PAGE + 2)]
    pages = iter([opened[:PAGE], [*opened[PAGE:], {"id": "mo_x", "state": "closed"}]])
    with serving(lambda _: _answered(next(pages))(None)) as web, Transport(web.url) as transport:
        assert open_motions(transport) == opened
        assert [asked.path.partition("?")[2] for asked in web.asked] == [
            f"limit={PAGE}",
            f"limit={PAGE}&after=mo_{PAGE - 1}",
        ]


def test_a_ballot_is_sent_as_it_was_signed(
    board: SimulatedBoard, state: BoardState, decision: Decision, clock: MovableClock
) -> None:
    key = offline_key(board)
    ballot = sign_paper(paper_for(state, decision, key.public.kid, clock()), "abstain", key, clock())
    with serving(_answered("text")) as web, Transport(web.url) as transport:
        assert send_ballot(transport, MOTION, ballot) == {}
        sent = json.loads(web.asked[0].body)
    assert sent["jws"] == ballot.jws
    assert "assertion" not in sent
