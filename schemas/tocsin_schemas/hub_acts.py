"""What a hub does with its own keys: put a new one in the place of an old one, with a time in which both hold. Pure.

A rotation is a JWS by the key that goes; the key that comes signs too. Old keys stay in the state with their end, since
what they signed must be verified for as long as it is kept. The first rotation of a key says which one it was. Each
name has one algorithm: `ssf_rs` is RSA, which nothing else is.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, Literal

from pydantic import ValidationError

from tocsin_schemas import envelope
from tocsin_schemas.board import BoardState, KeyStanding
from tocsin_schemas.governance import PROOF_TYP, HubBody, KeyProof
from tocsin_schemas.jwk import KeyAlg, PublicKey, SigningKey, public_key
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Hub, HubJwk, canonical
from tocsin_schemas.rsa import RsaKey, RsaPublic, rsa_public
from tocsin_schemas.signals import LATEST, Closed, Instant, Jti, load_object
from tocsin_schemas.vocabulary import HubKeyName

HUB_ACT_TYP: Final = "tocsin-hub-act+jwt"
ACT_WITHIN: Final = 300
"""Seconds between signing and recording: the hub does both at once."""
OVERLAP_LEAST: Final = 3600
OVERLAP_MOST: Final = 30 * DAY

HubPublic = PublicKey | RsaPublic
HubSigning = SigningKey | RsaKey
ALGS: Final[Mapping[HubKeyName, KeyAlg | Literal["RS256"]]] = {
    "events": "Ed25519",
    "token": "ES256",
    "delivery": "Ed25519",
    "ssf_es": "ES256",
    "ssf_rs": "RS256",
}
"""The algorithm of each key that is changed like this."""


class HubAct(Closed):
    """The payload: key `jwk` takes the place of the signer for `name` at `not_before`; the signer ends at `retires_at`.

    `proof` is the new key's own signature, as for a member's key.
    """

    iss: Hub
    iat: Instant
    jti: Jti
    act: Literal["key-rotate"]
    name: HubKeyName
    jwk: HubJwk
    not_before: Instant
    retires_at: Instant
    proof: str


def hub_public_key(jwk: Mapping[str, Any]) -> HubPublic:
    """Read the public JWK of a hub's key.

    Raises:
        Refused: `claim-invalid`, as `tocsin_schemas.jwk.public_key` and `tocsin_schemas.rsa.rsa_public`.
    """
    return rsa_public(jwk) if jwk.get("kty") == "RSA" else public_key(jwk)


def sign_hub_act(act: HubAct, key: HubSigning) -> str:
    """The compact JWS of a rotation."""
    return envelope.sign(canonical(act), key, HUB_ACT_TYP).decode()


def read_hub_act(body: HubBody) -> HubAct:
    """What a recorded rotation says; its signature is `act_of_hub`'s to verify.

    Raises:
        Refused: `claim-invalid` when it is no rotation.
    """
    try:
        return HubAct.model_validate(load_object(envelope.payload_of(body.rotation.encode()), "payload"))
    except ValidationError:
        raise Refused("claim-invalid", "act", "not an act of a hub") from None


def act_of_hub(state: BoardState, body: HubBody, at: int) -> BoardState:
    """The state after a rotation recorded at `at`.

    Raises:
        Refused: with the code of the first check that fails.
    """
    token = body.rotation.encode()
    # 1. Signed by the key that goes: the newest of that name, or the first that is ever named.
    kid = envelope.kid_of(token, HUB_ACT_TYP, rsa=True)
    known = {held[-1].jwk["kid"]: (name, held[-1]) for name, held in state.hub_keys.items()}
    name, going = known[kid] if kid in known else (None, _first(body, kid))
    signer = hub_public_key(going.jwk)
    envelope.open_with(token, signer, HUB_ACT_TYP)
    act = read_hub_act(body)
    if act.name != name and (name is not None or act.name in state.hub_keys):
        raise Refused("key-unknown", "header.kid", "not the key in force of that name")
    # 2. By this hub, now.
    if act.iss != state.hub:
        raise Refused("issuer-mismatch", "iss", "another hub")
    if not at - ACT_WITHIN <= act.iat <= at:
        raise Refused("iat-too-old", "iat", "not signed when it was recorded")
    # 3. A new key of the same kind, which signed as well, and a time in which both hold.
    coming = _coming(state, act, signer)
    if not act.iat <= act.not_before <= act.retires_at - OVERLAP_LEAST <= act.not_before + OVERLAP_MOST:
        raise Refused(
            "claim-invalid", "retires_at", "both keys hold for an hour at least, and for 30 days at most"
        )
    # 4. Both in the state.
    held = state.hub_keys.get(act.name, (going,))
    both = (*held[:-1], replace(going, not_after=act.retires_at), _standing(coming, act.not_before))
    return replace(state, hub_keys={**state.hub_keys, act.name: both})


def _first(body: HubBody, kid: str) -> KeyStanding:
    public = None if body.signer is None else hub_public_key(body.signer)
    if public is None or (public.kid, public.jwk()) != (kid, body.signer):
        raise Refused(
            "key-unknown", "header.kid", "not the key in force of the hub, or not the one that is given"
        )
    return _standing(public, 0)


def _coming(state: BoardState, act: HubAct, going: HubPublic) -> HubPublic:
    coming = hub_public_key(act.jwk)
    if coming.jwk() != act.jwk or {coming.alg, going.alg} != {ALGS[act.name]}:
        raise Refused("claim-invalid", "jwk", "a public key of that name's kind, with kid and alg")
    used = {key.jwk["kid"] for held in state.hub_keys.values() for key in held} | {going.kid}
    if coming.kid in used:
        raise Refused("key-in-use", "jwk", "a key is used once")
    try:
        proof = envelope.open_with(act.proof.encode(), coming, PROOF_TYP)
        said = KeyProof.model_validate(load_object(proof, "proof"))
    except (Refused, ValidationError):
        raise Refused("key-unproven", "proof", "not signed by the new key") from None
    if (said.iss, said.aud, said.kid) != (state.hub, state.hub, coming.kid):
        raise Refused("key-unproven", "proof", "made for another hub or key")
    return coming


def _standing(public: HubPublic, not_before: int) -> KeyStanding:
    return KeyStanding(public.jwk(), not_before, LATEST)
