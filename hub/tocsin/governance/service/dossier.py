"""An application's file: what is asked of it in more than one use case."""

from typing import Final

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import sponsors, vetting
from tocsin.governance.rules.motions import OPEN_STATES
from tocsin.governance.service.views import (
    Admission,
    ApplicationView,
    CheckView,
    ItemView,
    KeyView,
    SponsorView,
    Standing,
)
from tocsin.governance.store import applications as store
from tocsin.governance.store import motions
from tocsin.governance.store.applications import Application
from tocsin.governance.store.motions import Motion
from tocsin_schemas.board import BoardState
from tocsin_schemas.membership import FINAL
from tocsin_schemas.vocabulary import ApplicationState

LAPSING: Final[tuple[ApplicationState, ...]] = ("draft", "submitted", "vetting", "info_requested")
"""The states of an application with a clock of their own."""


def get(uow: UnitOfWork, application_id: str, *, lock: bool = False) -> Application:
    """One application; with `lock`, nobody else changes it until the transaction ends.

    Raises:
        Refused: `not-found`.
    """
    row = store.get(uow, application_id, lock=lock)
    if row is None:
        raise Refused("not-found", "application", "no such application")
    return row


def check_may_apply(uow: UnitOfWork, state: BoardState, issuer: str) -> None:
    """Whether somebody may apply now.

    Raises:
        Refused: `conflict` for a member, and until the time after a refusal or an expulsion is over (trust.md §1).
    """
    standing = state.members.get(issuer)
    if standing is not None and standing.state not in FINAL:
        raise Refused("conflict", "issuer", "a member applies no second time")
    waits = [] if standing is None else [standing.again_at(state.policy)]
    if issuer in state.refused:
        waits.append(state.refused[issuer] + state.policy.again_rejected)
    if any(again_at > uow.now for again_at in waits):
        raise Refused("conflict", "issuer", "too early after the board's last decision to apply again")


def sponsors_of(uow: UnitOfWork, state: BoardState, row: Application) -> tuple[str, ...]:
    """The members that a motion to admit would name as sponsors now: as many as are needed, or fewer."""
    group = row.control_group_id
    offered = [given.issuer for given in store.sponsors(uow, row.id)]
    return tuple(sponsors.chosen(state, offered, group)[: state.sponsors_needed])


def lacking(uow: UnitOfWork, state: BoardState, row: Application) -> tuple[str, ...]:
    """What a motion to admit still needs: vetting items by name, and `sponsors`."""
    found = sponsors_of(uow, state, row)
    return (
        *vetting.missing(store.checks(uow, row.id)),
        *(("sponsors",) if len(found) < state.sponsors_needed else ()),
    )


def report_of(uow: UnitOfWork, row: Application) -> dict[str, object]:
    """The vetting report of an application.

    Raises:
        Refused: `vetting-incomplete`.
    """
    return vetting.report(row.id, row.issuer, store.answers(uow, row.id), store.checks(uow, row.id))


def standing(uow: UnitOfWork, state: BoardState, row: Application) -> Standing:
    """Where an application stands: the chain says what became of one that was admitted."""
    return _standing(state, row, motions.of_application(uow, row.id))


def _standing(state: BoardState, row: Application, motion: Motion | None) -> Standing:
    member, decision = state.members.get(row.issuer), None if motion is None else motion.decision_seq
    if row.state != "approved_pending_keys" or member is None or decision is None:
        return Standing(row.state, row.state_since, row.lapses_at if row.state in LAPSING else None)
    again = member.admitted_by != decision
    pending = member.state == "approved_pending_keys" and not again
    due = member.due_at(state.policy) if pending else None
    admission = Admission(
        decision,
        row.state_since,
        tuple(sorted(member.awaiting)) if pending else (),
        None if again else member.joined_at,
        again,
    )
    return Standing(member.state, member.since, None if due is None else due[1], admission)


def view(uow: UnitOfWork, state: BoardState, row: Application) -> ApplicationView:
    """Everything about an application."""
    row = get(uow, row.id)
    checks, answers = store.checks(uow, row.id), store.answers(uow, row.id)
    incomplete = vetting.missing(checks)
    motion = motions.of_application(uow, row.id)
    given = store.sponsors(uow, row.id)
    fit = sponsors.chosen(state, [sponsor.issuer for sponsor in given], row.control_group_id)
    return ApplicationView(
        id=row.id,
        issuer=row.issuer,
        member_class=row.member_class,
        control_group=row.control_group_id,
        stands=_standing(state, row, motion),
        submitted_at=row.submitted_at,
        answers=answers,
        keys=tuple(KeyView(key.kid, key.alg) for key in store.keys(uow, row.id)),
        communities=tuple(store.wishes(uow, row.id)),
        sponsors=tuple(
            SponsorView(sponsor.issuer, sponsor.handle, sponsor.given_at, sponsor.issuer in fit)
            for sponsor in given
        ),
        items=tuple(
            ItemView(
                item,
                tuple(
                    CheckView(check.checker, check.result, check.evidence.hex(), check.checked_at)
                    for check in checks
                    if check.item == item
                ),
                item not in incomplete,
            )
            for item in vetting.ITEMS
        ),
        asked=store.asked(uow, row.id),
        report=None
        if incomplete
        else vetting.report_digest(vetting.report(row.id, row.issuer, answers, checks)).hex(),
        motion=None if motion is None else motion.id,
        open_motion=motion is not None and motion.state in OPEN_STATES,
        missing=lacking(uow, state, row),
    )
