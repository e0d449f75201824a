"""What a decision of the board does to one member: admit, object, suspend, hear its appeal, its keys. Pure.

The state machine of `tocsin_schemas.membership` decides which state follows; here is what it must be told, and what
else changes.

Where trust.md is silent: a hub is *being founded* until two unrelated members have been active at once; until then
provisional members sponsor, and without two unrelated ones an admission names none (ADR 0021, ADR 0038). The thirty
provisional days hold all the same. A notice counts days from Monday to Friday: holidays differ by place. An appeal is
possible against what takes something away, once, and as long as nothing else has been decided on that member since.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, TypeVar

from tocsin_schemas.board import BoardState, MemberStanding, keys_live, moved, present
from tocsin_schemas.decisions import (
    Admit,
    Appeal,
    Decision,
    EnrolKeys,
    Grant,
    Params,
    RevokeKey,
    Sanction,
    Suspend,
)
from tocsin_schemas.electorate import opened_on
from tocsin_schemas.membership import FINAL, Act, Fact, step
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.tally import Result
from tocsin_schemas.vocabulary import DecisionType

APPEALABLE: Final[Mapping[DecisionType, Result]] = {
    "member.admit": "fails",
    "member.refuse": "passes",
    "member.suspend": "passes",
    "member.sanction": "passes",
    "member.expel": "passes",
}
"""The decisions that can be appealed, with the outcome that takes something away."""

P = TypeVar("P", bound=Params)


class Case(NamedTuple):
    """A decision on its way into the chain: the state before it, its record's number, and the time of that record."""

    state: BoardState
    decision: Decision
    record: int
    at: int

    def said(self, model: type[P]) -> P:
        """The params, of the model that `decisions.PARAMS` ties to the decision's kind."""
        if not isinstance(self.decision.params, model):
            raise TypeError("params of another kind of decision")
        return self.decision.params

    @property
    def opened_under(self) -> Policy:
        """The policy that the ballot opened under: the decision is judged by it, clocks run by the one in force."""
        return opened_on(self.state, self.decision).policy

    def member(self) -> MemberStanding:
        """The member that the decision is about."""
        member = self.state.members.get(self.decision.subject)
        if member is None:
            raise Refused("subject-unknown", "decision.subject", "not a member")
        return member

    def change(self, act: Act, facts: Collection[Fact] = (), **more: Any) -> BoardState:
        """Let the machine take one act of the board on the member."""
        member = self.member()
        target = step(
            member.state, act, {"quorate_ballot", *member.facts(self.at, self.state.policy), *facts}
        )
        after = moved(member, target, self.record, self.at, self.state.policy)
        return self.state.with_member(replace(after, **more))


def act_only(act: Act) -> Callable[[Case], BoardState]:
    """What a decision does that is one act of the state machine and nothing else."""
    return lambda case: case.change(act)


def admit(case: Case) -> BoardState:
    """An applicant becomes one that has to prove its keys."""
    state, decision, said = case.state, case.decision, case.said(Admit)
    former = state.members.get(decision.subject)
    _check_again(case, former)
    _check_seat(state, decision.subject, said.control_group)
    _check_sponsors(state, said)
    check_new_keys(state, said.keys)
    grants = {grant.community: (grant.read, grant.write) for grant in said.communities}
    if grants.keys() - state.communities.keys() or len(grants) != len(said.communities):
        raise Refused("community-unknown", "params.communities", "not a community, or named twice")
    facts: tuple[Fact, ...] = ("vetting_complete", "two_sponsors", "quorate_ballot")
    member = MemberStanding(
        issuer=decision.subject,
        member_class=said.member_class,
        control_group=said.control_group,
        state=step("ballot", "admit", facts),
        since=case.at,
        cause=case.record,
        sponsors=tuple(said.sponsors),
        admitted_by=decision.seq,
        admitted_at=case.at,
        communities=grants,
        awaiting=frozenset(said.keys),
        decided_by=decision.seq,
    )
    if former is not None:
        # What it signed in its first time stays verifiable; nothing new can be signed with those keys.
        keys = {
            kid: replace(key, revoked_at=key.revoked_at or former.since) for kid, key in former.keys.items()
        }
        member = replace(member, keys=keys, absences=present(former.absences, case.record, case.at))
    return replace(state.with_member(member), refused=_without(state.refused, decision.subject))


