"""A founded board for tests: seats whose keys sign in software, and the ways of a motion in one call.

    with governed(settings, clock) as board:           a hub that is no sandbox, with a board of five
        board.decide("community.open", "child-safety")    propose, endorse, discuss, vote, recorded: the MotionView
        party = board.member("pixel")                     admitted, keys proved, with a client: a Party, provisional
        board.enact("community.open", "kiosks")           a decision with all its ballots, without the proceedings
        board.admit("pixel", key)                         the whole way: applied, vetted, sponsored, voted on
        board.activate("pixel")                           thirty days later it is active
        board.vote(motion_id, "s1", "yes")                one ballot

Who sits there is in `tests.support.officers`.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from sqlalchemy import text

from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.officers import Officer, roster, seats
from tests.support.parties import Party
from tocsin.config import Settings
from tocsin.governance.rules import ballots as box
from tocsin.governance.rules import sponsors
from tocsin.governance.rules.applications import QUESTIONS, ApplicationForm, KeyOffer, Wish
from tocsin.governance.rules.people import Caller, Seated
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import (
    applications,
    ballots,
    course,
    emergency,
    member_acts,
    motions,
    showing,
    vetting,
)
from tocsin.governance.service.chain import Chain
from tocsin.governance.service.context import Chamber
from tocsin.governance.service.proceedings import proceedings
from tocsin.governance.service.views import BallotPaper, MotionView
from tocsin.governance.store.motions import Motion
from tocsin.members.rules import control_group_id
from tocsin_schemas.board import BoardState
from tocsin_schemas.decisions import (
    Decision,
    ballot_challenge,
    decision_digest,
)
from tocsin_schemas.electorate import (
    asked,
)
from tocsin_schemas.envelope import encode
from tocsin_schemas.governance import Act, DecisionBody, Genesis, sign_act, sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.proposals import read_params
from tocsin_schemas.roster import canonical
from tocsin_schemas.tally import RULES
from tocsin_schemas.vocabulary import Choice, DecisionType, MemberClass

VETTERS = (Caller("vera", frozenset({"vetter"})), Caller("viktor", frozenset({"vetter"})))
DOCUMENT = "d" * 64


class Board:
    """A hub's board and the people in it."""

    def __init__(self, hub: Hub, officers: Sequence[Officer]) -> None:
        self.hub = hub
        self.clock = hub.clock
        self.chamber: Chamber = hub.app.state.chamber
        self.chain: Chain = self.chamber.chain
        self.officers = {held.seat.seat: held for held in officers}
        self.parties: dict[str, Party] = {}

    def seated(self, seat: str) -> Seated:
        """Who holds a seat."""
        return self.officers[seat].seated

    @property
    def state(self) -> BoardState:
        """What the chain says now."""
        with self.hub.database.snapshot() as uow:
            return self.chain.state(uow)

    # --- motions

    def propose(
        self, kind: DecisionType, subject: str = "", params: Mapping[str, Any] | None = None, **more: Any
    ) -> str:
        """Propose by s1."""
        return motions.propose(self.chamber, self.seated("s1"), kind, subject, params or {}, **more)

    def endorse(self, motion: str, *by: str) -> None:
        """Two endorsers: the first two that may, unless they are named."""
        for seat in by or self._able(motion, "endorse")[:2]:
            motions.endorse(self.chamber, self.seated(seat), motion)

    def discuss(self, motion: str) -> MotionView:
        """Let the discussion end; the ballot is open then."""
        view = motions.motion(self.chamber, motion)
        assert view.discussion_ends is not None
        self.clock.now = max(self.clock.now, view.discussion_ends)
        return motions.motion(self.chamber, motion)

    def paper(self, motion: str, seat: str, choice: Choice = "yes") -> BallotPaper:
        """The paper of a seat."""
        return ballots.ballot_paper(self.chamber, self.seated(seat), motion, choice)

    def vote(self, motion: str, seat: str, choice: Choice = "yes") -> MotionView:
        """One ballot."""
        ballot = self.officers[seat].ballot(self.paper(motion, seat, choice))
        return ballots.cast(self.chamber, motion, ballot)

    def close(self, motion: str) -> MotionView:
        """Let the ballot end."""
        view = motions.motion(self.chamber, motion)
        if view.state == "ballot":
            assert view.closes_at is not None
            self.clock.now = max(self.clock.now, view.closes_at)
        return motions.motion(self.chamber, motion)

    def carry(self, motion: str, choices: Mapping[str, Choice] | None = None) -> MotionView:
        """From a proposal to its record: endorsed, discussed, voted on by everybody who may (yes, unless said)."""
        self.endorse(motion)
        self.discuss(motion)
        for seat in self._able(motion, "vote"):
            choice = "yes" if choices is None else choices.get(seat)
            if choice is not None:
                self.vote(motion, seat, choice)
        return self.close(motion)

    def decide(
        self,
        kind: DecisionType,
        subject: str = "",
        params: Mapping[str, Any] | None = None,
        choices: Mapping[str, Choice] | None = None,
    ) -> MotionView:
        """Propose and carry."""
        return self.carry(self.propose(kind, subject, params), choices)

    def _able(self, motion: str, act: str) -> list[str]:
        motions.advance(self.chamber)
        with self.hub.database.snapshot() as uow:
            state, row = self.chain.state(uow), course.get(uow, motion)
            return [
                seat
                for seat, held in self.officers.items()
                if act in showing.line(uow, state, row, held.seated).may
            ]

    # --- members

    def apply(self, name: str, key: SigningKey, **wanted: Any) -> str:
        """An application that was handed in; its id."""
        return applications.apply(self.chamber, form(self.hub, name, key, **wanted), submit=True).id

    def vet(self, application: str) -> None:
        """Two people pass every item."""
        vetting.begin(self.chamber, application, VETTERS[0])
        for item in ITEMS:
            for checker in VETTERS:
                vetting.check(self.chamber, application, checker, item, "pass", DOCUMENT)

    def sponsor(self, application: str) -> None:
        """The first two members that may sponsor it do."""
        view = applications.application(self.chamber, application, VETTERS[0])
        able = self.state.may_sponsor(view.control_group)
        groups: set[str] = set()
        for member in able:
            if member.control_group not in groups and len(groups) < 2:
                groups.add(member.control_group)
                caller = Caller("adam", frozenset({"org_admin"}), member.issuer)
                applications.sponsor(self.chamber, application, caller)

    def admit(self, name: str, key: SigningKey, **wanted: Any) -> MotionView:
        """Application, vetting, sponsors, ballot: admitted, its keys not proved yet."""
        application = self.apply(name, key, **wanted)
        self.vet(application)
        self.sponsor(application)
        return self.carry(motions.propose_admission(self.chamber, self.seated("s1"), application))

    def enact(
        self, kind: DecisionType, subject: str = "", params: Mapping[str, Any] | None = None
    ) -> DecisionBody:
        """A decision that everybody who may votes for, straight onto the chain: signed as ever, but never moved."""
        said = read_params(kind, params or {})
        row = Motion("", kind, subject, canonical(said), RULES[kind], None, None, None, "ballot", 0, 0)
        with self.hub.database.transaction() as uow:
            state = self.chain.lock(uow)
            decision = course.frame(uow, state, row, uow.now)
            barred = {recusal.seat for recusal in decision.recused}
            ballots = [
                self.officers[seat.seat].sign(decision, "yes", decision.issued_at)
                for seat in asked(state, decision)
                if seat.seat not in barred
            ]
            body = box.body(state, decision, ballots, box.tallied(state, decision, ballots)[0])
            assert body.result == "passes", body.result
            self.chain.append(uow, body)
        return body

    def member(
        self,
        name: str,
        *,
        member_class: MemberClass = "platform",
        owner: str | None = None,
        communities: Mapping[str, str] | None = None,
        keys: Sequence[SigningKey] = (),
    ) -> Party:
        """A provisional member with a client; it was enacted, not moved."""
        wanted = {"child-safety": "rw"} if communities is None else communities
        for slug in wanted.keys() - self.state.communities.keys():
            self.enact("community.open", slug)
        held, issuer = list(keys) or [SigningKey.generate()], f"https://{name}.example"
        group = control_group_id(owner or issuer)
        able = sponsors.chosen(self.state, [member.issuer for member in self.state.may_sponsor(group)], group)
        self.enact(
            "member.admit",
            issuer,
            {
                "member_class": member_class,
                "control_group": group,
                "sponsors": list(able),
                "vetting": DOCUMENT,
                "keys": [key.public.kid for key in held],
                "communities": [
                    {"community": slug, "read": "r" in may, "write": "w" in may}
                    for slug, may in wanted.items()
                ],
            },
        )
        for key in held:
            begins = self.clock.now
            token = self.signed_act(name, key, "prove-key", not_before=begins, not_after=begins + 365 * DAY)
            member_acts.act(self.chamber, token, key.public.jwk())
        client = self.hub.members.add_client(issuer)
        self.parties[name] = Party(self.hub, issuer, held[0], client.client_id)
        return self.parties[name]

    def activate(self, *names: str) -> None:
        """Thirty days later the board makes them active."""
        self.clock.advance(30 * DAY)
        for name in names:
            self.enact("member.activate", f"https://{name}.example")

    def act(self, name: str, key: SigningKey, what: str, **said: Any) -> Any:
        """An act that a member signs."""
        return member_acts.act(self.chamber, self.signed_act(name, key, what, **said))

    def signed_act(self, name: str, key: SigningKey, what: str, **said: Any) -> str:
        """The JWS of one."""
        common = {"iss": f"https://{name}.example", "aud": self.hub.issuer, "iat": self.clock.now}
        act = Act.model_validate({**common, "jti": secrets.token_hex(16), "act": what, **said})
        return sign_act(act, key)

    def suspend_in_emergency(self, name: str, *by: str) -> MotionView:
        """Two duty officers sign."""
        duty = by or [seat for seat, held in self.officers.items() if held.seat.duty][:2]
        motion = emergency.begin(self.chamber, self.seated(duty[0]), f"https://{name}.example")
        for seat in duty:
            view = self.vote(motion, seat)
        return view


