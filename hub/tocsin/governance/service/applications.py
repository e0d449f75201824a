"""Applying for membership: the form, its submission, answers to checkers, sponsors, and the clocks of waiting.

Nobody has to log in to apply. Who holds the secret given at the first step may submit, answer and withdraw; each key
has proved itself. An application changes nothing but its own rows: only a decision of the board makes a member.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from typing import Final

from tocsin.db import UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.rules import applications as rules
from tocsin.governance.rules import sponsors, tokens, vetting
from tocsin.governance.rules.applications import Amendment, ApplicationForm, KeyOffer, Wish
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import dossier, recusal
from tocsin.governance.service.context import Chamber, new_id
from tocsin.governance.service.proceedings import dossier_open
from tocsin.governance.service.recusal import Bar
from tocsin.governance.service.views import ApplicationLine, ApplicationStatus, ApplicationView, Applied
from tocsin.governance.store import applications as store
from tocsin.governance.store.applications import Application
from tocsin.members.rules import control_group_id
from tocsin_schemas.board import BoardState
from tocsin_schemas.jwk import PublicKey
from tocsin_schemas.membership import Act, step
from tocsin_schemas.policy import Policy
from tocsin_schemas.vocabulary import ApplicationState

OPEN_FOR_SPONSORS: Final = frozenset({"submitted", "vetting", "info_requested"})
_NOTHING: Final = Amendment()


class TakenBefore(Refused):
    """The same form was sent before: its application is there, and nothing has changed."""

    def __init__(self, application: str) -> None:
        super().__init__("conflict", "application", "this form was taken before")
        self.application = application


def apply(chamber: Chamber, form: ApplicationForm, *, submit: bool, once: str | None = None) -> Applied:
    """Take an application; with `submit` it is handed in at once, else it stays a draft of the applicant's for a while.

    `once` is what nobody but the sender of this one form knows, 128 random bits at least: the application is numbered
    by its digest, so that the same form sent again makes no second one.

    Raises:
        Refused: `board-absent` in a hub without a board; `conflict` for a member, or before somebody refused may try
            again; `not-found` for a community there is none of; `rate-limited` when too many wait; and as
            `rules.read_answers`, `rules.check_proof`, `submit`.
        TakenBefore: for a form that made an application before.
    """
    answers = rules.read_answers(form.answers)
    group = control_group_id(form.owner)
    secret = secrets.token_urlsafe(32)
    made = new_id(chamber.database.clock(), "ap") if once is None else f"ap_{_digest(once).hex()[:32]}"
    with dossier_open(chamber, made) as uow:
        state = chamber.chain.state(uow)
        if once is not None and store.get(uow, made) is not None:
            raise TakenBefore(made)
        keys = _proved(chamber, uow, state, form.issuer, form.keys)
        _check_wishes(state, form.communities)
        dossier.check_may_apply(uow, state, form.issuer)
        if not submit and store.count(uow, ("draft",)) >= rules.MAX_DRAFTS:
            raise Refused("rate-limited", "", "too many drafts; hand it in at once", retry_after=3600)
        row = Application(
            id=made,
            issuer=form.issuer,
            member_class=form.member_class,
            control_group_id=group,
            state="draft",
            state_since=uow.now,
            secret=_digest(secret),
            created_at=uow.now,
            submitted_at=None,
            lapses_at=uow.now + rules.DRAFT_SECONDS,
        )
        store.add(uow, row)
        store.put_answers(uow, row.id, answers)
        store.add_keys(uow, row.id, keys)
        store.add_wishes(uow, row.id, form.communities)
        if submit:
            _submit(uow, row, state.policy)
    return Applied(row.id, secret, "submitted" if submit else "draft")


def submit(chamber: Chamber, application_id: str, secret: str) -> ApplicationStatus:
    """Hand a draft in.

    Raises:
        Refused: `not-found` without the secret; `claim-missing` with the first question that has no answer, or `keys`;
            `conflict` when it was handed in before; `rate-limited` when too many wait.
    """
    with dossier_open(chamber, application_id) as uow:
        row = _own(uow, application_id, secret)
        _submit(uow, row, chamber.chain.state(uow).policy)
        return _status(chamber, uow, application_id)


def answer(
    chamber: Chamber,
    application_id: str,
    secret: str,
    answers: Mapping[str, Sequence[str]],
    amendment: Amendment = _NOTHING,
) -> ApplicationStatus:
    """Answer what the checkers asked again, or fill in a draft. What was found on an answer that changes is gone.

    Raises:
        Refused: `not-found`; `conflict` while nothing is asked; `claim-missing` when one of the questions asked has no
            answer; `claim-unknown` for anything else than what was asked; as `rules.read_answers`; for a draft, of keys
            and communities as `apply`.
    """
    given = rules.read_answers(answers)
    with dossier_open(chamber, application_id) as uow:
        row = _own(uow, application_id, secret)
        if row.state == "draft":
            store.put_answers(uow, row.id, given)
            _amend(chamber, uow, row, amendment)
            return _status(chamber, uow, row.id)
        state = step(row.state, "answer")
        asked = store.asked(uow, row.id)
        for name in asked:
            if name not in given:
                raise Refused("claim-missing", f"answers.{name}", "asked again: answer it")
        if given.keys() - set(asked) or amendment != _NOTHING:
            raise Refused("claim-unknown", "answers", "only what was asked may change")
        store.drop_checks(uow, row.id, vetting.unsettled(store.answers(uow, row.id), given))
        store.put_answers(uow, row.id, given)
        store.answered(uow, row.id)
        since = row.submitted_at if row.submitted_at is not None else row.created_at
        lapses_at = since + chamber.chain.state(uow).policy.application
        store.change(uow, row.id, state=state, state_since=uow.now, lapses_at=lapses_at)
        return _status(chamber, uow, row.id)


def withdraw(chamber: Chamber, application_id: str, secret: str) -> ApplicationStatus:
    """Give an application up, before the board has begun with it.

    Raises:
        Refused: `not-found`; `conflict` afterwards.
    """
    with dossier_open(chamber, application_id) as uow:
        row = _own(uow, application_id, secret)
        _move(uow, row, "abandon")
        return _status(chamber, uow, row.id)


def status(chamber: Chamber, application_id: str) -> ApplicationStatus:
    """Where an application stands, for whoever has its id.

    Raises:
        Refused: `not-found`.
    """
    with chamber.database.snapshot() as uow:
        return _status(chamber, uow, application_id)


def applications(chamber: Chamber, caller: Caller, *states: ApplicationState) -> list[ApplicationLine]:
    """The applications in these states, or all of them, as far as they are open to who asks; the one that lapses first
    comes first.

    What was never handed in is the applicant's own affair, once it has lapsed too.
    """
    with chamber.database.snapshot() as uow:
        state = chamber.chain.state(uow)
        lines = []
        for row in store.handed_in(uow, states):
            barred = recusal.bar(uow, state, row, caller.handle)
            lines.append(
                ApplicationLine(
                    _status(chamber, uow, row.id),
                    None if barred else dossier.view(uow, state, row),
                    None if barred is None else barred.motion,
                )
            )
        return lines


def application(chamber: Chamber, application_id: str, caller: Caller) -> ApplicationView:
    """One application with everything that vetting has found.

    Raises:
        Refused: `not-found`; as `recusal.check`.
    """
    with chamber.database.snapshot() as uow:
        state, row = chamber.chain.state(uow), dossier.get(uow, application_id)
        recusal.check(uow, state, row, caller.handle)
        return dossier.view(uow, state, row)


def bar(chamber: Chamber, application_id: str, caller: Caller) -> Bar | None:
    """Why an application is closed to somebody, if it is.

    Raises:
        Refused: `not-found`.
    """
    with chamber.database.snapshot() as uow:
        row = dossier.get(uow, application_id)
        return recusal.bar(uow, chamber.chain.state(uow), row, caller.handle)


def sponsor(chamber: Chamber, application_id: str, caller: Caller) -> ApplicationView:
    """Stand up for an applicant, as an administrator of a member.

    Raises:
        Refused: `role-missing` to anybody else; as `sponsor_signed`.
    """
    if "org_admin" not in caller.roles or caller.org_issuer is None:
        raise Refused("role-missing", "role", "an administrator of a member speaks for it")
    return _sponsor(chamber, application_id, caller.org_issuer, handle=caller.handle, jws=None)


def sponsor_signed(chamber: Chamber, token: bytes) -> ApplicationView:
    """Stand up for an applicant by a signed act: a JWS of type `tocsin-sponsorship+jwt` that names the application.

    Raises:
        Refused: as `tokens.open_member_word`; `not-found`; `sponsors-ineligible` when the member may not sponsor it,
            `sponsors-related` to another sponsor's control group; `conflict` a second time, or too late.
    """
    with chamber.database.snapshot() as uow:
        word = tokens.open_member_word(
            chamber.chain.state(uow), token, tokens.SPONSORSHIP_TYP, chamber.issuer, uow.now
        )
    return _sponsor(chamber, word.application or "", word.iss, handle=None, jws=token)


def lapse(chamber: Chamber) -> int:
    """Let applications lapse whose time is over; how many."""
    with chamber.database.snapshot() as uow:
        waiting = [row.id for row in store.overdue(uow, dossier.LAPSING)]
    if not waiting:
        return 0
    with dossier_open(chamber, *waiting) as uow:
        rows = [row for row in store.overdue(uow, dossier.LAPSING) if row.id in waiting]
        for row in rows:
            _move(uow, row, "lapse")
        return len(rows)


def _sponsor(
    chamber: Chamber, application_id: str, issuer: str, *, handle: str | None, jws: bytes | None
) -> ApplicationView:
    with dossier_open(chamber, application_id) as uow:
        state = chamber.chain.state(uow)
        row = dossier.get(uow, application_id, lock=True)
        if row.state not in OPEN_FOR_SPONSORS:
            raise Refused("conflict", "state", "sponsors come before the board's discussion")
        others = [given.issuer for given in store.sponsors(uow, row.id)]
        if issuer in others:
            raise Refused("conflict", "sponsor", "stands up for this applicant already")
        if not sponsors.fit(state, issuer, row.control_group_id):
            raise Refused(
                "sponsors-ineligible", "sponsor", "must be an active member unrelated to the applicant"
            )
        if not sponsors.unrelated(state, issuer, others):
            raise Refused("sponsors-related", "sponsor", "of the same control group as another sponsor")
        store.add_sponsorship(uow, row.id, issuer, handle=handle, jws=jws)
        return dossier.view(uow, state, row)


def _submit(uow: UnitOfWork, row: Application, policy: Policy) -> None:
    state = step(row.state, "submit")
    if lacking := _lacking(uow, row.id):
        field = lacking[0] if lacking[0] == "keys" else f"answers.{lacking[0]}"
        raise Refused("claim-missing", field, "needed before the application can be handed in")
    if store.count(uow, ("submitted",)) >= rules.MAX_WAITING:
        raise Refused("rate-limited", "", "too many applications wait", retry_after=3600)
    store.change(
        uow,
        row.id,
        state=state,
        state_since=uow.now,
        submitted_at=uow.now,
        lapses_at=uow.now + policy.application,
    )


def _amend(chamber: Chamber, uow: UnitOfWork, row: Application, amendment: Amendment) -> None:
    if amendment.member_class is not None:
        store.change(uow, row.id, member_class=amendment.member_class)
    if amendment.owner is not None:
        store.change(uow, row.id, control_group_id=control_group_id(amendment.owner))
    if amendment.communities is None and amendment.keys is None:
        return
    state = chamber.chain.state(uow)
    if amendment.communities is not None:
        _check_wishes(state, amendment.communities)
        store.drop_wishes(uow, row.id)
        store.add_wishes(uow, row.id, amendment.communities)
    if amendment.keys is not None:
        keys = _proved(chamber, uow, state, row.issuer, amendment.keys)
        store.drop_keys(uow, row.id)
        store.add_keys(uow, row.id, keys)


def _proved(
    chamber: Chamber, uow: UnitOfWork, state: BoardState, issuer: str, offers: Sequence[KeyOffer]
) -> list[PublicKey]:
    """The keys offered, each once: proved for this applicant and this hub, and nobody's here."""
    proved = (rules.check_proof(offer, issuer, chamber.issuer, uow.now) for offer in offers)
    keys = {key.kid: key for key in proved}
    if any(kid in standing.keys for standing in state.members.values() for kid in keys):
        raise Refused("conflict", "keys", "a key is registered already; make a new one")
    return list(keys.values())


