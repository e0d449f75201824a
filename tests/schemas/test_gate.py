"""The gate of the envelope under attack: bytes, JSON, headers, keys. Nothing gets through; each refusal says why."""

import json
import random
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tests.schemas.directory import author_keys
from tests.schemas.payloads import SAMPLES, Path, at, field, parts, replaced
from tests.support.vectors.good import twin
from tests.support.vectors.keys import ED, ES, IAT, OTHER, base64url, compact, seal, seal_parts, unbase64url
from tocsin_schemas import envelope, signals
from tocsin_schemas.envelope import AuthorKey, decode, encode
from tocsin_schemas.jwk import SigningKey, public_key
from tocsin_schemas.problems import Refused

KEYS = author_keys()
PAYLOAD = compact(SAMPLES["report-all-members"])
FLIPS = 1000


def refusal(token: bytes | str, keys: dict[str, AuthorKey] = KEYS) -> Refused:
    with pytest.raises(Refused) as refused:
        envelope.verify(token.encode() if isinstance(token, str) else token, keys)
    return refused.value


def code(token: bytes | str) -> str:
    return refusal(token).code


@pytest.mark.parametrize("key", [ED, ES], ids=lambda key: key.alg)
def test_a_thousand_changed_bytes_are_a_thousand_refusals(key: Any) -> None:
    token = seal(PAYLOAD, key).encode()
    assert envelope.verify(token, KEYS).signal.kind == "report"
    random_source = random.Random(20261122)
    refused = 0
    for _ in range(FLIPS):
        place = random_source.randrange(len(token))
        other = random_source.choice([byte for byte in range(256) if byte != token[place]])
        refusal(token[:place] + bytes([other]) + token[place + 1 :])
        refused += 1
    assert refused == FLIPS


def test_a_changed_bit_in_any_place_is_refused() -> None:
    token = seal(PAYLOAD).encode()
    for place in range(len(token)):
        refusal(token[:place] + bytes([token[place] ^ (1 << place % 8)]) + token[place + 1 :])


def test_a_token_cut_anywhere_or_made_longer_is_refused() -> None:
    token = seal(PAYLOAD)
    for end in range(0, len(token), 7):
        refusal(token[:end])
    for more in ("A", ".", "=", " ", "\n", "\0", token):
        refusal(token + more)
        refusal(more + token)


# What may stand in no part, wherever it is put; each is signed as it stands.
FOREIGN = {
    "=": "base64-padding",
    "==": "base64-padding",
    ".": "envelope-malformed",
    **dict.fromkeys(
        (" ", "\t", "\n", "\r\n", "\0", "+", "/", "\u00e9", "\ufeff", "%3D"), "base64-not-canonical"
    ),
}


@pytest.mark.parametrize("part", ["header", "payload", "signature"])
@pytest.mark.parametrize("foreign", FOREIGN, ids=repr)
def test_foreign_characters_in_a_part_are_refused(foreign: str, part: str) -> None:
    whole = seal(PAYLOAD).split(".")
    place = ("header", "payload", "signature").index(part)
    for cut in (0, 9, len(whole[place])):
        spoiled = list(whole)
        spoiled[place] = whole[place][:cut] + foreign + whole[place][cut:]
        token = ".".join(spoiled)
        if part != "signature":
            token = seal_parts(spoiled[0], spoiled[1])
        found = refusal(token)
        assert found.code == FOREIGN[foreign]
        assert found.field in ({part} if found.code.startswith("base64") else {""})


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 31, 32, 33])
def test_base64url_has_one_spelling(size: int) -> None:
    raw = bytes(range(256 - size, 256))
    text = encode(raw)
    assert decode(text, "x") == raw
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    same = [
        bytes([last])
        for last in alphabet
        if _decodes(text[:-1] + bytes([last])) and decode(text[:-1] + bytes([last]), "x") == raw
    ]
    assert same == [text[-1:]]


def _decodes(text: bytes) -> bool:
    try:
        decode(text, "x")
    except Refused:
        return False
    return True


def every_object() -> list[Any]:
    return [
        pytest.param(said, path, id=f"{name}:{field(path) or 'claims'}")
        for name, said in SAMPLES.items()
        for path, value in parts(said)
        if isinstance(value, dict)
    ]


