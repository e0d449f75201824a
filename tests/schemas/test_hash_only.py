"""Hash-only by construction: a raw value is accepted nowhere in a signal, and no refusal repeats one."""

import random
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from tests.schemas.directory import author_keys
from tests.schemas.payloads import (
    MARKER,
    SAMPLES,
    Path,
    at,
    field,
    parts,
    renamed,
    replaced,
    template,
)
from tests.schemas.planted import values
from tests.support.vectors.keys import ED, HUB_KEY, compact, seal
from tocsin_schemas import envelope, feed, hub_events, indicators, signals
from tocsin_schemas.jwk import SigningKey, public_key
from tocsin_schemas.ledger import Entry
from tocsin_schemas.problems import Refused, document

PLANTED = values()
KEYS = author_keys()
SEALED_EACH = 3
"""How many of the planted values go through the whole envelope at each place; all go through the parser."""


def refuse(read: Callable[..., object], planted: str, *arguments: Any) -> None:
    """`read` must refuse the arguments, and nothing about the refusal may hold the planted value."""
    try:
        read(*arguments)
    except Refused as error:
        problem = document(error.code, error.field, error.reason)
        said = f"{error}\n{error!r}\n{problem}\n{error.__suppress_context__ or error.__context__}"
    else:
        pytest.fail("accepted")
    escaped = planted.encode("ascii", "backslashreplace").decode()
    assert planted not in said
    assert escaped not in said


def verify(payload: bytes) -> object:
    return envelope.verify(seal(payload).encode(), KEYS)


def test_five_hundred_different_values_are_planted() -> None:
    assert len(PLANTED) >= 500
    assert all(len(value) >= 3 for value in PLANTED)


def test_a_refusal_as_a_log_shows_it_holds_no_value() -> None:
    said = SAMPLES["report-all-members"]
    for planted in random.Random(1).sample(PLANTED, 40):
        for path, value in parts(said):
            if isinstance(value, str) and path != ("iss",):
                with pytest.raises(Refused) as refused:
                    signals.parse(compact(replaced(said, path, planted)))
                assert planted not in "".join(traceback.format_exception(refused.value))


def places(of: Callable[[Path, Any], bool]) -> list[Any]:
    """Every place of every kind; claims that are alike in all of them are tried once in each kind."""
    found: dict[tuple[str, Path], Any] = {}
    for name, said in SAMPLES.items():
        kind = next(iter(said["events"]))
        for path, value in parts(said):
            if path and of(path, value):
                found.setdefault((kind, path), pytest.param(said, path, id=f"{name}:{field(path)}"))
    return list(found.values())


STRINGS = places(lambda path, value: isinstance(value, str))
MEMBERS = places(lambda path, value: isinstance(path[-1], str))


@pytest.mark.parametrize(("said", "path"), STRINGS)
def test_no_string_takes_a_raw_value(said: dict[str, Any], path: Path) -> None:
    make = template(replaced(said, path, MARKER))
    sealed = set(random.Random(field(path)).sample(PLANTED, SEALED_EACH))
    for planted in PLANTED:
        # An issuer may be any https origin; that it is the owner of the key is for the whole envelope to find.
        read = verify if planted in sealed or path == ("iss",) else signals.parse
        refuse(read, planted, make(planted))


@pytest.mark.parametrize(("said", "path"), STRINGS)
def test_no_string_takes_a_raw_value_beside_what_it_held(said: dict[str, Any], path: Path) -> None:
    make, held = template(replaced(said, path, MARKER)), at(said, path)
    for planted in PLANTED[:: 2 if path == ("iss",) else 29]:
        for joined in (f"{held} {planted}", f"{planted}:{held}", f"{held}/{planted}"):
            refuse(verify, planted, make(joined))


@pytest.mark.parametrize(("said", "path"), MEMBERS)
def test_no_member_takes_a_raw_value_for_its_name(said: dict[str, Any], path: Path) -> None:
    make = template(renamed(said, path, MARKER))
    for planted in PLANTED:
        refuse(signals.parse, planted, make(planted))


@pytest.mark.parametrize(("said", "path"), MEMBERS)
def test_no_value_gives_way_to_a_raw_value_of_another_shape(said: dict[str, Any], path: Path) -> None:
    for value in ([MARKER], {MARKER: 1}, {"value": MARKER}):
        make = template(replaced(said, path, value))
        for planted in PLANTED[::13]:
            refuse(signals.parse, planted, make(planted))


