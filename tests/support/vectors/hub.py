"""Events that a hub signs in its own name."""

from typing import Any, Final

from tests.support.vectors.good import MD5, URN, claims, jti, report
from tests.support.vectors.keys import AUDIENCE, ED, HUB, HUB_KEY, IAT, YEAR, base64url, compact, seal

ROOT: Final = "9d3ad2c36c3e0ba3a4d0e6cb2b1f8b35b4c3f0f2b6c1c5f0e7a8d9c0b1a2f3e4"
EXPIRY: Final = {"day": "2026-11-21", "count": 3, "root": ROOT}
SNAPSHOT: Final = {"type": "md5", "version": 1, "count": 0, "log_size": 0, "manifest": ROOT}
RELEASE: Final = {"seqs": [3, 5, 9]}

TWO: Final = {URN + "expiry": EXPIRY, URN + "snapshot": SNAPSHOT}


def expiry(body: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    return {
        "iss": HUB,
        "aud": AUDIENCE,
        "iat": IAT,
        "jti": jti("expiry"),
        "events": {URN + "expiry": EXPIRY if body is None else body},
        **members,
    }


def snapshot(**members: Any) -> dict[str, Any]:
    return {**expiry(jti=jti("snapshot")), "events": {URN + "snapshot": {**SNAPSHOT, **members}}}


def release(seqs: list[int]) -> dict[str, Any]:
    return {**expiry(jti=jti("release")), "events": {URN + "release": {"seqs": seqs}}}


def document() -> dict[str, Any]:
    unknown = "event-unknown"
    refused: list[tuple[str, str, str]] = [
        ("signed-by-a-member", "key-unknown", seal(compact(expiry()), ED)),
        ("a-members-signal", unknown, seal(compact(claims("x", "report", report(), MD5)), HUB_KEY)),
        ("another-hub", "issuer-mismatch", seal(compact(expiry(iss="https://hub2.example")), HUB_KEY)),
        ("before-the-key", "key-expired", seal(compact(expiry(iat=IAT - YEAR - 1)), HUB_KEY)),
        ("after-the-key", "key-expired", seal(compact(expiry(iat=IAT + YEAR)), HUB_KEY)),
        ("count-zero", unknown, seal(compact(expiry({**EXPIRY, "count": 0})), HUB_KEY)),
        ("note", unknown, seal(compact(expiry({**EXPIRY, "note": "x"})), HUB_KEY)),
        ("exp", unknown, seal(compact(expiry(exp=IAT)), HUB_KEY)),
        ("version-zero", unknown, seal(compact(snapshot(version=0)), HUB_KEY)),
        ("unknown-type", unknown, seal(compact(snapshot(type="md6")), HUB_KEY)),
        ("nothing-released", unknown, seal(compact(release([])), HUB_KEY)),
        ("released-twice", unknown, seal(compact(release([3, 3])), HUB_KEY)),
        ("released-in-disorder", unknown, seal(compact(release([5, 3])), HUB_KEY)),
        ("too-many-released", unknown, seal(compact(release(list(range(257)))), HUB_KEY)),
        ("two-events", unknown, seal(compact({**expiry(), "events": TWO}), HUB_KEY)),
        ("duplicate-member", "json-duplicate-key", seal(compact(expiry())[:-1] + b',"iat":1}', HUB_KEY)),
        ("unsigned", "signature-invalid", seal(compact(expiry()), HUB_KEY).rpartition(".")[0] + "."),
    ]
    unsigned = f"{base64url(compact({**HUB_KEY.header, 'alg': 'none'}))}.{base64url(compact(expiry()))}."
    return {
        "says": "Verified against the `hub` keys of keys.json. `event` is what it says.",
        "accepted": [
            {"name": "expiry", "token": seal(compact(expiry()), HUB_KEY), "event": EXPIRY},
            {"name": "snapshot", "token": seal(compact(snapshot()), HUB_KEY), "event": SNAPSHOT},
            {"name": "release", "token": seal(compact(release(RELEASE["seqs"])), HUB_KEY), "event": RELEASE},
        ],
        "refused": [
            {"name": name, "code": code, "token": token}
            for name, code, token in (*refused, ("alg-none", "alg-none", unsigned))
        ],
    }
