"""A board that decides in memory: seats that really sign, members with keys, and a chain that grows.

hall = Hall()                                          five seats: two independents, two platforms, a vendor
hall.decide("community.open", "child-safety")          everybody votes yes; the record is applied
hall.admit("https://pixel.example", "a")               admitted, its key proved: provisional
hall.act("https://pixel.example", "attest", year=2026) a member's act
hall.wait(days=90); hall.tick()                        time passes, and the calendar's records are made
"""

import itertools
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

import pytest

from tests.support.authenticator import Authenticator
from tocsin_client.board.webauthn import WebAuthn
from tocsin_schemas import chain
from tocsin_schemas.ballots import closes_at
from tocsin_schemas.board import BoardState, MemberStanding
from tocsin_schemas.decisions import (
    Admit,
    Assertion,
    Ballot,
    Decision,
    Grant,
    Params,
    Plain,
    Recusal,
    SetRoster,
    Suspend,
    ballot_challenge,
    decision_digest,
    sign_ballot,
)
from tocsin_schemas.electorate import (
    count,
    recusals_at_close,
    recusals_at_opening,
    rosters_asked,
)
from tocsin_schemas.governance import (
    NO_RECORD,
    Act,
    Body,
    ClockBody,
    DecisionBody,
    Genesis,
    MemberBody,
    Record,
    make_record,
    sign_act,
    sign_key_proof,
)
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import REGISTRY, Refused
from tocsin_schemas.roster import Credential, Roster, Seat
from tocsin_schemas.tally import RULES, Result
from tocsin_schemas.vocabulary import Choice, SeatClass

HUB = "https://hub.example"
START = 1795305600  # 2026-11-22T00:00:00Z, a Sunday
COMMUNITY = "child-safety"
VERIFY = WebAuthn()
CLASSES: tuple[SeatClass, ...] = ("independent", "platform", "platform", "vendor", "independent")
NEVER = "2099-01-01"
HOUR: Final = 3600


def group(name: str) -> str:
    """The control group that one letter stands for."""
    return f"cg_{name * 16}"


class Chair:
    """Who sits in a seat: with a key kept offline, or a passkey."""

    def __init__(self, *, passkey: bool = False) -> None:
        self.passkey = Authenticator() if passkey else None
        self.key = SigningKey.generate()

    def credential(self) -> Credential:
        if self.passkey is not None:
            return Credential(id=self.passkey.id, kind="webauthn", jwk=self.passkey.jwk)
        return Credential(id=self.key.public.kid, kind="ed25519", jwk=self.key.public.jwk())

    def vote(self, decision: Decision, seat: str, choice: Choice, at: int, **how: Any) -> Ballot:
        digest = decision_digest(decision)
        if self.passkey is None:
            return sign_ballot(digest, choice, seat, self.key, at)
        said = self.passkey.get(ballot_challenge(digest, choice), "hub.example", HUB, **how)
        return Ballot(
            seat=seat, choice=choice, credential=self.passkey.id, cast_at=at, assertion=Assertion(**said)
        )


