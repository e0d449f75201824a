"""The policy at the console: the values in force, every version with what it changed, and the form for a motion.

Each value has a name, a meaning and a unit that people use; the chain keeps seconds.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Final, NamedTuple, Protocol, get_args

from fastapi import APIRouter, Depends, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.details import approval
from tocsin.governance.service import history, motions
from tocsin.web.approving import Approver, approver
from tocsin.web.console import Form, Sent, page, person, to
from tocsin.web.people import Person
from tocsin_schemas.board import BoardState
from tocsin_schemas.changes import Change, policy_changes
from tocsin_schemas.decisions import SetPolicy
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.vocabulary import LabelPack

router: Final = APIRouter(prefix="/console/policy", include_in_schema=False)


class Value(NamedTuple):
    """What a value of the policy means, and how many seconds (or things) its unit is."""

    label: str
    unit: str
    size: int = 1


VALUES: Final[Mapping[str, Value]] = {
    "corroborating_groups": Value("Independent owners that corroborate", "owners"),
    "corroboration_window": Value("within", "days", DAY),
    "disputing_groups": Value("Owners whose disputes stop an indicator", "owners"),
    "iat_past": Value("A signal may have been signed before it arrives", "seconds"),
    "iat_future": Value("A signer's clock may be ahead", "seconds"),
    "toe_past": Value("What a report observed may lie back", "days", DAY),
    "live_reports": Value("Live reports of one author about one indicator", "reports"),
    "min_pdq_quality": Value("Least quality of a PDQ hash", "of 100"),
    "signals_per_hour": Value("Signals of one member in an hour", "signals"),
    "media_candidate": Value("Life of a media hash that one owner reported", "days", DAY),
    "media_corroborated": Value("Life of a corroborated media hash", "days", DAY),
    "account_candidate": Value("Life of an account token that one owner reported", "days", DAY),
    "account_corroborated": Value("Life of a corroborated account token", "days", DAY),
    "account_confirmed": Value("Life of an account token that people confirmed", "days", DAY),
    "artefact": Value("Life of a model artefact", "days", DAY),
    "sighting": Value("Life of a sighting", "days", DAY),
    "dispute": Value("Life of a dispute", "days", DAY),
    "outcome": Value("Life of an outcome", "days", DAY),
    "discussion": Value("A motion is discussed", "hours", 3600),
    "voting": Value("A ballot is open", "hours", 3600),
    "quorum": Value("Fewest votes that a decision takes", "votes"),
    "tie": Value("A tie that has ended keeps a seat from voting", "days", DAY),
    "application": Value("An application may take until the board discusses it", "days", DAY),
    "information": Value("An applicant may take to answer a question", "days", DAY),
    "key_proof": Value("An admitted applicant may take to prove its keys", "days", DAY),
    "provisional": Value("A member is provisional, without objection", "days", DAY),
    "emergency": Value("An emergency suspension lasts, unless a ballot confirms it", "hours", 3600),
    "emergency_again": Value(
        "After one that no ballot confirmed, the same member is left alone for", "days", DAY
    ),
    "suspension": Value("The longest suspension", "days", DAY),
    "watch": Value("A member is watched after a suspension", "days", DAY),
    "notice_days": Value("Notice before a ballot on suspending or sanctioning", "working days"),
    "attestation": Value("A member that has not attested is restricted after", "days", DAY),
    "withdrawal": Value("Winding down takes", "days", DAY),
    "appeal": Value("A decision can be appealed for", "days", DAY),
    "again_rejected": Value("A rejected applicant waits before it applies again", "days", DAY),
    "again_expelled": Value("An expelled member waits before it applies again", "days", DAY),
}
"""The values of the form that are numbers; label packs stand beside them, an agreement is a decision of its own."""
PACKS: Final[Mapping[str, LabelPack]] = {f"pack.{pack}": pack for pack in get_args(LabelPack)}
"""The fields that choose label packs."""
LISTS: Final = {"agreements": "Licensed lists in use", "label_packs": "Label packs in force"}
_OF_ROSTER: Final = {
    "expires_at": "The roster expires",
    "rp_id": "Domain of its passkeys",
    "origin": "Address of the hub",
}

MAX_DIGITS: Final = 9

if {*VALUES, *LISTS, "version"} != set(Policy.model_fields):
    raise AssertionError("a value of the policy without words, or words without a value")


def _range(name: str, size: int) -> tuple[int, int]:
    """The least and the most that the chain allows of a value, in units of `size`."""
    told = _SCHEMA[name]
    return -(-told["minimum"] // size), told["maximum"] // size


_SCHEMA: Final = Policy.model_json_schema()["properties"]
RANGES: Final = {name: _range(name, value.size) for name, value in VALUES.items()}


class Line(NamedTuple):
    """A value as a page shows it, with the least and the most that the chain allows, in its unit."""

    name: str
    label: str
    value: str
    unit: str
    least: int
    most: int


class Version(NamedTuple):
    """A policy that was set: its number, its record and when, and the values it changed: (label, before, after)."""

    number: int
    record: int
    at: int
    changes: tuple[tuple[str, str, str], ...]


class Simulated(Protocol):
    """What another policy would do (tocsin.signals.service.simulate)."""

    @property
    def before(self) -> Mapping[str, int]:
        """Indicators by status now."""

    @property
    def after(self) -> Mapping[str, int]:
        """Indicators by status then."""

    @property
    def moved(self) -> int:
        """Indicators that would stand elsewhere."""

    @property
    def capped_before(self) -> int:
        """Signals above the caps now."""

    @property
    def capped_after(self) -> int:
        """Signals above the caps then."""

    @property
    def shortened(self) -> int:
        """Statements that would end earlier."""

    @property
    def lengthened(self) -> int:
        """Statements that would end later."""

    @property
    def refused(self) -> Mapping[str, int]:
        """Statements that would be refused, by problem code."""

    @property
    def quarantined(self) -> int:
        """How many more would be in quarantine, or fewer."""

    @property
    def uncounted(self) -> tuple[str, ...]:
        """Changed values about which nothing is counted."""

    @property
    def over(self) -> int:
        """Those of them that would be over by now."""


@router.get("")
def policy(request: Request, who: Annotated[Person, Depends(person("policy.read"))]) -> Response:
    """What is in force, and how it came about."""
    state = actors.board(request)
    now = _in_force(request)
    return page(
        request,
        who,
        "governance/policy.html",
        governed=state is not None,
        version=now.version,
        lines=lines(now),
        lists=[(label, sorted(getattr(now, name))) for name, label in LISTS.items()],
        versions=[] if state is None else versions(history.first_policy(actors.chamber(request)), state),
    )


@router.get("/change")
@router.get("/simulation")
def change(request: Request, who: Annotated[Person, Depends(person("policy.simulate"))]) -> Response:
    """The form in which values are changed, to see what that would do or to propose it."""
    return _form(request, who)


@router.post("/simulation")
def simulation(
    request: Request, who: Annotated[Person, Depends(person("policy.simulate"))], sent: Sent
) -> Response:
    """What the changed values would have done to the last 30 days; nothing is changed by asking."""
    if wrongs := misfits(sent):
        return _form(request, who, sent, wrongs)
    try:
        wanted = read(sent, _in_force(request))
    except Refused as error:
        return _form(request, who, sent, {"": error})
    simulate: Callable[[Policy], Simulated] = request.app.state.simulate
    return _form(request, who, sent, simulated=simulate(wanted))


@router.post("/change")
def propose(request: Request, by: Annotated[Approver, Depends(approver("motion.propose"))]) -> Response:
    """Propose it."""
    at = actors.chamber(request)
    if wrongs := misfits(by.sent):
        return _form(request, by.person, by.sent, wrongs)
    try:
        params = SetPolicy(policy=read(by.sent, _in_force(request))).model_dump(mode="json")
        view = motions.rehearse(at, actors.seated(by.person), "policy.set", "policy", params)
    except Refused as error:
        return _form(request, by.person, by.sent, {"": error})
    what = approval("Propose: Change the policy", "/console/policy/change", view, told(view.changes))
    seated = actors.seated(by.approve(what, *VALUES, *PACKS))
    return to(f"/console/motions/{motions.propose(at, seated, 'policy.set', 'policy', params)}")


def read(sent: Form, now: Policy) -> Policy:
    """The policy that a form asks for, none of whose values misfits: the one in force with the values it changes, and
    the next number.

    Raises:
        Refused: `conflict` when nothing is changed.
    """
    said: dict[str, int | frozenset[LabelPack]] = {
        name: int(sent[name].strip()) * value.size for name, value in VALUES.items()
    }
    said["label_packs"] = _packs(sent)
    if all(getattr(now, name) == value for name, value in said.items()):
        raise Refused("conflict", "policy", "nothing is changed")
    return Policy.model_validate({**now.model_dump(), **said, "version": now.version + 1})


def misfits(sent: Form) -> dict[str, Refused]:
    """The values of a form that are no numbers, or outside what the chain allows, each with what is."""
    found = {}
    for name in VALUES:
        least, most = RANGES[name]
        number = _number(sent.get(name, ""))
        if number is None or not least <= number <= most:
            expected = f"give a whole number from {least:,} to {most:,}"
            found[name] = Refused("request-invalid", name, expected)
    return found


def _packs(sent: Form) -> frozenset[LabelPack]:
    return frozenset(pack for name, pack in PACKS.items() if name in sent)


def lines(policy: Policy) -> list[Line]:
    """Every value that is a number."""
    return [
        Line(name, value.label, _shown(name, getattr(policy, name)), value.unit, *RANGES[name])
        for name, value in VALUES.items()
    ]


def versions(first: Policy, state: BoardState) -> list[Version]:
    """Every policy that the board has set after its `first`, the newest first."""
    found: list[Version] = []
    before = first
    for outcome in sorted(state.decisions.values(), key=lambda one: one.record):
        if outcome.result == "passes" and isinstance(outcome.params, SetPolicy):
            after = outcome.params.policy
            found.append(
                Version(after.version, outcome.record, outcome.at, told(policy_changes(before, after)))
            )
            before = after
    return found[::-1]


def told(changes: Iterable[Change]) -> tuple[tuple[str, str, str], ...]:
    """What a new policy or roster changes, as people read it: what, before, after. The number goes without saying."""
    return tuple(
        (_named(change.name), _said(change.name, change.before), _said(change.name, change.after))
        for change in changes
        if change.name != "version"
    )


def _named(name: str) -> str:
    if name in VALUES:
        return f"{VALUES[name].label} ({VALUES[name].unit})"
    return LISTS.get(name) or _OF_ROSTER.get(name) or f"Seat {name}"


def _said(name: str, value: str | None) -> str:
    if value is None:
        return "none"
    return _shown(name, int(value)) if name in VALUES else value


def _shown(name: str, number: int) -> str:
    whole, rest = divmod(number, VALUES[name].size)
    return f"{whole}" if not rest else f"{whole + rest / VALUES[name].size:.2f}"


def _number(text: str) -> int | None:
    digits = text.strip()
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= MAX_DIGITS else None


def _in_force(request: Request) -> Policy:
    at = actors.chamber(request)
    with at.database.snapshot() as uow:
        return at.chain.policy_in_force(uow)


def _form(
    request: Request,
    who: Person,
    sent: Form | None = None,
    wrongs: Mapping[str, Refused] | None = None,
    *,
    simulated: Simulated | None = None,
) -> Response:
    now = _in_force(request)
    shown = lines(now)
    if sent is not None:
        typed = {name: _number(sent.get(name, "")) for name in VALUES}
        shown = [
            line._replace(value="" if typed[line.name] is None else str(typed[line.name])) for line in shown
        ]
    parts = {name: _named(name) for name in VALUES}
    advice = {name: words.advice(error, parts) for name, error in (wrongs or {}).items()}
    return page(
        request,
        who,
        "governance/policy_change.html",
        status=words.worst(advice),
        wrongs=advice,
        lines=shown,
        packs=PACKS,
        chosen=now.label_packs if sent is None else _packs(sent),
        version=now.version + 1,
        governed=actors.board(request) is not None,
        simulated=simulated,
        uncounted=[] if simulated is None else [VALUES[name].label for name in simulated.uncounted],
        statuses=[] if simulated is None else sorted({*simulated.before, *simulated.after}),
    )
