"""What makes a member, a key, a client and a token good. Pure: same input and same instant, same answer.

A token's claims are judged here once `tocsin_schemas.envelope.open_token` has verified its type and its signature.
"""

import hashlib
import re
import unicodedata
from base64 import b32encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, get_args

from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.membership import SCOPES_OF
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import ISSUER_PATTERN
from tocsin_schemas.vocabulary import SCOPE_WORDS, SCOPES, MemberClass, MemberState

ASSERTION_TYP: Final = "client-authentication+jwt"  # draft-ietf-oauth-rfc7523bis §4, explicit typing
ACCESS_TOKEN_TYP: Final = "at+jwt"  # RFC 9068 §2.1
MAX_JTI_CHARS: Final = 128

ASSERTION_SECONDS: Final = 300
ASSERTION_PAST: Final = 300
ASSERTION_FUTURE: Final = 60
ACCESS_TOKEN_SECONDS: Final = 300

MEMBER_CLASSES: Final[tuple[str, ...]] = get_args(MemberClass)
MEMBER_STATES: Final[tuple[str, ...]] = get_args(MemberState)
TRANSITIONS: Final[Mapping[tuple[str, str], str]] = {
    ("active", "suspend"): "suspended",
    ("suspended", "reinstate"): "active",
}
"""(state, action) to the next state, of what the operator of a sandbox does; what is not here cannot happen.

Where a board decides, `tocsin_schemas.membership` says what can.
"""

GROUP_PREFIX: Final = "cg_"
GROUP_CHARS: Final = 16
_GROUP: Final = re.compile(rf"{GROUP_PREFIX}[a-z2-7]{{{GROUP_CHARS}}}")
_ISSUER: Final = re.compile(ISSUER_PATTERN)
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def check_in_force(key: AuthorKey, now: int) -> None:
    """Whether a key may be used at `now`.

    Raises:
        Refused: `key-not-yet-valid`, `key-expired` or `key-revoked`.
    """
    if key.revoked_at is not None and now >= key.revoked_at:
        raise Refused("key-revoked", "header.kid", "the key was revoked")
    if now < key.not_before:
        raise Refused("key-not-yet-valid", "header.kid", "the key is not in force yet")
    if now >= key.not_after:
        raise Refused("key-expired", "header.kid", "the key has expired")


@dataclass(frozen=True, slots=True)
class Assertion:
    """A client's proof of who it is (RFC 7523 §2.2): used once, before `expires_at`. `jti` is its SHA-256."""

    client_id: str
    jti: bytes
    expires_at: int


def check_assertion(claims: Mapping[str, Any], issuer: str, now: int) -> Assertion:
    """Judge the verified claims of a client assertion (RFC 7523 §3; the audience rule is that of RFC 10070).

    Raises:
        Refused: `claim-missing`, `claim-invalid`, `audience-unknown`, `iat-future`, `iat-too-old` or `token-expired`.
    """
    for name, kind in (("iss", str), ("sub", str), ("aud", object), ("exp", int), ("iat", int), ("jti", str)):
        if name not in claims:
            raise Refused("claim-missing", name, "required")
        if not isinstance(claims[name], kind) or isinstance(claims[name], bool):
            raise Refused("claim-invalid", name, "of the wrong type")
        if kind is str and not claims[name].isprintable():
            raise Refused("claim-invalid", name, "not a line of text")
    if claims["iss"] != claims["sub"]:
        raise Refused("claim-invalid", "iss", "iss and sub are both the client_id")
    if claims["aud"] != issuer:
        raise Refused("audience-unknown", "aud", "must be the issuer of this hub, alone and as a string")
    if not 0 < len(claims["jti"]) <= MAX_JTI_CHARS:
        raise Refused("claim-invalid", "jti", f"1 to {MAX_JTI_CHARS} characters")
    if claims["iat"] > now + ASSERTION_FUTURE:
        raise Refused("iat-future", "iat", f"more than {ASSERTION_FUTURE} s ahead of the hub's clock")
    if claims["iat"] < now - ASSERTION_PAST:
        raise Refused("iat-too-old", "iat", f"more than {ASSERTION_PAST} s old")
    if claims["exp"] <= now:
        raise Refused("token-expired", "exp", "the assertion has expired")
    if claims["exp"] > claims["iat"] + ASSERTION_SECONDS:
        raise Refused("claim-invalid", "exp", f"at most {ASSERTION_SECONDS} s after iat")
    if "nbf" in claims and not (isinstance(claims["nbf"], int) and claims["nbf"] <= now + ASSERTION_FUTURE):
        raise Refused("claim-invalid", "nbf", "not valid yet")
    return Assertion(claims["sub"], hashlib.sha256(claims["jti"].encode()).digest(), claims["exp"])