def _check_again(case: Case, former: MemberStanding | None) -> None:
    waits = [0]
    if former is not None:
        if former.state not in FINAL:
            raise Refused("conflict", "decision.subject", "a member already")
        waits.append(former.again_at(case.opened_under))
    if case.decision.subject in case.state.refused:
        waits.append(case.state.refused[case.decision.subject] + case.opened_under.again_rejected)
    if case.decision.issued_at < max(waits):
        raise Refused(
            "transition-forbidden", "decision.subject", "the time before a new application is not over"
        )


def _check_seat(state: BoardState, issuer: str, group: str) -> None:
    if any(seat.issuer == issuer and seat.control_group != group for seat in state.roster.seats):
        raise Refused(
            "owner-mismatch",
            "params.control_group",
            "the roster names another owner for its seat: apply with that one, or set a roster without it first",
        )


def _check_sponsors(state: BoardState, said: Admit) -> None:
    able = {member.issuer: member.control_group for member in state.may_sponsor(said.control_group)}
    if len(said.sponsors) != state.sponsors_needed:
        raise Refused("sponsors-missing", "params.sponsors", "two, or none while the hub is being founded")
    if set(said.sponsors) - able.keys():
        raise Refused(
            "sponsors-ineligible", "params.sponsors", "not a member that may sponsor this applicant"
        )
    if len({able[sponsor] for sponsor in said.sponsors}) != len(said.sponsors):
        raise Refused("sponsors-related", "params.sponsors", "of one control group")


def check_new_keys(state: BoardState, kids: Iterable[str]) -> None:
    """Check that nobody has, or is about to have, one of these keys.

    Raises:
        Refused: `key-in-use`.
    """
    named = list(kids)
    known = {kid for member in state.members.values() for kid in (*member.keys, *member.awaiting)}
    if len(set(named)) != len(named) or known & set(named):
        raise Refused("key-in-use", "keys", "a key is used once, by one member")


def object_to(case: Case) -> BoardState:
    """One seat objects: the provisional member will not become active without a ballot."""
    return case.change("object", objected=True)


def extend(case: Case) -> BoardState:
    """The provisional time doubles, once."""
    return case.change("extend", extended=True)


def suspend(case: Case) -> BoardState:
    """Suspended for a time; who is leaving leaves suspended then, even if it was out before the votes were counted."""
    said, member = case.said(Suspend), case.member()
    if not case.at < said.until <= case.decision.issued_at + case.opened_under.suspension:
        raise Refused(
            "suspension-length", "params.until", "in the future, and not beyond the longest suspension"
        )
    facts = _noticed(case, said.noticed_at)
    if member.state == "withdrawn":
        if case.decision.issued_at < member.since:
            facts = (*facts, "left_meanwhile")
        return case.change("suspend", facts, left_suspended=True, decided_by=case.decision.seq)
    leaving = "withdrawing" in {member.state, member.before}
    return case.change(
        "suspend",
        facts,
        suspended_until=said.until,
        left_suspended=leaving,
        decided_by=case.decision.seq,
    )


def sanction(case: Case) -> BoardState:
    """Restricted until reinstated."""
    facts = _noticed(case, case.said(Sanction).noticed_at)
    return case.change("sanction", facts, sanctioned=True, decided_by=case.decision.seq)


def reinstate(case: Case) -> BoardState:
    """The end of a suspension, back to where it found the member; or of a restriction, and another year begins."""
    restricted = case.member().state == "restricted"
    year: dict[str, Any] = {"attested_at": case.at, "attested_by": case.record} if restricted else {}
    return case.change("reinstate", left_suspended=False, **year)


