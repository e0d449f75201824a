"""The public form by which an organisation applies, and the page where it follows its application. No login.

An answer comes back in the form only once it fits its question: a code of the list, an origin, a digest. The secret is
shown once, in the answer to the form, and asked for again at every further step.

Each form carries a token of its own. Sent again, as by a reload of the page with the secret, it makes no second
application: the answer says that the first one is there. The answer is no redirect, since nothing but an address or a
cookie would carry the secret over it, and before a browser sends a form again, it asks.
"""

import json
import re
import secrets
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Request, Response
from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.standing import host
from tocsin.governance.pages.words import Advice
from tocsin.governance.rules.applications import (
    MAX_KEYS,
    QUESTIONS,
    Amendment,
    ApplicationForm,
    Question,
    missing,
    read_answers,
)
from tocsin.governance.rules.terms import TERMS
from tocsin.governance.service import appeals, applications
from tocsin.governance.service.applications import TakenBefore
from tocsin.governance.service.dossier import LAPSING
from tocsin.governance.service.views import ApplicationStatus
from tocsin.web.console import Form, Sent, form, page, to, visit
from tocsin_schemas.problems import REGISTRY

router: Final = APIRouter(prefix="/apply", include_in_schema=False)

_FIELDS: Final[Mapping[str, tuple[str, str]]] = {
    "issuer": ("Your issuer", "An https origin in lower case, without a path"),
    "member_class": ("What you are", "Choose one"),
    "owner": ("Your ultimate owner", "An https origin in lower case, or an id that begins with cg_"),
    "communities": ("Communities", "Communities of this hub"),
    "keys": ("Your keys", f"One line of tocsin keys prove for each key, {MAX_KEYS} at most"),
}
"""The form's own fields beside its questions: what they are called, and what fits."""
_ONCE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
ONLY: Final[Mapping[str, str]] = {
    "governmental": "No, neither",
    "antitrust": "I have read it, and we accept it",
    "conduct": "I have read it, and we keep to it",
}
"""What there is to tick where a question has one answer."""


class Kept(NamedTuple):
    """What fits already and is shown again."""

    issuer: str = ""
    member_class: str = ""
    owner: str = ""
    answers: Mapping[str, tuple[str, ...]] = {}
    read: frozenset[str] = frozenset()
    write: frozenset[str] = frozenset()


_NOTHING: Final = Kept()


@router.get("")
def blank(request: Request) -> Response:
    """The empty form."""
    return _form(request, _NOTHING, {})


@router.post("")
def apply(request: Request, sent: Annotated[Form, Depends(form)]) -> Response:
    """Take the application, or show the form with everything that does not fit."""
    submit = sent.one_of("do", ("submit", "draft")) == "submit"
    once = _once(request, sent)
    answers, wrongs = _answers(sent, QUESTIONS)
    own, more = _own(request, sent)
    given: dict[str, Any] = {
        **own,
        "issuer": _origin(sent.get("issuer", "")),
        "answers": {name: list(values) for name, values in answers.items()},
    }
    wrongs |= more | _misfits(ApplicationForm, given)
    if submit:
        for name in missing(answers, len(given["keys"])):
            wrongs.setdefault(name, _advice(Refused("claim-missing", name, "needs an answer")))
    kept = _kept(given, wrongs, answers)
    if wrongs:
        return _form(request, kept, wrongs)
    try:
        applied = applications.apply(
            actors.chamber(request), ApplicationForm.model_validate(given), submit=submit, once=once
        )
    except TakenBefore as error:
        return _taken(request, error)
    except Refused as error:
        return _form(request, kept, {_place(error.field): _advice(error)})
    return page(request, None, "governance/applied.html", status=201, applied=applied)


@router.get("/terms/{name}")
def terms(request: Request, name: str) -> Response:
    """One of the texts that an applicant declares to have read."""
    if name not in TERMS:
        raise Refused("not-found")
    return page(request, None, "governance/terms.html", terms=TERMS[name])


@router.get("/{application_id}")
def status(request: Request, application_id: str) -> Response:
    """Where an application stands."""
    return _status(request, application_id, _NOTHING, {})


