"""The governance chain: a small board that decides, every digest computed by hand, and records that must be refused."""

import copy
import hashlib
import json
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.support.vectors.keys import HUB, IAT, PIXEL, YEAR, FixedKey, base64url, compact, seal
from tocsin_schemas.policy import Policy

DAY: Final = 86_400
PASSKEY: Final = FixedKey("board-s1-passkey", "ES256", HUB)
SECOND: Final = FixedKey("board-s2", "Ed25519", HUB)
THIRD: Final = FixedKey("board-s3", "Ed25519", HUB)
MEMBER: Final = FixedKey("board-member", "Ed25519", PIXEL)
CREDENTIAL: Final = base64url(hashlib.sha256(b"Tocsin test vectors, passkey of s1").digest())
SEATS: Final = {"s1": PASSKEY, "s2": SECOND, "s3": THIRD}
UP, UV = 1, 4

Json = dict[str, Any]


def canonical(value: Json) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(context: str, value: Json) -> bytes:
    return hashlib.sha256(f"tocsin/{context}/v1\n".encode() + canonical(value)).digest()


def challenge(decision: Json, choice: str) -> bytes:
    signed = digest("board-decision", decision) + b"\n" + choice.encode()
    return hashlib.sha256(b"tocsin/board-ballot/v1\n" + signed).digest()


def seat(number: int, sort: str, sent: str | None) -> Json:
    name = f"s{number}"
    key = SEATS[name]
    credential = {"id": key.kid, "kind": "ed25519", "jwk": key.jwk()}
    if key is PASSKEY:
        credential |= {"id": CREDENTIAL, "kind": "webauthn"}
    found: Json = {
        "seat": name,
        "seat_class": sort,
        "chair": number == 1,
        "duty": True,
        "handle": f"person-{number}",
        "term_ends": "2030-01-01",
        "credentials": [credential],
    }
    if sent is not None:
        found |= {"issuer": f"https://{sent}.example", "control_group": f"cg_{sent[0] * 16}"}
    return found


ROSTER: Final[Json] = {
    "version": 1,
    "rp_id": "hub.example",
    "origin": HUB,
    "seats": [seat(1, "independent", None), seat(2, "platform", "frame"), seat(3, "vendor", "vendor")],
    "panel": [],
    "expires_at": IAT + 2 * YEAR,
}
GENESIS: Final[Json] = {
    "roster": ROSTER,
    "policy": json.loads(Policy().model_dump_json()),
    "sandbox": False,
}


def record(seq: int, prev: bytes, at: int, kind: str, body: Json) -> Json:
    return {"seq": seq, "prev": prev.hex(), "at": at, "kind": kind, "body": body}


def following(last: Json, at: int, kind: str, body: Json) -> Json:
    return record(last["seq"] + 1, digest("board-record", last), at, kind, body)


def decision(seq: int, last: Json, kind: str, rule: str, subject: str, params: Json, at: int) -> Json:
    return {
        "type": kind,
        "seq": seq,
        "prev": digest("board-record", last).hex(),
        "roster_version": 1,
        "threshold": rule,
        "subject": subject,
        "params": params,
        "recused": [],
        "issued_at": at,
        "expires_at": at + 7 * DAY,
    }


def ballot(
    said: Json, name: str, at: int, choice: str = "yes", flags: int = UP | UV, key: FixedKey | None = None
) -> Json:
    signer = key or SEATS[name]
    found: Json = {"seat": name, "choice": choice, "cast_at": at}
    if signer is not PASSKEY:
        payload = {"digest": digest("board-decision", said).hex(), "choice": choice, "seat": name}
        header = {"typ": "tocsin-ballot+jwt", "alg": "Ed25519", "kid": signer.kid}
        return found | {"credential": signer.kid, "jws": seal(compact(payload), signer, compact(header))}
    client = {
        "type": "webauthn.get",
        "challenge": base64url(challenge(said, choice)),
        "origin": HUB,
        "crossOrigin": False,
    }
    data = hashlib.sha256(b"hub.example").digest() + bytes([flags, 0, 0, 0, 0])
    raw = signer.sign(data + hashlib.sha256(compact(client)).digest())
    assertion = {
        "client_data": base64url(compact(client)),
        "authenticator_data": base64url(data),
        "signature": base64url(encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))),
    }
    return found | {"credential": CREDENTIAL, "assertion": assertion}


def body(said: Json, ballots: list[Json], result: str = "passes") -> Json:
    return {"decision": said, "ballots": ballots, "recusals": [], "result": result}


