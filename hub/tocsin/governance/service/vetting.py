"""Vetting: the checklist of an application, each item checked by two people who are not of the applicant's owner."""

from collections.abc import Sequence

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import vetting as rules
from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.motions import read_digest
from tocsin.governance.rules.people import VETTERS, Caller, groups_of
from tocsin.governance.rules.vetting import Check
from tocsin.governance.service import dossier, recusal
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import dossier_open
from tocsin.governance.service.views import ApplicationView, VettingReport
from tocsin.governance.store import applications as store
from tocsin.governance.store.applications import Application
from tocsin_schemas.board import BoardState
from tocsin_schemas.membership import step
from tocsin_schemas.vocabulary import VettingItem, VettingResult


def begin(chamber: Chamber, application_id: str, caller: Caller) -> ApplicationView:
    """Take an application that was handed in into vetting.

    Raises:
        Refused: `role-missing`, `not-found`, `checker-related`, `conflict`; as `recusal.check`.
    """
    with dossier_open(chamber, application_id) as uow:
        state, row = _to_vet(chamber, uow, application_id, caller)
        store.change(uow, row.id, state=step(row.state, "begin_vetting"), state_since=uow.now)
        return dossier.view(uow, state, row)


def discard(chamber: Chamber, application_id: str, caller: Caller) -> ApplicationView:
    """Put aside what was handed in and is no application; nobody has begun with it, and it may be made anew.

    Raises:
        Refused: as `begin`.
    """
    with dossier_open(chamber, application_id) as uow:
        state, row = _to_vet(chamber, uow, application_id, caller)
        store.change(uow, row.id, state=step(row.state, "discard"), state_since=uow.now)
        return dossier.view(uow, state, row)


def request_info(
    chamber: Chamber, application_id: str, caller: Caller, questions: Sequence[str]
) -> ApplicationView:
    """Ask the applicant some questions of the form again; it answers in the policy's time, or the application lapses.

    Raises:
        Refused: `claim-invalid` without a question or for one the form does not have; as `begin`.
    """
    if not questions or not set(questions) <= QUESTIONS.keys():
        raise Refused("claim-invalid", "questions", "name one or more questions of the form")
    with dossier_open(chamber, application_id) as uow:
        state, row = _to_vet(chamber, uow, application_id, caller)
        moved = step(row.state, "request_info")
        store.ask(uow, row.id, sorted(set(questions)))
        submitted = row.submitted_at if row.submitted_at is not None else row.created_at
        store.change(
            uow,
            row.id,
            state=moved,
            state_since=uow.now,
            lapses_at=min(uow.now + state.policy.information, submitted + state.policy.application),
        )
        return dossier.view(uow, state, row)


def check(
    chamber: Chamber,
    application_id: str,
    caller: Caller,
    item: VettingItem,
    result: VettingResult,
    evidence: str,
) -> ApplicationView:
    """Record what one person found of one item; `evidence` is the SHA-256 of what it saw, in hexadecimal.

    Raises:
        Refused: `claim-invalid` for another digest or item; `checker-related`, `checker-repeated`; as `begin`;
            `conflict` outside vetting.
    """
    if item not in rules.ITEMS or result not in {"pass", "fail"}:
        raise Refused("claim-invalid", "item", "an item of the checklist, and pass or fail")
    digest = read_digest(evidence, "evidence")
    with dossier_open(chamber, application_id) as uow:
        state, row = _to_vet(chamber, uow, application_id, caller)
        if row.state not in {"vetting", "info_requested"}:
            raise Refused("conflict", "state", "items are checked while the application is being vetted")
        found = Check(item, caller.handle, result, digest, uow.now)
        rules.judge_check(
            store.checks(uow, row.id),
            found,
            checker_groups=groups_of(state, caller),
            applicant_group=row.control_group_id,
        )
        store.add_check(uow, row.id, found)
        return dossier.view(uow, state, row)


def report(chamber: Chamber, application_id: str, caller: Caller) -> VettingReport:
    """The vetting report, once every item has its two checks.

    Raises:
        Refused: `not-found`, `vetting-incomplete`; as `recusal.check`.
    """
    with chamber.database.snapshot() as uow:
        row = dossier.get(uow, application_id)
        recusal.check(uow, chamber.chain.state(uow), row, caller.handle)
        document = dossier.report_of(uow, row)
        return VettingReport(rules.report_digest(document).hex(), document)


def _to_vet(
    chamber: Chamber, uow: UnitOfWork, application_id: str, caller: Caller
) -> tuple[BoardState, Application]:
    if VETTERS.isdisjoint(caller.roles):
        raise Refused("role-missing", "role", "vetters and members of the board vet")
    state = chamber.chain.state(uow)
    row = dossier.get(uow, application_id, lock=True)
    if row.control_group_id in groups_of(state, caller):
        raise Refused("checker-related", "checker", "of the applicant's own control group")
    recusal.check(uow, state, row, caller.handle)
    return state, row
