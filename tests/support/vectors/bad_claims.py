"""Well-signed tokens whose claims must be refused."""

import json
from collections.abc import Iterator
from typing import Any, Final

from tests.support.vectors.good import (
    ACCOUNT,
    DAY,
    EMAIL,
    MD5,
    MEDIA,
    PDQ,
    SHA256,
    STATEMENT,
    TOKEN,
    URN,
    account_report,
    artefact_report,
    claims,
    opaque,
    report,
    subject,
)
from tests.support.vectors.keys import AUDIENCE, IAT, PIXEL, compact, seal

Made = Iterator[tuple[str, str, str, bytes | dict[str, Any]]]
GOOD: Final = claims("refused", "report", report(), MD5)


def vectors() -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "code": code,
            "field": field,
            "token": seal(said if isinstance(said, bytes) else compact(said)),
        }
        for made in (_json(), _claims(), _members(), _events(), _subjects(), _rules())
        for name, code, field, said in made
    ]


def swapped(old: str, new: str) -> bytes:
    """The good payload with one piece of its JSON replaced."""
    raw = compact(GOOD).decode()
    assert raw.count(old) == 1, old
    return raw.replace(old, new).encode()


def _json() -> Made:
    raw = compact(GOOD)
    code, field = "json-duplicate-key", "payload"
    yield "claim-twice", code, field, swapped('"iss":', '"iss":"https://brook.example","iss":')
    yield (
        "claim-twice-by-escape",
        code,
        field,
        swapped('"iss":', '"\\u0069ss":"https://brook.example","iss":'),
    )
    yield "event-twice", code, field, swapped(f'"{URN}report":', f'"{URN}report":{{}},"{URN}report":')
    yield "subject-member-twice", code, field, swapped('"format":', '"format":"aliases","format":')
    yield "event-member-twice", code, field, swapped('"tlp":', '"tlp":"clear","tlp":')
    yield "nested-member-twice", code, field, swapped('"ai_origin":', '"ai_origin":"real","ai_origin":')
    yield "unknown-member-twice", code, field, swapped('"iss":', '"x":[{"y":0,"y":0}],"iss":')
    code = "json-invalid"
    yield "empty-payload", code, field, b""
    yield "array", code, field, b"[" + raw + b"]"
    yield "string", code, field, json.dumps(raw.decode()).encode()
    yield "cut-off", code, field, raw[:-1]
    yield "two-objects", code, field, raw + raw
    yield "trailing-comma", code, field, raw[:-1] + b",}"
    yield "nul-after-json", code, field, raw + b"\0"
    yield "byte-order-mark", code, field, b"\xef\xbb\xbf" + raw
    yield "utf-16", code, field, raw.decode().encode("utf-16")
    yield "utf-16-without-mark", code, field, raw.decode().encode("utf-16-be")
    yield "not-ascii", code, field, swapped("amber", "ämber")
    yield "nan", code, field, swapped(f'"iat":{IAT}', '"iat":NaN')
    yield "minus-infinity", code, field, swapped(f'"iat":{IAT}', '"iat":-Infinity')
    yield "hexadecimal-number", code, field, swapped(f'"iat":{IAT}', '"iat":0x6b02')
    yield "leading-zero", code, field, swapped(f'"iat":{IAT}', f'"iat":0{IAT}')
    yield "number-of-5000-digits", code, field, swapped(f'"iat":{IAT}', '"iat":' + "9" * 5000)
    yield "nested-2000-deep", code, field, swapped('"iss":', '"x":' + "[" * 2000 + "]" * 2000 + ',"iss":')
    yield "control-character", code, field, swapped('"amber"', '"am\nber"')


