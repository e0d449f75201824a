"""Proposing a motion: the kinds there are, and a form for each."""

from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, motion_forms, roster_form, words
from tocsin.governance.pages.details import approval
from tocsin.governance.pages.fields import Entry, misfits
from tocsin.governance.pages.motion_forms import FORMS, Proposal
from tocsin.governance.pages.policy import told
from tocsin.governance.service import motions
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Form, page, person, to
from tocsin.web.people import Person
from tocsin_schemas.board import BoardState
from tocsin_schemas.tally import RULES
from tocsin_schemas.vocabulary import DecisionType

router: Final = APIRouter(prefix="/console/motions/new", include_in_schema=False)

ROSTER: Final[DecisionType] = "roster.set"
KEYS: Final = "keys"
"""What the list of keys to choose from is called."""
GROUPS: Final[tuple[tuple[str, tuple[DecisionType, ...]], ...]] = (
    ("Probation", ("member.object", "member.activate", "member.extend", "member.refuse")),
    ("Members", ("member.suspend", "member.sanction", "member.reinstate", "member.expel")),
    ("Keys", ("key.revoke", "key.enrol")),
    ("Communities", ("community.open", "community.grant")),
    ("The board and others", (ROSTER, "peering.set", "agreement.record")),
)
KINDS: Final = tuple(kind for _, kinds in GROUPS for kind in kinds)
_ABOUT: Final[dict[DecisionType, str]] = {
    ROSTER: "One seat changes at a time; everything else stays. Whoever stays keeps the keys that the roster names."
    " Whoever is new needs a passkey first (the operator invites them with tocsin-hub console link): you choose it by"
    " the thumbprint that they read to you, in person or by telephone, from their page Security.",
    "member.object": "Your objection is enough by itself.",
}


@router.get("")
def kinds(request: Request, who: Annotated[Person, Depends(person("motion.propose"))]) -> Response:
    """What can be proposed."""
    return page(
        request,
        who,
        "governance/propose.html",
        titled=None,
        groups=GROUPS,
        DECISIONS=words.DECISIONS,
    )


@router.get("/{kind}")
def blank(request: Request, kind: str, who: Annotated[Person, Depends(person("motion.propose"))]) -> Response:
    """The form for one kind of motion."""
    return _form(request, who, _kind(kind))


@router.post("/{kind}")
def propose(
    request: Request, kind: str, by: Annotated[Approver, Depends(approver("motion.propose"))]
) -> Response:
    """Propose it, or show the form with everything that was wrong."""
    known = _kind(kind)
    at = actors.chamber(request)
    entries = _entries(request, known, _state(request), by.sent)
    if wrongs := misfits(entries, by.sent):
        return _form(request, by.person, known, by.sent, wrongs)
    try:
        subject, params, complainant = _read(request, known, by.sent)
        view = motions.rehearse(at, actors.seated(by.person), known, subject, params, complainant=complainant)
    except Refused as error:
        return _form(request, by.person, known, by.sent, {_place(error.field, known, entries): error})
    what = approval(
        f"Propose: {words.DECISIONS[known].title}",
        f"/console/motions/new/{known}",
        view,
        told(view.changes),
        without=view.params.keys() - params.keys(),
        complainant=complainant,
    )
    seated = actors.seated(by.approve(what, *(entry.name for entry in entries)))
    return to(
        f"/console/motions/{motions.propose(at, seated, known, subject, params, complainant=complainant)}"
    )


def _kind(text: str) -> DecisionType:
    for kind in KINDS:
        if kind == text:
            return kind
    raise Refused("not-found", "kind", "no such form")


def _read(request: Request, kind: DecisionType, sent: Form) -> Proposal:
    if kind == ROSTER:
        return roster_form.read(_state(request), sent, roster_form.passkeys(request))
    return motion_forms.read(kind, sent)


def _entries(request: Request, kind: DecisionType, state: BoardState, sent: Form | None) -> tuple[Entry, ...]:
    if kind == ROSTER:
        return roster_form.entries(state, sent, roster_form.passkeys(request))
    return motion_forms.entries(kind, state, sent)


def _place(field: str, kind: DecisionType, entries: tuple[Entry, ...]) -> str:
    """The field of the form that a refusal is about, or nothing."""
    subject = FORMS[kind].subject if kind in FORMS else ""
    names = [subject if part in {"subject", "kid"} else part for part in field.split(".")]
    known = {KEYS if entry.kind == "key" else entry.name for entry in entries}
    return next((name for name in names if name in known), "")


def _form(
    request: Request,
    who: Person,
    kind: DecisionType,
    sent: Form | None = None,
    wrongs: Mapping[str, Refused] | None = None,
) -> Response:
    entries = _entries(request, kind, _state(request), sent)
    labels = {KEYS: "The keys of the seat"} | {entry.name: entry.label for entry in entries}
    empty = [entry for entry in entries if entry.kind == "choice" and entry.required and not entry.options]
    advice = {
        "" if empty else name: words.advice(error, {error.field: labels.get(name, "")})
        for name, error in (wrongs or {}).items()
    }
    return page(
        request,
        who,
        "governance/propose.html",
        status=words.worst(advice),
        titled=words.DECISIONS[kind],
        kind=kind,
        entries=entries,
        lacking=f"there is nothing for “{empty[0].label}” to choose from" if empty else "",
        about=_ABOUT.get(kind, ""),
        rule=words.RULES[RULES[kind]],
        wrongs=advice,
    )


def _state(request: Request) -> BoardState:
    at = actors.chamber(request)
    with at.database.snapshot() as uow:
        return at.chain.state(uow)
