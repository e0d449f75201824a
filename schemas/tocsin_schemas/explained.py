"""What a record of the governance chain did, in one plain English sentence: for pages, and for who verifies it."""

from collections.abc import Mapping
from typing import Final

from tocsin_schemas import envelope
from tocsin_schemas.decisions import (
    Admit,
    Agreement,
    Appeal,
    Decision,
    EnrolKeys,
    Grant,
    Params,
    RevokeKey,
    SetPolicy,
    SetRoster,
    Suspend,
)
from tocsin_schemas.governance import (
    ClockBody,
    ClockRule,
    DecisionBody,
    Genesis,
    MemberActName,
    MemberBody,
    Record,
    read_act,
)
from tocsin_schemas.hub_acts import read_hub_act
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.tally import Result
from tocsin_schemas.vocabulary import DecisionType

_DID: Final[Mapping[DecisionType, str]] = {
    "member.admit": "admit {subject}",
    "member.object": "object to activating {subject} without a ballot",
    "member.activate": "make {subject} an active member",
    "member.extend": "extend the provisional time of {subject} once",
    "member.refuse": "end the provisional membership of {subject}",
    "member.emergency_suspend": "suspend {subject} in an emergency, until the board has voted",
    "member.suspend": "suspend {subject}",
    "member.sanction": "restrict {subject}",
    "member.reinstate": "reinstate {subject}",
    "member.expel": "expel {subject}",
    "key.enrol": "let {subject} prove new keys",
    "key.revoke": "revoke a key of {subject}",
    "community.open": "open the community {subject}",
    "community.grant": "change what {subject} may do in a community",
    "policy.set": "put a new policy in force",
    "roster.set": "put a new roster in force",
    "peering.set": "peer with {subject}",
    "appeal.uphold": "uphold an appeal",
    "appeal.dismiss": "dismiss an appeal",
    "agreement.record": "record an agreement with the owner of a licensed list",
}
_ENDED: Final[Mapping[Result, str]] = {
    "passes": "passed",
    "fails": "failed",
    "inquorate": "had no quorum and decided nothing",
    "panel": "could not be decided by the board and goes to the independent panel",
}
_ACTS: Final[Mapping[MemberActName, str]] = {
    "prove-key": "{who} proved that it holds a key of its own.",
    "key-add": "{who} added a key, signed by an old one and by the new one.",
    "key-revoke": "{who} revoked one of its keys.",
    "attest": "{who} attested for this year that it still is what it said.",
    "withdraw": "{who} withdrew.",
}
_CAME: Final[Mapping[ClockRule, str]] = {
    "keys-lapsed": "{who} proved no keys in time; its admission lapsed.",
    "provisional-complete": "{who} became an active member: its provisional time is over and nobody objected.",
    "emergency-lapsed": "The emergency suspension of {who} ended without a ballot.",
    "suspension-ended": "The suspension of {who} is over.",
    "attestation-missed": "{who} is restricted: it missed its yearly attestation.",
    "withdrawal-complete": "{who} has left: winding down is over.",
}


def explain(record: Record) -> str:
    """One sentence on what `record` did. It assumes that the record verifies."""
    match record.body:
        case Genesis() as body:
            seated = sum(seat.seated for seat in body.roster.seats)
            return f"The board was founded with {seated} seats held and policy 1."
        case DecisionBody() as body:
            said = [ballot.choice for ballot in body.ballots]
            votes = f"{said.count('yes')} yes, {said.count('no')} no, {said.count('abstain')} abstaining"
            return (
                f"Decision {body.decision.seq}, to {in_words(body.decision)}, {_ENDED[body.result]}: {votes}."
            )
        case MemberBody() as body:
            act = read_act(envelope.payload_of(body.jws.encode()))
            return _ACTS[act.act].format(who=act.iss)
        case ClockBody() as body:
            return _CAME[body.rule].format(who=body.issuer)
    rotation = read_hub_act(record.body)
    return (
        f"The hub changes its {rotation.name} key at {rfc3339(rotation.not_before)};"
        f" the old one holds until {rfc3339(rotation.retires_at)}."
    )


def in_words(decision: Decision) -> str:
    """What a decision would do, as an infinitive: the plain words that stand beside its digest where one votes."""
    return asked(decision.type, decision.subject, decision.params)


def asked(kind: DecisionType, subject: str, params: Params) -> str:
    """The same of a motion that is no decision yet."""
    return _DID[kind].format(subject=subject) + _details(params)


def _details(params: Params) -> str:
    match params:
        case Admit() as said:
            sponsors = " and ".join(said.sponsors) or "nobody, as the hub is being founded"
            may = ", ".join(_may(grant) for grant in said.communities) or "no community yet"
            return f" as {said.member_class.replace('_', ' ')}, sponsored by {sponsors}, with access to {may}"
        case Suspend() as said:
            return f" until {rfc3339(said.until)}"
        case RevokeKey() as said:
            return f", the one with the thumbprint {said.kid}"
        case EnrolKeys() as said:
            return f", {len(said.keys)} of them"
        case Grant() as said:
            return f": {_may(said)}"
        case SetPolicy() as said:
            return f", version {said.policy.version}"
        case SetRoster() as said:
            seated = sum(seat.seated for seat in said.roster.seats)
            return f", version {said.roster.version}, with {seated} seats held"
        case Appeal() as said:
            return f" against decision {said.of}"
        case Agreement() as said:
            return f", {said.list}"
    return ""


def _may(grant: Grant) -> str:
    rights = [right for right, given in (("read", grant.read), ("write", grant.write)) if given]
    return f"{grant.community} ({' and '.join(rights) or 'nothing'})"
