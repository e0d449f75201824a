"""Motions: proposing, endorsing, discussing, declaring an interest, and the docket.

Every use case first lets the windows move that are over, so that nobody acts on a motion whose time has passed.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import motions as rules
from tocsin.governance.rules import vetting
from tocsin.governance.rules.people import Seated, board_seat_of, seat_of
from tocsin.governance.service import course, dossier, recusal, showing
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.service.views import DocketLine, MotionView
from tocsin.governance.store import applications
from tocsin.governance.store import motions as store
from tocsin.governance.store.motions import Motion, Remark
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import PARAMS, Admit, Grant, Sanction, Suspend
from tocsin_schemas.membership import FINAL
from tocsin_schemas.proposals import ELSEWHERE, read_params
from tocsin_schemas.roster import canonical
from tocsin_schemas.vocabulary import DecisionType, RemarkStance, RemarkTopic

logger = logging.getLogger(__name__)

_FIXED_SUBJECTS: Final[Mapping[str, str]] = {
    "policy.set": "policy",
    "roster.set": "roster",
    "agreement.record": "agreement",
}


def propose(
    chamber: Chamber,
    seated: Seated,
    kind: DecisionType,
    subject: str,
    params: Mapping[str, Any],
    *,
    complainant: str | None = None,
) -> str:
    """Move that the board decide something; the id of the motion. Two other seats have to endorse it within 90 days.

    `complainant` is the member whose complaint it follows, if one's does. A motion to suspend or to sanction is notice
    to its subject: without a `noticed_at` of its own the notice is given now.

    Raises:
        Refused: `role-missing` to who holds no seat; `claim-invalid` for params that do not fit, or a kind that is
            moved otherwise; `conflict` while the same is before the board; and as the chain, for what it would refuse
            at the end of the ballot as things stand.
    """
    with proceedings(chamber) as uow:
        return _propose(chamber, uow, seated, kind, subject, params, complainant)


def rehearse(
    chamber: Chamber,
    seated: Seated,
    kind: DecisionType,
    subject: str,
    params: Mapping[str, Any],
    *,
    complainant: str | None = None,
) -> MotionView:
    """The motion that the same words would propose; nothing is kept.

    Raises:
        Refused: as `propose`.
    """
    with _rehearsal(chamber) as uow:
        made = _propose(chamber, uow, seated, kind, subject, params, complainant)
        return showing.view(uow, chamber.chain.state(uow), course.get(uow, made), seated)


def propose_admission(chamber: Chamber, seated: Seated, application_id: str) -> str:
    """Move to admit an applicant whose vetting is complete; the id of the motion.

    Raises:
        Refused: `not-found`; `conflict` while it is before the board, or in another state; `vetting-incomplete`;
            `sponsors-missing`; as `recusal.check` and `propose`.
    """
    with proceedings(chamber, application_id) as uow:
        return _propose_admission(chamber, uow, seated, application_id)


def rehearse_admission(chamber: Chamber, seated: Seated, application_id: str) -> MotionView:
    """The motion that would admit the applicant; nothing is kept.

    Raises:
        Refused: as `propose_admission`.
    """
    with _rehearsal(chamber, application_id) as uow:
        made = _propose_admission(chamber, uow, seated, application_id)
        return showing.view(uow, chamber.chain.state(uow), course.get(uow, made), seated)


def withdraw(chamber: Chamber, seated: Seated, motion_id: str) -> MotionView:
    """Take one's motion back, until its ballot opens.

    Raises:
        Refused: `not-found`; `role-missing` to other seats; `conflict` afterwards.
    """
    with _moving(chamber, seated, motion_id) as (uow, state, row):
        if row.proposer != seated.seat:
            raise Refused("role-missing", "seat", "only who proposed it takes it back")
        if row.state not in {"proposed", "discussion"}:
            raise Refused("conflict", "state", "its ballot has opened, or it has ended")
        store.change(uow, row.id, state="withdrawn", closed_at=uow.now)
        return showing.view(uow, state, course.get(uow, row.id), seated)


def endorse(chamber: Chamber, seated: Seated, motion_id: str) -> MotionView:
    """Want a motion discussed; the second endorser, beside the proposer, opens the discussion.

    Raises:
        Refused: `not-found`; `conflict` for its proposer, a second time, or later; `ballot-recused` to a seat without a
            vote on it; as `course.check_ready`.
    """
    with _moving(chamber, seated, motion_id) as (uow, state, row):
        if row.state != "proposed":
            raise Refused("conflict", "state", "endorsed already, or ended")
        if row.proposer == seated.seat:
            raise Refused("conflict", "seat", "endorsers are others than the proposer")
        _check_unrecused(uow, state, row, seated)
        course.check_ready(uow, state, row)
        if not store.endorse(uow, row.id, seated.seat):
            raise Refused("conflict", "seat", "endorsed by this seat already")
        course.discuss_if_endorsed(uow, state, row)
        return showing.view(uow, state, course.get(uow, row.id), seated)


def remark(
    chamber: Chamber,
    seated: Seated,
    motion_id: str,
    stance: RemarkStance,
    topic: RemarkTopic,
    document: str | None = None,
) -> MotionView:
    """Say something in the discussion: a stance, a topic, and the SHA-256 of a document kept elsewhere.

    A recused seat may speak, as the author of a vetting report may (trust.md §2); the reader sees that it is recused.

    Raises:
        Refused: `not-found`; `claim-invalid` for words or a digest that are none; `conflict` once it has ended.
    """
    said = rules.read_remark(stance, topic, document)
    with _moving(chamber, seated, motion_id, panel=True) as (uow, state, row):
        if row.state not in rules.OPEN_STATES:
            raise Refused("conflict", "state", "the motion has ended")
        store.remark(uow, row.id, Remark(seated.seat, *said, uow.now))
        return showing.view(uow, state, course.get(uow, row.id), seated)


def declare(chamber: Chamber, seated: Seated, motion_id: str, *, conflict: bool) -> MotionView:
    """Say whether one has a conflict of interest; declared before the ballot opens, it lowers how many are eligible.

    Raises:
        Refused: `not-found`; `conflict` once the motion has ended, or the seat has voted.
    """
    with _moving(chamber, seated, motion_id, panel=True) as (uow, state, row):
        if row.state not in rules.OPEN_STATES:
            raise Refused("conflict", "state", "the motion has ended")
        seat = seat_of(state, seated)
        if showing.has_voted(seat, showing.cast_ballots(uow, row)):
            raise Refused("conflict", "seat", "has voted already")
        store.declare(uow, row.id, seated.seat, conflict=conflict)
        if row.state == "proposed":
            course.discuss_if_endorsed(uow, state, row)
        return showing.view(uow, state, course.get(uow, row.id), seated)


def declare_tie(chamber: Chamber, seated: Seated, issuer: str, ended_at: int | None) -> None:
    """Declare a tie to an organisation, and since when it is over; for 24 months after that the seat is recused.

    An end only moves on: what was said to last has not ended before the day on which that was said.

    Raises:
        Refused: `role-missing` to who holds no seat; `claim-invalid` for an end in the future, or before what was said,
            or another issuer.
    """
    rules.check_tie(issuer, ended_at, chamber.database.clock())
    with proceedings(chamber) as uow:
        seat_of(chamber.chain.state(uow), seated)
        if not store.tie(uow, seated.handle, issuer, ended_at):
            raise Refused("claim-invalid", "ended_at", "not before what you have said of this tie already")


def ties(chamber: Chamber, seated: Seated) -> list[rules.Tie]:
    """The ties that the person in a seat has declared, by organisation: theirs to see, as theirs to declare."""
    with chamber.database.snapshot() as uow:
        return store.ties_of(uow, seated.handle)


def motion(chamber: Chamber, motion_id: str, seated: Seated | None = None) -> MotionView:
    """One motion, as the seat that looks sees it.

    Raises:
        Refused: `not-found`.
    """
    advance(chamber)
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        return showing.view(uow, state, course.get(uow, motion_id), seated)


def docket(chamber: Chamber, seated: Seated | None = None) -> list[DocketLine]:
    """Every motion: open ones by deadline, then those that have ended, the newest first."""
    advance(chamber)
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        lines = []
        for row in store.listed(uow):
            try:
                lines.append(showing.line(uow, state, row, seated))
            except Refused as refused:
                logger.warning("motion %s cannot be read: %s", row.id, refused.code)
    open_ones = [line for line in lines if line.state in rules.OPEN_STATES]
    ended = [line for line in lines if line.state not in rules.OPEN_STATES]
    return [*open_ones, *sorted(ended, key=lambda line: line.until, reverse=True)]


def advance(chamber: Chamber) -> int:
    """Move every motion on whose time is over: drafts lapse, discussions end, ballots close; how many moved.

    Each for itself: one that cannot be moved on lapses, and holds up no other.
    """
    if chamber.database.read_only:
        return 0
    moved = 0
    while waiting := _waiting(chamber):
        done = sum(_advance(chamber, motion_id) for motion_id in waiting)
        moved += done
        if not done:
            break  # another process was first with all of them
    return moved


def _waiting(chamber: Chamber) -> list[str]:
    with chamber.database.snapshot() as uow:
        return [row.id for row in store.due(uow)]


def _advance(chamber: Chamber, motion_id: str) -> int:
    try:
        with proceedings(chamber) as uow:
            return _move_on(chamber, uow, chamber.chain.lock(uow), motion_id)
    except Refused as error:
        refused = error
    with proceedings(chamber) as uow:
        chamber.chain.lock(uow)
        row = course.get(uow, motion_id)
        if not _over(row, uow.now):
            return 0
        course.lapse(uow, row, refused)
    return 1


def _move_on(chamber: Chamber, uow: UnitOfWork, state: BoardState, motion_id: str) -> int:
    row = course.get(uow, motion_id)
    if not _over(row, uow.now):
        return 0  # another process was first
    if row.state == "proposed":
        store.change(uow, row.id, state="lapsed", closed_at=uow.now)
    elif row.state == "discussion":
        course.open_ballot(chamber, uow, state, row)
    else:
        course.settle(chamber, uow, state, row.id)
    return 1


def _over(row: Motion, now: int) -> bool:
    return row.state in rules.OPEN_STATES and row.until <= now


def _before_the_board(uow: UnitOfWork, issuer: str) -> bool:
    """Whether an admission of that issuer is; a motion whose application was withdrawn or has lapsed ends here."""
    found = False
    for other in store.about(uow, issuer, "member.admit"):
        moved = None if other.application_id is None else applications.get(uow, other.application_id)
        if moved is not None and moved.state in FINAL:
            course.lapse(uow, other, Refused("conflict", "application", "withdrawn, or lapsed"))
        else:
            found = True
    return found


def _propose(
    chamber: Chamber,
    uow: UnitOfWork,
    seated: Seated,
    kind: DecisionType,
    subject: str,
    params: Mapping[str, Any],
    complainant: str | None,
) -> str:
    if kind in ELSEWHERE:
        raise Refused("claim-invalid", "type", ELSEWHERE[kind])
    if complainant is not None:
        rules.check_issuer(complainant, "complainant")
    state = chamber.chain.lock(uow)
    board_seat_of(state, seated)
    said = read_params(kind, _noticed(kind, params, uow.now))
    about = rules.check_subject(_FIXED_SUBJECTS.get(kind, subject))
    if any(other.params == canonical(said) for other in store.about(uow, about, kind)):
        raise Refused("conflict", "subject", "the same motion is before the board")
    row = course.begin(uow, kind, about, said, proposer=seated.seat, complainant=complainant)
    _check(uow, state, row)
    if row.threshold == "single":
        course.open_ballot(chamber, uow, state, row)
    else:
        course.discuss_if_endorsed(uow, state, row)
    return row.id


def _propose_admission(chamber: Chamber, uow: UnitOfWork, seated: Seated, application_id: str) -> str:
    state = chamber.chain.lock(uow)
    board_seat_of(state, seated)
    application = dossier.get(uow, application_id, lock=True)
    recusal.check(uow, state, application, seated.handle)
    if application.state not in {"vetting", "discussion"}:
        raise Refused("conflict", "state", "an application is moved when it has been vetted")
    if _before_the_board(uow, application.issuer):
        raise Refused("conflict", "subject", "its admission is before the board")
    report = dossier.report_of(uow, application)
    group, named = application.control_group_id, dossier.sponsors_of(uow, state, application)
    if len(named) < state.sponsors_needed:
        raise Refused("sponsors-missing", "sponsors", "two unrelated members have to stand up for it")
    params = Admit(
        member_class=application.member_class,
        control_group=group,
        sponsors=list(named),
        vetting=vetting.report_digest(report).hex(),
        keys=[key.kid for key in applications.keys(uow, application.id)],
        communities=[
            Grant(community=wish.community, read=wish.read, write=wish.write)
            for wish in applications.wishes(uow, application.id)
        ],
    )
    row = course.begin(
        uow,
        "member.admit",
        application.issuer,
        params,
        proposer=seated.seat,
        application_id=application.id,
    )
    _check(uow, state, row)
    course.discuss_if_endorsed(uow, state, row)
    return row.id


class _Rehearsed(Exception):
    """A rehearsal is over, and its transaction with it."""


@contextmanager
def _rehearsal(chamber: Chamber, *applications: str) -> Iterator[UnitOfWork]:
    """A transaction of which nothing is kept."""
    with suppress(_Rehearsed), proceedings(chamber, *applications) as uow:
        yield uow
        raise _Rehearsed


@contextmanager
def _moving(
    chamber: Chamber, seated: Seated, motion_id: str, *, panel: bool = False
) -> Iterator[tuple[UnitOfWork, BoardState, Motion]]:
    """A transaction under the chain's lock in which a seat, of the board or also of the panel, acts on a motion."""
    advance(chamber)
    with proceedings(chamber) as uow:
        state = chamber.chain.lock(uow)
        (seat_of if panel else board_seat_of)(state, seated)
        yield uow, state, course.get(uow, motion_id)


def _check(uow: UnitOfWork, state: BoardState, row: Motion) -> None:
    """Whether the motion could be carried out at the end of its ballot, and its proposer is not recused from it."""
    opens = uow.now + (0 if row.threshold == "single" else state.policy.discussion)
    decision = course.frame(uow, state, row, opens)
    course.check_possible(state, decision)
    if any(recusal.seat == row.proposer for recusal in decision.recused):
        raise Refused("ballot-recused", "seat", "recused from what it proposes")


def _check_unrecused(uow: UnitOfWork, state: BoardState, row: Motion, seated: Seated) -> None:
    decision = course.frame(uow, state, row, uow.now)
    if any(recusal.seat == seated.seat for recusal in decision.recused):
        raise Refused("ballot-recused", "seat", "the seat has no vote on this motion")


def _noticed(kind: DecisionType, params: Mapping[str, Any], now: int) -> Mapping[str, Any]:
    return {"noticed_at": now, **params} if PARAMS[kind] in {Suspend, Sanction} else params
