"""The published governance vectors come out as they say."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.schemas.boards import VERIFY
from tests.schemas.directory import SCHEMAS, vectors
from tocsin_schemas import chain
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Decision, ballot_challenge, decision_digest
from tocsin_schemas.governance import parse_record, record_digest
from tocsin_schemas.problems import Refused
from tocsin_schemas.tally import Voter, tally

GOVERNANCE = vectors("governance")
RECORDS = [parse_record(vector["record"].encode()) for vector in GOVERNANCE["chain"]]


def fits(name: str, raw: str) -> bool:
    schema = json.loads((SCHEMAS / "v1" / f"{name}.schema.json").read_text())
    return Draft202012Validator(schema).is_valid(json.loads(raw))


@pytest.mark.parametrize("vector", GOVERNANCE["decisions"], ids=lambda vector: vector["digest"][:8])
def test_a_decision_and_what_is_signed_for_it(vector: dict[str, Any]) -> None:
    decision = Decision.model_validate_json(vector["decision"])
    digest = decision_digest(decision)
    assert digest.hex() == vector["digest"]
    for choice, challenge in vector["challenges"].items():
        assert ballot_challenge(digest, choice).hex() == challenge
    assert fits("board-decision", vector["decision"])


def test_the_chain_leads_to_what_is_said_of_it() -> None:
    state = chain.replay(RECORDS, VERIFY, bytes.fromhex(GOVERNANCE["chain"][0]["digest"]))
    assert [record_digest(record).hex() for record in RECORDS] == [
        vector["digest"] for vector in GOVERNANCE["chain"]
    ]
    assert {
        "communities": sorted(state.communities),
        "members": {issuer: member.state for issuer, member in state.members.items()},
        "policy_version": state.policy.version,
        "roster_version": state.roster.version,
    } == GOVERNANCE["after"]
    assert all(fits("board-record", vector["record"]) for vector in GOVERNANCE["chain"])


@pytest.mark.parametrize("vector", GOVERNANCE["refused"], ids=lambda vector: vector["code"])
def test_a_record_that_must_not_follow(vector: dict[str, Any]) -> None:
    state: BoardState | None = None
    for record in RECORDS[: vector["after"]]:
        state = chain.apply(state, record, VERIFY)
    with pytest.raises(Refused) as refused:
        chain.apply(state, parse_record(vector["record"].encode()), VERIFY)
    assert refused.value.code == vector["code"]


@pytest.mark.parametrize("vector", GOVERNANCE["tallies"], ids=lambda vector: vector["rule"])
def test_a_count(vector: dict[str, Any]) -> None:
    seats = [Voter(**seat) for seat in vector["seats"]]
    assert tally(vector["rule"], seats, vector["recused"], vector["votes"]).result == vector["result"]
