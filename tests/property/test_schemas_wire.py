"""Laws of the wire: one spelling of everything, and what was signed is what is read."""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import rfc8785
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.schemas.directory import author_keys
from tests.schemas.payloads import SAMPLES
from tests.support.vectors.keys import ED, ES, IAT, PIXEL
from tocsin_schemas import envelope, indicators, ledger, merkle, signals, vocabulary
from tocsin_schemas.indicators import FAMILY, INDICATOR_TYPES, Indicator
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import (
    Account,
    Artefact,
    Dispute,
    Event,
    Media,
    Outcome,
    Report,
    Retraction,
    Sighting,
)
from tocsin_schemas.vocabulary import HUMAN_BASES, LABELS

settings.register_profile("wire", max_examples=150, deadline=None)
profile = settings.get_profile("wire")

KEYS = author_keys()
SIGNERS = [SigningKey.from_jwk(key.private_jwk()) for key in (ED, ES)]
LENGTHS = {"md5": 16, "sha1": 20, "photodna": 144}
FAMILIES = sorted(set(FAMILY.values()))
SLUG = st.from_regex(r"\A[a-z0-9][a-z0-9-]{0,62}\Z")
ANY_INDICATOR = re.compile(indicators.pattern(*FAMILIES))


@st.composite
def of_type(draw: st.DrawFn, kind: str) -> Indicator:
    if FAMILY[kind] == "account":
        epoch = draw(st.integers(0, 999_999_999))
        return Indicator(kind, b"\x01" + epoch.to_bytes(4) + draw(st.binary(min_size=32, max_size=32)))
    length = LENGTHS.get(kind, 32)
    return Indicator(kind, draw(st.binary(min_size=length, max_size=length)))


def reads(read: Callable[[], object]) -> bool:
    """Whether it is read at all; the only other outcome there may be is a refusal."""
    try:
        read()
    except Refused:
        return False
    return True


any_indicator = st.sampled_from(INDICATOR_TYPES).flatmap(of_type)


def words(of: Any) -> st.SearchStrategy[Any]:
    return st.from_type(of)


@st.composite
def reports(draw: st.DrawFn, found: Sequence[Indicator]) -> Report:
    family = found[0].family
    basis = draw(words(vocabulary.Basis))
    body: dict[str, Any] = {}
    if family == "media":
        quality = draw(st.integers(0, 100)) if any(item.type == "pdq" for item in found) else None
        body["media"] = Media(
            ai_origin=draw(words(vocabulary.AiOrigin)),
            origin_evidence=draw(words(vocabulary.OriginEvidence)),
            detection_context=draw(words(vocabulary.DetectionContext)),
            generator_family=draw(st.none() | words(vocabulary.GeneratorFamily)),
            pdq_quality=quality,
        )
    elif family == "account":
        body["account"] = Account(
            reviewers=draw(st.integers(1 if basis in HUMAN_BASES else 0, 99)),
            conduct=draw(words(vocabulary.Conduct)),
            relevance=draw(words(vocabulary.Relevance)),
            action=draw(words(vocabulary.ConsequentialAction)),
            attempts=draw(st.none() | words(vocabulary.CountBucket)),
            minor_suspected=draw(st.booleans()),
        )
    else:
        body["artefact"] = Artefact(kind=draw(words(vocabulary.ArtefactKind)))
    digest = st.binary(min_size=32, max_size=32).map(bytes.hex)
    return Report(
        basis=basis,
        labels=draw(st.lists(st.sampled_from(sorted(LABELS)), min_size=1, max_size=8, unique=True)),
        tlp=draw(words(vocabulary.Tlp)),
        valid_until=draw(st.integers(0, signals.LATEST)),
        source_restriction=draw(st.none() | words(vocabulary.SourceRestriction)),
        evidence=draw(st.none() | st.lists(digest, min_size=1, max_size=4)),
        **body,
    )


@st.composite
def said(draw: st.DrawFn) -> tuple[Event, tuple[Indicator, ...] | bytes]:
    """An event and its subject."""
    if draw(st.integers(0, 5)) == 0:
        reason = draw(words(vocabulary.RetractionReason))
        return Retraction(reason=reason), draw(st.binary(min_size=32, max_size=32))
    family = draw(st.sampled_from(FAMILIES))
    kinds = [kind for kind in INDICATOR_TYPES if FAMILY[kind] == family]
    one = st.sampled_from(kinds).flatmap(of_type)
    found = tuple(draw(st.lists(one, min_size=1, max_size=5, unique=True)))
    events: dict[str, st.SearchStrategy[Event]] = {
        "report": reports(found),
        "sighting": st.builds(
            Sighting,
            detection_context=words(vocabulary.DetectionContext),
            count=words(vocabulary.CountBucket),
        ),
        "dispute": st.builds(Dispute, reason=words(vocabulary.DisputeReason), basis=words(vocabulary.Basis)),
        "outcome": st.builds(
            Outcome,
            result=words(vocabulary.OutcomeResult),
            decision_mode=words(vocabulary.DecisionMode),
        ),
    }
    return draw(st.sampled_from(sorted(events)).flatmap(events.__getitem__)), found