@router.post("/{application_id}/answers")
def answer(request: Request, application_id: str, sent: Sent) -> Response:
    """Answer what was asked again, or fill in a draft."""
    at = actors.chamber(request)
    found = applications.status(at, application_id)
    answers, wrongs = _answers(sent, _questions(found))
    amended: dict[str, Any] = {}
    if found.state == "draft":
        own, more = _own(request, sent)
        amended = {name: value for name, value in own.items() if value}
        wrongs |= more | _misfits(Amendment, amended)
    kept = _kept(amended, wrongs, answers)
    if wrongs:
        return _status(request, application_id, kept, wrongs)
    given = {name: list(values) for name, values in answers.items()}
    change = Amendment.model_validate(amended)
    return _act(
        request,
        application_id,
        lambda: applications.answer(at, application_id, sent["secret"].strip(), given, change),
        kept,
    )


@router.post("/{application_id}/submission")
def submit(request: Request, application_id: str, sent: Sent) -> Response:
    """Hand a draft in."""
    at = actors.chamber(request)
    return _act(
        request, application_id, lambda: applications.submit(at, application_id, sent["secret"].strip())
    )


@router.post("/{application_id}/withdrawal")
def withdraw(request: Request, application_id: str, sent: Sent) -> Response:
    """Give an application up."""
    at = actors.chamber(request)
    return _act(
        request, application_id, lambda: applications.withdraw(at, application_id, sent["secret"].strip())
    )


@router.post("/{application_id}/appeal")
def appeal(request: Request, application_id: str, sent: Sent) -> Response:
    """Have the independent panel look at a refusal again."""
    at = actors.chamber(request)
    return _act(
        request,
        application_id,
        lambda: appeals.appeal_rejection(at, application_id, sent["secret"].strip()),
    )


def _act(
    request: Request,
    application_id: str,
    act: Callable[[], object],
    kept: Kept = _NOTHING,
) -> Response:
    try:
        act()
    except Refused as error:
        if error.code == "not-found":
            error = Refused("not-found", "secret", "no such application, or not its secret")
        return _status(request, application_id, kept, {_place(error.field): _advice(error)})
    return to(f"/apply/{application_id}")


def _form(request: Request, kept: Kept, wrongs: Mapping[str, Advice]) -> Response:
    state = actors.board(request)
    return page(
        request,
        None,
        "governance/apply.html",
        status=words.worst(wrongs),
        governed=state is not None,
        once=secrets.token_urlsafe(32),
        communities=[] if state is None else sorted(state.communities),
        issuer=actors.chamber(request).issuer,
        kept=kept,
        wrongs=wrongs,
        max_keys=MAX_KEYS,
        CLASSES=words.CLASSES,
        QUESTIONS=QUESTIONS,
        ONLY=ONLY,
        TERMS=TERMS,
        said=words.said,
    )


def _taken(request: Request, error: TakenBefore) -> Response:
    """The form was sent again: nothing happens, and the application that it made is shown the way to."""
    found = applications.status(actors.chamber(request), error.application)
    status = REGISTRY[error.code].status
    return page(request, None, "governance/taken.html", status=status, application=found)


def _status(request: Request, application_id: str, kept: Kept, wrongs: Mapping[str, Advice]) -> Response:
    at = actors.chamber(request)
    found = applications.status(at, application_id)
    questions = _questions(found)
    fields = {*questions, *(_FIELDS.keys() - {"issuer"} if found.state == "draft" else ())}
    return page(
        request,
        None,
        "governance/status.html",
        status=words.worst(wrongs),
        application=found,
        questions=questions,
        missing={name: QUESTIONS[name].label if name in QUESTIONS else "Your keys" for name in found.missing},
        communities=_communities(request),
        issuer=actors.chamber(request).issuer,
        kept=kept,
        # What is wrong leads to its field, where the page has one.
        wrongs={name if name in fields else "": wrong for name, wrong in wrongs.items()},
        max_keys=MAX_KEYS,
        CLASSES=words.CLASSES,
        hub=at.issuer,
        member=f"/members#{host(found.issuer)}",
        MEMBERS=words.MEMBERS,
        WAITING=LAPSING,
        STANDINGS=words.STANDINGS,
        ONLY=ONLY,
        TERMS=TERMS,
        said=words.said,
    )


def _once(request: Request, sent: Form) -> str:
    """What only this form of this visitor has.

    Raises:
        Refused: `request-invalid`.
    """
    token = sent["once"]
    if not _ONCE.fullmatch(token):
        raise Refused("request-invalid", "once", "not what the form carries")
    # Beside the visitor's cookie, so that nobody chooses the number of an application.
    return f"tocsin/application-form/v1\n{visit(request)}\n{token}"


