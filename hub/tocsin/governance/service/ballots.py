"""Ballot papers, and casting them: a vote is a signature over the frozen decision and the choice.

A ballot needs no login: its signature says whose it is, and is looked at before anything is locked, so that junk holds
nobody up. When it was cast is what the hub's clock says, so nobody votes late by writing an earlier time; all else is
judged by the code that replays the chain. The hub's own words for a seat that declared a conflict after the ballot had
opened are the only ones it adds.
"""

from typing import get_args

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import ballots as box
from tocsin.governance.rules.people import Seated, seat_of
from tocsin.governance.service import course, motions, showing
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.service.views import BallotPaper, MotionView
from tocsin.governance.store import motions as store
from tocsin.governance.store.motions import Motion
from tocsin_schemas.decisions import BALLOT_TYP, Ballot, Decision, Vote, ballot_challenge, decision_digest
from tocsin_schemas.envelope import encode, kid_of, payload_of
from tocsin_schemas.roster import Credential
from tocsin_schemas.signals import load_object
from tocsin_schemas.vocabulary import Choice


def ballot_paper(chamber: Chamber, seated: Seated | None, motion_id: str, choice: Choice) -> BallotPaper:
    """What a seat signs to vote `choice`; with `seated`, also the keys it may sign with.

    Raises:
        Refused: `not-found`; `claim-invalid` for another choice; `ballot-late` when the ballot is over; `conflict`
            before it opens; `ballot-recused`; as `seat_of`.
    """
    if choice not in get_args(Choice):
        raise Refused("claim-invalid", "choice", f"one of {', '.join(get_args(Choice))}")
    motions.advance(chamber)
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        row, decision = _open(uow, motion_id)
        credentials: tuple[Credential, ...] = ()
        if seated is not None:
            seat = seat_of(state, seated)
            barred = showing.recusals(state, row, decision, [], store.declared(uow, row.id))
            if seat.seat in dict(barred):
                raise Refused("ballot-recused", "seat", "the seat has no vote on this motion")
            credentials = tuple(seat.credentials)
        digest = decision_digest(decision)
        return BallotPaper(
            motion=row.id,
            choice=choice,
            decision=showing.as_json(decision),
            text=showing.sentence(decision),
            digest=digest.hex(),
            challenge=encode(ballot_challenge(digest, choice)).decode(),
            credentials=credentials,
            rp_id=state.roster.rp_id,
            closes_at=decision.expires_at,
        )


def cast(chamber: Chamber, motion_id: str, ballot: Ballot) -> MotionView:
    """Cast a ballot. It cannot be taken back or changed. The last one that matters closes the motion at once.

    Raises:
        Refused: `not-found`; `conflict` before the ballot opens, `ballot-late` when it is over; `ballot-duplicate`;
            `ballot-recused`; as `tocsin_schemas.ballots.verify_ballots`. Nothing is stored then.
    """
    motions.advance(chamber)
    # 1. For itself, locking nothing: a ballot of this motion, by a seat that may vote on it, which has signed it.
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        _, decision = _open(uow, motion_id)
        at = max(chamber.chain.time(uow, state), decision.issued_at)
    box.check(state, decision, [ballot.model_copy(update={"cast_at": at})], at, chamber.chain.verifier)
    # 2. Once more beside those that were cast before, while nobody else can write.
    with proceedings(chamber) as uow:
        state = chamber.chain.lock(uow)
        row, decision = _open(uow, motion_id)
        at = max(chamber.chain.time(uow, state), decision.issued_at)
        given = ballot.model_copy(update={"cast_at": at})
        seat = state.roster.seat(given.seat)
        # Whoever is to take the seat over has said nothing by what its holder said.
        own = seat is not None and seat.credential(given.credential) is not None
        if own and store.declared(uow, row.id).get(given.seat):
            raise Refused("ballot-recused", "ballot.seat", "the seat has declared a conflict")
        before = course.good_ballots(chamber, uow, state, row, decision)
        box.check(state, decision, [*before, given], at, chamber.chain.verifier)
        store.cast(uow, row.id, given)
        if own:
            store.declare(uow, row.id, given.seat, conflict=False)
        course.settle(chamber, uow, state, row.id)
        seated = None if seat is None or seat.handle is None else Seated(seat.seat, seat.handle)
        return showing.view(uow, chamber.chain.state(uow), course.get(uow, row.id), seated)


def signed(token: bytes) -> Ballot:
    """The ballot that a compact JWS of type `tocsin-ballot+jwt` is; nothing of it is verified yet.

    Raises:
        Refused: as `envelope.kid_of`; `ballot-invalid` when it says no choice of a seat.
    """
    kid = kid_of(token, BALLOT_TYP)
    try:
        vote = Vote.model_validate(load_object(payload_of(token), "payload"))
        return Ballot(
            seat=vote.seat, choice=vote.choice, credential=kid, cast_at=0, jws=token.decode("ascii")
        )
    except ValueError:
        raise Refused(
            "ballot-invalid", "ballot.jws", "says digest, choice and seat, and nothing else"
        ) from None


def _open(uow: UnitOfWork, motion_id: str) -> tuple[Motion, Decision]:
    """A motion whose ballot is open, and the decision that is voted on."""
    row = course.get(uow, motion_id)
    decision = course.frozen(row)
    if decision is None or row.state != "ballot":
        if row.state in {"proposed", "discussion"}:
            raise Refused("conflict", "motion", "its ballot has not opened yet")
        raise Refused("ballot-late", "motion", "its ballot is over")
    return row, decision
