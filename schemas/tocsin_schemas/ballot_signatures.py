"""The signature under one vote: that it is this seat's key's, on this decision, for this choice. Pure.

A passkey's assertion is verified by what the caller brings (`tocsin_schemas.ballots.Verifier`). What it was made for is
told apart here, so that a replayed vote, an altered decision and an altered choice each have their own name.
"""

import json
from collections.abc import Callable

from tocsin_schemas import envelope
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import Assertion, Ballot, ballot_challenge, open_vote
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential
from tocsin_schemas.vocabulary import CHOICES

VerifyAssertion = Callable[[Ballot, Credential, bytes, str, str], None]


def check_signature(
    state: BoardState, ballot: Ballot, credential: Credential, digest: bytes, verify: VerifyAssertion
) -> None:
    """Check that `credential` signed the ballot, on the decision with this digest.

    Raises:
        Refused: `ballot-invalid`, `ballot-replayed`, `decision-altered`; as `verify`.
    """
    if ballot.jws is not None and credential.kind == "ed25519":
        vote = open_vote(ballot.jws, credential)
        if vote.digest != digest.hex():
            raise _other_decision(any(vote.digest == done.digest.hex() for done in state.decisions.values()))
        if (vote.seat, vote.choice) != (ballot.seat, ballot.choice):
            raise Refused("ballot-invalid", "ballot.choice", "signed for another choice or seat")
    elif ballot.assertion is not None and credential.kind == "webauthn":
        challenge = ballot_challenge(digest, ballot.choice)
        claimed = _claimed_challenge(ballot.assertion)
        if claimed in {ballot_challenge(digest, other) for other in CHOICES} - {challenge}:
            raise Refused("ballot-invalid", "ballot.choice", "signed for another choice")
        if claimed != challenge:
            known = {
                ballot_challenge(done.digest, choice)
                for done in state.decisions.values()
                for choice in CHOICES
            }
            raise _other_decision(claimed in known)
        verify(ballot, credential, challenge, state.roster.rp_id, state.roster.origin)
    else:
        raise Refused("ballot-invalid", "ballot.credential", "the key does not sign in this way")


def _claimed_challenge(assertion: Assertion) -> bytes:
    """The challenge that an assertion says it answers (Web Authentication Level 3, §5.8.1); not verified yet.

    Raises:
        Refused: `ballot-invalid` when it says none.
    """
    try:
        said = json.loads(envelope.decode(assertion.client_data.encode(), "client_data"))
        return envelope.decode(said["challenge"].encode(), "challenge")
    except (Refused, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Refused("ballot-invalid", "ballot.assertion.client_data", "names no challenge") from None


def _other_decision(known: bool) -> Refused:
    if known:
        return Refused("ballot-replayed", "ballot", "signed for an earlier decision")
    return Refused("decision-altered", "ballot", "signed for a decision that reads otherwise")
