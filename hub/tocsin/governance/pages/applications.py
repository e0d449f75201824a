"""Applications: the list with its clocks, and the workbench where each item is checked by two people.

Reading an application is sensitive: it asks for a purpose and is logged (`tocsin.accounts`). To who is recused it is
closed, and a seat that has not said yet whether it is goes to the motion, which asks (`service.recusal`).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Final, NamedTuple, get_args

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.details import approval
from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.motions import read_digest
from tocsin.governance.service import applications, motions, vetting
from tocsin.governance.service.views import ApplicationLine, ApplicationStatus, ApplicationView, Standing
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Form, Sent, allowed, page, person, to
from tocsin.web.people import Approval, Person
from tocsin_schemas.vocabulary import ApplicationState, VettingItem, VettingResult

router: Final = APIRouter(prefix="/console/applications", include_in_schema=False)

CHECKED: Final = frozenset({"submitted", "vetting", "info_requested"})
HANDED_IN: Final = tuple(state for state in get_args(ApplicationState) if state != "draft")
"""Drafts are the applicant's own affair until they are handed in."""
Vetter = Annotated[Approver, Depends(approver("application.vet"))]


class _Finding(NamedTuple):
    """What a form says of an item, as far as it fits, and why the rest does not, by field."""

    item: VettingItem
    result: VettingResult | None
    evidence: str
    wrongs: Mapping[str, Refused]


@router.get("")
def listed(request: Request, who: Annotated[Person, Depends(person("application.read"))]) -> Response:
    """Every application that was handed in, by where it stands."""
    at = actors.chamber(request)
    groups: dict[str, list[ApplicationLine]] = {"To be checked": [], "Before the board": [], "Ended": []}
    for line in applications.applications(at, actors.caller(who), *HANDED_IN):
        groups[_group(line.status)].append(line)
    return page(
        request,
        who,
        "governance/applications.html",
        groups=groups.items(),
        ending=ending,
        STANDINGS=words.STANDINGS,
        CLASSES=words.CLASSES,
        short=words.short,
    )


def _group(status: ApplicationStatus) -> str:
    if status.stands.ended:
        return "Ended"
    return "To be checked" if status.state in CHECKED else "Before the board"


def ending(stands: Standing) -> str:
    """How the application of an organisation that was admitted has ended; nothing for any other."""
    admission = stands.admission
    if admission is None or not stands.ended:
        return ""
    if admission.again:
        return "Admitted; it has applied again since, and this is how it stands now"
    return "Admitted; not all keys were proved in time" if admission.joined_at is None else "Became a member"


@router.get("/{application_id}")
def workbench(
    request: Request, application_id: str, who: Annotated[Person, Depends(person("application.read"))]
) -> Response:
    """One application with everything its checkers have found."""
    barred = applications.bar(actors.chamber(request), application_id, actors.caller(who))
    if barred is not None and barred.motion is not None:
        return to(f"/console/motions/{barred.motion}")
    return _shown(request, who, application_id)


@router.post("/{application_id}/vetting")
def begin(request: Request, application_id: str, by: Vetter) -> Response:
    """Begin with the checks."""
    at = actors.chamber(request)
    who = by.approve(_said(request, by, application_id, "Begin with the checks", "The checks of {} begin."))
    return _act(request, who, application_id, lambda: vetting.begin(at, application_id, actors.caller(who)))


@router.post("/{application_id}/discard")
def discard(request: Request, application_id: str, by: Vetter) -> Response:
    """Put aside what is no application."""
    at = actors.chamber(request)
    said = "What {} handed in is no application: it is put aside, and may be made anew."
    who = by.approve(_said(request, by, application_id, "Put an application aside", said))
    return _act(request, who, application_id, lambda: vetting.discard(at, application_id, actors.caller(who)))


@router.post("/{application_id}/checks")
def check(request: Request, application_id: str, by: Vetter) -> Response:
    """Record what the person found of one item."""
    at = actors.chamber(request)
    item: VettingItem = by.sent.one_of("item", get_args(VettingItem))
    finding = _finding(by.sent, item)
    if finding.wrongs or finding.result is None:
        return _again(request, by.person, application_id, finding.wrongs, finding)
    result, evidence = finding.result, finding.evidence
    found = "good" if result == "pass" else "wanting"
    said = f"I find “{words.ITEMS[item].title}” of {{}} {found}."
    facts = (("What it asks", words.ITEMS[item].meaning), ("Evidence (SHA-256)", evidence))
    who = by.approve(
        _said(request, by, application_id, "Record a finding", said, *facts), "item", "result", "evidence"
    )
    return _act(
        request,
        who,
        application_id,
        lambda: vetting.check(at, application_id, actors.caller(who), item, result, evidence),
        finding,
    )