def form(
    hub: Hub,
    name: str,
    *keys: SigningKey,
    member_class: MemberClass = "platform",
    owner: str | None = None,
    communities: Mapping[str, str] | None = None,
    answers: Mapping[str, list[str]] | None = None,
) -> ApplicationForm:
    """A whole application of `https://<name>.example`; `communities` as for `parties.admit`."""
    issuer = f"https://{name}.example"
    wanted = {"child-safety": "rw"} if communities is None else communities
    return ApplicationForm(
        issuer=issuer,
        member_class=member_class,
        owner=owner or issuer,
        communities=[Wish(community=slug, read="r" in may, write="w" in may) for slug, may in wanted.items()],
        keys=[
            KeyOffer(
                jwk=key.public.jwk(),
                proof=sign_key_proof(iss=issuer, aud=hub.issuer, iat=hub.clock.now, key=key),
            )
            for key in keys
        ],
        answers={**given(issuer), **(answers or {})},
    )


def given(issuer: str) -> dict[str, list[str]]:
    """An answer to every question."""
    found = {}
    for name, question in QUESTIONS.items():
        found[name] = {"code": list(question.choices[:1]), "origin": [issuer], "digest": [DOCUMENT]}[
            question.kind
        ]
    return found


def found(hub: Hub, officers: Sequence[Officer], policy: Policy | None = None) -> Board:
    """Found the board: the genesis record is written."""
    chain: Chain = hub.app.state.chamber.chain
    genesis = Genesis(roster=roster(officers, origin=hub.issuer), policy=policy or Policy())
    with hub.database.transaction() as uow:
        chain.found(uow, genesis)
    return Board(hub, officers)