def _check_wishes(state: BoardState, wishes: Sequence[Wish]) -> None:
    wished = [wish.community for wish in wishes]
    if len(set(wished)) < len(wished):
        raise Refused("claim-invalid", "communities", "names one twice")
    if set(wished) - state.communities.keys():
        raise Refused("not-found", "communities", "no such community")


def _lacking(uow: UnitOfWork, application_id: str) -> tuple[str, ...]:
    return rules.missing(store.answers(uow, application_id), len(store.keys(uow, application_id)))


def _own(uow: UnitOfWork, application_id: str, secret: str) -> Application:
    """The application that a secret opens; a wrong secret looks like no application."""
    row = store.get(uow, application_id, lock=True)
    if row is None or not hmac.compare_digest(row.secret, _digest(secret)):
        raise Refused("not-found", "application", "no such application of yours")
    return row


def _move(uow: UnitOfWork, row: Application, act: Act) -> None:
    store.change(uow, row.id, state=step(row.state, act), state_since=uow.now)


def _status(chamber: Chamber, uow: UnitOfWork, application_id: str) -> ApplicationStatus:
    row = dossier.get(uow, application_id)
    stands = dossier.standing(uow, chamber.chain.state(uow), row)
    missing = _lacking(uow, row.id) if row.state == "draft" else ()
    return ApplicationStatus(row.id, row.issuer, stands, asked=store.asked(uow, row.id), missing=missing)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
