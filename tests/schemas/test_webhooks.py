"""Signed webhook requests come out as the vectors say, and nothing else gets through."""

from typing import Any

import pytest

from tests.schemas.directory import vectors
from tocsin_schemas.problems import Refused
from tocsin_schemas.webhooks import (
    MAX_SIGNATURES,
    Signer,
    Verified,
    parse_key,
    parse_secret,
    parse_seed,
    render_key,
    render_secret,
    verify,
)

VECTORS = vectors("webhooks")
SIGNED = VECTORS["signed"]
SECRET = parse_secret(SIGNED["secret"])
SEED = parse_seed(SIGNED["seed"])
KEY = parse_key(SIGNED["key"])
PARSERS = {"secret": parse_secret, "key": parse_key, "seed": parse_seed}
BODY = SIGNED["body"].encode()
AT = SIGNED["timestamp"]


def why(vector: dict[str, Any]) -> str:
    return str(vector["why"]).replace(" ", "-")


def verified(vector: dict[str, Any]) -> Verified:
    return verify(
        vector["headers"],
        vector["body"].encode(),
        now=vector["now"],
        secrets=[parse_secret(text) for text in vector["secrets"]],
        keys=[parse_key(text) for text in vector["keys"]],
    )


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=why)
def test_a_request_of_the_vectors_verifies(vector: dict[str, Any]) -> None:
    headers = vector["headers"]
    expected = (headers["webhook-id"], int(headers["webhook-timestamp"]), vector["body"].encode())
    assert verified(vector) == expected


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=why)
def test_a_refused_request_is_refused_for_the_reason_given(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        verified(vector)
    assert (refused.value.code, refused.value.field) == (vector["code"], vector["field"])
    said = str(refused.value)
    shown = [vector["body"], *vector["secrets"], *vector["keys"], *vector["headers"].values()]
    assert not [value for value in shown if len(value) > 8 and value in said]


@pytest.mark.parametrize("vector", VECTORS["refused_keys"], ids=why)
def test_a_key_that_is_none_is_refused_and_not_repeated(vector: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        PARSERS[vector["kind"]](vector["text"])
    assert refused.value.code == "webhook-key-malformed"
    assert (
        vector["text"].partition("_")[2][:12] not in str(refused.value)
        or not vector["text"].partition("_")[2]
    )


def test_what_is_signed_is_what_the_specification_shows() -> None:
    signer = Signer([SECRET], [SEED])
    assert signer.sign(SIGNED["id"], AT, BODY) == SIGNED["header"]
    assert signer.public_keys == (KEY,)
    assert [render_key(key) for key in signer.public_keys] == [SIGNED["key"]]
    assert render_secret(SECRET) == SIGNED["secret"]


@pytest.mark.parametrize(
    ("secrets", "seeds", "versions"),
    [
        ([SECRET], [], ["v1"]),
        ([], [SEED], ["v1a"]),
        ([SECRET, bytes(24)], [SEED, bytes(32)], ["v1", "v1", "v1a", "v1a"]),
    ],
)
def test_every_key_in_force_signs(secrets: list[bytes], seeds: list[bytes], versions: list[str]) -> None:
    signer = Signer(secrets, seeds)
    headers = signer.headers("msg_1", AT, BODY)
    assert [part.partition(",")[0] for part in headers["webhook-signature"].split(" ")] == versions
    for secret in secrets:
        assert verify(headers, BODY, now=AT, secrets=[secret]).id == "msg_1"
    for key in signer.public_keys:
        assert verify(headers, BODY, now=AT, keys=[key]).body == BODY


@pytest.mark.parametrize(
    ("secrets", "seeds"), [([], []), ([bytes(23)], []), ([bytes(65)], []), ([SECRET], [bytes(31)])]
)
def test_a_signer_needs_whole_keys(secrets: list[bytes], seeds: list[bytes]) -> None:
    with pytest.raises(ValueError, match=r"."):
        Signer(secrets, seeds)


@pytest.mark.parametrize(
    ("message_id", "timestamp"), [("a.b", 1), ("", 1), ("a\nb", 1), ("a" * 129, 1), ("a", -1)]
)
def test_no_request_is_signed_that_could_be_taken_for_another(message_id: str, timestamp: int) -> None:
    with pytest.raises(ValueError, match="id"):
        Signer([SECRET], []).sign(message_id, timestamp, BODY)


def test_the_names_of_headers_have_any_case_and_come_once() -> None:
    headers = Signer([SECRET], []).headers("msg_1", AT, BODY)
    shouted = {name.upper(): value for name, value in headers.items()} | {"Host": "a.example"}
    assert verify(shouted, BODY, now=AT, secrets=[SECRET]).timestamp == AT
    assert verify(list(shouted.items()), BODY, now=AT, secrets=[SECRET]).timestamp == AT
    with pytest.raises(Refused, match="given twice"):
        verify({**headers, **shouted}, BODY, now=AT, secrets=[SECRET])
    with pytest.raises(Refused, match="given twice"):
        verify([*headers.items(), ("webhook-id", "msg_1")], BODY, now=AT, secrets=[SECRET])


def test_there_is_something_to_verify_with() -> None:
    headers = Signer([SECRET], []).headers("msg_1", AT, BODY)
    with pytest.raises(ValueError, match="nothing to verify with"):
        verify(headers, BODY, now=AT)


def test_a_receiver_chooses_its_tolerance() -> None:
    headers = Signer([SECRET], []).headers("msg_1", AT, BODY)
    assert verify(headers, BODY, now=AT + 900, secrets=[SECRET], tolerance=900).id == "msg_1"
    with pytest.raises(Refused, match="more than 899 s before"):
        verify(headers, BODY, now=AT + 900, secrets=[SECRET], tolerance=899)
    with pytest.raises(Refused, match="more than 0 s after"):
        verify(headers, BODY, now=AT - 1, secrets=[SECRET], tolerance=0)


def test_as_many_signatures_as_may_be_are_looked_at() -> None:
    headers = Signer([SECRET], []).headers("msg_1", AT, BODY)
    good = headers["webhook-signature"]
    bad = "v1," + "A" * 43 + "="
    many = headers | {"webhook-signature": " ".join([bad] * (MAX_SIGNATURES - 1) + [good])}
    assert verify(many, BODY, now=AT, secrets=[SECRET]).id == "msg_1"