def everybody(said: Json, at: int) -> list[Json]:
    return [ballot(said, name, at) for name in SEATS]


def act(name: str, at: int, jti: int, **members: Any) -> str:
    said = {"iss": PIXEL, "aud": HUB, "iat": at, "jti": f"{jti:032x}", "act": name, **members}
    header = {"typ": "tocsin-member-act+jwt", "alg": "Ed25519", "kid": MEMBER.kid}
    return seal(compact(said), MEMBER, compact(header))


FIRST: Final = record(0, bytes(32), IAT, "genesis", GENESIS)
OPENING: Final = decision(1, FIRST, "community.open", "two_thirds_eligible", "child-safety", {}, IAT + 10)
OPENED: Final = following(FIRST, IAT + 20, "decision", body(OPENING, everybody(OPENING, IAT + 15)))
ADMISSION: Final = decision(
    2,
    OPENED,
    "member.admit",
    "admit",
    PIXEL,
    {
        "member_class": "platform",
        "control_group": "cg_" + "p" * 16,
        "sponsors": [],
        "vetting": "5e" * 32,
        "keys": [MEMBER.kid],
        "communities": [{"community": "child-safety", "read": True, "write": True}],
    },
    IAT + 30,
)
ADMITTED: Final = following(OPENED, IAT + 40, "decision", body(ADMISSION, everybody(ADMISSION, IAT + 35)))
PROOF: Final = act("prove-key", IAT + 50, 1, not_before=IAT, not_after=IAT + YEAR)
PROVED: Final = following(ADMITTED, IAT + 50, "member", {"jws": PROOF, "key": MEMBER.jwk()})
COMPLETE: Final = {"rule": "provisional-complete", "issuer": PIXEL, "of": 3}
ACTIVE: Final = following(PROVED, IAT + 50 + 90 * DAY, "clock", COMPLETE)
CHAIN: Final = [FIRST, OPENED, ADMITTED, PROVED, ACTIVE]


def refused() -> list[Json]:
    """Records that must not follow the first `after` records of the chain."""
    good = everybody(OPENING, IAT + 15)
    other = {**OPENING, "subject": "other"}
    late = ballot(OPENING, "s3", OPENING["expires_at"])
    recused = {**OPENING, "recused": [{"seat": "s3", "reason": "declared"}]}
    barred = body(recused, everybody(recused, IAT + 15))
    barred["recusals"] = recused["recused"]
    stranger = ballot(OPENING, "s2", IAT + 15, key=MEMBER)
    elsewhere = {**OPENING, "roster_version": 2}
    shorter = {**OPENING, "expires_at": IAT + 1000}
    early = copy.deepcopy(ACTIVE)
    early["at"] -= 1
    away = {"iss": PIXEL, "aud": "https://other.example", "iat": IAT + 60, "jti": "2" * 32, "act": "withdraw"}
    header = {"typ": "tocsin-member-act+jwt", "alg": "Ed25519", "kid": MEMBER.kid}
    foreign = seal(compact(away), MEMBER, compact(header))
    admitting = everybody(ADMISSION, IAT + 35)
    replayed = [admitting[0], {**good[1], "cast_at": IAT + 35}, admitting[2]]
    opening = {
        "decision-altered": body(other, good),
        "ballot-recused": barred,
        "ballot-duplicate": body(OPENING, [*good, good[1]]),
        "ballot-unverified-user": body(OPENING, [ballot(OPENING, "s1", IAT + 15, flags=UP), *good[1:]]),
        "ballot-credential-unknown": body(OPENING, [good[0], stranger, good[2]]),
        "ballot-invalid": body(OPENING, [good[0], {**good[1], "choice": "no"}, good[2]]),
        "result-mismatch": body(OPENING, good, "fails"),
        "ballot-open": body(OPENING, good[:2], "fails"),
        "roster-mismatch": body(elsewhere, everybody(elsewhere, IAT + 15)),
        "decision-window": body(shorter, everybody(shorter, IAT + 15)),
    }
    past = {**_next(FIRST, body(OPENING, good)), "at": IAT - 1}
    again = _next(OPENED, body(OPENING, good), IAT + 40)
    hub = following(PROVED, IAT + 60, "member", {"jws": foreign})
    proof = following(PROVED, IAT + 60, "member", {"jws": PROOF})
    return [
        *(_bad(code, _next(FIRST, said)) for code, said in opening.items()),
        _bad("ballot-late", _next(FIRST, body(OPENING, [*good[:2], late]), OPENING["expires_at"] + 1)),
        _bad("ballot-replayed", _next(OPENED, body(ADMISSION, replayed), IAT + 40)),
        _bad("record-skipped", ADMITTED, after=1),
        _bad("record-repeated", OPENED, after=2),
        _bad("record-prev-mismatch", {**ADMITTED, "seq": 1}, after=1),
        _bad("record-time-reversed", past),
        _bad("decision-repeated", again),
        _bad("clock-not-due", early, after=4),
        _bad("audience-unknown", hub, after=4),
        _bad("jti-reused", proof, after=4),
        _bad("record-malformed", {**OPENED, "kind": "clock"}),
    ]


