"""Membership as a checked state machine (trust.md §1), declared as data: how one gets in, on, out and back.

- `TRANSITIONS` is the whole machine, of applications and of members; what is not in it cannot happen. It is checked at
  import: every state can be reached, nothing leaves a final state but a new application or an upheld appeal.
- `step` takes one act. What an act needs beforehand are *facts* that somebody else establishes, one word each; the
  governance chain (`tocsin_schemas.chain`) establishes those of members from signed records alone.
- `EFFECTS` says what each state means for the member, and `statement_counts` for what it has said; `SCOPES_OF` what
  the clients of each class may do. Hub and follower read them here, and nowhere else.

Where trust.md is silent: a suspension ends where it found the member, whoever ends it: otherwise the thirty days, a
sanction or a missed attestation could be skipped by being suspended (ADR 0038). A suspended member that withdraws is
out at once, for winding down would give it back what the suspension took, and waits with a new application like who was
expelled; so does one that is suspended while it leaves. Its time of leaving goes on in an emergency and a suspension. A
provisional one is out at once too, for it would read what it never could. An emergency suspension that the
board does not confirm ends with that ballot, however long it could have lasted, and is not repeated until the policy's
time is over. An inquorate ballot returns an application to its discussion. An application with an item that did not
pass waits for a better answer, and lapses with the rest.
"""

from collections.abc import Collection, Mapping
from typing import Final, Literal, NamedTuple, get_args

from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.vocabulary import SCOPES, ApplicationState, MemberClass, MemberState, Scope

State = ApplicationState | MemberState
By = Literal["applicant", "vetting", "board", "duty", "member", "clock", "panel"]
Act = Literal[
    "submit",
    "abandon",
    "discard",
    "begin_vetting",
    "request_info",
    "answer",
    "lapse",
    "begin_discussion",
    "open_ballot",
    "leave_undecided",
    "admit",
    "reject",
    "prove_keys",
    "object",
    "activate",
    "extend",
    "refuse",
    "emergency_suspend",
    "clear",
    "suspend",
    "sanction",
    "reinstate",
    "expel",
    "attest",
    "withdraw",
    "complete",
    "uphold",
    "apply",
]
Fact = Literal[
    "vetting_complete",
    "two_sponsors",
    "quorate_ballot",
    "key_possession",
    "provisional_days",
    "no_objection",
    "not_extended",
    "notice_given",
    "was_provisional",
    "was_active",
    "was_restricted",
    "was_withdrawing",
    "sanctioned",
    "not_sanctioned",
    "was_applicant",
    "refused_as_member",
    "cooled_down",
    "no_recent_emergency",
    "left_meanwhile",
    "left_suspended",
]
"""What must be established before an act.

`vetting_complete`: every item passed, checked by two people with evidence. `two_sponsors`: unrelated to the applicant
and to each other. `quorate_ballot`: a decision with its quorum. `key_possession`: each key named has signed.
`provisional_days`: thirty of them. `notice_given`: the policy's working days of notice are over. `cooled_down`: the
time before a new application is. `no_recent_emergency`: none that no ballot confirmed has ended within the policy's
time. `left_meanwhile`: it left after the ballot had opened. The others tell apart where the member came from.
"""

PROVISIONAL_LEAST: Final = 30 * DAY
EMERGENCY_REACH: Final = 30 * DAY
"""How far back an emergency suspension reaches into what the member said."""
Window = Literal[
    "application", "information", "key_proof", "provisional", "emergency", "attestation", "withdrawal"
]
"""The values of the policy that say when the clock acts."""


class Transition(NamedTuple):
    """From `source`, `act` leads to `target`, given the facts it requires; the clock's act not before `after`,
    a value of the policy, is over.
    """

    source: State
    act: Act
    target: State
    by: By
    requires: frozenset[Fact] = frozenset()
    after: Window | None = None


def _needs(*facts: Fact) -> frozenset[Fact]:
    return frozenset(facts)


FINAL: Final[tuple[State, ...]] = ("rejected", "lapsed", "withdrawn", "expelled")
"""Where an application or a membership ends."""

