"""What a member does with its own keys: prove one, add one, revoke one, attest, withdraw. Pure.

A member's act is a JWS that the hub cannot make and cannot hold back for later: it says when it was signed, is recorded
within a day, and once. A key that is added speaks for itself: its own signature says whose it is.
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from pydantic import ValidationError

from tocsin_schemas import envelope
from tocsin_schemas.board import BoardState, KeyStanding, MemberStanding, keys_live, moved
from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.governance import ACT_TYP, PROOF_TYP, Act, KeyProof, MemberBody, read_act
from tocsin_schemas.jwk import PublicKey, public_key
from tocsin_schemas.member_effects import check_new_keys
from tocsin_schemas.membership import FINAL, step
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import LATEST, load_object

ACT_WITHIN: Final = DAY
ACT_FUTURE: Final = 60
KEY_SECONDS: Final = 400 * DAY
"""The longest life of a member's key: a year, and a month to change it."""


def act_of_member(state: BoardState, body: MemberBody, record: int, at: int) -> BoardState:
    """The state after a member's act, recorded at `at` as `record`.

    Raises:
        Refused: with the code of the first check that fails.
    """
    token = body.jws.encode()
    # 1. Whose key signed it?
    kid = envelope.kid_of(token, ACT_TYP)
    member, key = _signer(state, body, kid)
    # 2. The signature; only then is it read.
    opened = envelope.open_token(token, {kid: key}, ACT_TYP)
    act = read_act(opened.payload)
    # 3. By this member, for this hub, fresh, once, with a key in force.
    _check_claims(state, member, act, key, at)
    # 4. What it does.
    after = _done(state, member, act, key.public, record, at)
    return replace(state.with_member(after), acts=state.acts | {(act.iss, act.jti)})


def _done(
    state: BoardState, member: MemberStanding, act: Act, public: PublicKey, record: int, at: int
) -> MemberStanding:
    match act.act:
        case "prove-key":
            return _prove_key(member, act, public, record, at, state.policy)
        case "key-add":
            return _add_key(state, member, act, at)
        case "key-revoke":
            return _revoke_key(member, act, at)
        case "attest":
            return _attest(member, act, record, at, state.policy)
    return moved(member, step(member.state, "withdraw"), record, at, state.policy)


def _signer(state: BoardState, body: MemberBody, kid: str) -> tuple[MemberStanding, AuthorKey]:
    for member in state.members.values():
        if kid in member.keys and body.key is None:
            return member, member.keys[kid].author(member.issuer)
        if kid in member.awaiting and body.key is not None:
            public = public_key(body.key)
            if (public.kid, public.jwk()) != (kid, body.key):
                break
            return member, AuthorKey(public, member.issuer, 0, LATEST)
    raise Refused("key-unknown", "header.kid", "not a key of a member, or not the one that is given")


def _check_claims(state: BoardState, member: MemberStanding, act: Act, key: AuthorKey, at: int) -> None:
    if act.iss != member.issuer:
        raise Refused("issuer-mismatch", "iss", "the key belongs to another member")
    if act.aud != state.hub:
        raise Refused("audience-unknown", "aud", "meant for another hub")
    if act.iat > at + ACT_FUTURE:
        raise Refused("iat-future", "iat", "signed in the future")
    if act.iat < at - ACT_WITHIN:
        raise Refused("iat-too-old", "iat", "signed more than a day ago")
    if (act.iss, act.jti) in state.acts:
        raise Refused("jti-reused", "jti", "recorded already")
    if act.iat < key.not_before:
        raise Refused("key-not-yet-valid", "header.kid", "before the key's not_before")
    if act.iat >= key.not_after:
        raise Refused("key-expired", "header.kid", "after the key's not_after")
    if key.revoked_at is not None:
        raise Refused("key-revoked", "header.kid", "the key was revoked")


def _prove_key(
    member: MemberStanding, act: Act, public: PublicKey, record: int, at: int, policy: Policy
) -> MemberStanding:
    awaiting = member.awaiting - {public.kid}
    keys = {**member.keys, public.kid: _standing(public, act, at)}
    proved = replace(member, keys=keys, awaiting=awaiting)
    if member.state != "approved_pending_keys":
        if not keys_live(member.state):
            raise Refused("transition-forbidden", "act", "a member in this state has no keys in force")
        return proved
    if awaiting:
        return proved
    return moved(proved, step(member.state, "prove_keys", {"key_possession"}), record, at, policy)


def _add_key(state: BoardState, member: MemberStanding, act: Act, at: int) -> MemberStanding:
    if not keys_live(member.state):
        raise Refused("transition-forbidden", "act", "a member in this state has no keys in force")
    public = public_key(act.jwk or {})
    if public.jwk() != act.jwk:
        raise Refused("claim-invalid", "jwk", "exactly the public members, with kid and alg")
    check_new_keys(state, [public.kid])
    _check_proof(act, public)
    return replace(member, keys={**member.keys, public.kid: _standing(public, act, at)})


def _check_proof(act: Act, public: PublicKey) -> None:
    keys = {public.kid: AuthorKey(public, act.iss, 0, LATEST)}
    try:
        opened = envelope.open_token((act.proof or "").encode(), keys, PROOF_TYP)
        said = KeyProof.model_validate(load_object(opened.payload, "proof"))
    except (Refused, ValidationError):
        raise Refused("key-unproven", "proof", "not signed by the new key") from None
    if (said.iss, said.aud, said.kid) != (act.iss, act.aud, public.kid):
        raise Refused("key-unproven", "proof", "made for another member, hub or key")
    if not act.iat - ACT_WITHIN <= said.iat <= act.iat + ACT_FUTURE:
        raise Refused("key-unproven", "proof", "not made with this act")


def _standing(public: PublicKey, act: Act, at: int) -> KeyStanding:
    begins, ends = act.not_before or 0, act.not_after or 0
    if not (act.iat - ACT_WITHIN <= begins < ends and at < ends <= begins + KEY_SECONDS):
        raise Refused("claim-invalid", "not_after", "not in the past, and 400 days at most")
    return KeyStanding(public.jwk(), begins, ends)


def _revoke_key(member: MemberStanding, act: Act, at: int) -> MemberStanding:
    key = member.keys.get(act.kid or "")
    if key is None or key.revoked_at is not None or member.state in FINAL:
        raise Refused("key-unknown", "kid", "not a key in force of this member")
    return replace(member, keys={**member.keys, act.kid or "": replace(key, revoked_at=at)})


def _attest(member: MemberStanding, act: Act, record: int, at: int, policy: Policy) -> MemberStanding:
    if act.year != datetime.fromtimestamp(at, UTC).year:
        raise Refused("claim-invalid", "year", "the year that it is")
    after = moved(member, step(member.state, "attest", member.facts(at, policy)), record, at, policy)
    return replace(after, attested_at=at, attested_by=record)