@pytest.mark.parametrize(("said", "path"), places(lambda path, value: isinstance(value, dict)))
def test_no_object_takes_a_raw_value_as_one_member_more(said: dict[str, Any], path: Path) -> None:
    for member, held in ((MARKER, 1), ("note", MARKER), (MARKER, None)):
        make = template(replaced(said, (*path, member), held))
        for planted in PLANTED:
            refuse(signals.parse, planted, make(planted))


HEADERS = {
    **{name: {**ED.header, name: MARKER} for name in ED.header},
    **{f"a list as {name}": {**ED.header, name: [MARKER]} for name in ED.header},
    **{name: {**ED.header, name: MARKER} for name in ("jku", "x5u", "cty", "note")},
    "a name": {**ED.header, MARKER: 1},
    "crit": {**ED.header, "crit": [MARKER]},
    "jwk": {**ED.header, "jwk": {MARKER: 1}},
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=list(HEADERS))
def test_no_header_takes_a_raw_value(header: dict[str, Any]) -> None:
    make, payload = template(header), compact(SAMPLES["sighting"])
    for planted in PLANTED:
        refuse(envelope.verify, planted, seal(payload, ED, make(planted)).encode(), KEYS)


@pytest.mark.parametrize("kind", indicators.INDICATOR_TYPES)
def test_no_indicator_takes_a_raw_value(kind: str) -> None:
    for planted in PLANTED:
        refuse(indicators.parse, planted, f"{kind}:{planted}")
        refuse(indicators.parse, planted, planted)


def test_raw_json_that_is_not_ascii_is_refused_without_a_word_of_it() -> None:
    for planted in PLANTED:
        raw = f'{{"iss":"{planted}é"}}'.encode("utf-8", "surrogatepass")
        refuse(signals.parse, planted, raw)
        refuse(envelope.verify, planted, raw, KEYS)


def test_no_log_entry_takes_a_raw_value() -> None:
    """But for a community's name, which the operator chooses: it can be any word of letters, digits and dashes."""
    good = Entry("child-safety", "report", 0, bytes(32)).encode()
    for planted in PLANTED:
        raw = planted.encode("utf-8", "surrogatepass")
        for held in (b'"report"', b"0" * 64, b"1970-01-01T00:00:00Z", b'"kind"'):
            refuse(Entry.decode, planted, good.replace(held, raw, 1))
            refuse(Entry.decode, planted, good.replace(held, b'"' + raw + b'"', 1))


@pytest.mark.parametrize(
    "event",
    [
        {"expiry": {"day": "2026-11-21", "count": 1, "root": "0" * 64}},
        {"snapshot": {"type": "md5", "version": 1, "count": 1, "log_size": 1, "manifest": "0" * 64}},
        {"release": {"seqs": [1]}},
    ],
)
def test_no_event_of_the_hub_takes_a_raw_value(event: dict[str, Any]) -> None:
    keys = author_keys("hub")
    ((kind, body),) = event.items()
    said = {
        "iss": HUB_KEY.iss,
        "aud": f"{HUB_KEY.iss}/communities/a",
        "iat": HUB_KEY.not_before,
        "jti": "0" * 32,
        "events": {f"urn:tocsin:event:v1:{kind}": body},
    }
    assert hub_events.verify_hub_event(seal(compact(said), HUB_KEY).encode(), keys).key.iss == HUB_KEY.iss
    for path, value in parts(said):
        if isinstance(value, str | int):
            make = template(replaced(said, path, MARKER))
            for planted in PLANTED[::5]:
                refuse(hub_events.verify_hub_event, planted, seal(make(planted), HUB_KEY).encode(), keys)


def test_no_key_takes_a_raw_value() -> None:
    public, private = ED.jwk(), ED.private_jwk()
    for planted in PLANTED:
        for name in ("kty", "crv", "x"):
            refuse(public_key, planted, {**public, name: planted})
        for name in ("kty", "crv", "x", "d"):
            refuse(SigningKey.from_jwk, planted, {**private, name: planted})


def test_a_follower_refuses_records_that_are_of_no_shape() -> None:
    for line in (b"{}", b"[]", b'{"seq":1}', b'{"seq":-1,"gone":"expired"}', b'{"seq":1,"gone":"a reason"}'):
        with pytest.raises(ValueError, match="validation error"):
            feed.parse_record(line)