def _next(last: Json, said: Json, at: int = IAT + 20) -> Json:
    return following(last, at, "decision", said)


def _bad(code: str, found: Json, after: int | None = None) -> Json:
    kept = found["seq"] if after is None else after
    return {"code": code, "after": kept, "record": canonical(found).decode()}


TALLIES: Final = [
    # Rule; platforms, vendors, independents; recused; who says yes | no | abstain; result: trust.md §2.
    ("admit", (3, 2, 4), "", "p1 v1 i1 i2 i3 i4 | p2 p3 v2 |", "passes"),
    ("admit", (3, 2, 4), "", "p1 v1 i1 i2 i3 | p2 p3 v2 | i4", "fails"),
    ("admit", (3, 2, 4), "i3 i4", "p1 v1 i1 | p2 |", "passes"),
    ("admit", (3, 2, 4), "i3 i4", "p1 v1 | i1 |", "inquorate"),
    ("admit", (3, 2, 4), "p1 p2 p3 v1 v2 i1 i2", "i3 i4 | |", "panel"),
    ("admit", (5, 4, 0), "", "p1 p2 p3 v1 v2 v3 | p4 p5 v4 |", "inquorate"),
    ("majority", (3, 2, 4), "", "p1 v1 i1 | p2 p3 |", "passes"),
    ("majority", (3, 2, 4), "", "p1 v1 | p2 p3 | i1", "fails"),
    ("two_thirds_eligible", (3, 2, 4), "", "p1 p2 v1 v2 i1 i2 | p3 i3 i4 |", "passes"),
    ("two_thirds_eligible", (3, 2, 4), "", "p1 p2 v1 v2 i1 | | i2", "fails"),
    ("two_thirds_eligible", (3, 2, 4), "i4", "p1 p2 v1 v2 i1 | |", "fails"),
    ("two_thirds_eligible", (3, 2, 4), "i4", "p1 p2 v1 v2 i1 i2 | |", "passes"),
    ("majority", (2, 1, 4), "", "| | p1 v1 i1 i2", "fails"),
    ("duty", (1, 1, 1), "", "p1 v1 | |", "passes"),
    ("duty", (1, 1, 1), "", "p1 | |", "inquorate"),
    ("single", (1, 1, 1), "", "v1 | |", "passes"),
    ("panel", (0, 0, 3), "", "i1 i2 | i3 |", "passes"),
]
CLASSES: Final = (("platform", "p"), ("vendor", "v"), ("independent", "i"))


def tallies() -> list[Json]:
    found = []
    for rule, counts, recused, votes, result in TALLIES:
        seats = [
            {"seat": f"{letter}{n}", "seat_class": sort, "group": None if letter == "i" else f"{letter}{n}"}
            for (sort, letter), count in zip(CLASSES, counts, strict=True)
            for n in range(1, count + 1)
        ]
        said = {
            name: choice
            for choice, names in zip(("yes", "no", "abstain"), votes.split("|"), strict=True)
            for name in names.split()
        }
        found.append(
            {"rule": rule, "seats": seats, "recused": recused.split(), "votes": said, "result": result}
        )
    return found


def document() -> Json:
    return {
        "says": "A chain from its genesis, records that must not follow it, and counts. See README.md.",
        "decisions": [
            {
                "decision": canonical(said).decode(),
                "digest": digest("board-decision", said).hex(),
                "challenges": {choice: challenge(said, choice).hex() for choice in ("yes", "no", "abstain")},
            }
            for said in (OPENING, ADMISSION)
        ],
        "chain": [
            {"record": canonical(found).decode(), "digest": digest("board-record", found).hex()}
            for found in CHAIN
        ],
        "after": {
            "communities": ["child-safety"],
            "members": {PIXEL: "active"},
            "policy_version": 1,
            "roster_version": 1,
        },
        "refused": refused(),
        "tallies": tallies(),
    }
