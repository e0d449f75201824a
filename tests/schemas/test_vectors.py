"""Every published vector comes out as it says; joserfc and the published JSON Schemas agree with the accepted ones."""

import base64
import hashlib
import json
from typing import Any, get_args

import pytest
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey
from jsonschema import Draft202012Validator

from tests.schemas.directory import SCHEMAS, author_keys, vectors
from tests.support.vectors import DOCUMENTS
from tocsin_schemas import envelope, hub_events, indicators, ledger, merkle
from tocsin_schemas.fold import Statement, fold
from tocsin_schemas.jwk import SigningKey, public_key
from tocsin_schemas.ledger import Entry
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import REGISTRY, Refused
from tocsin_schemas.signals import EVENTS
from tocsin_schemas.vocabulary import LABEL_PACKS, HubKind

KEYS = author_keys()
HUB_KEYS = author_keys("hub")
ACCEPTED = vectors("signals-accepted")["vectors"]
REFUSED = vectors("signals-refused")["vectors"]
HUB = vectors("hub-events")
INDICATORS = vectors("indicators")
SIGNATURES = vectors("signatures")
FOLD = vectors("fold")
LOG = vectors("log")

CODES = list(REGISTRY)
GATE = CODES[: CODES.index("audience-unknown")]
"""What a signal can be refused for before a hub looks at its own state."""


def named(vector: dict[str, Any]) -> str:
    return str(vector["name"])


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((SCHEMAS / "v1" / f"{name}.schema.json").read_text()))


def test_the_published_files_are_the_ones_that_are_made() -> None:
    assert {path.stem for path in (SCHEMAS / "vectors").glob("*.json")} == set(DOCUMENTS)


@pytest.mark.parametrize("vector", ACCEPTED, ids=named)
def test_an_accepted_signal_says_what_its_vector_says(vector: dict[str, Any]) -> None:
    found = envelope.verify(vector["token"].encode(), KEYS)
    signal = found.signal
    said: dict[str, Any] = {
        "iss": signal.iss,
        "aud": signal.aud,
        "iat": signal.iat,
        "jti": signal.jti.hex(),
        "toe": signal.toe,
        "kind": signal.kind,
    }
    if signal.target is not None:
        said["target"] = signal.target.hex()
    if signal.indicators:
        said["indicators"] = [str(item) for item in signal.indicators]
    assert said == vector["signal"]
    assert found.digest.hex() == vector["statement"] == hashlib.sha256(vector["payload"].encode()).hexdigest()
    assert found.key.public.kid == vector["kid"]
    assert found.token == vector["token"].encode()
    assert envelope.payload_of(found.token) == vector["payload"].encode()


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated via RFC 9864")
@pytest.mark.parametrize("vector", ACCEPTED, ids=named)
def test_another_jose_library_verifies_an_accepted_signal(vector: dict[str, Any]) -> None:
    entry = next(entry for entry in vectors("keys")["members"] if entry["jwk"]["kid"] == vector["kid"])
    jwk = {name: value for name, value in entry["jwk"].items() if name != "alg"}
    key = OKPKey.import_key(jwk) if jwk["kty"] == "OKP" else ECKey.import_key(jwk)
    found = jws.deserialize_compact(vector["token"], key, algorithms=["Ed25519", "EdDSA", "ES256"])
    assert found.payload == vector["payload"].encode()
    assert key.thumbprint() == vector["kid"]
    assert schema("header").is_valid(found.headers())


@pytest.mark.parametrize("vector", ACCEPTED, ids=named)
def test_an_accepted_signal_fits_the_schema_of_its_kind_and_no_other(vector: dict[str, Any]) -> None:
    claims = json.loads(vector["payload"])
    kind = vector["signal"]["kind"]
    assert [str(error) for error in schema(f"claims-{kind}").iter_errors(claims)] == []
    (event,) = claims["events"].values()
    assert schema(kind).is_valid(event)
    for other in EVENTS.keys() - {kind}:
        assert not schema(f"claims-{other}").is_valid(claims)


