"""What a board that is being founded looks like: the file of its seats, and the roster that comes of it.

A seat brings the public key that is kept offline, or votes with the passkeys of the person who holds it. Pure.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError

from tocsin.members.rules import control_group_id
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import (
    Credential,
    Day,
    Handle,
    Jwk,
    Roster,
    Seat,
    SeatName,
    check_roster,
)
from tocsin_schemas.signals import Closed, Instant, Issuer
from tocsin_schemas.vocabulary import SeatClass

ROSTER_LIFE: Final = 2 * 365 * DAY
"""How long the first roster is good when its file does not say."""


class FoundingSeat(Closed):
    """A seat as the file names it: `key` is a public JWK that is kept offline; without it the person has passkeys.

    `control_group` is the ultimate owner of the organisation that sends the person, by name or by id; only the id is
    kept. Without it the organisation is its own.
    """

    seat: SeatName
    seat_class: SeatClass
    chair: bool = False
    duty: bool = False
    handle: Handle
    issuer: Issuer | None = None
    control_group: Annotated[str, AfterValidator(control_group_id)] | None = None
    term_ends: Day
    key: Jwk | None = None


class Founding(Closed):
    """The file: seats of the board and of the panel, until when the roster is good, and the policy to begin with."""

    seats: Annotated[list[FoundingSeat], Field(min_length=3, max_length=99)]
    panel: Annotated[list[FoundingSeat], Field(default_factory=list, max_length=99)]
    expires_at: Instant | None = None
    policy: Policy = Policy()

    def everyone(self) -> list[FoundingSeat]:
        """All seats."""
        return [*self.seats, *self.panel]


def read_founding(raw: bytes) -> Founding:
    """Read the file.

    Raises:
        Refused: `roster-invalid`, with the place in the file that does not fit.
    """
    try:
        return Founding.model_validate(json.loads(raw))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Refused("roster-invalid", where or "file", str(first["msg"])) from None
    except ValueError:
        raise Refused("roster-invalid", "file", "not a JSON document") from None


def check_founding(founding: Founding, issuer: str, now: int) -> None:
    """Whether a roster can come of it, once everybody has a passkey.

    Raises:
        Refused: as `tocsin_schemas.roster.check_roster`.
    """
    somebody = {
        seat.handle: [_offline(SigningKey.generate().public.jwk())]
        for seat in founding.everyone()
        if seat.key is None
    }
    first_roster(founding, issuer, somebody, now)


def first_roster(
    founding: Founding, issuer: str, passkeys: Mapping[str, Iterable[Credential]], now: int
) -> Roster:
    """The roster, with the passkeys of those who vote with them by handle.

    Raises:
        Refused: `roster-invalid` with the field and the reason.
    """
    try:
        roster = Roster(
            version=1,
            rp_id=urlsplit(issuer).hostname or "",
            origin=issuer,
            seats=[_seat(seat, passkeys) for seat in founding.seats],
            panel=[_seat(seat, passkeys) for seat in founding.panel],
            expires_at=now + ROSTER_LIFE if founding.expires_at is None else founding.expires_at,
        )
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise Refused("roster-invalid", ".".join(map(str, first["loc"])), str(first["msg"])) from None
    check_roster(roster)
    return roster


def _seat(seat: FoundingSeat, passkeys: Mapping[str, Iterable[Credential]]) -> Seat:
    said = seat.model_dump(exclude={"key"})
    if seat.issuer is not None and seat.control_group is None:
        said["control_group"] = control_group_id(seat.issuer)
    held = [_offline(seat.key)] if seat.key is not None else list(passkeys[seat.handle])
    return Seat(**said, credentials=held)


def _offline(jwk: Mapping[str, str]) -> Credential:
    return Credential(id=jwk.get("kid", ""), kind="ed25519", jwk=dict(jwk))
