"""One motion: what it says in plain words beside its digest, the discussion, the votes, and the result with its proof.

Rules: to a seat, nothing but whom it is about opens before it has said whether it has a conflict of interest; what
is decided at once is the exception, where signing says it. A vote is signed by the person's own seat or not at all;
what else takes or gives a voice is approved with a passkey, and a remark is neither.
"""

import json
from collections.abc import Callable
from itertools import starmap
from typing import Annotated, Final, NamedTuple, get_args

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.details import approval, details
from tocsin.governance.pages.fields import Entry, Option, kept
from tocsin.governance.pages.policy import told
from tocsin.governance.rules.motions import OPEN_STATES
from tocsin.governance.rules.people import Seated
from tocsin.governance.service import applications, ballots, motions
from tocsin.governance.service.views import BallotPaper, MotionView
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Form, Sent, allowed, page, person, to
from tocsin.web.people import Approval, Person
from tocsin_schemas.decisions import Assertion, Ballot
from tocsin_schemas.tally import AT_ONCE
from tocsin_schemas.vocabulary import Choice, RemarkStance, RemarkTopic

router: Final = APIRouter(prefix="/console/motions", include_in_schema=False)


_REMARK: Final = {
    "stance": Entry("stance", "choice", "Remark", options=tuple(starmap(Option, words.STANCES.items()))),
    "topic": Entry("topic", "choice", "About", options=tuple(starmap(Option, words.TOPICS.items()))),
    "document": Entry("document", "digest", "SHA-256 of a document, if there is one"),
}
"""The fields of a remark."""


class Until(NamedTuple):
    """What happens next by itself, and when."""

    words: str
    at: int


@router.get("/{motion_id}")
def motion(
    request: Request, motion_id: str, who: Annotated[Person, Depends(person("motion.read"))]
) -> Response:
    """One motion as the person may see it."""
    return _shown(request, who, motion_id)


@router.post("/{motion_id}/declaration")
def declare(
    request: Request, motion_id: str, by: Annotated[Approver, Depends(approver("motion.recuse"))]
) -> Response:
    """Say whether there is a conflict of interest."""
    conflict = by.sent.one_of("conflict", ("yes", "no")) == "yes"
    view = motions.motion(actors.chamber(request), motion_id, actors.seat(by.person))
    what = Approval(
        "Declare a conflict of interest" if conflict else "Declare that you have no conflict of interest",
        "I have a conflict of interest. I neither read the discussion nor vote, and that cannot be taken back."
        if conflict
        else "I have no conflict of interest.",
        (("Motion", words.DECISIONS[view.type].title), ("It is about", view.subject)),
        _path(motion_id),
    )
    return _act(
        request,
        by.approve(what, "conflict"),
        motion_id,
        lambda seat: motions.declare(actors.chamber(request), seat, motion_id, conflict=conflict),
    )


@router.post("/{motion_id}/endorsement")
def endorse(
    request: Request, motion_id: str, by: Annotated[Approver, Depends(approver("motion.endorse"))]
) -> Response:
    """Want the motion discussed."""
    who = by.approve(_said(request, by.person, motion_id, "Endorse this motion"))
    return _act(
        request, who, motion_id, lambda seat: motions.endorse(actors.chamber(request), seat, motion_id)
    )


@router.post("/{motion_id}/withdrawal")
def withdraw(
    request: Request, motion_id: str, by: Annotated[Approver, Depends(approver("motion.propose"))]
) -> Response:
    """Take one's own motion back."""
    who = by.approve(_said(request, by.person, motion_id, "Withdraw this motion"))
    return _act(
        request, who, motion_id, lambda seat: motions.withdraw(actors.chamber(request), seat, motion_id)
    )


@router.post("/{motion_id}/remarks")
def remark(
    request: Request, motion_id: str, who: Annotated[Person, Depends(person("motion.remark"))], sent: Sent
) -> Response:
    """Add a coded remark."""

    def act(seat: Seated) -> None:
        stance: RemarkStance = sent.one_of("stance", get_args(RemarkStance))
        topic: RemarkTopic = sent.one_of("topic", get_args(RemarkTopic))
        document = sent.get("document") or None
        motions.remark(actors.chamber(request), seat, motion_id, stance, topic, document)

    return _act(request, who, motion_id, act, sent)


@router.post("/{motion_id}/ballots")
def vote(
    request: Request, motion_id: str, who: Annotated[Person, Depends(person("motion.vote"))], sent: Sent
) -> Response:
    """Cast the vote of the person's own seat, signed with a passkey."""
    at = actors.chamber(request)
    return _act(
        request,
        who,
        motion_id,
        lambda seat: ballots.cast(at, motion_id, signed_ballot(sent, seat, actors.now(request))),
    )


