"""Signals that must be accepted, with what they say."""

import hashlib
from typing import Any, Final

from tests.support.vectors.keys import (
    AUDIENCE,
    ED,
    ES,
    IAT,
    P256_ORDER,
    PIXEL,
    FixedKey,
    base64url,
    compact,
    seal,
    unbase64url,
)

URN: Final = "urn:tocsin:event:v1:"
DAY: Final = 86_400
PDQ: Final = "pdq:" + "f8f8f0cee0f4a84f" * 4
MD5: Final = "md5:9e107d9d372bb6826bd81d3542a419d6"
SHA1: Final = "sha1:2fd4e1c67a2d28fced849ee1bb76e7391b93eb12"
SHA256: Final = "sha256:d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"
PHOTODNA: Final = "photodna:" + base64url(bytes(range(144)))
TOKEN: Final = "v1.3." + "a2b7" * 12 + "xyza"
EMAIL: Final = "email:" + TOKEN
STATEMENT: Final = hashlib.sha256(b"the statement that is withdrawn").hexdigest()

MEDIA: Final[dict[str, Any]] = {
    "ai_origin": "wholly_synthetic",
    "origin_evidence": "human",
    "detection_context": "upload",
}
ACCOUNT: Final[dict[str, Any]] = {
    "reviewers": 2,
    "conduct": "ban_evasion",
    "relevance": "both",
    "action": "frozen",
}


def opaque(text: str) -> dict[str, Any]:
    return {"format": "opaque", "id": text}


def subject(*texts: str) -> dict[str, Any]:
    if len(texts) == 1:
        return opaque(texts[0])
    return {"format": "aliases", "identifiers": [opaque(text) for text in texts]}


def report(*, labels: Any = ("tc-ics@1:A1",), **members: Any) -> dict[str, Any]:
    """The body of a report of media; a member set to None is left out."""
    body = {
        "basis": "human_confirmed",
        "labels": list(labels) if isinstance(labels, tuple) else labels,
        "tlp": "amber",
        "valid_until": IAT + 90 * DAY,
        "media": MEDIA,
        **members,
    }
    return {name: member for name, member in body.items() if member is not None}


def account_report(**members: Any) -> dict[str, Any]:
    return report(**{"labels": ("behaviour@1:ban_evasion",), "media": None, "account": ACCOUNT, **members})


def artefact_report() -> dict[str, Any]:
    return report(labels=("artefact@1:csae_specialised",), media=None, artefact={"kind": "lora"})


def jti(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:32]


def claims(name: str, kind: str, body: Any, *texts: str, **members: Any) -> dict[str, Any]:
    """The claims of a signal of pixel.example; `members` replace or add claims."""
    return {
        "iss": PIXEL,
        "aud": AUDIENCE,
        "iat": IAT,
        "jti": jti(name),
        "sub_id": subject(*texts),
        "events": {URN + kind: body},
        **members,
    }


def bodies() -> dict[str, dict[str, Any]]:
    """Name to claims of what must be accepted under any key of pixel.example."""
    made: dict[str, dict[str, Any]] = {}

    def add(name: str, kind: str, body: dict[str, Any], *texts: str, **members: Any) -> None:
        made[name] = claims(name, kind, body, *texts, **members)

    with_quality = {**MEDIA, "pdq_quality": 98}
    add("report-md5", "report", report(), MD5)
    add("report-sha1", "report", report(), SHA1)
    add("report-sha256", "report", report(), SHA256)
    add("report-pdq", "report", report(media=with_quality), PDQ)
    add("report-photodna", "report", report(), PHOTODNA)
    add("report-file-sha256", "report", artefact_report(), "file-" + SHA256)
    add("report-weights-sha256", "report", artefact_report(), "weights-" + SHA256)
    for kind in ("email", "phone", "handle", "device", "payment"):
        add(f"report-{kind}", "report", account_report(), f"{kind}:{TOKEN}")
    add("report-token-epoch-0", "report", account_report(), "email:v1.0." + "a" * 52)
    add("report-token-epoch-largest", "report", account_report(), "email:v1.999999999." + "7" * 51 + "q")
    add("report-aliases", "report", report(media=with_quality), PDQ, MD5, SHA256)
    add("report-aliases-16", "report", report(), *(f"md5:{n:032x}" for n in range(16)))
    add("report-aliases-of-accounts", "report", account_report(), EMAIL, f"phone:{TOKEN}")
    add(
        "report-all-members",
        "report",
        report(
            basis="classifier",
            labels=("ncii@1:intimate_image", "ncii@1:synthetic_intimate_image", "test@1:benign_a"),
            tlp="amber+strict",
            media={**with_quality, "pdq_quality": 0, "generator_family": "image_diffusion"},
            source_restriction="stopncii",
            evidence=[hashlib.sha256(bytes([n])).hexdigest() for n in range(4)],
        ),
        PDQ,
        toe=IAT - 3600,
        txn=jti("a transaction"),
    )
    add(
        "report-account-by-machine",
        "report",
        account_report(basis="classifier", account={**ACCOUNT, "reviewers": 0, "attempts": "5-9"}),
        EMAIL,
    )
    minor = {**ACCOUNT, "minor_suspected": True}
    add("report-account-of-a-minor", "report", account_report(account=minor), EMAIL)
    add("sighting", "sighting", {"detection_context": "hosting", "count": "2-4"}, MD5)
    add("sighting-aliases", "sighting", {"detection_context": "upload", "count": "10+"}, MD5, SHA256)
    add("dispute", "dispute", {"reason": "parent_or_medical", "basis": "human_reviewed"}, MD5)
    add("retraction", "retraction", {"reason": "appeal_upheld"}, f"statement:{STATEMENT}")
    add("outcome", "outcome", {"result": "actioned", "decision_mode": "human"}, MD5)
    add("issuer-with-port", "report", report(), MD5, aud="http://127.0.0.1:8080/communities/a")
    add("edges-of-time", "report", report(valid_until=253402300799), MD5, iat=IAT - 365 * DAY)
    return made


