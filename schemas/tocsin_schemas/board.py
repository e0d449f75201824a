"""What replaying the governance chain yields: members and their keys, communities, policy, roster, decisions.

Values only; `tocsin_schemas.chain` makes them. Everything a hub does for or against a member follows from here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from tocsin_schemas.decisions import Params
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.governance import ClockBody, ClockRule
from tocsin_schemas.jwk import public_key
from tocsin_schemas.membership import (
    EFFECTS,
    FINAL,
    PROVISIONAL_LEAST,
    SILENCING,
    VACATING,
    Act,
    Fact,
    State,
)
from tocsin_schemas.policy import Policy
from tocsin_schemas.roster import Roster, Seat
from tocsin_schemas.tally import Result
from tocsin_schemas.vocabulary import DecisionType, HubKeyName, MemberClass, SourceRestriction

CLOCK_ACTS: Final[Mapping[ClockRule, tuple[State, Act]]] = {
    "keys-lapsed": ("approved_pending_keys", "lapse"),
    "provisional-complete": ("provisional", "complete"),
    "emergency-lapsed": ("emergency_suspended", "lapse"),
    "suspension-ended": ("suspended", "complete"),
    "attestation-missed": ("active", "lapse"),
    "withdrawal-complete": ("withdrawing", "complete"),
}
"""Each rule of the calendar: the state it ends, and the act of the machine it is."""
_SUSPENDED: Final[frozenset[State]] = frozenset({"emergency_suspended", "suspended"})
SPONSORS: Final = 2
"""Who stand up for an applicant: so many members, unrelated to it and to each other."""


@dataclass(frozen=True, slots=True)
class KeyStanding:
    """A key of a member, or of the hub: its public JWK, and when it is in force (Unix seconds)."""

    jwk: Mapping[str, str]
    not_before: int
    not_after: int
    revoked_at: int | None = None

    def author(self, issuer: str) -> AuthorKey:
        """The key as signatures are verified with it."""
        return AuthorKey(public_key(self.jwk), issuer, self.not_before, self.not_after, self.revoked_at)


class Absence(NamedTuple):
    """From one record to another (its number), and since and until when (Unix seconds), a seat has no vote.

    It is `vacant`, so that it does not count; or only silent, in an emergency that no ballot has confirmed.
    """

    record: int
    since: int
    vacant: bool
    ended: int | None = None
    until: int | None = None

    def after(self, record: int) -> bool:
        """Whether it was on when `record` was the newest record."""
        return self.record <= record and (self.ended is None or record < self.ended)

    def at(self, when: int) -> bool:
        """Whether it was on at `when`."""
        return self.since <= when and (self.until is None or when < self.until)


@dataclass(frozen=True, slots=True)
class MemberStanding:
    """Where one member, or one admitted applicant, stands.

    `since` and `cause` are the time and the number of the record that brought it into `state`; `decided_by` the
    decision, where one did. `joined_at` is when its keys were proved: since then it is, or was, a member.
    `communities` maps a slug to (read, write). `awaiting` are thumbprints of keys it has still to prove.
    `provisional_since` moves on by the time that was spent suspended; `before` is the state that an emergency or a
    suspension interrupted, `emergency_until` that emergency's end by the policy under which it began, `emergency_over`
    when the last one ended that no ballot confirmed; `activated` whether it was ever active; `watch_until` the end of
    the watch after a suspension; `leaving_since` when it withdrew; `left_suspended` whether it did so while it was
    suspended, or was suspended while it did; `absences` every time in which its seat on the board, if it has one, had
    no vote.
    """

    issuer: str
    member_class: MemberClass
    control_group: str
    state: State
    since: int
    cause: int
    sponsors: tuple[str, ...]
    admitted_by: int
    admitted_at: int
    joined_at: int | None = None
    communities: Mapping[str, tuple[bool, bool]] = field(default_factory=dict)
    keys: Mapping[str, KeyStanding] = field(default_factory=dict)
    awaiting: frozenset[str] = frozenset()
    decided_by: int | None = None
    provisional_since: int | None = None
    paused_at: int | None = None
    extended: bool = False
    objected: bool = False
    activated: bool = False
    before: State | None = None
    sanctioned: bool = False
    attested_at: int | None = None
    attested_by: int | None = None
    suspended_until: int | None = None
    watch_until: int | None = None
    emergency_until: int | None = None
    emergency_over: int | None = None
    leaving_since: int | None = None
    left_suspended: bool = False
    absences: tuple[Absence, ...] = ()

    def facts(self, at: int, policy: Policy) -> frozenset[Fact]:
        """What its record establishes at `at` (Unix seconds), for `membership.step`."""
        found: set[Fact] = {"sanctioned" if self.sanctioned else "not_sanctioned"}
        was: Mapping[State | None, Fact] = {
            "provisional": "was_provisional",
            "active": "was_active",
            "restricted": "was_restricted",
            "withdrawing": "was_withdrawing",
        }
        if self.before in was:
            found.add(was[self.before])
        if self.provisional_since is not None and at >= self.provisional_since + PROVISIONAL_LEAST:
            found.add("provisional_days")
        if not self.objected:
            found.add("no_objection")
        if not self.extended:
            found.add("not_extended")
        if self.state == "rejected":
            found.add("refused_as_member")
        if self.left_suspended:
            found.add("left_suspended")
        if at >= self.again_at(policy):
            found.add("cooled_down")
        if self.emergency_over is None or at >= self.emergency_over + policy.emergency_again:
            found.add("no_recent_emergency")
        return frozenset(found)

    def again_at(self, policy: Policy) -> int:
        """When it may apply again, if its membership has ended (Unix seconds)."""
        if self.state == "rejected":
            return self.since + policy.again_rejected
        return self.since + (policy.again_expelled if self.state == "expelled" or self.left_suspended else 0)

    def due_at(self, policy: Policy) -> tuple[ClockRule, int, int] | None:
        """The rule of the calendar that its state is subject to, when it comes true, and the record it runs from."""
        match self.state:
            case "approved_pending_keys":
                return "keys-lapsed", self.since + policy.key_proof, self.cause
            case "provisional" if not self.objected and self.provisional_since is not None:
                waits = policy.provisional * (2 if self.extended else 1)
                return "provisional-complete", self.provisional_since + waits, self.cause
            case "emergency_suspended" if self.emergency_until is not None:
                return "emergency-lapsed", self.emergency_until, self.cause
            case "suspended" if self.suspended_until is not None:
                return "suspension-ended", self.suspended_until, self.cause
            case "active" if self.attested_at is not None and self.attested_by is not None:
                return "attestation-missed", self.attested_at + policy.attestation, self.attested_by
            case "withdrawing" if self.leaving_since is not None:
                return "withdrawal-complete", self.leaving_since + policy.withdrawal, self.cause
        return None


class Opening(NamedTuple):
    """What is remembered of each record for the ballots that open on it: its number, its time, and the policy in force
    then, by which they are judged: a later one voids no vote.
    """

    record: int
    at: int
    policy: Policy


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision that was recorded: what it was about, how it ended, and who voted: their handles, and the
    thumbprints of every key they held. `confirms`: the emergency that it was about, a decision's number.
    """

    seq: int
    type: DecisionType
    subject: str
    params: Params
    digest: bytes
    result: Result
    record: int
    at: int
    voted: frozenset[str]
    keys: frozenset[str]
    confirms: int | None = None


