"""What a receiver asks for: requests of the management API (SSF 1.0 §8) and of polling (RFC 8936), read and judged.

- What cannot be read is `request-invalid`: 400, as the framework wants it.
- Members that nobody defined are ignored, and so are event types that this hub does not know (SSF 1.0 §8.1.1).
- `description` and `reason` are free text. The hub holds none, so they are read past.
- What the transmitter supplies may come back in a request, and must then be as it is.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, get_args

from tocsin.errors import Refused
from tocsin.streams.rules.events import SUPPORTED, WORD_OF, Status, Word
from tocsin_schemas import indicators
from tocsin_schemas.policy import DAY

Method = Literal["push", "poll"]
Alg = Literal["ES256", "RS256"]
Reason = Literal["receiver", "inactivity", "undeliverable", "operator"]
SetError = Literal[
    "invalid_request",
    "invalid_key",
    "invalid_issuer",
    "invalid_audience",
    "authentication_failed",
    "access_denied",
    "invalid_state",
    "other",
]
"""RFC 8935 §2.4 and SSF 1.0 §8.1.4.1; `other` stands for whatever else a receiver says."""

METHOD_URIS: Final[Mapping[Method, str]] = {"push": "urn:ietf:rfc:8935", "poll": "urn:ietf:rfc:8936"}
_METHOD_OF: Final[Mapping[str, Method]] = {uri: method for method, uri in METHOD_URIS.items()}
ALGS: Final[tuple[Alg, ...]] = get_args(Alg)
STATUSES: Final[tuple[Status, ...]] = get_args(Status)
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)
SET_ERRORS: Final[tuple[SetError, ...]] = get_args(SetError)
ALG_MEMBER: Final = "set_signed_response_alg"
"""The hub's own member of a stream's configuration: how its events are signed."""

STREAMS_PER_MEMBER: Final = 16
SUBJECTS_PER_STREAM: Final = 10_000
"""Subjects that a receiver took off one stream."""
MIN_VERIFICATION_INTERVAL: Final = 30
INACTIVITY_TIMEOUT: Final = 30 * DAY
"""A poll stream that nobody has touched for so long is paused."""
KEPT_SECONDS: Final = 30 * DAY
"""How long an event waits for its receiver."""
KEPT_EVENTS: Final = 100_000
"""How many events wait for one receiver; the oldest go first."""
MAX_STATE_CHARS: Final = 256
MAX_EVENTS: Final = 200
"""Events in one answer to a poll."""
MAX_ACKS: Final = 1000
_MAX_REQUESTED: Final = 100
_OTHER: Final[SetError] = "other"
_MAX_TARGET_CHARS: Final = 2000
_STATE: Final = re.compile(rf"[!-~]{{1,{MAX_STATE_CHARS}}}")
_JTI: Final = re.compile(r"[0-9a-f]{32}")


class Wanted(NamedTuple):
    """A stream as its receiver wants it. `target` and `authorization` are for push.

    `keeps` says that no other authorization is named: the one that the hub holds stays, if the target does.
    """

    method: Method
    target: str | None
    authorization: str | None
    events: tuple[Word, ...]
    alg: Alg
    keeps: bool = False


class Poll(NamedTuple):
    """A request for events: at most `limit`, waiting for one unless `immediately`.

    `acks` were received, `errors` were refused: the jti of each, for the latter with what was wrong.
    """

    limit: int
    immediately: bool
    acks: tuple[bytes, ...]
    errors: tuple[tuple[bytes, SetError], ...]


def wanted(body: Mapping[str, Any], before: Wanted | None = None, poll_url: str | None = None) -> Wanted:
    """A new stream, or all of the next configuration of one (POST, PUT): what is missing is not wanted.

    `poll_url` is the address at which an existing stream would be polled. Without `delivery` it is polled (SSF 1.0
    §8.1.1.1); without `events_requested` no event is delivered.

    Raises:
        Refused: `request-invalid`.
    """
    _check_description(body)
    method, target, authorization, _ = _delivery(body, before, poll_url)
    return Wanted(method, target, authorization, _events(body) or (), _alg(body) or "ES256")


def changed(body: Mapping[str, Any], before: Wanted, poll_url: str) -> Wanted:
    """The next configuration when only what is named changes (PATCH).

    A push target that stays keeps its authorization, which was never shown, unless a new one is named; another target
    never gets the old one.

    Raises:
        Refused: `request-invalid`.
    """
    _check_description(body)
    events, alg = _events(body), _alg(body)
    method, target, authorization, keeps = before.method, before.target, None, True
    if "delivery" in body:
        method, target, authorization, named = _delivery(body, before, poll_url)
        keeps = not named
    return Wanted(
        method,
        target,
        authorization,
        before.events if events is None else events,
        before.alg if alg is None else alg,
        keeps,
    )


def check_supplied(body: Mapping[str, Any], shown: Mapping[str, Any]) -> None:
    """See that what the transmitter supplies is as it is shown, where a request names it (SSF 1.0 §8.1.1.3).

    Raises:
        Refused: `request-invalid`, naming the first that is not.
    """
    for name in ("iss", "aud", "min_verification_interval", "inactivity_timeout"):
        if name in body and (body[name] != shown.get(name) or isinstance(body[name], bool)):
            raise Refused("request-invalid", name, "the transmitter supplies this, and it is another")
    for name in ("events_supported", "events_delivered"):
        if name in body:
            said = _strings(body[name], name)
            if sorted(said) != sorted(shown[name]):
                raise Refused("request-invalid", name, "the transmitter supplies this, and it is another")


def stream_id(body: Mapping[str, Any]) -> str:
    """The stream that a request is about.

    Raises:
        Refused: `request-invalid`.
    """
    return _string(body, "stream_id")


def status(body: Mapping[str, Any]) -> Status:
    """The status that a receiver wants its stream to have.

    Raises:
        Refused: `request-invalid`.
    """
    if "reason" in body and not isinstance(body["reason"], str):
        raise Refused("request-invalid", "reason", "not a string")
    found = _string(body, "status")
    for word in STATUSES:
        if found == word:
            return word
    raise Refused("request-invalid", "status", f"one of {', '.join(STATUSES)}")


def state(body: Mapping[str, Any]) -> str | None:
    """What a verification event is to carry back, if anything.

    Raises:
        Refused: `request-invalid` unless it is visible ASCII without a space, `MAX_STATE_CHARS` at most.
    """
    if "state" not in body:
        return None
    found = body["state"]
    if not isinstance(found, str) or not _STATE.fullmatch(found):
        raise Refused(
            "request-invalid", "state", f"1 to {MAX_STATE_CHARS} visible ASCII characters, without a space"
        )
    return found


def subject(body: Mapping[str, Any]) -> str | None:
    """The subject that a receiver adds or removes; None when it is one that no event here could have.

    What is no indicator is read past and answered like one: the hub keeps nothing of it, and who asks learns nothing
    (SSF 1.0 §9.1).

    Raises:
        Refused: `request-invalid` when it is no subject identifier (RFC 9493).
    """
    found = body.get("subject")
    if not isinstance(found, dict) or not isinstance(found.get("format"), str):
        raise Refused("request-invalid", "subject", "an object with a format (RFC 9493)")
    if "verified" in body and not isinstance(body["verified"], bool):
        raise Refused("request-invalid", "verified", "true or false")
    named = found.get("id")
    if found["format"] != "opaque" or not isinstance(named, str):
        return None
    try:
        return str(indicators.parse(named))
    except Refused:
        return None


def poll(body: Mapping[str, Any]) -> Poll:
    """A poll (RFC 8936 §2.2); a jti that is spelled as none of this hub's is passed over.

    Raises:
        Refused: `request-invalid`.
    """
    # RFC 8936 spells it the one way, and receivers in the field the other.
    limit = body.get("maxEvents", body.get("max_events", MAX_EVENTS))
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 0:
        raise Refused("request-invalid", "maxEvents", "a whole number, 0 or more")
    immediately = body.get("returnImmediately", False)
    if not isinstance(immediately, bool):
        raise Refused("request-invalid", "returnImmediately", "true or false")
    acks = _strings(body.get("ack", []), "ack", MAX_ACKS)
    errors = body.get("setErrs", {})
    if not isinstance(errors, dict) or len(errors) > MAX_ACKS:
        raise Refused("request-invalid", "setErrs", f"an object of at most {MAX_ACKS} members")
    found: list[tuple[bytes, SetError]] = []
    for jti, error in errors.items():
        if not isinstance(error, dict) or not isinstance(error.get("err"), str):
            raise Refused("request-invalid", "setErrs", "each is an object with err")
        if _JTI.fullmatch(jti):
            word = next((known for known in SET_ERRORS if known == error["err"]), _OTHER)
            found.append((bytes.fromhex(jti), word))
    received = tuple(bytes.fromhex(jti) for jti in acks if _JTI.fullmatch(jti))
    return Poll(min(limit, MAX_EVENTS), immediately, received, tuple(found))


def _delivery(
    body: Mapping[str, Any], before: Wanted | None, poll_url: str | None
) -> tuple[Method, str | None, str | None, bool]:
    """(method, target, authorization, whether authorization is named)."""
    delivery = body.get("delivery")
    if delivery is None and "delivery" not in body:
        return "poll", None, None, False
    if not isinstance(delivery, dict):
        raise Refused("request-invalid", "delivery", "not an object")
    method = _METHOD_OF.get(_string(delivery, "method"))
    if method is None:
        raise Refused("request-invalid", "delivery.method", f"one of {', '.join(METHOD_URIS.values())}")
    if method == "poll":
        given = delivery.get("endpoint_url")
        polled = before is not None and before.method == "poll"
        if polled and given is not None and given != poll_url:
            raise Refused("request-invalid", "delivery.endpoint_url", "the transmitter supplies this")
        return "poll", None, None, False
    target = _string(delivery, "endpoint_url")
    if len(target) > _MAX_TARGET_CHARS:
        raise Refused("request-invalid", "delivery.endpoint_url", f"at most {_MAX_TARGET_CHARS} characters")
    named = "authorization_header" in delivery
    authorization = delivery.get("authorization_header")
    if authorization is not None and not isinstance(authorization, str):
        raise Refused("request-invalid", "delivery.authorization_header", "not a string")
    return "push", target, authorization or None, named


def _events(body: Mapping[str, Any]) -> tuple[Word, ...] | None:
    if "events_requested" not in body:
        return None
    asked = {
        WORD_OF.get(uri) for uri in _strings(body["events_requested"], "events_requested", _MAX_REQUESTED)
    }
    return tuple(word for word in SUPPORTED if word in asked)


def _alg(body: Mapping[str, Any]) -> Alg | None:
    if ALG_MEMBER not in body:
        return None
    for alg in ALGS:
        if body[ALG_MEMBER] == alg:
            return alg
    raise Refused("request-invalid", ALG_MEMBER, f"one of {', '.join(ALGS)}")


def _check_description(body: Mapping[str, Any]) -> None:
    if not isinstance(body.get("description", ""), str | None):
        raise Refused("request-invalid", "description", "not a string")


def _string(body: Mapping[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise Refused("request-invalid", name, "required, a string")
    return found


def _strings(found: object, name: str, most: int = MAX_ACKS) -> Sequence[str]:
    if not isinstance(found, list) or len(found) > most or not all(isinstance(one, str) for one in found):
        raise Refused("request-invalid", name, f"a list of at most {most} strings")
    return found