@pytest.mark.parametrize(("said", "path"), every_object())
def test_a_member_named_twice_is_refused_at_any_depth(said: dict[str, Any], path: Path) -> None:
    inner = at(said, path)
    name = next(iter(inner))
    text = json.dumps(inner, separators=(",", ":"))
    for twice in (f'"{name}":', "".join(('"', *(f"\\u{ord(letter):04x}" for letter in name), '":'))):
        spoiled = "{" + f"{twice}{json.dumps(inner[name])},{text[1:]}"
        marker = "the object in question"
        whole = (
            spoiled if not path else json.dumps(replaced(said, path, marker)).replace(f'"{marker}"', spoiled)
        )
        assert code(seal(whole.encode())) == "json-duplicate-key"


@pytest.mark.parametrize(("said", "path"), every_object())
@pytest.mark.parametrize("value", [None, "x", 1, [], {}], ids=repr)
def test_an_unknown_member_is_refused_at_any_depth(said: dict[str, Any], path: Path, value: Any) -> None:
    spoiled = replaced(said, (*path, "note"), value)
    found = refusal(seal(compact(spoiled)))
    if path == ("events",):
        assert found.code == "event-unknown"
    else:
        assert (found.code, found.field) == ("claim-unknown", field(path))


def every_member(of: type | tuple[type, ...]) -> list[Any]:
    return [
        pytest.param(said, path, id=f"{name}:{field(path)}")
        for name, said in SAMPLES.items()
        for path, value in parts(said)
        if path and isinstance(value, of) and not (of is int and isinstance(value, bool))
    ]


ANY = (str, int, bool, list, dict)


@pytest.mark.parametrize(("said", "path"), every_member(ANY))
def test_null_is_refused_wherever_it_stands(said: dict[str, Any], path: Path) -> None:
    found = refusal(seal(compact(replaced(said, path, None))))
    if path[0] == "events" and len(path) <= 2:
        assert found.code == "event-unknown"
    else:
        # A subject without a format is none of the two: the problem names the subject.
        named = path[:-1] if path == ("sub_id", "format") else path
        assert (found.code, found.field) == ("claim-invalid", field(named))


def test_the_word_null_inside_a_string_is_no_null() -> None:
    said = SAMPLES["sighting"] | {"iss": "https://null.example"}
    assert signals.parse(compact(said)).iss == "https://null.example"


NUMBERS = (
    "-1",
    "1.5",
    "1.0",
    "1e3",
    "-0.0",
    "1E400",
    "9" * 19,
    "9" * 400,
    "-" + "9" * 400,
    "true",
    "false",
    '"1"',
    "[]",
)


@pytest.mark.parametrize(("said", "path"), every_member(int))
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: number[:12])
def test_only_a_whole_number_in_range_is_a_number(said: dict[str, Any], path: Path, number: str) -> None:
    whole = json.dumps(replaced(said, path, "the number")).replace('"the number"', number)
    found = refusal(seal(whole.encode()))
    assert (found.code, found.field) == ("claim-invalid", field(path))


@pytest.mark.parametrize(("said", "path"), every_member(int))
@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x1", "9" * 4301]
)
def test_what_is_no_json_number_is_no_json(said: dict[str, Any], path: Path, number: str) -> None:
    whole = json.dumps(replaced(said, path, "the number")).replace('"the number"', number)
    assert code(seal(whole.encode())) == "json-invalid"


@pytest.mark.parametrize("raw", [b"{", b"[" * 5900, b'{"a":' * 1100, b"[" * 2900 + b"]" * 2900, b'"', b"nul"])
def test_json_that_never_ends_is_refused(raw: bytes) -> None:
    assert code(seal(raw)) == "json-invalid"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_json_in_another_encoding_is_refused(encoding: str) -> None:
    assert code(seal(PAYLOAD.decode().encode(encoding))) == "json-invalid"
    header = json.dumps(ED.header).encode(encoding)
    found = refusal(seal(PAYLOAD, ED, header))
    assert (found.code, found.field) == ("json-invalid", "header")


def test_a_lone_surrogate_is_no_text() -> None:
    for path, value in parts(SAMPLES["report-all-members"]):
        if isinstance(value, str):
            spoiled = compact(replaced(SAMPLES["report-all-members"], path, "\ud800"))
            assert code(seal(spoiled)) in {"claim-invalid", "label-unknown"}
    assert code(seal(PAYLOAD[:-1] + b',"\\ud800":1}')) == "claim-invalid"
    assert code(seal(PAYLOAD, ED, compact({**ED.header, "kid": "\ud800"}))) == "key-unknown"
    assert code(seal(PAYLOAD, ED, compact({**ED.header, "\ud800": 1}))) == "header-member-unknown"