class Hall:
    """The board, its chain, and the keys of everybody in it."""

    def __init__(
        self, classes: tuple[SeatClass, ...] = CLASSES, *, panel: int = 0, passkeys: int = 1
    ) -> None:
        self.now = START
        self.chairs = {f"s{n}": Chair(passkey=n <= passkeys) for n in range(1, len(classes) + 1)}
        self.chairs |= {f"p{n}": Chair() for n in range(1, panel + 1)}
        self.classes = classes
        self.keys: dict[str, list[SigningKey]] = {}
        self.records: list[Record] = []
        self.jtis = itertools.count(1)
        self.decided = 0
        genesis = make_record(Genesis(roster=self.roster(), policy=Policy()), seq=0, prev=NO_RECORD, at=START)
        self.records.append(genesis)
        self.state: BoardState = chain.apply(None, genesis, VERIFY)

    def roster(self, version: int = 1, **changes: Any) -> Roster:
        seats = [self.seat(f"s{n}", sort, n) for n, sort in enumerate(self.classes, 1)]
        panel = [
            Seat(
                seat=name, seat_class="independent", handle=f"panel-{name}", term_ends=NEVER, credentials=[c]
            )
            for name, chair in self.chairs.items()
            if name.startswith("p")
            for c in [chair.credential()]
        ]
        said = {
            "version": version,
            "rp_id": "hub.example",
            "origin": HUB,
            "seats": seats,
            "panel": panel,
            "expires_at": START + 3650 * DAY,
        }
        return Roster.model_validate(said | changes)

    def seat(self, name: str, sort: SeatClass, number: int) -> Seat:
        sent = sort != "independent"
        return Seat(
            seat=name,
            seat_class=sort,
            chair=number == 1,
            duty=number <= 3,
            handle=f"person-{name}",
            issuer=f"https://seat{number}.example" if sent else None,
            control_group=group("stuvwxyz"[number % 8]) if sent else None,
            term_ends=NEVER,
            credentials=[self.chairs[name].credential()],
        )

    def decision(self, kind: Any, subject: str, params: Params | None = None, **changes: Any) -> Decision:
        """A decision whose ballot opens now."""
        said = Plain() if params is None else params
        rule = changes.get("threshold", RULES[kind])
        self.decided += 1
        fields = {
            "type": kind,
            "seq": self.decided,
            "prev": self.state.tip.hex(),
            "roster_version": self.state.roster.version,
            "threshold": rule,
            "subject": subject,
            "params": said,
            "recused": list(recusals_at_opening(self.state, kind, subject, said, self.now)),
            "issued_at": self.now,
            "expires_at": closes_at(self.state, rule, kind, subject, self.now),
        }
        return Decision.model_validate(fields | changes)

    def votes(self, decision: Decision, choices: Mapping[str, Any] | None = None) -> list[Ballot]:
        """Signed now: those of `choices`, or a yes of every seat that is not recused."""
        barred = {recusal.seat for recusal in decision.recused}
        panel = decision.threshold == "panel"
        everybody: dict[str, Choice] = {
            name: "yes" for name in self.chairs if name not in barred and name.startswith("s") != panel
        }
        if decision.threshold == "duty":
            everybody = {name: "yes" for name in everybody if name in {"s1", "s2", "s3"}}
        said: Mapping[str, Choice] = everybody if choices is None else choices
        return [self.chairs[seat].vote(decision, seat, choice, self.now) for seat, choice in said.items()]

    def body(
        self, decision: Decision, ballots: list[Ballot], result: Result | None = None, **changes: Any
    ) -> DecisionBody:
        """What is recorded of these ballots."""
        recusals = recusals_at_close(self.state, decision, ballots)
        if result is None:
            choices = [
                {
                    ballot.seat: ballot.choice
                    for ballot in ballots
                    if (seat := roster.seat(ballot.seat)) is not None
                    and ballot.credential in {credential.id for credential in seat.credentials}
                }
                for roster in rosters_asked(self.state, decision)
            ]
            result, _ = count(self.state, decision, recusals, choices)
        fields = {"decision": decision, "ballots": ballots, "recusals": list(recusals), "result": result}
        return DecisionBody.model_validate(fields | changes)

    def append(self, body: Body) -> Record:
        """One more record, now."""
        record = make_record(body, seq=self.state.size, prev=self.state.tip, at=self.now)
        self.state = chain.apply(self.state, record, VERIFY)
        self.records.append(record)
        return record

    def decide(
        self,
        kind: Any,
        subject: str,
        params: Params | None = None,
        choices: Mapping[str, Any] | None = None,
        **changes: Any,
    ) -> Record:
        """A ballot, and its record: at once if everybody votes, else at its end."""
        decision = self.decision(kind, subject, params, **changes)
        ballots = self.votes(decision, choices)
        if choices is not None and decision.threshold not in {"duty", "single"}:
            self.now = decision.expires_at
        return self.append(self.body(decision, ballots))

    def wait(self, seconds: int = 0, *, days: float = 0) -> None:
        self.now += seconds + int(days * DAY)

    def tick(self) -> list[ClockBody]:
        """Record everything that the calendar says."""
        due = self.state.due(self.now)
        for body in due:
            self.append(body)
        return due

    def member(self, issuer: str) -> MemberStanding:
        return self.state.members[issuer]

    def admission(
        self, name: str, *, sponsors: list[str] | None = None, keys: int = 1, **changes: Any
    ) -> Admit:
        """What is decided of an applicant whose control group is `name`."""
        fields = {
            "member_class": "platform",
            "control_group": group(name),
            "sponsors": sponsors or [],
            "vetting": "5e" * 32,
            "keys": [key.public.kid for key in self.new_keys(keys)],
            "communities": [Grant(community=COMMUNITY, read=True, write=True)]
            if COMMUNITY in self.state.communities
            else [],
        }
        return Admit.model_validate(fields | changes)

    def new_keys(self, number: int) -> list[SigningKey]:
        self.made = [SigningKey.generate() for _ in range(number)]
        return self.made

    def admit(self, issuer: str, name: str, **how: Any) -> None:
        """Admit an applicant, and let it prove its keys."""
        self.decide("member.admit", issuer, self.admission(name, **how))
        self.keys[issuer] = list(self.made)
        for key in self.made:
            self.append(self.signed(self.proving(issuer), key, key.public.jwk()))

    def proving(self, issuer: str, **changes: Any) -> Act:
        return self.said(issuer, "prove-key", not_before=self.now, not_after=self.now + 365 * DAY, **changes)

    def said(self, issuer: str, act: str, **members: Any) -> Act:
        fields = {
            "iss": issuer,
            "aud": HUB,
            "iat": self.now,
            "jti": f"{next(self.jtis):032x}",
            "act": act,
        }
        return Act.model_validate(fields | members)

    def signed(self, act: Act, key: SigningKey, jwk: Mapping[str, str] | None = None) -> MemberBody:
        return MemberBody(jws=sign_act(act, key), key=None if jwk is None else dict(jwk))

    def act(self, issuer: str, act: str, **members: Any) -> Record:
        """A member's act, signed with its newest key."""
        return self.append(self.signed(self.said(issuer, act, **members), self.keys[issuer][-1]))

    def adding(self, issuer: str, key: SigningKey, **changes: Any) -> Act:
        """The act that adds a key, with the new key's own word."""
        proof = sign_key_proof(iss=issuer, aud=HUB, iat=self.now, key=key)
        fields = {"not_before": self.now, "not_after": self.now + 365 * DAY, "jwk": key.public.jwk()}
        return self.said(issuer, "key-add", **(fields | {"proof": proof} | changes))

    def rotate(self, issuer: str) -> None:
        """A new key, signed for with the old one."""
        key = SigningKey.generate()
        self.append(self.signed(self.adding(issuer, key), self.keys[issuer][-1]))
        self.keys[issuer].append(key)

    def recusal(self, seat: str, reason: str) -> Recusal:
        return Recusal.model_validate({"seat": seat, "reason": reason})