_CAME_FROM: Final[tuple[tuple[State, Fact], ...]] = (
    ("provisional", "was_provisional"),
    ("active", "was_active"),
    ("restricted", "was_restricted"),
    ("withdrawing", "was_withdrawing"),
)


TRANSITIONS: Final[tuple[Transition, ...]] = (
    # An application.
    Transition("draft", "submit", "submitted", "applicant"),
    Transition("submitted", "begin_vetting", "vetting", "vetting"),
    Transition("vetting", "request_info", "info_requested", "vetting"),
    Transition("info_requested", "answer", "vetting", "applicant"),
    Transition("info_requested", "lapse", "lapsed", "clock", after="information"),
    Transition("draft", "abandon", "lapsed", "applicant"),
    Transition("submitted", "abandon", "lapsed", "applicant"),
    Transition("submitted", "discard", "lapsed", "vetting"),
    Transition("vetting", "abandon", "lapsed", "applicant"),
    Transition("info_requested", "abandon", "lapsed", "applicant"),
    Transition("draft", "lapse", "lapsed", "clock", after="application"),
    Transition("submitted", "lapse", "lapsed", "clock", after="application"),
    Transition("vetting", "lapse", "lapsed", "clock", after="application"),
    Transition(
        "vetting", "begin_discussion", "discussion", "board", _needs("vetting_complete", "two_sponsors")
    ),
    Transition("discussion", "open_ballot", "ballot", "board"),
    Transition("ballot", "leave_undecided", "discussion", "board"),
    Transition("ballot", "reject", "rejected", "board", _needs("quorate_ballot")),
    Transition(
        "ballot",
        "admit",
        "approved_pending_keys",
        "board",
        _needs("vetting_complete", "two_sponsors", "quorate_ballot"),
    ),
    Transition("approved_pending_keys", "prove_keys", "provisional", "member", _needs("key_possession")),
    Transition("approved_pending_keys", "lapse", "lapsed", "clock", after="key_proof"),
    # Probation: thirty days at least, ninety by default unless the board moves; one objection makes it a ballot.
    Transition("provisional", "object", "provisional", "board"),
    Transition("provisional", "activate", "active", "board", _needs("provisional_days", "quorate_ballot")),
    Transition(
        "provisional",
        "complete",
        "active",
        "clock",
        _needs("provisional_days", "no_objection"),
        "provisional",
    ),
    Transition("provisional", "extend", "provisional", "board", _needs("not_extended", "quorate_ballot")),
    Transition("provisional", "refuse", "rejected", "board", _needs("quorate_ballot")),
    # The yearly attestation.
    Transition("active", "attest", "active", "member"),
    Transition("active", "lapse", "restricted", "clock", after="attestation"),
    Transition("restricted", "attest", "active", "member", _needs("not_sanctioned")),
    # Emergency: two duty officers, for 72 hours by default.
    *(
        Transition(state, "emergency_suspend", "emergency_suspended", "duty", _needs("no_recent_emergency"))
        for state, _ in _CAME_FROM
    ),
    *(
        Transition("emergency_suspended", "lapse", back, "clock", _needs(was), "emergency")
        for back, was in _CAME_FROM
    ),
    *(Transition("emergency_suspended", "clear", back, "board", _needs(was)) for back, was in _CAME_FROM),
    Transition("emergency_suspended", "suspend", "suspended", "board", _needs("quorate_ballot")),
    # Discipline by ballot, and the way back.
    Transition("active", "suspend", "suspended", "board", _needs("quorate_ballot", "notice_given")),
    Transition("restricted", "suspend", "suspended", "board", _needs("quorate_ballot", "notice_given")),
    Transition("withdrawing", "suspend", "suspended", "board", _needs("quorate_ballot", "notice_given")),
    # Out before the votes were counted: the suspension is that it waits with a new application.
    Transition(
        "withdrawn",
        "suspend",
        "withdrawn",
        "board",
        _needs("quorate_ballot", "notice_given", "left_meanwhile"),
    ),
    Transition("active", "sanction", "restricted", "board", _needs("quorate_ballot", "notice_given")),
    Transition("restricted", "sanction", "restricted", "board", _needs("quorate_ballot", "notice_given")),
    Transition("restricted", "reinstate", "active", "board", _needs("quorate_ballot")),
    *(
        Transition("suspended", "reinstate", back, "board", _needs("quorate_ballot", was))
        for back, was in _CAME_FROM
    ),
    *(Transition("suspended", "complete", back, "clock", _needs(was)) for back, was in _CAME_FROM),
    *(Transition("suspended", "uphold", back, "panel", _needs(was)) for back, was in _CAME_FROM),
    Transition("suspended", "expel", "expelled", "board", _needs("quorate_ballot")),
    # Appeals: back to where the decision found the member.
    Transition("restricted", "uphold", "active", "panel", _needs("sanctioned")),
    Transition("expelled", "uphold", "suspended", "panel"),
    Transition("withdrawn", "uphold", "withdrawn", "panel", _needs("left_suspended")),
    Transition("rejected", "uphold", "provisional", "panel", _needs("refused_as_member")),
    Transition("rejected", "uphold", "discussion", "panel", _needs("was_applicant")),
    # Leaving.
    Transition("provisional", "withdraw", "withdrawn", "member"),
    Transition("active", "withdraw", "withdrawing", "member"),
    Transition("restricted", "withdraw", "withdrawing", "member"),
    Transition("suspended", "withdraw", "withdrawn", "member"),
    Transition("withdrawing", "complete", "withdrawn", "clock", after="withdrawal"),
    # Coming back is a new application.
    *(Transition(final, "apply", "draft", "applicant", _needs("cooled_down")) for final in FINAL),
)
_INDEX: Final[Mapping[tuple[State, Act], tuple[Transition, ...]]] = {
    (source, act): tuple(t for t in TRANSITIONS if (t.source, t.act) == (source, act))
    for source, act in {(t.source, t.act) for t in TRANSITIONS}
}


