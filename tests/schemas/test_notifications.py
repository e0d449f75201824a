"""Bodies of webhooks are read and put together as the vectors say, and every type has its urgency."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.schemas.directory import vectors
from tests.support.json_schemas import documents
from tocsin_schemas import notifications
from tocsin_schemas.notifications import (
    CORRECTIONS,
    ENDPOINT_EVENTS,
    ESCALATIONS,
    EVENT_TYPES,
    LANES,
    MAX_RECORDS,
    SEVERITIES,
    SEVERITY,
    EventNotification,
    compose,
    numbered,
    parse_notification,
    subject_of,
)
from tocsin_schemas.problems import Refused

VECTORS = vectors("notifications")
SCHEMA = Draft202012Validator(documents()["notification"])


def why(vector: dict[str, Any]) -> str:
    return str(vector.get("why", "")).replace(" ", "-")


@pytest.mark.parametrize("vector", VECTORS["accepted"], ids=why)
def test_a_body_of_the_vectors_is_read_and_fits_the_schema(vector: dict[str, Any]) -> None:
    said = json.loads(vector["body"])
    read = parse_notification(vector["body"].encode())
    assert (read.type, read.timestamp) == (said["type"], said["timestamp"])
    kept = read.data.model_dump(exclude_none=True)
    assert kept == {name: value for name, value in said["data"].items() if name in kept}
    assert said["data"].keys() - kept.keys() <= {"more"}
    SCHEMA.validate(said)


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=why)
def test_what_is_no_body_is_refused_without_being_repeated(vector: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        parse_notification(vector["body"].encode())
    assert (refused.value.code, refused.value.field) == ("request-invalid", vector["field"])
    assert "person" not in str(refused.value)


@pytest.mark.parametrize("vector", VECTORS["composed"])
def test_a_body_is_its_parts_byte_for_byte(vector: dict[str, Any]) -> None:
    composed = compose(vector["type"], vector["at"], dict(vector["data"]))
    records = [record.encode() for record in vector["records"]]
    assert numbered(composed, vector["seq"], records) == vector["body"].encode()


def test_a_body_has_no_more_records_than_a_hub_may_enclose() -> None:
    (full,) = [one for one in VECTORS["accepted"] if one["why"] == "full"]
    said = json.loads(full["body"])
    said["data"]["records"] *= MAX_RECORDS
    read = parse_notification(json.dumps(said).encode())
    assert isinstance(read, EventNotification)
    assert len(read.data.records or ()) == MAX_RECORDS
    said["data"]["records"] *= 2
    with pytest.raises(Refused):
        parse_notification(json.dumps(said).encode())


def test_every_type_has_a_severity_and_every_severity_a_lane() -> None:
    assert set(SEVERITY) == set(EVENT_TYPES)
    assert set(SEVERITY.values()) == set(SEVERITIES) == set(LANES)
    assert SEVERITIES == ("info", "notice", "urgent")
    assert [LANES[word] for word in SEVERITIES] == [1, 1, 0]
    assert {SEVERITY[kind] for kind in ESCALATIONS} == {"urgent"}


def test_the_groups_of_types_share_nothing() -> None:
    groups = [ENDPOINT_EVENTS, ESCALATIONS, CORRECTIONS]
    assert len(frozenset[str]().union(*groups)) == sum(map(len, groups))
    assert {kind for kind in EVENT_TYPES if kind.startswith("endpoint.")} == ENDPOINT_EVENTS


def test_every_type_can_be_read() -> None:
    known = {
        word
        for model in (
            notifications.EventNotification,
            notifications.EndpointVerification,
            notifications.EndpointTest,
            notifications.EndpointDisabled,
        )
        for word in model.model_fields["type"].annotation.__args__  # type: ignore[union-attr]  # a Literal
    }
    assert known == set(EVENT_TYPES)


def test_what_overtakes_the_rest_is_numbered_apart() -> None:
    assert subject_of("signal.recorded", "ncii") == "community:ncii"
    assert subject_of("indicator.corroborated", "ncii") == "community:ncii:urgent"
    assert subject_of("decision.recorded", None) == "board"
    assert subject_of("key.revoked", None) == "board:urgent"