PIXEL, FRAME, NOVA = (f"https://{name}.example" for name in ("pixel", "frame", "nova"))
ALARM: Final = {"s1": "yes", "s2": "yes"}
TWO_AGAINST: Final = {"s1": "no", "s2": "yes", "s3": "no", "s4": "no", "s5": "no"}


def early() -> Hall:
    """A hub with a panel, a community and one provisional member; a copy for each caller."""
    return copied(_early())


def grown() -> Hall:
    """A hub with a community and two unrelated active members; a copy for each caller."""
    return copied(_grown())


@cache
def _early() -> Hall:
    hall = Hall(panel=3)
    hall.decide("community.open", COMMUNITY)
    hall.admit(PIXEL, "a")
    return hall


@cache
def _grown() -> Hall:
    hall = Hall()
    hall.decide("community.open", COMMUNITY)
    hall.admit(PIXEL, "a")
    hall.admit(FRAME, "b")
    hall.wait(days=90)
    hall.tick()
    return hall


def copied(hall: Hall) -> Hall:
    """The state is immutable; the rest is lists and numbers."""
    other = object.__new__(Hall)
    other.__dict__ = dict(hall.__dict__)
    other.chairs, other.keys = dict(hall.chairs), {name: list(keys) for name, keys in hall.keys.items()}
    other.records, other.jtis = list(hall.records), itertools.count(hall.state.size * 1000)
    return other


def refused(hall: Hall, code: str, act: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    """`act` is refused with this code, and the chain is what it was."""
    before, records = hall.state, list(hall.records)
    with pytest.raises(Refused) as found:
        act(*arguments, **named)
    assert found.value.code == code
    assert code in REGISTRY
    assert hall.state is before
    assert hall.records == records


def state(hall: Hall, issuer: str = PIXEL) -> str:
    return hall.member(issuer).state


def suspended(hall: Hall, issuer: str = PIXEL, days: int = 20) -> None:
    """By ballot, with notice."""
    noticed = hall.now
    hall.wait(days=8)
    hall.decide("member.suspend", issuer, Suspend(until=hall.now + days * DAY, noticed_at=noticed))


def with_panel(hall: Hall) -> Roster:
    """The next roster, with a panel of two; their chairs are p1 and p2."""
    hall.chairs |= {f"p{n}": Chair() for n in (1, 2)}
    roster = hall.roster(hall.state.roster.version + 1)
    panel = [seat for seat in roster.panel if seat.seat in {"p1", "p2"}]
    return roster.model_copy(update={"panel": panel})


def next_roster(hall: Hall, version: int = 2, **changes: Any) -> SetRoster:
    """What is decided to put the next roster in force."""
    return SetRoster(roster=hall.roster(version, **changes))