def step(state: State, act: Act, facts: Collection[Fact] = ()) -> State:
    """The state that `act` leads to from `state`, given the facts established.

    Raises:
        Refused: `conflict` when the act is impossible in that state, `transition-forbidden` when a fact is missing.
    """
    possible = _INDEX.get((state, act), ())
    if not possible:
        raise Refused("conflict", "state", f"{act} is not possible in the state {state}")
    for transition in possible:
        if transition.requires <= set(facts):
            return transition.target
    missing = sorted(possible[0].requires - set(facts))
    raise Refused("transition-forbidden", "state", f"{act} still needs {', '.join(missing)}")


class Effects(NamedTuple):
    """What a state means for a member.

    `submits`: whether its new reports are taken. `counts`: whether what it said lifts an indicator; `before` means
    only what was recorded more than 30 days before the state began. `reads`: everything by TLP and community, green
    and clear only, or nothing. `webhooks`: what is still sent to it. `votes`: whether it votes and sponsors. `keys`:
    `live`; `dead` for as long as the state lasts; `verify_only` for what was signed in its time.
    """

    submits: bool
    counts: Literal["yes", "never", "before"]
    reads: Literal["all", "green", "none"]
    webhooks: Literal["all", "no_escalations", "corrections", "none"]
    votes: bool
    keys: Literal["live", "dead", "verify_only"]


EFFECTS: Final[Mapping[MemberState, Effects]] = {
    "provisional": Effects(True, "never", "green", "no_escalations", False, "live"),
    "active": Effects(True, "yes", "all", "all", True, "live"),
    "restricted": Effects(False, "yes", "all", "all", False, "live"),
    "emergency_suspended": Effects(False, "before", "none", "none", False, "dead"),
    "suspended": Effects(False, "never", "none", "corrections", False, "dead"),
    "withdrawing": Effects(False, "yes", "all", "all", False, "live"),
    "withdrawn": Effects(False, "never", "none", "corrections", False, "verify_only"),
    "expelled": Effects(False, "never", "none", "corrections", False, "verify_only"),
}

_EVERY_SCOPE: Final[frozenset[Scope]] = frozenset(SCOPES)
_TOLD: Final[frozenset[Scope]] = frozenset({"webhooks:manage", "ssf.read", "ssf.manage"})