def _own(request: Request, sent: Form) -> tuple[dict[str, Any], dict[str, Advice]]:
    """The fields beside issuer and questions, and why the keys are none, where that is so."""
    given: dict[str, Any] = {
        "member_class": sent.get("member_class", ""),
        "owner": _origin(sent.get("owner", "")),
        "communities": [
            {"community": slug, "read": f"read.{slug}" in sent, "write": f"write.{slug}" in sent}
            for slug in _communities(request)
            if f"read.{slug}" in sent or f"write.{slug}" in sent
        ],
        "keys": [],
    }
    try:
        given["keys"] = _keys(sent.get("keys", ""))
    except Refused as error:
        return given, {"keys": _advice(error)}
    return given, {}


def _kept(
    given: Mapping[str, Any], wrongs: Mapping[str, Advice], answers: Mapping[str, tuple[str, ...]]
) -> Kept:
    """What fits of what was given."""
    wishes = given.get("communities", [])
    fits = {name: value for name, value in given.items() if name not in wrongs}
    return Kept(
        issuer=fits.get("issuer", ""),
        member_class=fits.get("member_class", ""),
        owner=fits.get("owner", ""),
        answers=answers,
        read=frozenset(wish["community"] for wish in wishes if wish["read"]),
        write=frozenset(wish["community"] for wish in wishes if wish["write"]),
    )


def _questions(found: ApplicationStatus) -> dict[str, Question]:
    """The questions that can be answered now."""
    names = QUESTIONS if found.state == "draft" else found.asked if found.state == "info_requested" else ()
    return {name: QUESTIONS[name] for name in QUESTIONS if name in names}


def _answers(
    sent: Form, questions: Mapping[str, Question]
) -> tuple[dict[str, tuple[str, ...]], dict[str, Advice]]:
    """The answers that fit, and why the others do not."""
    fit: dict[str, tuple[str, ...]] = {}
    wrongs: dict[str, Advice] = {}
    for name, question in questions.items():
        values = _given(sent, name, question)
        if not values:
            continue
        try:
            read_answers({name: values})
        except Refused as error:
            wrongs[name] = _advice(error)
        else:
            fit[name] = tuple(values)
    return fit, wrongs


def _given(sent: Form, name: str, question: Question) -> list[str]:
    if question.kind == "code" and question.many:
        return [code for code in question.choices if f"q.{name}.{code}" in sent]
    text = sent.get(f"q.{name}", "")
    if question.kind == "origin":
        return [_origin(line) for line in (text.split() if question.many else [text.strip()]) if line]
    return [text.strip().lower()] if text.strip() else []


def _origin(text: str) -> str:
    """An origin as people paste it: without the slash behind it, in lower case."""
    return text.strip().lower().removesuffix("/")


def _keys(text: str) -> list[dict[str, Any]]:
    """The lines of `tocsin keys prove`.

    Raises:
        Refused: `claim-invalid`.
    """
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        try:
            offer = json.loads(line)
        except (ValueError, RecursionError):
            raise Refused("claim-invalid", "keys", _FIELDS["keys"][1]) from None
        found.append(offer)
    return found


def _misfits(model: type[ApplicationForm | Amendment], given: Mapping[str, Any]) -> dict[str, Advice]:
    """The form's own fields that do not fit."""
    try:
        model.model_validate(given)
    except ValidationError as error:
        names = {str(one["loc"][0]) for one in error.errors()} & _FIELDS.keys()
        return {name: _advice(Refused("claim-invalid", name, _FIELDS[name][1])) for name in sorted(names)}
    return {}


def _advice(error: Refused) -> Advice:
    place = _place(error.field)
    labels = {error.field: _FIELDS[place][0]} if place in _FIELDS else {}
    return words.advice(error, labels)


def _place(field: str) -> str:
    """The field of the form that a refusal is about, or nothing."""
    name = field.removeprefix("answers.")
    name = "keys" if name.partition(".")[0] in {"proof", "jwk", "header", "kid"} else name
    return name if name in QUESTIONS or name in _FIELDS else ""


def _communities(request: Request) -> list[str]:
    state = actors.board(request)
    return [] if state is None else sorted(state.communities)
