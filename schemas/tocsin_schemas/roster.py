"""The board's roster: who sits where, and the keys they vote with.

A roster is a whole: version N+1 replaces version N by a decision that both carry (the rule of TUF for its root role).
People are handles and organisations are issuers; there is no name in it. A seat without a handle is vacant. `panel` is
the independent panel that hears appeals and decides what the board cannot: its members have no vote in anything else.
"""

import json
from collections import Counter
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, WithJsonSchema

from tocsin_schemas.hub_events import HUB_PATTERN
from tocsin_schemas.jwk import JWK_SCHEMA, PublicKey, public_key
from tocsin_schemas.ledger import instant
from tocsin_schemas.problems import Refused
from tocsin_schemas.rsa import JWK_SCHEMA as RSA_SCHEMA
from tocsin_schemas.signals import Closed, Instant, Issuer
from tocsin_schemas.tally import PANEL_LEAST, Voter
from tocsin_schemas.vocabulary import SeatClass

MAX_SEATS: Final = 99
MAX_CREDENTIALS: Final = 8
DUTY_SEATS: Final = 3
LEAST_SEATED: Final = 3
WITHOUT_PANEL: Final = (
    "There is no panel of two: an appeal cannot be heard once every independent has voted on the matter, and a board"
    " that is left with fewer than three voices can never be renewed. Seat one with the next roster."
)
"""What a board without a panel is told wherever it is founded and shown."""

