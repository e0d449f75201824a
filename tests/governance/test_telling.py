"""What the board's chain, and the operator of a sandbox, put into the outbox: with the cause, or not."""

import pytest
from sqlalchemy import text

from tests.support.board import Board, governed
from tests.support.clock import MovableClock
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tests.support.officers import panel, seats
from tests.support.parties import admit
from tocsin.config import Settings
from tocsin.governance.rules.people import Caller
from tocsin.governance.service import appeals, hub_keys, motions
from tocsin.keys import load
from tocsin_schemas.governance import sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"
ABOUT = (
    "SELECT e.type, e.status, o.issuer, e.first_seq, e.last_seq, e.community_id FROM outbox_event AS e"
    " LEFT JOIN organisation AS o ON o.id = e.about_id ORDER BY e.id"
)
Told = list[tuple[str, str | None, str | None]]


def told(hub: Hub) -> Told:
    """(type, status, about whom) of everything in the outbox, in order; then it is empty."""
    with hub.database.transaction() as uow:
        rows = uow.conn.execute(text(ABOUT)).all()
        records = set(uow.conn.execute(text("SELECT log_seq FROM board_record")).scalars())
        for row in rows:
            assert row.first_seq == row.last_seq
            assert row.community_id is None
            assert row.type == "appeal.opened" or row.first_seq in records
        uow.conn.execute(text("DELETE FROM outbox_event"))
    return [(row.type, row.status, row.issuer) for row in rows]


def test_each_record_is_told_as_what_it_brings_about(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock, [*seats(), *panel()]) as board:
        hub = board.hub
        assert told(hub) == []
        board.enact("community.open", "child-safety")
        assert told(hub) == [("decision.recorded", "passes", None)]
        key = SigningKey.generate()
        board.member("pixel", keys=[key])
        assert told(hub) == [
            ("decision.recorded", "passes", None),
            ("member.state_changed", "provisional", PIXEL),
        ]
        board.activate("pixel")
        assert told(hub) == [
            ("decision.recorded", "passes", PIXEL),
            ("member.state_changed", "active", PIXEL),
        ]
        _keys_change(board, key)
        # A decision that the board refuses is one as well, and changes nothing.
        board.decide("community.open", "kiosks", choices={"s1": "no", "s2": "no", "s3": "no", "s4": "no"})
        assert told(hub) == [("decision.recorded", "fails", None)]


def _keys_change(board: Board, key: SigningKey) -> None:
    hub, now = board.hub, board.clock.now
    added = SigningKey.generate()
    life = {"not_before": now, "not_after": now + 365 * DAY}
    proof = sign_key_proof(iss=PIXEL, aud=hub.issuer, iat=now, key=added)
    board.act("pixel", key, "key-add", jwk=added.public.jwk(), proof=proof, **life)
    assert told(hub) == [("key.rotating", None, PIXEL)]
    board.act("pixel", added, "key-revoke", kid=key.public.kid)
    assert told(hub) == [("key.revoked", None, PIXEL)]
    coming = SigningKey.generate()
    hub_keys.rotate(board.chain, hub.database, "events", load(hub.settings).events, coming, 7200)
    assert told(hub) == [("key.rotating", None, None)]


def test_an_appeal_is_told_when_it_is_filed_and_when_it_is_decided(
    settings: Settings, clock: MovableClock
) -> None:
    with governed(settings, clock, [*seats(), *panel()]) as board:
        hub = board.hub
        board.member("pixel")
        board.activate("pixel")
        board.suspend_in_emergency("pixel")
        assert told(hub)[-2:] == [
            ("decision.recorded", "passes", PIXEL),
            ("member.state_changed", "emergency_suspended", PIXEL),
        ]
        (follow,) = [row for row in motions.docket(board.chamber) if row.type == "member.suspend"]
        for held in board.state.roster.seats:
            if motions.motion(board.chamber, follow.id).result is None and held.seat.startswith("s"):
                board.vote(follow.id, held.seat)
        expelled = board.decide("member.expel", PIXEL)
        assert expelled.seq is not None
        assert told(hub)[-1] == ("member.state_changed", "expelled", PIXEL)
        admin = Caller("adam", frozenset({"org_admin"}), PIXEL)
        with pytest.raises(Refused):
            appeals.appeal(board.chamber, expelled.seq + 5, admin)
        assert told(hub) == []
        motion = appeals.appeal(board.chamber, expelled.seq, admin)
        assert told(hub) == [("appeal.opened", None, PIXEL)]
        board.discuss(motion)
        for seat in ("p1", "p2", "p3"):
            board.vote(motion, seat)
        board.close(motion)
        heard = told(hub)
        assert ("appeal.decided", "passes", None) in heard
        assert [about for kind, _, about in heard if kind == "member.state_changed"] == [PIXEL]


def test_what_is_rolled_back_is_told_to_nobody(settings: Settings, clock: MovableClock) -> None:
    with governed(settings, clock) as board:
        board.enact("community.open", "child-safety")
        assert len(told(board.hub)) == 1
        with pytest.raises(Refused):
            board.enact("community.open", "child-safety")
        assert told(board.hub) == []


def test_the_operator_of_a_sandbox_is_told_of_in_each_of_the_members_communities(hub: Hub) -> None:
    party = admit(hub, hub.members, "pixel", communities={"one": "rw", "two": "r"})
    admit(hub, hub.members, "frame", communities={"three": "rw"})
    hub.members.suspend(party.issuer)
    hub.members.reinstate(party.issuer)
    hub.members.revoke_key(party.key.public.kid)
    with pytest.raises(Refused):
        hub.members.revoke_key(party.key.public.kid)
    with hub.database.snapshot() as uow:
        rows = uow.conn.execute(
            text(
                "SELECT e.type, e.status, c.slug, e.first_seq FROM outbox_event AS e"
                " JOIN community AS c ON c.id = e.community_id ORDER BY e.id"
            )
        ).all()
    assert sorted(map(tuple, rows), key=str) == sorted(
        [
            (kind, status, slug, None)
            for slug in ("one", "two")
            for kind, status in (
                ("member.state_changed", "suspended"),
                ("member.state_changed", "active"),
                ("key.revoked", None),
            )
        ],
        key=str,
    )
    check_hub(hub.database)