def _claims() -> Made:
    for name in ("iss", "aud", "iat", "jti", "sub_id"):
        yield f"{name}-missing", "claim-missing", name, {k: v for k, v in GOOD.items() if k != name}
        yield f"{name}-null", "claim-invalid", name, {**GOOD, name: None}
    for name in ("exp", "nbf", "sub", "client_id", "note", ""):
        yield f"claim-{name}", "claim-unknown", "", {**GOOD, name: IAT}
    wrong: dict[str, list[tuple[str, Any]]] = {
        "iss": [
            ("http", "http://pixel.example"),
            ("with-path", f"{PIXEL}/"),
            ("upper-case", "https://Pixel.example"),
            ("with-user", "https://user@pixel.example"),
            ("line-feed", f"{PIXEL}\n"),
            ("not-a-url", "pixel"),
            ("list", [PIXEL]),
        ],
        "aud": [
            ("list", [AUDIENCE]),
            ("hub", "https://hub.example"),
            ("two-communities", f"{AUDIENCE}/more"),
            ("query", f"{AUDIENCE}?x=1"),
            ("upper-case", AUDIENCE.upper()),
        ],
        "iat": [
            ("string", str(IAT)),
            ("float", IAT + 0.5),
            ("whole-float", float(IAT)),
            ("true", True),
            ("negative", -1),
            ("past-9999", 253402300800),
            ("400-digits", 10**400),
            ("milliseconds", IAT * 1000),
        ],
        "jti": [
            ("upper-case", "AB" * 16),
            ("31-digits", "0" * 31),
            ("33-digits", "0" * 33),
            ("uuid", "01993c5e-7b1a-7000-8000-000000000000"),
            ("number", 1),
        ],
        "txn": [("text", "order 66"), ("null", None)],
        "toe": [("string", "yesterday"), ("null", None), ("float", 1.5)],
        "sub_id": [("string", MD5), ("list", [opaque(MD5)])],
    }
    for claim, values in wrong.items():
        for name, value in values:
            yield f"{claim}-{name}", "claim-invalid", claim, {**GOOD, claim: value}


def _members() -> Made:
    def with_body(body: dict[str, Any], *texts: str) -> dict[str, Any]:
        return claims("refused", "report", body, *(texts or (MD5,)))

    at = "events.report"
    for name in ("basis", "labels", "tlp", "valid_until"):
        yield f"{name}-missing", "claim-missing", f"{at}.{name}", with_body(report(**{name: None}))
    for name in MEDIA:
        body = report(media={k: v for k, v in MEDIA.items() if k != name})
        yield f"{name}-missing", "claim-missing", f"{at}.media.{name}", with_body(body)
    yield "report-note", "claim-unknown", at, with_body(report(note="seen on the forum"))
    yield "report-confidence", "claim-unknown", at, with_body(report(confidence=0.9))
    yield "media-note", "claim-unknown", f"{at}.media", with_body(report(media={**MEDIA, "note": "x"}))
    yield "subject-note", "claim-unknown", "sub_id", {**GOOD, "sub_id": {**opaque(MD5), "note": "x"}}
    for name, field, value in (
        ("basis", "basis", "rumour"),
        ("tlp-upper-case", "tlp", "AMBER"),
        ("valid-until-float", "valid_until", IAT + 0.5),
        ("labels-string", "labels", "tc-ics@1:A1"),
        ("labels-empty", "labels", []),
        ("labels-nine", "labels", [f"tc-ics@1:A{n}" for n in range(9)]),
        ("source-unknown", "source_restriction", "a_list"),
        ("evidence-empty", "evidence", []),
        ("evidence-five", "evidence", ["0" * 64] * 5),
        ("media-string", "media", "picture"),
    ):
        yield name, "claim-invalid", f"{at}.{field}", with_body(report(**{field: value}))
    yield "label-number", "claim-invalid", f"{at}.labels.0", with_body(report(labels=(1,)))
    yield "label-twice", "claim-invalid", f"{at}.labels", with_body(report(labels=("tc-ics@1:A1",) * 2))
    yield "evidence-short", "claim-invalid", f"{at}.evidence.0", with_body(report(evidence=["00"]))
    yield "label-of-no-pack", "label-unknown", f"{at}.labels.0", with_body(report(labels=("tc-ics@2:A1",)))
    labels = ("tc-ics@1:A1", "csam")
    yield "label-free-text", "label-unknown", f"{at}.labels.1", with_body(report(labels=labels))
    null = {**report(), "evidence": None}
    yield "optional-null", "claim-invalid", f"{at}.evidence", with_body(null)
    null = report(media={**MEDIA, "generator_family": None})
    yield "nested-optional-null", "claim-invalid", f"{at}.media.generator_family", with_body(null)