@dataclass(frozen=True, slots=True)
class AccessToken:
    """The claims of an access token of this hub (RFC 9068 §2.2). `key` is the kid the client authenticated with."""

    client_id: str
    subject: str
    key: str
    scopes: frozenset[str]
    jti: str
    issued_at: int
    expires_at: int

    def claims(self, issuer: str) -> dict[str, Any]:
        """As they travel; issuer and audience are the hub itself."""
        return {
            "iss": issuer,
            "aud": issuer,
            "sub": self.subject,
            "client_id": self.client_id,
            "scope": " ".join(sorted(self.scopes)),
            "jti": self.jti,
            "iat": self.issued_at,
            "exp": self.expires_at,
            "client_kid": self.key,
        }


def check_access_token(claims: Mapping[str, Any], issuer: str, now: int) -> AccessToken:
    """Judge the claims of an access token that this hub's own key has verified (RFC 9068 §4).

    Raises:
        Refused: `token-invalid` for another hub's token, `token-expired`.
    """
    if claims["iss"] != issuer or claims["aud"] != issuer:
        raise Refused("token-invalid", "aud", "the token is for another hub")
    if claims["exp"] <= now:
        raise Refused("token-expired", "exp", "the token has expired")
    return AccessToken(
        client_id=claims["client_id"],
        subject=claims["sub"],
        key=claims["client_kid"],
        scopes=frozenset(claims["scope"].split()),
        jti=claims["jti"],
        issued_at=claims["iat"],
        expires_at=claims["exp"],
    )


def grant_scopes(requested: str | None, allowed: frozenset[str]) -> frozenset[str]:
    """The scopes of a new token: those requested, or all the client may have (RFC 6749 §3.3).

    Raises:
        Refused: `claim-invalid` when one is unknown, not this client's, or none is left.
    """
    scopes = allowed if requested is None else frozenset(requested.split(" "))
    if not scopes or not scopes <= allowed:
        raise Refused("claim-invalid", "scope", "asks for a scope that this client does not have")
    return scopes


def next_state(state: str, action: str) -> str:
    """The state of a member after `action` (trust.md §1).

    Raises:
        Refused: `conflict` when there is no such way.
    """
    following = TRANSITIONS.get((state, action))
    if following is None:
        raise Refused("conflict", "state", f"cannot {action} a member that is {state}")
    return following


def control_group_id(owner: str) -> str:
    """The opaque id of a control group: `owner` itself when it is one, else derived from the owner's name.

    The name is not kept. The same name, however it is spaced or cased, gives the same id.
    """
    if _GROUP.fullmatch(owner):
        return owner
    name = " ".join(unicodedata.normalize("NFKC", owner).casefold().split())
    if not name:
        raise Refused("claim-invalid", "control_group", "name the owner")
    digest = hashlib.sha256(b"tocsin/control-group/v1\n" + name.encode()).digest()
    return GROUP_PREFIX + b32encode(digest).decode().lower()[:GROUP_CHARS]


def check_issuer(issuer: str) -> str:
    """A member's issuer: an https origin in lower case, without a path.

    Raises:
        Refused: `claim-invalid`.
    """
    if not _ISSUER.fullmatch(issuer):
        raise Refused("claim-invalid", "issuer", "an https origin in lower case, like https://pixel.example")
    return issuer


def check_slug(slug: str) -> str:
    """A community's name in URLs.

    Raises:
        Refused: `claim-invalid`.
    """
    if not _SLUG.fullmatch(slug) or slug in SCOPE_WORDS:
        raise Refused(
            "claim-invalid",
            "community",
            f"1 to 63 of a-z, 0-9 and -, not beginning with -; none of the words {', '.join(sorted(SCOPE_WORDS))}",
        )
    return slug


def check_member_class(member_class: str) -> str:
    """One of the classes of trust.md §1.

    Raises:
        Refused: `claim-invalid`.
    """
    if member_class not in MEMBER_CLASSES:
        raise Refused("claim-invalid", "class", f"one of {', '.join(MEMBER_CLASSES)}")
    return member_class


def check_scopes(scopes: Iterable[str] | None, member_class: MemberClass) -> frozenset[str]:
    """The scopes of a new client of a member of that class: those named, or all that it may hold.

    Raises:
        Refused: `claim-invalid` when there is none, or one is unknown or not for that class.
    """
    allowed: frozenset[str] = SCOPES_OF[member_class]
    found = allowed if scopes is None else frozenset(scopes)
    if not found or not found <= allowed:
        listed = ", ".join(scope for scope in SCOPES if scope in allowed)
        raise Refused("claim-invalid", "scopes", f"one or more of those its class may hold: {listed}")
    return found


def check_life(not_before: int, not_after: int, now: int) -> None:
    """The time in which a new key is to be in force.

    Raises:
        Refused: `claim-invalid` when it is empty or over.
    """
    if not_before >= not_after or not_after <= now:
        raise Refused("claim-invalid", "not_after", "must be in the future, and after not_before")


def check_cap(signals_per_hour: int | None) -> int | None:
    """A member's own cap of signals an hour, or None for the policy's.

    Raises:
        Refused: `claim-invalid` when it is negative.
    """
    if signals_per_hour is not None and signals_per_hour < 0:
        raise Refused("claim-invalid", "signals_per_hour", "0 or more")
    return signals_per_hour
