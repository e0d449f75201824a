"""The steps of the chain on their own: a member's act, a decision's effect, a ballot's signature."""

import pytest

from tests.schemas.boards import COMMUNITY, VERIFY, grown
from tocsin_schemas import acts, ballot_signatures, effects
from tocsin_schemas.decisions import decision_digest
from tocsin_schemas.governance import DecisionBody
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"


def test_an_act_by_a_key_of_nobody_is_refused() -> None:
    hall = grown()
    body = hall.signed(hall.said(PIXEL, "withdraw"), SigningKey.generate())
    with pytest.raises(Refused) as caught:
        acts.act_of_member(hall.state, body, hall.state.size, hall.now)
    assert caught.value.code == "key-unknown"


def test_an_act_gives_a_new_state_and_leaves_the_old_one() -> None:
    hall = grown()
    before = hall.state
    body = hall.signed(hall.said(PIXEL, "withdraw"), hall.keys[PIXEL][-1])
    after = acts.act_of_member(before, body, before.size, hall.now)
    assert after.members[PIXEL].state == "withdrawing"
    assert before.members[PIXEL].state == "active"


def test_a_decision_that_fails_opens_nothing() -> None:
    hall = grown()
    record = hall.decide("community.open", "elsewhere")
    assert isinstance(record.body, DecisionBody)
    decision, before = record.body.decision, grown().state
    assert "elsewhere" not in effects.carry_out(before, decision, "fails", before.size, hall.now).communities
    passed = effects.carry_out(before, decision, "passes", before.size, hall.now)
    assert passed.communities.keys() == {COMMUNITY, "elsewhere"}


def test_every_ballot_of_a_record_is_signed_for_its_decision() -> None:
    hall = grown()
    record = hall.decide("community.open", "elsewhere")
    assert isinstance(record.body, DecisionBody)
    digest = decision_digest(record.body.decision)
    for ballot in record.body.ballots:
        seat = next(seat for seat in hall.state.roster.seats if seat.seat == ballot.seat)
        credential = next(one for one in seat.credentials if one.id == ballot.credential)
        ballot_signatures.check_signature(hall.state, ballot, credential, digest, VERIFY.assertion)