Handle = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,31}$")]
SeatName = Annotated[str, Field(pattern=r"^[sp][1-9][0-9]?$")]
ControlGroup = Annotated[str, Field(pattern=r"^cg_[a-z2-7]{16}$")]
Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
Hub = Annotated[str, Field(max_length=300, pattern=HUB_PATTERN)]
RpId = Annotated[str, Field(max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
CredentialId = Annotated[str, Field(max_length=1400, pattern=r"^[A-Za-z0-9_-]{22,}$")]
Kid = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{43}$")]
Jwk = Annotated[dict[str, str], WithJsonSchema(JWK_SCHEMA)]
HubJwk = Annotated[dict[str, str], WithJsonSchema({"oneOf": [*JWK_SCHEMA["oneOf"], RSA_SCHEMA]})]
"""The public key of a hub, which may be RSA."""
Version = Annotated[int, Field(ge=1, le=2**31)]


class Credential(Closed):
    """A key that a seat votes with: a passkey, or an Ed25519 key kept offline.

    `id` is the authenticator's credential id in base64url, or the key's RFC 7638 thumbprint.
    """

    id: CredentialId
    kind: Literal["webauthn", "ed25519"]
    jwk: Jwk

    def public(self) -> PublicKey:
        """The verification key.

        Raises:
            Refused: as `jwk.public_key`; also when an offline key is not Ed25519 or not named by its thumbprint.
        """
        key = public_key(self.jwk)
        if key.jwk() != self.jwk:
            raise Refused("claim-invalid", "jwk", "exactly the public members, with kid and alg")
        if self.kind == "ed25519" and (key.alg, key.kid) != ("Ed25519", self.id):
            raise Refused("claim-invalid", "credential", "an offline key is Ed25519, named by its thumbprint")
        return key


class Seat(Closed):
    """A seat: s1 to s99 on the board, p1 to p99 on the panel.

    `issuer` is the member organisation that sends the person, None for an independent; `control_group` is that
    organisation's. `term_ends` is the first day on which the seat counts as vacant.
    """

    seat: SeatName
    seat_class: SeatClass
    chair: bool = False
    duty: bool = False
    handle: Handle | None = None
    issuer: Issuer | None = None
    control_group: ControlGroup | None = None
    term_ends: Day
    credentials: Annotated[list[Credential], Field(default_factory=list, max_length=MAX_CREDENTIALS)]

    @property
    def seated(self) -> bool:
        """Whether somebody sits here."""
        return self.handle is not None

    def term_over(self, at: int) -> bool:
        """Whether the seat's term has ended at `at` (Unix seconds)."""
        return at >= instant(f"{self.term_ends}T00:00:00Z")

    @property
    def keys(self) -> frozenset[str]:
        """The thumbprints of its keys, under whatever credential ids they stand."""
        return frozenset(credential.jwk["kid"] for credential in self.credentials)

    def credential(self, name: str) -> Credential | None:
        """Its key of that credential id."""
        return next((credential for credential in self.credentials if credential.id == name), None)

    def voter(self) -> Voter:
        """The seat as votes are counted."""
        return Voter(self.seat, self.seat_class, self.control_group)


class Roster(Closed):
    """Version `version` of the board. `origin` is the hub's issuer, `rp_id` the domain its passkeys are bound to.

    After `expires_at` it can decide nothing but the next roster.
    """

    version: Version
    rp_id: RpId
    origin: Hub
    seats: Annotated[list[Seat], Field(min_length=LEAST_SEATED, max_length=MAX_SEATS)]
    panel: Annotated[list[Seat], Field(default_factory=list, max_length=MAX_SEATS)]
    expires_at: Instant

    @property
    def has_panel(self) -> bool:
        """Whether a panel can decide without the board's own independents, all of whom may have voted already."""
        return sum(seat.seated for seat in self.panel) >= PANEL_LEAST

    def seat(self, name: str) -> Seat | None:
        """The seat of that name, on the board or the panel."""
        return next((seat for seat in (*self.seats, *self.panel) if seat.seat == name), None)


def canonical(value: BaseModel) -> bytes:
    """The canonical form (RFC 8785): members sorted, no white space, nothing that is not said; all of it is ASCII,
    whole numbers and truth values, for which sorting is all there is to do.
    """
    said = value.model_dump(mode="json", by_alias=True, exclude_none=True)
    return json.dumps(said, sort_keys=True, separators=(",", ":")).encode()


def check_roster(roster: Roster) -> None:
    """Check what a roster must be, beyond its shape.

    Raises:
        Refused: `roster-invalid` with the field and the reason.
    """
    seated = [seat for seat in roster.seats if seat.seated]
    everyone = [*roster.seats, *roster.panel]
    if len(seated) < LEAST_SEATED:
        raise _invalid("seats", "at least three seats are held by somebody")
    if sum(seat.chair for seat in seated) != 1 or any(seat.chair for seat in everyone if seat not in seated):
        raise _invalid("seats.chair", "exactly one seat holds the chair, and somebody sits there")
    if not any(seat.seat_class == "independent" for seat in seated):
        raise _invalid("seats", "one seat at least is independent, or no quorum could ever be reached")
    duty = [seat for seat in everyone if seat.duty]
    if len(duty) != DUTY_SEATS or any(seat not in seated for seat in duty):
        raise _invalid("seats.duty", "exactly three seats are on duty, all of them held by somebody")
    if any(seat.seat_class != "independent" for seat in roster.panel):
        raise _invalid("panel", "a panel is independent")
    for seats, letter, where in ((roster.seats, "s", "seats"), (roster.panel, "p", "panel")):
        if any(not seat.seat.startswith(letter) for seat in seats):
            raise _invalid(f"{where}.seat", "seats of the board are s1 to s99, of the panel p1 to p99")
    for seat in everyone:
        _check_seat(seat)
    _once([seat.seat for seat in everyone], "seats.seat", "a name of a seat stands twice")
    _once([seat.handle for seat in everyone if seat.handle], "seats.handle", "one person holds two seats")
    groups = [seat.control_group for seat in everyone if seat.seated and seat.control_group]
    _once(groups, "seats.control_group", "two seats are held by one control group")
    credentials = [credential for seat in everyone for credential in seat.credentials]
    _once([credential.id for credential in credentials], "seats.credentials", "a credential stands twice")
    _once([credential.jwk["kid"] for credential in credentials], "seats.credentials", "a key stands twice")
    host = urlsplit(roster.origin).hostname or ""
    if host != roster.rp_id and not host.endswith(f".{roster.rp_id}"):
        raise _invalid("rp_id", "the hub's host, or a domain above it (WebAuthn §5.1.2)")


def _check_seat(seat: Seat) -> None:
    if seat.seated != bool(seat.credentials):
        raise _invalid("seats.credentials", "who holds a seat has a credential; a vacant seat has none")
    if not seat.seated and (seat.issuer or seat.control_group):
        raise _invalid("seats.handle", "a vacant seat belongs to nobody")
    if (seat.issuer is None) != (seat.control_group is None):
        raise _invalid("seats.control_group", "stands beside an issuer, and only there")
    if seat.seat_class == "independent" and seat.issuer is not None:
        raise _invalid("seats.issuer", "an independent is sent by nobody")
    if seat.seated and seat.seat_class != "independent" and seat.issuer is None:
        raise _invalid("seats.issuer", "says which organisation sends the person")
    try:
        instant(f"{seat.term_ends}T00:00:00Z")
    except ValueError:
        raise _invalid("seats.term_ends", "not a day of the calendar") from None
    for credential in seat.credentials:
        credential.public()


def _once(values: list[str], field: str, reason: str) -> None:
    if any(count > 1 for count in Counter(values).values()):
        raise _invalid(field, reason)


def _invalid(field: str, reason: str) -> Refused:
    return Refused("roster-invalid", f"roster.{field}", reason)