@dataclass(frozen=True, slots=True)
class BoardState:
    """Everything that `size` records say. `tip` is the digest of the last, `at` its time (Unix seconds).

    `digests` maps every record's digest to what a ballot that opens on it needs. `refused`: applicants that a ballot
    rejected, and when; `appealed`: decisions whose appeal has been decided; `acts`: (issuer, jti) of members' acts.
    `hub_keys`: keys of the hub that were ever changed, the newest last. `founded`: whether two unrelated members were
    ever active at once (`being_founded`).
    """

    size: int
    tip: bytes
    at: int
    genesis: bytes
    roster: Roster
    policy: Policy
    members: Mapping[str, MemberStanding] = field(default_factory=dict)
    communities: Mapping[str, int] = field(default_factory=dict)
    decisions: Mapping[int, Outcome] = field(default_factory=dict)
    peerings: Mapping[str, str] = field(default_factory=dict)
    agreements: Mapping[SourceRestriction, str] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    appealed: frozenset[int] = frozenset()
    acts: frozenset[tuple[str, str]] = frozenset()
    hub_keys: Mapping[HubKeyName, tuple[KeyStanding, ...]] = field(default_factory=dict)
    founded: bool = False
    digests: Mapping[bytes, Opening] = field(default_factory=dict, repr=False)

    @property
    def hub(self) -> str:
        """The hub's issuer."""
        return self.roster.origin

    def due(self, now: int) -> list[ClockBody]:
        """What the calendar says at `now` and no record says yet, in the order in which it came true."""
        found = [
            (when, issuer, rule, of)
            for issuer, member in self.members.items()
            if (rule_at := member.due_at(self.policy)) is not None
            for rule, when, of in (rule_at,)
            if when <= now
        ]
        return [ClockBody(rule=rule, issuer=issuer, of=of) for _, issuer, rule, of in sorted(found)]

    def following(self, digest: bytes, at: int) -> "BoardState":
        """The same, with one more record: its digest and its time."""
        digests = {**self.digests, digest: Opening(self.size, at, self.policy)}
        return replace(self, size=self.size + 1, tip=digest, at=at, digests=digests)

    def with_outcome(self, outcome: Outcome) -> "BoardState":
        """The same, with one more decision."""
        return replace(self, decisions={**self.decisions, outcome.seq: outcome})

    def with_member(self, member: MemberStanding) -> "BoardState":
        """The same, with `member` as it is now."""
        members = {**self.members, member.issuer: member}
        active = {one.control_group for one in members.values() if one.state == "active"}
        return replace(self, members=members, founded=self.founded or len(active) >= SPONSORS)

    def may_sponsor(self, applicant_group: str) -> list[MemberStanding]:
        """Who may sponsor an applicant of that control group (ADR 0021, ADR 0038): active members of other groups, and
        provisional ones while the hub is being founded; nobody as long as an admission needs no sponsors.
        """
        able = self._able_to_sponsor() if self.sponsors_needed else []
        return [member for member in able if member.control_group != applicant_group]

    @property
    def sponsors_needed(self) -> int:
        """How many sponsors an admission names: two, but none while the hub is being founded and has no two unrelated
        members, active or provisional. An applicant that finds only one owner beside its own waits for another.
        """
        groups = {member.control_group for member in self._able_to_sponsor()}
        return 0 if self.being_founded and len(groups) < SPONSORS else SPONSORS

    @property
    def being_founded(self) -> bool:
        """Until two unrelated members have been active at once; and again when fewer than two that ever were active are
        left, since nobody could ever be admitted otherwise. Who is suspended, restricted or leaving is not gone.
        """
        left = {
            one.control_group for one in self.members.values() if one.activated and one.state not in FINAL
        }
        return not self.founded or len(left) < SPONSORS

    def _able_to_sponsor(self) -> list[MemberStanding]:
        states = {"active", "provisional"} if self.being_founded else {"active"}
        return [member for member in self.members.values() if member.state in states]

    def emergency(self, issuer: str) -> Outcome | None:
        """The decision by which a member is under emergency suspension now, if it is."""
        member = self.members.get(issuer)
        if member is None or member.state != "emergency_suspended":
            return None
        return next(outcome for outcome in self.decisions.values() if outcome.record == member.cause)

    def seat_of(self, handle: str) -> Seat | None:
        """The seat, of the board or the panel, that a person holds."""
        everyone: Iterable[Seat] = (*self.roster.seats, *self.roster.panel)
        return next((seat for seat in everyone if seat.handle == handle), None)