def _vector(
    name: str, says: str, token: str, payload: bytes, said: dict[str, Any], key: FixedKey
) -> dict[str, Any]:
    (urn,) = said["events"]
    sub_id = said["sub_id"]
    ids = [item["id"] for item in sub_id.get("identifiers", [sub_id])]
    expected: dict[str, Any] = {
        **{claim: said[claim] for claim in ("iss", "aud", "iat", "jti")},
        "toe": said.get("toe", said["iat"]),
        "kind": urn.removeprefix(URN),
    }
    if urn == URN + "retraction":
        expected["target"] = ids[0].removeprefix("statement:")
    else:
        expected["indicators"] = ids
    return {
        "name": name,
        "says": says,
        "token": token,
        "payload": payload.decode(),
        "statement": hashlib.sha256(payload).hexdigest(),
        "kid": key.kid,
        "signal": expected,
    }


def twin(token: str) -> str:
    """The second valid signature of an ES256 token: (r, n-s)."""
    message, _, signature = token.rpartition(".")
    raw = unbase64url(signature)
    s = P256_ORDER - int.from_bytes(raw[32:])
    return f"{message}.{base64url(raw[:32] + s.to_bytes(32))}"


def spaced(payload: bytes, size: int) -> bytes:
    """The payload, made longer by white space inside its outer braces until its token has `size` characters."""
    room = size - len(seal(b""))
    longer = payload
    while len(base64url(longer)) < room:
        longer = b"{ " + longer[1:]
    return longer


def document() -> dict[str, Any]:
    vectors = []
    for name, said in bodies().items():
        payload = compact(said)
        vectors.append(_vector(name, "Ed25519", seal(payload), payload, said, ED))
    for name in ("report-pdq", "report-aliases", "sighting", "dispute", "retraction", "outcome"):
        said = bodies()[name]
        payload = compact(said)
        token = seal(payload, ES)
        vectors.append(_vector(f"{name}-es256", "ES256, RFC 6979", token, payload, said, ES))
        if name == "report-pdq":
            says = "The (r, n-s) twin of report-pdq-es256: valid, and the same statement"
            vectors.append(_vector(f"{name}-es256-twin", says, twin(token), payload, said, ES))
    said = bodies()["report-md5"]
    payload = compact(said)
    eddsa = compact({**ED.header, "alg": "EdDSA"})
    vectors.append(
        _vector(
            "header-eddsa", "The older name of the algorithm", seal(payload, ED, eddsa), payload, said, ED
        )
    )
    turned = compact(dict(reversed(list(ED.header.items()))))
    says = "The order of the header's members means nothing"
    vectors.append(_vector("header-order", says, seal(payload, ED, turned), payload, said, ED))
    loose = (
        compact(dict(reversed(list(said.items()))))
        .replace(b",", b" ,\r\n\t")
        .replace(b'"iss"', b'"\\u0069ss"')
    )
    says = "White space, member order and escapes inside the JSON mean nothing; the statement id is over the bytes"
    vectors.append(_vector("payload-spelling", says, seal(loose), loose, said, ED))
    longest = spaced(payload, 8192)
    vectors.append(_vector("largest", "A token of 8,192 bytes", seal(longest), longest, said, ED))
    return {
        "says": "Each token must be accepted with the keys of keys.json, and say what `signal` says.",
        "vectors": vectors,
    }