@pytest.mark.parametrize("vector", REFUSED, ids=named)
def test_a_refused_signal_is_refused_for_the_stated_reason(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        envelope.verify(vector["token"].encode(), KEYS)
    assert (refused.value.code, refused.value.field) == (vector["code"], vector["field"])
    assert refused.value.reason


WITH_CLAIMS = [
    vector
    for vector in REFUSED
    if vector["field"].startswith(("i", "e", "sub")) and not vector["code"].startswith(("issuer-", "key-"))
]
"""Refused for what the claims say, and said in JSON."""

# What JSON Schema cannot say: schemas/README.md lists it for implementers.
BEYOND_SCHEMA = {
    "iat-whole-float",
    "iss-line-feed",  # in Python's regular expressions $ stands before a last line feed too; in ECMA-262 it does not
    "pdq-without-quality",
    "quality-without-pdq",
    "human_confirmed-by-nobody",
    "human_reviewed-by-nobody",
}


@pytest.mark.parametrize("vector", WITH_CLAIMS, ids=named)
def test_refused_claims_do_not_fit_any_published_schema(vector: dict[str, Any]) -> None:
    payload = base64.urlsafe_b64decode(vector["token"].split(".")[1] + "===")
    claims = json.loads(payload)
    fits = [kind for kind in EVENTS if schema(f"claims-{kind}").is_valid(claims)]
    assert bool(fits) == (vector["name"] in BEYOND_SCHEMA)


def test_every_code_of_the_gate_has_a_vector() -> None:
    assert {vector["code"] for vector in REFUSED} == set(GATE)


def test_vectors_have_names_of_their_own() -> None:
    names = [vector["name"] for vector in (*ACCEPTED, *REFUSED)]
    assert len(set(names)) == len(names)


def test_every_kind_type_and_label_pack_has_an_accepted_vector() -> None:
    assert {vector["signal"]["kind"] for vector in ACCEPTED} == set(EVENTS)
    types = {text.partition(":")[0] for vector in ACCEPTED for text in vector["signal"].get("indicators", ())}
    assert types == set(indicators.INDICATOR_TYPES)
    payloads = "".join(vector["payload"] for vector in ACCEPTED)
    assert [pack for pack in LABEL_PACKS if pack not in payloads] == []


def test_the_two_forms_of_an_es256_signature_are_one_statement() -> None:
    first, second = (
        next(vector for vector in ACCEPTED if vector["name"] == name)
        for name in ("report-pdq-es256", "report-pdq-es256-twin")
    )
    assert first["token"] != second["token"]
    assert first["statement"] == second["statement"]


def test_the_largest_token_is_as_large_as_a_token_may_be() -> None:
    largest = next(vector for vector in ACCEPTED if vector["name"] == "largest")
    beyond = next(vector for vector in REFUSED if vector["name"] == "one-byte-too-long")
    assert (len(largest["token"]), len(beyond["token"])) == (8192, 8193)


@pytest.mark.parametrize("vector", HUB["accepted"], ids=named)
def test_an_event_of_the_hub_is_accepted(vector: dict[str, Any]) -> None:
    event = hub_events.verify_hub_event(vector["token"].encode(), HUB_KEYS)
    assert event.claims.kind == vector["name"]
    assert event.claims.event.model_dump() == vector["event"]
    assert event.key.public.kid in HUB_KEYS
    payload = json.loads(envelope.payload_of(vector["token"].encode()))
    fits = {kind for kind in get_args(HubKind) if schema(f"claims-{kind}").is_valid(payload)}
    assert fits == {vector["name"]}


@pytest.mark.parametrize("vector", HUB["refused"], ids=named)
def test_a_bad_event_of_the_hub_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        hub_events.verify_hub_event(vector["token"].encode(), HUB_KEYS)
    assert refused.value.code == vector["code"]


def test_a_hubs_event_is_no_signal_of_a_member() -> None:
    vector = HUB["accepted"][0]
    with pytest.raises(Refused) as refused:
        envelope.verify(vector["token"].encode(), KEYS | HUB_KEYS)
    assert refused.value.code == "event-unknown"


@pytest.mark.parametrize("vector", INDICATORS["accepted"], ids=lambda vector: vector["indicator"][:40])
def test_an_indicator_has_its_type_family_and_bytes(vector: dict[str, Any]) -> None:
    found = indicators.parse(vector["indicator"])
    assert (found.type, found.family, found.value.hex()) == (
        vector["type"],
        vector["family"],
        vector["value_hex"],
    )
    assert str(found) == vector["indicator"]


@pytest.mark.parametrize(
    "vector", INDICATORS["refused"], ids=lambda vector: f"{vector['indicator'][:9]} {vector['why']}"
)
def test_any_other_spelling_of_an_indicator_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        indicators.parse(vector["indicator"], "here")
    assert (refused.value.code, refused.value.field) == (vector["code"], "here")


@pytest.mark.parametrize("vector", SIGNATURES["signatures"], ids=lambda v: f"{v['alg']} {v['why']}")
def test_a_raw_signature_is_valid_or_not(vector: dict[str, Any]) -> None:
    key = public_key(vector["jwk"])
    signature, message = bytes.fromhex(vector["signature_hex"]), bytes.fromhex(SIGNATURES["message_hex"])
    assert key.verify(signature, message) is vector["valid"]
    assert not key.verify(signature, message + b"!")


@pytest.mark.parametrize("vector", SIGNATURES["refused_keys"], ids=lambda v: v["why"])
def test_a_key_that_would_split_verifiers_is_not_registered(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        public_key(vector["jwk"])
    assert (refused.value.code, refused.value.field) == ("claim-invalid", "jwk")


@pytest.mark.parametrize("entry", vectors("keys")["private"], ids=named)
def test_the_private_keys_of_the_vectors_sign_for_their_public_part(entry: dict[str, Any]) -> None:
    key = SigningKey.from_jwk(entry["jwk"])
    assert key.public == public_key({name: value for name, value in entry["jwk"].items() if name != "d"})
    assert key.jwk() == entry["jwk"]
    assert key.public.verify(key.sign(b"message"), b"message")


@pytest.mark.parametrize("vector", FOLD["vectors"], ids=named)
def test_the_fold_stands_where_its_vector_says(vector: dict[str, Any]) -> None:
    statements = [
        Statement(
            **{
                **said,
                "id": bytes.fromhex(said["id"]),
                "target": bytes.fromhex(said["target"]) if "target" in said else None,
            }
        )
        for said in vector["statements"]
    ]
    found = fold(statements, vector["now"], Policy(**FOLD["policy"]))
    assert {
        "status": found.status,
        "reporters": found.reporters,
        "disputes": found.disputes,
        "live": sorted(item.hex() for item in found.live),
        "reasons": [
            {"rule": reason.rule, "statements": [item.hex() for item in reason.statements]}
            for reason in found.reasons
        ],
    } == vector["standing"]


@pytest.mark.parametrize("vector", LOG["entries"], ids=lambda vector: vector["kind"])
def test_an_entry_of_the_log(vector: dict[str, Any]) -> None:
    entry = Entry(
        vector["community"], vector["kind"], vector["recorded_at"], bytes.fromhex(vector["commitment"])
    )
    assert entry.encode() == vector["entry"].encode()
    assert Entry.decode(vector["entry"].encode()) == entry
    assert schema("entry").is_valid(json.loads(vector["entry"]))


@pytest.mark.parametrize("vector", LOG["refused_entries"], ids=lambda vector: vector["why"])
def test_any_other_form_of_an_entry_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        Entry.decode(vector["entry"].encode())
    assert refused.value.code == "json-invalid"


@pytest.mark.parametrize("vector", LOG["commitments"], ids=lambda vector: vector["commitment"][:8])
def test_a_commitment_opens_to_its_signal_and_to_nothing_else(vector: dict[str, Any]) -> None:
    commitment, nonce, signed = (
        bytes.fromhex(vector["commitment"]),
        bytes.fromhex(vector["r"]),
        vector["jws"].encode(),
    )
    assert ledger.commit(nonce, signed) == commitment
    assert ledger.opens(commitment, nonce, signed)
    assert not ledger.opens(commitment, nonce[::-1], signed)
    assert not ledger.opens(commitment, nonce, signed + b"\n")


@pytest.mark.parametrize("vector", LOG["bundles"], ids=lambda vector: str(len(vector["entries"])))
def test_a_bundle_of_entries(vector: dict[str, Any]) -> None:
    entries = [entry.encode() for entry in vector["entries"]]
    assert ledger.encode_bundle(entries).hex() == vector["bundle_hex"]
    assert ledger.decode_bundle(bytes.fromhex(vector["bundle_hex"])) == entries


@pytest.mark.parametrize("vector", LOG["refused_bundles"], ids=lambda vector: vector["why"])
def test_a_broken_bundle_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        ledger.decode_bundle(bytes.fromhex(vector["bundle_hex"]))
    assert refused.value.code == "json-invalid"


@pytest.mark.parametrize("vector", LOG["paths"], ids=lambda vector: vector["path"])
def test_the_path_of_a_bundle(vector: dict[str, Any]) -> None:
    assert ledger.bundle_path(vector["index"], vector["width"]) == vector["path"]


@pytest.mark.parametrize("vector", LOG["roots"], ids=lambda vector: str(len(vector["leaves_hex"])))
def test_merkle_roots_are_those_of_certificate_transparency(vector: dict[str, Any]) -> None:
    leaves = [bytes.fromhex(leaf) for leaf in vector["leaves_hex"]]
    assert merkle.merkle_root(leaves).hex() == vector["root"]


@pytest.mark.parametrize("vector", LOG["expiry_roots"], ids=lambda vector: str(len(vector["seqs"])))
def test_the_root_of_an_expiry(vector: dict[str, Any]) -> None:
    assert hub_events.expiry_root(vector["seqs"]).hex() == vector["root"]