def _events() -> Made:
    code, field = "event-unknown", "events"
    (event,) = GOOD["events"].values()
    yield "events-missing", code, field, {k: v for k, v in GOOD.items() if k != "events"}
    yield "events-empty", code, field, {**GOOD, "events": {}}
    yield "events-list", code, field, {**GOOD, "events": [event]}
    yield "two-events", code, field, {**GOOD, "events": {URN + "report": event, URN + "sighting": {}}}
    yield "event-null", code, field, {**GOOD, "events": {URN + "report": None}}
    yield "event-of-version-2", code, field, {**GOOD, "events": {"urn:tocsin:event:v2:report": event}}
    yield "event-of-the-hub", code, field, {**GOOD, "events": {URN + "expiry": {}}}
    yield "event-without-urn", code, field, {**GOOD, "events": {"report": event}}
    yield "event-a-list", "claim-invalid", "events.report", {**GOOD, "events": {URN + "report": []}}
    yield "event-empty", "claim-missing", "events.report.basis", {**GOOD, "events": {URN + "report": {}}}


def _subjects() -> Made:
    def about(sub_id: Any) -> dict[str, Any]:
        return {**GOOD, "sub_id": sub_id}

    yield "subject-format-unknown", "claim-invalid", "sub_id", about({"format": "email", "email": "x"})
    yield "subject-format-missing", "claim-invalid", "sub_id", about({"id": MD5})
    yield "subject-id-missing", "claim-missing", "sub_id.id", about({"format": "opaque"})
    yield "subject-id-number", "claim-invalid", "sub_id.id", about({"format": "opaque", "id": 5})
    yield "subject-id-257", "claim-invalid", "sub_id.id", about(opaque("md5:" + "0" * 253))
    one = {"format": "aliases", "identifiers": [opaque(MD5)]}
    yield "one-alias", "claim-invalid", "sub_id.identifiers", about(one)
    many = subject(*(f"md5:{n:032x}" for n in range(17)))
    yield "seventeen-aliases", "claim-invalid", "sub_id.identifiers", about(many)
    yield "alias-twice", "claim-invalid", "sub_id.identifiers", about(subject(MD5, SHA256, MD5))
    nested = {"format": "aliases", "identifiers": [opaque(MD5), subject(MD5, SHA256)]}
    yield "aliases-in-aliases", "claim-invalid", "sub_id.identifiers.1.format", about(nested)
    unknown = "indicator-type-unknown"
    for name, text in (
        ("no-colon", "0" * 32),
        ("url", "url:https://site.example/x"),
        ("upper-case", "MD5:" + "0" * 32),
        ("statement", f"statement:{STATEMENT}"),
        ("empty", ""),
    ):
        yield f"indicator-{name}", unknown, "sub_id.id", about(opaque(text))
    yield "indicator-in-aliases", unknown, "sub_id.identifiers.1.id", about(subject(MD5, "x:1"))
    bad = "indicator-invalid"
    yield "md5-upper-case", bad, "sub_id.id", about(opaque("md5:" + "AB" * 16))
    yield "pdq-short", bad, "sub_id.id", about(opaque("pdq:" + "f8" * 31))
    yield "email-in-clear", bad, "sub_id.id", about(opaque("email:someone@site.example"))
    yield "sha256-in-aliases", bad, "sub_id.identifiers.1.id", about(subject(MD5, "sha256:00"))
    yield "families-mixed", "indicator-family-mixed", "sub_id.identifiers", about(subject(MD5, EMAIL))
    mixed = about(subject(SHA256, "file-" + SHA256))
    yield "media-and-artefact", "indicator-family-mixed", "sub_id.identifiers", mixed


