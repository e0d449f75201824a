"""The governance chain's records: everything about power, one after the other, each naming the digest of the last.

Five kinds: the genesis roster and policy; a decision with its ballots; an act that a member signed with its own key;
what a rule of the calendar says by itself (`ClockBody`), which anyone can recompute; and a change of the hub's own
keys. A record has one spelling (its canonical form), is an entry of the log, and is published with the nonce that opens
the entry's commitment. There is no free text in it: words of closed lists, issuers, digests, keys and dates.
"""

import hashlib
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError

from tocsin_schemas import envelope
from tocsin_schemas.decisions import (
    MAX_BALLOTS,
    Ballot,
    CompactJws,
    Decision,
    RecordSeq,
    Recusal,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Hub, HubJwk, Jwk, Kid, Roster, canonical
from tocsin_schemas.rsa import RsaKey
from tocsin_schemas.signals import Closed, Digest, Instant, Issuer, Jti, dump_object, load_object
from tocsin_schemas.tally import Result
from tocsin_schemas.vocabulary import GovernanceKind

RECORD_CONTEXT: Final = b"tocsin/board-record/v1\n"
ACT_TYP: Final = "tocsin-member-act+jwt"
PROOF_TYP: Final = "tocsin-key-proof+jwt"
NO_RECORD: Final = bytes(32)
"""What the genesis names as the digest of the record before it."""

MemberActName = Literal["prove-key", "key-add", "key-revoke", "attest", "withdraw"]
ClockRule = Literal[
    "keys-lapsed",
    "provisional-complete",
    "emergency-lapsed",
    "suspension-ended",
    "attestation-missed",
    "withdrawal-complete",
]


class Genesis(Closed):
    """The first roster and policy; its record's digest is the genesis hash that everybody pins."""

    roster: Roster
    policy: Policy
    sandbox: Literal[False] = False


class DecisionBody(Closed):
    """A decision that was voted on: the ballots, every seat recused at its close, and the outcome of the count."""

    decision: Decision
    ballots: Annotated[list[Ballot], Field(max_length=MAX_BALLOTS)]
    recusals: Annotated[list[Recusal], Field(max_length=200)]
    result: Result


class MemberBody(Closed):
    """A member's own act, a compact JWS of type `tocsin-member-act+jwt` by one of its keys.

    `key` is the signer's public key where the chain knows only its thumbprint: when a member proves a key.
    """

    jws: CompactJws
    key: Jwk | None = None


class ClockBody(Closed):
    """A rule of the calendar has come true for `issuer`; `of` is the record since which its time runs."""

    rule: ClockRule
    issuer: Issuer
    of: RecordSeq


class HubBody(Closed):
    """The hub changes a key of its own, a compact JWS of type `tocsin-hub-act+jwt` by the key that goes.

    `signer` is that key where the chain does not know it yet.
    """

    rotation: CompactJws
    signer: HubJwk | None = None


Body = Genesis | DecisionBody | MemberBody | ClockBody | HubBody
Kind = Literal["genesis", "decision", "member", "clock", "hub"]
BODIES: Final[dict[type[Body], Kind]] = {
    Genesis: "genesis",
    DecisionBody: "decision",
    MemberBody: "member",
    ClockBody: "clock",
    HubBody: "hub",
}


class Record(Closed):
    """One record: its place, the digest of the one before, when it was made (Unix seconds), and what it says."""

    seq: RecordSeq
    prev: Digest
    at: Instant
    kind: Kind
    body: Body


class PublishedRecord(Closed):
    """A record as it is published: with its log entry's index, and the nonce that opens the entry's commitment."""

    log_seq: Annotated[int, Field(ge=0)]
    r: Digest
    record: Record


class Act(Closed):
    """The payload of a member's act.

    `prove-key`: the key that signs is the member's (`not_before`, `not_after`). `key-add`: so is another key, whose own
    signature is `proof`. `key-revoke`: key `kid` is revoked. `attest`: the member still is what it said, in `year`.
    """

    iss: Issuer
    aud: Hub
    iat: Instant
    jti: Jti
    act: MemberActName
    not_before: Instant | None = None
    not_after: Instant | None = None
    jwk: Jwk | None = None
    proof: CompactJws | None = None
    kid: Kid | None = None
    year: Annotated[int, Field(ge=2000, le=9999)] | None = None


class KeyProof(Closed):
    """The payload by which a new key says whose it is: signed by that key, naming itself."""

    iss: Hub
    aud: Hub
    kid: Kid
    iat: Instant


_MEMBERS: Final[dict[MemberActName, frozenset[str]]] = {
    "prove-key": frozenset({"not_before", "not_after"}),
    "key-add": frozenset({"not_before", "not_after", "jwk", "proof"}),
    "key-revoke": frozenset({"kid"}),
    "attest": frozenset({"year"}),
    "withdraw": frozenset(),
}
_ALWAYS: Final = frozenset({"iss", "aud", "iat", "jti", "act"})


def read_act(payload: bytes) -> Act:
    """Read a member's act whose signature has been verified.

    Raises:
        Refused: `json-invalid`, `json-duplicate-key`, or `claim-invalid` when it is no act or says more or less than
            that act says.
    """
    said = load_object(payload, "payload")
    try:
        act = Act.model_validate(said)
    except ValidationError:
        raise Refused("claim-invalid", "act", "not an act of a member") from None
    if said.keys() != _ALWAYS | _MEMBERS[act.act]:
        raise Refused("claim-invalid", "act", f"{act.act} has members of its own, all of them, and no others")
    return act


def sign_act(act: Act, key: SigningKey) -> str:
    """The compact JWS of a member's act."""
    return envelope.sign(canonical(act), key, ACT_TYP).decode()


def sign_key_proof(*, iss: str, aud: str, iat: int, key: SigningKey | RsaKey) -> str:
    """The compact JWS by which a new key says whose it is."""
    payload = dump_object({"iss": iss, "aud": aud, "kid": key.public.kid, "iat": iat})
    return envelope.sign(payload, key, PROOF_TYP).decode()


def record_bytes(record: Record) -> bytes:
    """The canonical form: what the log commits to."""
    return canonical(record)


def record_digest(record: Record) -> bytes:
    """What identifies a record: 32 bytes."""
    return hashlib.sha256(RECORD_CONTEXT + record_bytes(record)).digest()


def parse_record(raw: bytes) -> Record:
    """Read a record's exact bytes.

    Raises:
        Refused: `record-malformed` when they are not the canonical form of a record.
    """
    try:
        record = Record.model_validate_json(raw)
    except ValidationError:
        raise Refused("record-malformed", "record", "not a record of the chain") from None
    if BODIES[type(record.body)] != record.kind or record_bytes(record) != raw:
        raise Refused("record-malformed", "record", "not in its canonical form")
    return record


def make_record(body: Body, *, seq: int, prev: bytes, at: int) -> Record:
    """The record that says `body`, behind the one whose digest is `prev`."""
    return Record(seq=seq, prev=prev.hex(), at=at, kind=BODIES[type(body)], body=body)


def entry_kind(record: Record) -> GovernanceKind:
    """The kind of the record's log entry."""
    if isinstance(record.body, Genesis | DecisionBody):
        return "decision"
    if isinstance(record.body, MemberBody):
        act = read_act(envelope.payload_of(record.body.jws.encode()))
        return "key-change" if act.act in {"prove-key", "key-add", "key-revoke"} else "member-state"
    return "key-change" if isinstance(record.body, HubBody) else "member-state"