def refuse(case: Case) -> BoardState:
    """The end of a provisional membership."""
    return case.change("refuse", decided_by=case.decision.seq)


def expel(case: Case) -> BoardState:
    """The end of a suspended membership."""
    return case.change("expel", decided_by=case.decision.seq)


def _noticed(case: Case, noticed_at: int | None) -> tuple[Fact, ...]:
    days = case.opened_under.notice_days
    over = noticed_at is not None and case.decision.issued_at >= working_days_after(noticed_at, days)
    return ("notice_given",) if over else ()


def working_days_after(at: int, days: int) -> int:
    """The instant `days` working days (Monday to Friday, UTC) after `at` (Unix seconds)."""
    while days:
        at += DAY
        days -= datetime.fromtimestamp(at, UTC).weekday() < 5
    return at


def uphold(case: Case) -> BoardState:
    """The panel undoes a decision: the member is back where that decision found it."""
    outcome = _appealed(case)
    done = replace(case.state, appealed=case.state.appealed | {outcome})
    decided = case.state.decisions[outcome]
    if decided.type == "member.admit":
        return replace(done, refused=_without(done.refused, decided.subject))
    member = done.members[decided.subject]
    if member.decided_by != outcome:
        raise Refused("appeal-moot", "params.of", "something else has been decided since")
    target = step(member.state, "uphold", member.facts(case.at, case.state.policy))
    after = moved(member, target, case.record, case.at, case.state.policy)
    if decided.type == "member.suspend":
        after = replace(after, left_suspended=False)
    return done.with_member(after)


def dismiss(case: Case) -> BoardState:
    """The panel lets a decision stand."""
    return replace(case.state, appealed=case.state.appealed | {_appealed(case)})


def _appealed(case: Case) -> int:
    """The number of the decision appealed against, if it can be."""
    said = case.said(Appeal)
    decided = case.state.decisions.get(said.of)
    if decided is None or APPEALABLE.get(decided.type) != decided.result:
        raise Refused("appeal-impossible", "params.of", "no decision that can be appealed")
    if said.of in case.state.appealed:
        raise Refused("appeal-repeated", "params.of", "the appeal has been decided")
    if not decided.at <= said.filed_at <= min(decided.at + case.opened_under.appeal, case.decision.issued_at):
        raise Refused(
            "appeal-late", "params.filed_at", "filed after the time in which the decision can be appealed"
        )
    return said.of


def revoke_key(case: Case) -> BoardState:
    """One key of the member is revoked."""
    member, kid = case.member(), case.said(RevokeKey).kid
    key = member.keys.get(kid)
    if key is None or key.revoked_at is not None:
        raise Refused("key-unknown", "params.kid", "not a key in force of this member")
    return case.state.with_member(
        replace(member, keys={**member.keys, kid: replace(key, revoked_at=case.at)})
    )


def enrol_keys(case: Case) -> BoardState:
    """The member may prove new keys."""
    member, kids = case.member(), case.said(EnrolKeys).keys
    if not keys_live(member.state):
        raise Refused(
            "transition-forbidden", "decision.subject", "a member in this state has no keys in force"
        )
    check_new_keys(case.state, kids)
    return case.state.with_member(replace(member, awaiting=member.awaiting | set(kids)))


def grant(case: Case) -> BoardState:
    """What the member may do in one community; nothing at all takes it out."""
    member, said = case.member(), case.said(Grant)
    if said.community not in case.state.communities:
        raise Refused("community-unknown", "params.community", "not a community")
    if member.state in FINAL:
        raise Refused("transition-forbidden", "decision.subject", "not a member any more")
    grants = {slug: may for slug, may in member.communities.items() if slug != said.community}
    if said.read or said.write:
        grants[said.community] = (said.read, said.write)
    return case.state.with_member(replace(member, communities=grants))


def _without(mapping: Mapping[str, int], key: str) -> dict[str, int]:
    return {name: value for name, value in mapping.items() if name != key}
