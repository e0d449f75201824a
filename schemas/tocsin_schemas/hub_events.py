"""What a hub says in its own name: Security Event Tokens signed by its own key, in the same log.

`expiry`, once a day and community: the Merkle root over the log indexes of the statements that expired, so that
anyone who kept the log can check that nothing expired unseen. `snapshot`: which set of live indicators of a type the
hub hands out, by the digest of its manifest (`tocsin_schemas.snapshots`), so that everybody is given the same.
`release`: records that the feed withheld so far and shows from now on, so that a follower fetches them once more.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Final

from pydantic import Field, ValidationError, field_validator

from tocsin_schemas.envelope import AuthorKey, open_token
from tocsin_schemas.indicators import IndicatorType
from tocsin_schemas.merkle import merkle_root
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Audience, Closed, Digest, Instant, Jti, dump_object, load_object
from tocsin_schemas.vocabulary import EVENT_PREFIX, HubKind

MAX_RELEASED: Final = 256
"""How many records one `release` names."""
LogIndex = Annotated[int, Field(ge=0, le=2**53)]
HUB_PATTERN: Final = r"^https?://[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?(:[0-9]{1,5})?$"


class Expiry(Closed):
    """`count` statements expired on `day`; `root` is the RFC 6962 tree hash over their log indexes, 8 bytes each."""

    day: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    count: Annotated[int, Field(ge=1)]
    root: Digest


class ExpiryEvents(Closed):
    """The `events` claim of an expiry."""

    expiry: Expiry = Field(alias=EVENT_PREFIX + "expiry")


class Snapshot(Closed):
    """Version `version` of the live set of a type has `count` indicators, from a log of `log_size` entries.

    `manifest` is the SHA-256 of the manifest's canonical form (`tocsin_schemas.snapshots.Manifest`).
    """

    type: IndicatorType
    version: Annotated[int, Field(ge=1)]
    count: Annotated[int, Field(ge=0)]
    log_size: Annotated[int, Field(ge=0)]
    manifest: Digest


class SnapshotEvents(Closed):
    """The `events` claim of a snapshot."""

    snapshot: Snapshot = Field(alias=EVENT_PREFIX + "snapshot")


class Release(Closed):
    """The feed's records at the log indexes `seqs`, ascending, are not withheld any more."""

    seqs: Annotated[
        list[LogIndex],
        Field(min_length=1, max_length=MAX_RELEASED, json_schema_extra={"uniqueItems": True}),
    ]

    @field_validator("seqs")
    @classmethod
    def _ascending(cls, seqs: list[int]) -> list[int]:
        if any(later <= earlier for earlier, later in pairwise(seqs)):
            raise ValueError("not ascending")
        return seqs


class ReleaseEvents(Closed):
    """The `events` claim of a release."""

    release: Release = Field(alias=EVENT_PREFIX + "release")


class HubClaims(Closed):
    """The payload of a hub's own event."""

    iss: Annotated[str, Field(max_length=300, pattern=HUB_PATTERN)]
    aud: Audience
    iat: Instant
    jti: Jti
    events: ExpiryEvents | SnapshotEvents | ReleaseEvents

    @property
    def event(self) -> Expiry | Snapshot | Release:
        """What it says."""
        if isinstance(self.events, ReleaseEvents):
            return self.events.release
        return self.events.expiry if isinstance(self.events, ExpiryEvents) else self.events.snapshot

    @property
    def kind(self) -> HubKind:
        """The word for it: the kind of its log entry."""
        return _KINDS[type(self.event)]


_KINDS: Final[Mapping[type[Closed], HubKind]] = {Expiry: "expiry", Snapshot: "snapshot", Release: "release"}


@dataclass(frozen=True, slots=True)
class HubEvent:
    """A hub's event whose signature and form have been verified."""

    claims: HubClaims
    key: AuthorKey


def expiry_root(seqs: Sequence[int]) -> bytes:
    """The root that an `expiry` carries for the log indexes given, in ascending order."""
    return merkle_root([seq.to_bytes(8) for seq in seqs])


def compose_expiry(*, iss: str, aud: str, iat: int, day: str, seqs: Sequence[int]) -> bytes:
    """The payload of an `expiry` event; sign it with `envelope.sign`."""
    body = {"day": day, "count": len(seqs), "root": expiry_root(seqs).hex()}
    return _compose("expiry", iss, aud, iat, body)


def compose_snapshot(*, iss: str, aud: str, iat: int, snapshot: Snapshot) -> bytes:
    """The payload of a `snapshot` event; sign it with `envelope.sign`."""
    return _compose("snapshot", iss, aud, iat, snapshot.model_dump())


def compose_release(*, iss: str, aud: str, iat: int, seqs: Sequence[int]) -> bytes:
    """The payload of a `release` event about at most `MAX_RELEASED` log indexes; sign it with `envelope.sign`."""
    return _compose("release", iss, aud, iat, {"seqs": list(seqs)})


def _compose(kind: HubKind, iss: str, aud: str, iat: int, body: Mapping[str, object]) -> bytes:
    claims = {"iss": iss, "aud": aud, "iat": iat, "jti": secrets.token_hex(16)}
    return dump_object({**claims, "events": {EVENT_PREFIX + kind: body}})


def verify_hub_event(token: bytes, keys: Mapping[str, AuthorKey]) -> HubEvent:
    """Verify an event against the hub's own keys.

    Raises:
        Refused: with the code of the first check that fails.
    """
    _, payload, key = open_token(token, keys)
    try:
        claims = HubClaims.model_validate(load_object(payload, "payload"))
    except ValidationError:
        raise Refused("event-unknown", "events", "not an event that a hub sends") from None
    if claims.iss != key.iss:
        raise Refused("issuer-mismatch", "iss", "the key belongs to another hub")
    if not key.not_before <= claims.iat < key.not_after:
        raise Refused("key-expired", "iat", "outside the time of the hub's key")
    return HubEvent(claims, key)
