"""Who sits on a board, for tests: seats with keys that sign in software, and the rosters they make.

Seats with an even number vote with passkeys, the others with Ed25519 keys. `seats(3)`, `seats(5)`, `seats(9)` and
`panel(3)` make rosters; the independents come last, the first of them is the chair.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.support.authenticator import Authenticator
from tocsin.governance.rules.people import Seated
from tocsin.governance.service.views import BallotPaper
from tocsin.web.people import relying_party
from tocsin_schemas.decisions import (
    Assertion,
    Ballot,
    Decision,
    ballot_challenge,
    decision_digest,
    sign_ballot,
)
from tocsin_schemas.envelope import decode
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.roster import Credential, Roster, Seat
from tocsin_schemas.signals import LATEST
from tocsin_schemas.vocabulary import Choice, SeatClass

RP_ID = "hub.example"
LAYOUTS: dict[int, tuple[SeatClass, ...]] = {
    3: ("platform", "vendor", "independent"),
    5: ("platform", "platform", "vendor", "independent", "independent"),
    9: ("platform",) * 3 + ("vendor",) * 2 + ("independent",) * 4,
}


@dataclass(frozen=True)
class Officer:
    """Who holds a seat: `key` signs offline, `passkey` in a browser at `origin`; one of the two."""

    seat: Seat
    key: SigningKey | None = None
    passkey: Authenticator | None = None
    origin: str = f"https://{RP_ID}"

    @property
    def seated(self) -> Seated:
        assert self.seat.handle is not None
        return Seated(self.seat.seat, self.seat.handle)

    def ballot(
        self, paper: BallotPaper, *, cast_at: int = 0, origin: str | None = None, **said: Any
    ) -> Ballot:
        """A signed paper; `said` goes to the authenticator."""
        if self.key is not None:
            digest = bytes.fromhex(paper.digest)
            return sign_ballot(digest, paper.choice, self.seat.seat, self.key, cast_at)
        assert self.passkey is not None
        challenge = decode(paper.challenge.encode(), "challenge")
        signed = self.passkey.get(challenge, paper.rp_id, origin or self.origin, **said)
        return self._assured(paper.choice, signed, cast_at)

    def sign(self, decision: Decision, choice: Choice, cast_at: int) -> Ballot:
        """A ballot on a decision at hand."""
        digest = decision_digest(decision)
        if self.key is not None:
            return sign_ballot(digest, choice, self.seat.seat, self.key, cast_at)
        assert self.passkey is not None
        rp_id = relying_party(self.origin).rp_id
        signed = self.passkey.get(ballot_challenge(digest, choice), rp_id, self.origin)
        return self._assured(choice, signed, cast_at)

    def _assured(self, choice: Choice, signed: dict[str, str], cast_at: int) -> Ballot:
        assert self.passkey is not None
        return Ballot(
            seat=self.seat.seat,
            choice=choice,
            credential=self.passkey.id,
            cast_at=cast_at,
            assertion=Assertion(**signed),
        )


def officer(name: str, seat_class: SeatClass, *, chair: bool = False, duty: bool = False) -> Officer:
    """A new holder of seat `name`, with a key of its own."""
    number = int(name[1:])
    passkey = Authenticator() if number % 2 == 0 else None
    key = None if passkey is not None else SigningKey.generate()
    credential = (
        Credential(id=passkey.id, kind="webauthn", jwk=passkey.jwk)
        if passkey is not None
        else Credential(id=key.public.kid, kind="ed25519", jwk=key.public.jwk())
        if key is not None
        else None
    )
    assert credential is not None
    sent = seat_class != "independent"
    return Officer(
        Seat(
            seat=name,
            seat_class=seat_class,
            chair=chair,
            duty=duty,
            handle=f"handle-{name}",
            issuer=f"https://seat-{name}.example" if sent else None,
            control_group=f"cg_{'a' * 14}{'abcdefghij'[number % 10]}{name[0]}" if sent else None,
            term_ends="2036-01-01",
            credentials=[credential],
        ),
        key,
        passkey,
    )


def seats(count: int = 5) -> list[Officer]:
    """A board of that size. On duty: the first seat, the last platform's or vendor's, and the last."""
    layout = LAYOUTS[count]
    chair = layout.index("independent")
    duty = {0, chair - 1, count - 1}
    return [
        officer(f"s{place + 1}", seat_class, chair=place == chair, duty=place in duty)
        for place, seat_class in enumerate(layout)
    ]


def panel(count: int = 3) -> list[Officer]:
    """An independent panel."""
    return [officer(f"p{place + 1}", "independent") for place in range(count)]


def roster(
    officers: Sequence[Officer],
    *,
    version: int = 1,
    expires_at: int = LATEST,
    origin: str = f"https://{RP_ID}",
) -> Roster:
    """The roster that they sit in; passkeys are bound to the host of `origin`."""
    everyone = [held.seat for held in officers]
    return Roster(
        version=version,
        rp_id=relying_party(origin).rp_id,
        origin=origin,
        seats=[seat for seat in everyone if seat.seat.startswith("s")],
        panel=[seat for seat in everyone if seat.seat.startswith("p")],
        expires_at=expires_at,
    )