def _rules() -> Made:
    def said(kind: str, body: dict[str, Any], *texts: str) -> dict[str, Any]:
        return claims("refused", kind, body, *texts)

    at = "events.report"
    media, account, artefact = report(), account_report(), artefact_report()
    yield "media-missing", "claim-missing", f"{at}.media", said("report", report(media=None), MD5)
    yield "account-missing", "claim-missing", f"{at}.account", said("report", report(media=None), EMAIL)
    yield (
        "artefact-missing",
        "claim-missing",
        f"{at}.artefact",
        said("report", report(media=None), "file-" + SHA256),
    )
    yield (
        "account-beside-media",
        "claim-invalid",
        f"{at}.account",
        said("report", {**media, "account": ACCOUNT}, MD5),
    )
    yield (
        "media-beside-account",
        "claim-invalid",
        f"{at}.media",
        said("report", {**account, "media": MEDIA}, EMAIL),
    )
    yield (
        "artefact-beside-media",
        "claim-invalid",
        f"{at}.artefact",
        said("report", {**media, "artefact": artefact["artefact"]}, MD5),
    )
    quality = f"{at}.media.pdq_quality"
    yield "pdq-without-quality", "claim-invalid", quality, said("report", media, PDQ)
    with_quality = report(media={**MEDIA, "pdq_quality": 98})
    yield "quality-without-pdq", "claim-invalid", quality, said("report", with_quality, MD5)
    for value in (101, -1, 98.5, "98", True):
        body = report(media={**MEDIA, "pdq_quality": value})
        yield f"quality-{value}", "claim-invalid", quality, said("report", body, PDQ)
    reviewers = f"{at}.account.reviewers"
    for basis in ("human_confirmed", "human_reviewed"):
        body = account_report(basis=basis, account={**ACCOUNT, "reviewers": 0})
        yield f"{basis}-by-nobody", "claim-invalid", reviewers, said("report", body, EMAIL)
    for name in ACCOUNT:
        body = account_report(account={k: v for k, v in ACCOUNT.items() if k != name})
        yield f"account-without-{name}", "claim-missing", f"{at}.account.{name}", said("report", body, EMAIL)
    for no_boolean in ("true", 1, None):
        body = account_report(account={**ACCOUNT, "minor_suspected": no_boolean})
        at_minor = f"{at}.account.minor_suspected"
        yield f"minor-suspected-{no_boolean}", "claim-invalid", at_minor, said("report", body, EMAIL)
    withdrawn = {"reason": "error"}
    yield "retraction-of-an-indicator", "claim-invalid", "sub_id", said("retraction", withdrawn, MD5)
    yield (
        "retraction-upper-case",
        "claim-invalid",
        "sub_id",
        said("retraction", withdrawn, f"statement:{STATEMENT.upper()}"),
    )
    two = (f"statement:{STATEMENT}", f"statement:{STATEMENT[::-1]}")
    yield "retraction-of-two", "claim-invalid", "sub_id", said("retraction", withdrawn, *two)
    yield (
        "retraction-reason",
        "claim-invalid",
        "events.retraction.reason",
        said("retraction", {"reason": "because"}, f"statement:{STATEMENT}"),
    )
    yield (
        "sighting-count-number",
        "claim-invalid",
        "events.sighting.count",
        said("sighting", {"detection_context": "upload", "count": 3}, MD5),
    )
    yield (
        "sighting-of-a-statement",
        "indicator-type-unknown",
        "sub_id.id",
        said("sighting", {"detection_context": "upload", "count": "1"}, f"statement:{STATEMENT}"),
    )
    yield (
        "dispute-without-basis",
        "claim-missing",
        "events.dispute.basis",
        said("dispute", {"reason": "outdated"}, MD5),
    )
    yield (
        "outcome-note",
        "claim-unknown",
        "events.outcome",
        said("outcome", {"result": "actioned", "decision_mode": "human", "note": "x"}, MD5),
    )
    yield (
        "token-epoch-leading-zero",
        "indicator-invalid",
        "sub_id.id",
        said("report", account, EMAIL.replace("v1.3.", "v1.03.")),
    )
    yield "token-stray-bits", "indicator-invalid", "sub_id.id", said("report", account, EMAIL[:-1] + "b")
    yield (
        "token-of-version-2",
        "indicator-invalid",
        "sub_id.id",
        said("report", account, "phone:v2" + TOKEN.removeprefix("v1")),
    )
    stale = report(valid_until=IAT + 90 * DAY, tlp=None)
    yield "tlp-left-out", "claim-missing", f"{at}.tlp", said("report", stale, MD5)