def test_none_of_our_other_tokens_is_a_signal() -> None:
    """An access token, a client's assertion and a plain JWT, each well signed by a registered key."""
    for typ in ("at+jwt", "client-authentication+jwt", "JWT", "secevent", "secevent+jwt ", None):
        header = {name: value for name, value in {**ED.header, "typ": typ}.items() if value is not None}
        found = refusal(seal(PAYLOAD, ED, compact(header)))
        assert (found.code, found.field) == ("typ-mismatch", "header.typ")


def test_the_payload_is_not_read_before_the_signature_verifies() -> None:
    first, _, third = seal(PAYLOAD).split(".")
    assert code(f"{first}.{base64url(b'no JSON at all')}.{third}") == "signature-invalid"
    assert code(seal(b"no JSON at all")) == "json-invalid"


def test_the_steps_come_in_their_order() -> None:
    """Each token has the fault of one step and of every later one; the first is named."""
    stranger = SigningKey.generate()
    bad_claims = b'{"iss":1}'
    header = {**ED.header, "kid": stranger.public.kid, "typ": "JWT"}
    first = base64url(compact(header))
    assert code(f"{first}.{base64url(bad_claims)}=.{'A' * 86}") == "base64-padding"
    assert code(f"{first}.{base64url(bad_claims)}.{'A' * 86}") == "typ-mismatch"
    header["typ"] = "secevent+jwt"
    assert code(f"{base64url(compact(header))}.{base64url(bad_claims)}.{'A' * 86}") == "key-unknown"
    assert code(f"{base64url(compact(ED.header))}.{base64url(bad_claims)}.{'A' * 86}") == "signature-invalid"
    assert code(seal(bad_claims)) == "event-unknown"
    assert code(seal(compact({**SAMPLES["sighting"], "iat": 1}), OTHER)) == "issuer-mismatch"
    assert code(seal(compact({**SAMPLES["sighting"], "iat": 1}))) == "key-not-yet-valid"


def test_a_key_is_in_force_from_its_first_second_until_before_its_last() -> None:
    public = public_key(ED.jwk())
    said = SAMPLES["sighting"]

    def keys(**force: Any) -> dict[str, AuthorKey]:
        return {public.kid: AuthorKey(public, ED.iss, **{"not_before": 0, "not_after": IAT + 1, **force})}

    token = seal(compact(said)).encode()
    assert envelope.verify(token, keys(not_before=IAT)).key.not_before == IAT
    assert refusal(token, keys(not_before=IAT + 1)).code == "key-not-yet-valid"
    assert refusal(token, keys(not_after=IAT)).code == "key-expired"
    assert envelope.verify(token, keys(revoked_at=IAT + 1)).key.revoked_at == IAT + 1
    assert refusal(token, keys(revoked_at=IAT)).code == "key-revoked"


def test_the_second_form_of_an_es256_signature_is_the_same_statement() -> None:
    for said in SAMPLES.values():
        token = seal(compact(said), ES)
        first, second = (envelope.verify(text.encode(), KEYS) for text in (token, twin(token)))
        assert first.token != second.token
        assert (first.digest, first.signal) == (second.digest, second.signal)


def test_randomised_es256_signatures_of_the_sdk_verify() -> None:
    key = SigningKey.generate("ES256")
    keys = {key.public.kid: AuthorKey(key.public, ED.iss, 0, IAT + 1)}
    tokens = {envelope.sign(PAYLOAD, key) for _ in range(4)}
    assert len(tokens) == 4
    assert len({envelope.verify(token, keys).digest for token in tokens}) == 1


def test_a_signature_over_other_bytes_than_those_received_is_refused() -> None:
    """Signed over the decoded JSON, over the payload alone, over a detached payload: none of it is JWS."""
    first, second, _ = seal(PAYLOAD).split(".")
    for message in (PAYLOAD, second.encode(), f"{first}.".encode() + PAYLOAD, f"{first}..{second}".encode()):
        assert code(f"{first}.{second}.{base64url(ED.sign(message))}") == "signature-invalid"


def test_es256_of_another_hash_or_curve_is_refused() -> None:
    header = base64url(compact(ES.header))
    message = f"{header}.{base64url(PAYLOAD)}"
    p384 = ec.generate_private_key(ec.SECP384R1())
    for signature in (
        unbase64url(seal(PAYLOAD, ES).rpartition(".")[2])[::-1],
        p384.sign(message.encode(), ec.ECDSA(hashes.SHA384()))[:64],
    ):
        assert code(f"{message}.{base64url(signature)}") == "signature-invalid"