@given(any_indicator)
@settings(profile)
def test_an_indicator_reads_back_from_what_it_writes(item: Indicator) -> None:
    assert indicators.parse(str(item)) == item
    assert ANY_INDICATOR.fullmatch(str(item))


@given(any_indicator, st.data())
@settings(profile)
def test_no_other_spelling_of_an_indicator_is_read(item: Indicator, data: st.DataObject) -> None:
    text = str(item)
    place = data.draw(st.integers(0, len(text)))
    change = data.draw(st.sampled_from(["insert", "drop", "replace", "upper", "pad"]))
    letter = data.draw(
        st.sampled_from([*"0afgzAZ=_-+/. \n\t:", "é", "\u0661"]) | st.characters(codec="utf-8")
    )
    spoiled = {
        "insert": text[:place] + letter + text[place:],
        "drop": text[:place] + text[place + 1 :],
        "replace": text[:place] + letter + text[place + 1 :],
        "upper": text.upper(),
        "pad": text + "=" * (place % 7),
    }[change]
    assume(spoiled != text)
    assert reads(lambda: indicators.parse(spoiled)) == bool(ANY_INDICATOR.fullmatch(spoiled))
    if ANY_INDICATOR.fullmatch(spoiled):
        # A changed digit gives another indicator, in its own spelling.
        assert str(indicators.parse(spoiled)) == spoiled
        assert indicators.parse(spoiled) != item


@given(st.text(max_size=80) | st.from_regex(r"\A[a-z0-9-]{2,14}:[A-Za-z0-9._=-]{0,70}\Z"))
@settings(profile)
def test_what_is_read_as_an_indicator_is_exactly_what_the_published_pattern_says(text: str) -> None:
    assert reads(lambda: indicators.parse(text)) == bool(ANY_INDICATOR.fullmatch(text))


@given(
    said(),
    st.sampled_from(SIGNERS),
    st.integers(IAT - 86_400, IAT + 86_400),
    st.binary(min_size=16, max_size=16),
    st.none() | st.integers(0, signals.LATEST),
    SLUG,
)
@settings(profile)
def test_what_is_composed_and_signed_is_what_is_verified_and_read(
    event_and_subject: tuple[Event, Any], key: SigningKey, iat: int, jti: bytes, toe: int | None, slug: str
) -> None:
    event, subject = event_and_subject
    aud = f"https://hub.example/communities/{slug}"
    payload = signals.compose(event, subject, iss=PIXEL, aud=aud, iat=iat, jti=jti, toe=toe)
    token = envelope.sign(payload, key)
    found = envelope.verify(token, KEYS)
    signal = found.signal
    assert (signal.event, signal.kind) == (event, type(event).__name__.lower())
    assert (signal.target or signal.indicators) == subject
    assert (signal.iss, signal.aud, signal.iat, signal.jti) == (PIXEL, aud, iat, jti)
    assert signal.toe == (iat if toe is None else toe)
    assert found.digest == hashlib.sha256(payload).digest()
    assert envelope.payload_of(token) == payload
    assert payload.isascii()
    assert b"null" not in payload


@given(st.binary(max_size=120))
@settings(profile)
def test_base64url_reads_back_and_is_that_of_the_standard_library(raw: bytes) -> None:
    text = envelope.encode(raw)
    assert envelope.decode(text, "x") == raw
    assert text == base64.urlsafe_b64encode(raw).rstrip(b"=")