SCOPES_OF: Final[Mapping[MemberClass, frozenset[Scope]]] = {
    "platform": _EVERY_SCOPE,
    "model_vendor": _EVERY_SCOPE,
    "model_host": _EVERY_SCOPE,
    "hotline": _EVERY_SCOPE,
    "partner": _TOLD,
    # It is given no data: of events, only those about the board, which are public.
    "observer": frozenset({"webhooks:manage"}),
    "peer_hub": _EVERY_SCOPE,
}
"""What the clients of a member may do, by its class: partners are told by webhook and stream and read nothing else."""

VACATING: Final[frozenset[State]] = frozenset(
    {"restricted", "suspended", "withdrawing", "withdrawn", "expelled", "rejected"}
)
"""A board seat is vacant while its organisation is in one of these states. A provisional organisation keeps a seat that
the roster gave it, or a founding board could never admit the organisations that founded it."""
SILENCING: Final[frozenset[State]] = VACATING | {"emergency_suspended"}
"""Who sits in a board seat has no word while its organisation is in one of these states. In an emergency the seat is
counted all the same: two duty officers keep others from voting for some days, and never lower how many it takes."""


def withheld_from(state: MemberState, since: int, activated: bool) -> int | None:
    """From which instant of recording on what a member said does not count; 0 for all of it, None for nothing of it.

    `since` is when it came into its state, `activated` whether it was ever active: what a member said that never was
    does not begin to count by its being suspended, or leaving.
    """
    counts = EFFECTS[state].counts
    if counts == "never" or not activated:
        return 0
    return since - EMERGENCY_REACH if counts == "before" else None


def statement_counts(state: MemberState, since: int, recorded_at: int, activated: bool) -> bool:
    """Whether a statement recorded at `recorded_at` counts, its author being in `state` since `since` (Unix seconds).

    What a suspended, withdrawn or expelled member said survives only where others said the same.
    """
    withheld = withheld_from(state, since, activated)
    return withheld is None or recorded_at < withheld


LEFT_BEHIND_SECONDS: Final = 30 * DAY
"""How long what a member left behind that nobody bore out is kept, hidden and uncounted."""


def permit(state: MemberState, what: Literal["submit", "read", "authenticate"]) -> None:
    """Whether a member in this state may do it; `read` is anything but submitting.

    Raises:
        Refused: `member-suspended`, `membership-ended`, or `member-restricted` when it may only not submit.
    """
    effects = EFFECTS[state]
    if effects.keys == "dead":
        raise Refused("member-suspended", "", f"the member is {IN_WORDS[state]}")
    if effects.keys == "verify_only":
        raise Refused("membership-ended", "", f"the member is {IN_WORDS[state]}")
    if what == "submit" and not effects.submits:
        raise Refused(
            "member-restricted", "", f"the member is {IN_WORDS[state]}: it reads, and does not submit"
        )


IN_WORDS: Final[Mapping[MemberState, str]] = {
    "provisional": "provisional",
    "active": "active",
    "restricted": "restricted",
    "emergency_suspended": "under emergency suspension",
    "suspended": "suspended",
    "withdrawing": "withdrawing",
    "withdrawn": "no member any more: it has withdrawn",
    "expelled": "no member any more: it was expelled",
}


def check_machine(transitions: Collection[Transition] = TRANSITIONS) -> None:
    """Check that the machine is whole; done at import.

    Raises:
        ValueError: when a state cannot be reached or is not known, an act is unknown or never used, two transitions
            cannot be told apart, or something else than a new application or an appeal leaves a final state.
    """
    states: set[str] = {*get_args(ApplicationState), *get_args(MemberState)}
    named = {t.source for t in transitions} | {t.target for t in transitions}
    if named != states:
        raise ValueError("the machine does not have exactly the known states")
    if {t.act for t in transitions} != set(get_args(Act)):
        raise ValueError("the machine does not use exactly the known acts")
    if len({(t.source, t.act, t.requires) for t in transitions}) != len(transitions):
        raise ValueError("two transitions cannot be told apart")
    if any(
        t.source in FINAL and t.target != t.source and t.act not in {"apply", "uphold"} for t in transitions
    ):
        raise ValueError("a final state is left otherwise than by a new application or an appeal")
    reached: set[str] = {"draft"}
    while more := {t.target for t in transitions if t.source in reached} - reached:
        reached |= more
    if reached != states:
        raise ValueError("a state cannot be reached")


check_machine()