@router.post("/{application_id}/questions")
def ask(
    request: Request,
    application_id: str,
    who: Annotated[Person, Depends(person("application.ask"))],
    sent: Sent,
) -> Response:
    """Put questions of the form to the applicant again."""
    at = actors.chamber(request)
    names = [name for name in QUESTIONS if name in sent]
    return _act(
        request,
        who,
        application_id,
        lambda: vetting.request_info(at, application_id, actors.caller(who), names),
    )


@router.post("/{application_id}/admission")
def propose(
    request: Request, application_id: str, by: Annotated[Approver, Depends(approver("motion.propose"))]
) -> Response:
    """Ask the board to admit the applicant."""
    at = actors.chamber(request)
    try:
        view = motions.rehearse_admission(at, actors.seated(by.person), application_id)
    except Refused as error:
        return _again(request, by.person, application_id, {"": error}, None)
    who = by.approve(approval("Propose: Admit a member", _path(application_id), view, ()))
    return to(f"/console/motions/{motions.propose_admission(at, actors.seated(who), application_id)}")


def _finding(sent: Form, item: VettingItem) -> _Finding:
    result: VettingResult | None = None
    evidence, wrongs = sent.get("evidence", "").strip().lower(), {}
    try:
        result = sent.one_of("result", get_args(VettingResult))
    except Refused:
        wrongs[f"result-{item}"] = Refused("request-invalid", "result", "choose good or wanting")
    try:
        read_digest(evidence, "evidence")
    except Refused as error:
        wrongs[f"evidence-{item}"], evidence = error, ""
    return _Finding(item, result, evidence, wrongs)


def _said(
    request: Request, by: Approver, application_id: str, title: str, said: str, *facts: tuple[str, str]
) -> Approval:
    """What is done with an application, as what is approved: no more of it than anybody with its number may know.

    Raises:
        Refused: `not-found`; as `recusal.check`, so that nobody approves what they may not do.
    """
    at = actors.chamber(request)
    found = applications.status(at, application_id)
    barred = applications.bar(at, application_id, actors.caller(by.person))
    if barred is not None:
        raise barred.refusal
    number = ("Application", found.id)
    return Approval(title, said.format(found.issuer), (number, *facts), _path(application_id))


def _path(application_id: str) -> str:
    return f"/console/applications/{application_id}"


def _act(
    request: Request,
    who: Person,
    application_id: str,
    act: Callable[[], object],
    finding: _Finding | None = None,
) -> Response:
    """Do it and show the application, or show it with what was wrong."""
    try:
        act()
    except Refused as error:
        place = "questions" if error.field == "questions" else ""
        return _again(request, who, application_id, {place: error}, finding)
    return to(_path(application_id) + (f"#item-{finding.item}" if finding else ""))


def _again(
    request: Request,
    who: Person,
    application_id: str,
    wrongs: Mapping[str, Refused],
    finding: _Finding | None,
) -> Response:
    error = next(iter(wrongs.values()))
    if error.code == "not-found" or applications.bar(
        actors.chamber(request), application_id, actors.caller(who)
    ):
        raise error
    try:
        person("application.read")(request)
    except Refused:
        # Whoever writes here need not have named a purpose to read: then the refusal stands alone.
        raise error from None
    return _shown(request, who, application_id, wrongs, finding)


def _shown(
    request: Request,
    who: Person,
    application_id: str,
    wrongs: Mapping[str, Refused] | None = None,
    finding: _Finding | None = None,
) -> Response:
    view = applications.application(actors.chamber(request), application_id, actors.caller(who))
    item = None if finding is None else finding.item
    parts = {"questions": "Questions to be answered anew"}
    if item is not None:
        parts |= dict.fromkeys(("result", "evidence", "checker"), words.ITEMS[item].title)
    advice = {name: words.advice(error, parts) for name, error in (wrongs or {}).items()}
    vets = allowed(request, who, "application.vet")
    return page(
        request,
        who,
        "governance/application.html",
        status=words.worst(advice),
        wrongs=advice,
        finding=finding,
        application=view,
        opened=item or _next(view, who),
        checking=vets and view.state in {"vetting", "info_requested"},
        said=words.said,
        short=words.short,
        QUESTIONS=QUESTIONS,
        ITEMS=words.ITEMS,
        ending=ending,
        STANDINGS=words.STANDINGS,
        CLASSES=words.CLASSES,
    )


def _next(view: ApplicationView, who: Person) -> VettingItem | None:
    """The first item that still needs a finding of this person."""
    return next(
        (
            item.item
            for item in view.items
            if not item.complete and all(check.checker != who.handle for check in item.checks)
        ),
        None,
    )