@given(st.binary(max_size=40) | st.from_regex(rb"\A[A-Za-z0-9_=-]{0,12}\Z"))
@settings(profile)
def test_what_decodes_is_canonical(segment: bytes) -> None:
    if reads(lambda: envelope.decode(segment, "x")):
        assert envelope.encode(envelope.decode(segment, "x")) == segment


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def reference(raw: bytes) -> Any:
    """One JSON object in ASCII without a duplicate member, by the standard library alone; None if it is none."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise ValueError("a member stands twice")
        return dict(pairs)

    def no_constant(name: str) -> None:
        raise ValueError(name)

    try:
        value = json.loads(raw.decode("ascii"), object_pairs_hook=unique, parse_constant=no_constant)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


JSON_BITS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b'"a"',
        b'"b"',
        b'"a":1',
        b'{"a":1}',
        b'"a":{"a":1,"a":2}',
    ),
    *(b'"\\u0061"', b'"\\ud800"', '"é"'.encode(), b'"\x7f"', b"true", b"null", b"NaN"),
    *(b"0", b"-0", b"01", b"1.0", b"1e2", b"1E400", b"9" * 25),
]


@given(
    st.lists(st.sampled_from(JSON_BITS), max_size=9).map(b"".join)
    | st.lists(st.tuples(st.sampled_from(["a", "b", "\u00e9"]), any_json), max_size=3).map(
        lambda pairs: ("{" + ",".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in pairs) + "}").encode()
    )
    | any_json.map(
        lambda value: json.dumps({"a": value}, separators=(",", ":"), ensure_ascii=False).encode(
            "utf-8", "surrogatepass"
        )
    )
)
@settings(profile, max_examples=400)
def test_the_fast_reader_of_json_reads_what_the_strict_one_reads(raw: bytes) -> None:
    expected = reference(raw)
    if reads(lambda: signals.load_object(raw, "x")):
        found = signals.load_object(raw, "x")
        assert found == expected
        assert repr(found) == repr(expected)
    else:
        assert expected is None


@given(any_json | st.dictionaries(st.sampled_from(sorted(SAMPLES["sighting"])), any_json))
@settings(profile)
def test_any_json_at_all_is_read_or_refused_and_nothing_else(value: Any) -> None:
    assert not reads(lambda: signals.parse(json.dumps(value).encode()))


@given(st.sampled_from(sorted(SAMPLES)), st.data())
@settings(profile)
def test_good_claims_with_any_one_of_them_replaced_are_read_or_refused(
    name: str, data: st.DataObject
) -> None:
    claims = dict(SAMPLES[name])
    claim = data.draw(st.sampled_from(sorted(claims)))
    claims[claim] = data.draw(any_json)
    if reads(lambda: signals.parse(json.dumps(claims).encode())):
        assert claim in {"iat", "toe"}
        assert type(claims[claim]) is int


@given(st.binary(max_size=300))
@settings(profile)
def test_any_bytes_at_all_are_refused_as_a_token(token: bytes) -> None:
    assert not reads(lambda: envelope.verify(token, KEYS))


entries = st.builds(
    Entry,
    community=SLUG,
    kind=st.sampled_from(vocabulary.ENTRY_KINDS),
    recorded_at=st.integers(0, signals.LATEST),
    commitment=st.binary(min_size=32, max_size=32),
)


@given(entries)
@settings(profile)
def test_an_entry_reads_back_and_is_canonical_json(entry: Entry) -> None:
    raw = entry.encode()
    assert Entry.decode(raw) == entry
    assert rfc8785.dumps(json.loads(raw)) == raw


@given(entries, st.integers(0, 400), st.integers(0, 255))
@settings(profile)
def test_an_entry_that_reads_after_a_change_is_another_entry(entry: Entry, place: int, byte: int) -> None:
    raw = entry.encode()
    place %= len(raw)
    spoiled = raw[:place] + bytes([byte]) + raw[place + 1 :]
    assume(spoiled != raw)
    if reads(lambda: Entry.decode(spoiled)):
        assert Entry.decode(spoiled) != entry
        assert Entry.decode(spoiled).encode() == spoiled


@given(st.lists(st.binary(max_size=300), max_size=12))
@settings(profile)
def test_a_bundle_reads_back(found: list[bytes]) -> None:
    bundle = ledger.encode_bundle(found)
    assert ledger.decode_bundle(bundle) == found
    assert len(bundle) == sum(map(len, found)) + 2 * len(found)


@given(st.binary(max_size=60))
@settings(profile)
def test_what_reads_as_a_bundle_writes_the_same_bytes(bundle: bytes) -> None:
    if reads(lambda: ledger.decode_bundle(bundle)):
        assert ledger.encode_bundle(ledger.decode_bundle(bundle)) == bundle


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962 §2.1, word by word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=4), max_size=70))
@settings(profile)
def test_the_merkle_root_is_the_one_of_the_definition(leaves: list[bytes]) -> None:
    assert merkle.merkle_root(leaves) == naive_root(leaves)


@given(st.integers(0, 10**12), st.integers(1, 256))
@settings(profile)
def test_the_path_of_a_bundle_names_its_index_and_its_width(index: int, width: int) -> None:
    path = ledger.bundle_path(index, width)
    found = re.fullmatch(r"tile/entries/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]+))?", path)
    assert found is not None
    assert int(found[1].replace("x", "").replace("/", "")) == index
    assert int(found[2] or 256) == width


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=64), st.binary(max_size=64))
@settings(profile)
def test_a_commitment_opens_to_what_was_committed(nonce: bytes, signed: bytes, other: bytes) -> None:
    commitment = ledger.commit(nonce, signed)
    assert ledger.opens(commitment, nonce, signed)
    assert ledger.opens(commitment, nonce, other) == (other == signed)


@given(st.integers(0, signals.LATEST))
@settings(profile)
def test_an_instant_reads_back(at: int) -> None:
    assert ledger.instant(ledger.rfc3339(at)) == at