def keys_live(state: State) -> bool:
    """Whether a member in that state signs and logs in with its keys."""
    return any(state == name and effects.keys == "live" for name, effects in EFFECTS.items())


def moved(member: MemberStanding, target: State, record: int, at: int, policy: Policy) -> MemberStanding:
    """The member in its new state, with every clock that starts, stops or goes on there."""
    was = member.state
    if target == was:
        return member
    changed: dict[str, Any] = {"state": target, "since": at, "cause": record}
    if "emergency_suspended" not in {was, target}:
        # An emergency only interrupts: what was decided before it can still be appealed after it.
        changed["decided_by"] = None
    if was == "approved_pending_keys" and target == "provisional":
        changed["joined_at"] = at
    if was == "provisional":
        changed["paused_at"] = at
    if target == "provisional":
        # Thirty provisional days are thirty days spent provisional.
        started, paused = member.provisional_since, member.paused_at
        changed["provisional_since"] = at if started is None or paused is None else started + at - paused
        changed["paused_at"] = None
    if target in FINAL:
        changed["awaiting"] = frozenset()
    if target == "withdrawing" and member.leaving_since is None:
        changed["leaving_since"] = at
    if target == "active":
        changed |= {"activated": True, "sanctioned": False}
    if target == "active" and was == "provisional":
        # Nothing else begins a year but attesting, or the board that reinstates: what was missed stays missed.
        changed |= {"attested_at": at, "attested_by": record}
    changed |= _interrupted(was, target, at, policy)
    if "emergency_suspended" in {was, target}:
        changed |= _alarmed(target, at, policy)
    if (was, target) == ("suspended", "withdrawn"):
        changed["left_suspended"] = True
    changed["absences"] = _absences(member.absences, target, record, at)
    return replace(member, **changed)


def _interrupted(was: State, target: State, at: int, policy: Policy) -> dict[str, Any]:
    """What a suspension or an emergency leads back to; one that confirms the other keeps it, as an expulsion does."""
    if target in _SUSPENDED:
        return {} if was in {*_SUSPENDED, *FINAL} else {"before": was}
    if target in FINAL:
        return {}
    watched = {"watch_until": at + policy.watch, "suspended_until": None} if was == "suspended" else {}
    return {"before": None, **watched}


def _alarmed(target: State, at: int, policy: Policy) -> dict[str, Any]:
    """What begins or ends with an emergency; it keeps the length of the policy under which it began."""
    if target == "emergency_suspended":
        return {"emergency_until": at + policy.emergency}
    confirmed = target == "suspended"
    return {"emergency_until": None} | ({} if confirmed else {"emergency_over": at})


def present(absences: tuple[Absence, ...], record: int, at: int) -> tuple[Absence, ...]:
    """The same absences, the one that still lasts ended by a record at `at`."""
    if not absences or absences[-1].until is not None:
        return absences
    return (*absences[:-1], absences[-1]._replace(ended=record, until=at))


def _absences(absences: tuple[Absence, ...], target: State, record: int, at: int) -> tuple[Absence, ...]:
    lasting = absences[-1] if absences and absences[-1].until is None else None
    if target not in SILENCING:
        return present(absences, record, at)
    # An emergency does not bring a vacant seat back into the count.
    vacant = target in VACATING or (lasting is not None and lasting.vacant)
    if lasting is not None and lasting.vacant == vacant:
        return absences
    return (*present(absences, record, at), Absence(record, at, vacant))