def signed_ballot(sent: Form, seat: Seated, now: int) -> Ballot:
    """The ballot that a form brings: the choice, and what the passkey answered.

    Raises:
        Refused: `request-invalid`, `ballot-invalid`.
    """
    choice: Choice = sent.one_of("choice", get_args(Choice))
    parts = {name: sent.get(name, "") for name in ("client_data", "authenticator_data", "signature")}
    if not all(parts.values()):
        raise Refused(
            "ballot-invalid", "signature", "the passkey did not sign; try again and follow its prompt"
        )
    try:
        return Ballot(
            seat=seat.seat,
            choice=choice,
            credential=sent["credential"],
            cast_at=now,
            assertion=Assertion(**parts),
        )
    except ValidationError:
        raise Refused("ballot-invalid", "signature", "not what a passkey answers") from None


def _said(request: Request, who: Person, motion_id: str, title: str) -> Approval:
    """A motion as what is approved, by a seat to which it is open."""
    seat = actors.seat(who)
    view = motions.motion(actors.chamber(request), motion_id, seat)
    if view.closed:
        raise Refused("conflict", "conflict", "say first whether you have a conflict of interest")
    return approval(title, _path(motion_id), view, told(view.changes))


def _path(motion_id: str) -> str:
    return f"/console/motions/{motion_id}"


def _act(
    request: Request,
    who: Person,
    motion_id: str,
    act: Callable[[Seated], object],
    remark: Form | None = None,
) -> Response:
    """Do it and show the motion, or show it with what was wrong."""
    try:
        act(actors.seated(who))
    except Refused as error:
        if error.code == "not-found":
            raise
        return _shown(request, who, motion_id, error, remark)
    return to(_path(motion_id))


def _shown(
    request: Request,
    who: Person,
    motion_id: str,
    wrong: Refused | None = None,
    remark: Form | None = None,
) -> Response:
    seat = actors.seat(who)
    view = motions.motion(actors.chamber(request), motion_id, seat)
    recused = _recused(view, seat)
    papers = _papers(request, who, view, seat)
    signable = [
        credential
        for paper in papers[:1]
        for credential in paper.credentials
        if credential.kind == "webauthn"
    ]
    voting = "vote" in view.may and allowed(request, who, "motion.vote")
    wrongs = {}
    if wrong is not None:
        place = wrong.field if remark is not None and wrong.field in _REMARK else ""
        wrongs = {place: words.advice(wrong, {name: entry.label for name, entry in _REMARK.items()})}
    return page(
        request,
        who,
        "governance/motion.html",
        status=words.worst(wrongs),
        passkeys=bool(signable),
        wrongs=wrongs,
        kept={name: kept(entry, remark or {}).value for name, entry in _REMARK.items()},
        motion=view,
        until=_until(view),
        file=_file(request, who, view),
        shut=recused and view.state in OPEN_STATES and bool(view.declared),
        short=words.short,
        me=None if seat is None else seat.seat,
        details=details(view.params),
        changes=told(view.changes),
        decision=None if view.decision is None else json.dumps(view.decision, indent=1, sort_keys=True),
        papers=papers if signable else (),
        allow=" ".join(credential.id for credential in signable),
        hub=actors.chamber(request).issuer,
        offline=who.seat is not None and not who.seat.credentials,
        needs_passkey=voting and not who.passkey,
        choices=_choices(view),
        at_once=view.threshold in AT_ONCE,
        DECISIONS=words.DECISIONS,
        MOTIONS=words.MOTIONS,
        RESULTS=words.RESULTS,
        RULES=words.RULES,
        RECUSALS=words.RECUSALS,
        CHOICES=words.CHOICES,
        STANCES=words.STANCES,
        TOPICS=words.TOPICS,
    )


def _file(request: Request, who: Person, view: MotionView) -> str | None:
    """The application that a motion would admit, where its file is open to the person."""
    if view.application is None or not allowed(request, who, "application.read"):
        return None
    barred = applications.bar(actors.chamber(request), view.application, actors.caller(who))
    return None if barred else view.application


def _recused(view: MotionView, seat: Seated | None) -> bool:
    return seat is not None and any(name == seat.seat for name, _ in view.recusals)


def _papers(request: Request, who: Person, view: MotionView, seat: Seated | None) -> tuple[BallotPaper, ...]:
    """A ballot paper for each choice, where the person can vote now."""
    if seat is None or "vote" not in view.may or not who.passkey or not allowed(request, who, "motion.vote"):
        return ()
    at = actors.chamber(request)
    return tuple(ballots.ballot_paper(at, seat, view.id, choice) for choice in _choices(view))


def _choices(view: MotionView) -> dict[Choice, str]:
    """What can be signed, and its words; where one or two signatures decide, nobody need abstain."""
    if view.type == "member.emergency_suspend":
        return {"yes": "Yes: suspend it now", "no": "No: there is no emergency"}
    if view.threshold in AT_ONCE:
        return {"yes": "Yes: I sign it"}
    return {choice: words.CHOICES[choice] for choice in get_args(Choice)}


def _until(view: MotionView) -> Until | None:
    if view.state == "discussion" and view.discussion_ends is not None:
        return Until("The ballot opens", view.discussion_ends)
    if view.state == "ballot" and view.closes_at is not None:
        return Until("The ballot closes", view.closes_at)
    return None