@contextmanager
def governed(
    settings: Settings, clock: MovableClock, officers: Sequence[Officer] | None = None, **policy: Any
) -> Iterator[Board]:
    """A hub with a board: of five unless `officers` says otherwise; `policy` are values of the genesis policy."""
    with in_process(settings.model_copy(update={"sandbox": False}), clock) as hub:
        yield found(hub, officers or seats(), Policy(**policy))


def rewrite(chamber: Chamber, statement: str, **values: object) -> None:
    """Change one row of the proceedings as the hub itself would, so that it is sealed as it is then."""
    with proceedings(chamber) as uow:
        assert uow.conn.execute(text(statement), values).rowcount == 1


def edit(hub: Hub, statement: str, **values: object) -> None:
    """Change one row as somebody with the database's password would."""
    with hub.database.engine.connect() as conn, conn.begin():
        assert conn.execute(text(statement), values).rowcount == 1


def altered(paper: BallotPaper, **changed: Any) -> BallotPaper:
    """The paper of a decision that reads otherwise, as somebody in between might show it."""
    decision = Decision.model_validate_json(json.dumps(dict(paper.decision)))
    other = decision.model_copy(update=changed)
    digest = decision_digest(other)
    return replace(
        paper, digest=digest.hex(), challenge=encode(ballot_challenge(digest, paper.choice)).decode()
    )
