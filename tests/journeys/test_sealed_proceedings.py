"""Rows of the proceedings edited by hand: a stranger's `tocsin board verify` names them, until they are put right."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from tests.client.terminal import Terminal
from tests.support.board import DOCUMENT, VETTERS, Board, governed
from tests.support.clock import MovableClock
from tests.support.officers import seats
from tocsin.config import Settings
from tocsin.errors import Refused
from tocsin.governance.service import motions, seat_acts, vetting
from tocsin.governance.service.reading import REMEMBERED_SECONDS
from tocsin_client.board.reading import board_in
from tocsin_client.board.seat_acts import SEAT_ACT_TYP
from tocsin_schemas import envelope
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import dump_object

TIED = "https://tied.example"
DOCKET = "/.well-known/tocsin/board/docket"


@dataclass
class Scene:
    """A board with work before it, and a stranger at a shell. `ids` are what the edits are about, by name."""

    board: Board
    stranger: Terminal
    ids: dict[str, str]

    @property
    def where(self) -> tuple[str, ...]:
        return ("board", "verify", "--hub", self.board.hub.issuer)

    def seals(self) -> bytes:
        return self.board.hub.http.get(DOCKET).content

    def faults(self) -> list[tuple[str, int]]:
        """What a stranger is told that does not fit: each code, and the entry of the log."""
        said = self.stranger.run(*self.where, code=3).stderr
        return [
            (code, int(seq)) for code, seq in re.findall(r"does not fit: ([a-z-]+): entry (\d+) of", said)
        ]

    def later(self) -> None:
        """The public list of seals is made every ten seconds."""
        self.board.clock.advance(REMEMBERED_SECONDS)

    def edit(self, statement: str) -> None:
        """As somebody with the database's password would."""
        with self.board.hub.database.engine.begin() as connection:
            assert connection.execute(text(statement), {**self.ids, "zeros": bytes(32)}).rowcount > 0


@pytest.fixture(scope="module")
def scene(module_settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Three motions, two applications, a tie and a signed act."""
    # A stranger's own clock is that of now: the thirty days until a member is active have gone by.
    clock = MovableClock(int(time.time()) - 60 * DAY)
    with (
        governed(module_settings, clock, seats(5), discussion=DAY) as board,
        pytest.MonkeyPatch.context() as patch,
    ):
        hub = board.hub
        # A seal of an entry that the log has not is waited for: here nothing comes.
        patch.setattr("tocsin_client.log.PATIENCE", 2)
        patch.setattr(httpx2, "Client", lambda **_: TestClient(hub.app, base_url=hub.issuer))
        stranger = Terminal(tmp_path_factory.mktemp("stranger"))
        scene = Scene(board, stranger, prepared(board))
        hub.publish()
        yield scene


def prepared(board: Board) -> dict[str, str]:
    board.member("pixel")
    board.activate("pixel")
    vetted, asked = (board.apply(name, SigningKey.generate()) for name in ("vox", "echo"))
    for application in (vetted, asked):
        vetting.begin(board.chamber, application, VETTERS[0])
    for checker in VETTERS:
        vetting.check(board.chamber, vetted, checker, "identity", "pass", DOCUMENT)
    vetting.request_info(board.chamber, asked, VETTERS[0], ["domain"])
    motions.declare_tie(board.chamber, board.seated("s1"), TIED, None)
    proposed = board.propose("community.open", "proposed")
    voted = board.propose("community.open", "voted")
    board.endorse(voted, "s2", "s3")
    motions.declare(board.chamber, board.seated("s5"), voted, conflict=True)
    board.discuss(voted)
    board.vote(voted, "s1", "no")
    board.vote(voted, "s3")
    discussed = board.propose("community.open", "discussed")
    board.endorse(discussed, "s2")
    seat_acts.perform(board.chamber, signed(board, "s3", act="endorse", motion=discussed))
    motions.remark(board.chamber, board.seated("s4"), discussed, "support", "agreement")
    return {"proposed": proposed, "voted": voted, "discussed": discussed, "vetted": vetted, "asked": asked}


def signed(board: Board, seat: str, **said: Any) -> bytes:
    """What a seat with an offline key signs."""
    key = board.officers[seat].key
    assert key is not None
    claims = {"seat": seat, "aud": board.hub.issuer, "iat": board.clock.now, "jti": "0" * 32}
    return envelope.sign(dump_object({**claims, **said}), key, SEAT_ACT_TYP)


EDITS = {
    "a discussion that began earlier": (
        "UPDATE motion SET discussed_at = discussed_at - 604800, until = until - 604800 WHERE id = :discussed"
    ),
    "a motion removed": "DELETE FROM motion WHERE id = :proposed",
    "a motion that nobody proposed": (
        "INSERT INTO motion (id, type, subject, params, threshold, proposer, state, until, proposed_at)"
        " SELECT 'mo_ffffffffffffffffffffffffffffffff', type, 'smuggled', params, threshold, proposer,"
        " state, until, proposed_at FROM motion WHERE id = :proposed"
    ),
    "an endorser for another": (
        "UPDATE motion_endorsement SET seat = 's5' WHERE motion_id = :discussed AND seat = 's3'"
    ),
    "an endorser who never was": (
        "INSERT INTO motion_endorsement (motion_id, seat, endorsed_at) SELECT id, 's4', proposed_at FROM"
        " motion WHERE id = :proposed"
    ),
    "a remark removed": "DELETE FROM motion_remark WHERE motion_id = :discussed",
    "a conflict undone": (
        "UPDATE motion_declaration SET conflict = false WHERE motion_id = :voted AND seat = 's5'"
    ),
    "a vote turned": "UPDATE motion_ballot SET choice = 'yes' WHERE motion_id = :voted AND seat = 's1'",
    "a vote removed": "DELETE FROM motion_ballot WHERE motion_id = :voted AND seat = 's1'",
    "a vote for another seat": (
        "INSERT INTO motion_ballot (motion_id, seat, credential, choice, ballot, cast_at) SELECT motion_id,"
        " 's4', credential, choice, ballot, cast_at FROM motion_ballot WHERE motion_id = :voted AND seat ="
        " 's3'"
    ),
    "a tie removed": "DELETE FROM seat_tie",
    "an act that may be used again": "DELETE FROM seat_act",
    "another owner": "UPDATE application SET control_group_id = 'cg_aaaaaaaaaaaaaaaa' WHERE id = :vetted",
    "another answer": (
        "UPDATE application_answer SET digest = :zeros WHERE application_id = :vetted AND question ="
        " 'ownership'"
    ),
    "a key of another": (
        "INSERT INTO application_key (application_id, kid, alg, public) SELECT :vetted, kid, alg, public"
        " FROM application_key WHERE application_id = :asked"
    ),
    "a right asked for": (
        "UPDATE application_community SET may_write = NOT may_write WHERE application_id = :vetted"
    ),
    "a question taken back": "DELETE FROM application_asked WHERE application_id = :asked",
    "a sponsor who knows nothing of it": (
        "INSERT INTO sponsorship (application_id, issuer, handle, given_at)"
        " VALUES (:asked, 'https://pixel.example', 'olga', 1)"
    ),
    "a check that nobody made": (
        "INSERT INTO vetting_check (application_id, item, checker, result, evidence, checked_at) SELECT"
        " :asked, item, checker, result, evidence, checked_at FROM vetting_check WHERE application_id ="
        " :vetted"
    ),
    "another finding": "UPDATE vetting_check SET evidence = :zeros WHERE application_id = :vetted",
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_row_is_named_until_it_is_put_right(scene: Scene, name: str) -> None:
    """Nothing but the audit runs in between: it names the row as well, and the docket is again what it was."""
    before = scene.seals()
    scene.edit(EDITS[name])
    scene.later()
    ((code, entry),) = scene.faults()
    changed = [
        json.loads(line)["log_seq"] for line in set(before.splitlines()) - set(scene.seals().splitlines())
    ]
    assert ((code, [entry]) == ("case-altered", changed)) or code == "seal-unlogged"
    assert scene.board.hub.run_job("governance.audit")
    scene.later()
    assert scene.seals() == before


def test_everything_verifies_in_the_end(scene: Scene, tmp_path: Path) -> None:
    """Also a copy, without the hub."""
    summary = scene.stranger.rows(*scene.where, "--save", tmp_path)[-1]
    assert summary["verified"] is True
    assert summary["seals"] == len(scene.seals().splitlines()) > len(EDITS)
    assert (board_in(tmp_path) / "docket").read_bytes() == scene.seals()
    offline = scene.stranger.rows(*scene.where, "--offline", tmp_path)[-1]
    assert offline["seals"] == summary["seals"]


def test_the_docket_is_asked_for_again_only_when_something_happened(scene: Scene) -> None:
    answer = scene.board.hub.http.get(DOCKET)
    assert answer.headers["content-type"] == "application/x-ndjson"
    known = {"If-None-Match": answer.headers["etag"]}
    again = scene.board.hub.http.get(DOCKET, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    scene.board.propose("community.open", "another")
    later = scene.board.hub.http.get(DOCKET, headers=known)
    assert later.status_code == 200
    assert later.content.startswith(answer.content)
    assert len(later.content.splitlines()) == len(answer.content.splitlines()) + 1
    scene.board.hub.publish()


# What cannot be put right. These come last: they leave traces, as they should.

LOSSES = {
    "a seal": ("DELETE FROM board_seal WHERE log_seq = :newest", "case-missing"),
    "what a seal says": ("UPDATE board_seal SET state = :zeros WHERE log_seq = :newest", "case-altered"),
    "what opens it": ("UPDATE board_seal SET nonce = :zeros WHERE log_seq = :newest", "case-altered"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_seal_that_is_lost_is_named_for_good(scene: Scene, name: str) -> None:
    """The hub does not adopt the rows that it finds: the motion ends, and seats that act are told so."""
    board = scene.board
    motion = board.propose("community.open", "robbed")
    board.endorse(motion, "s2")
    board.hub.publish()
    newest = json.loads(scene.seals().splitlines()[-1])["log_seq"]
    scene.ids["newest"] = newest
    edit, code = LOSSES[name]
    scene.edit(edit)
    scene.edit(f"INSERT INTO motion_endorsement (motion_id, seat, endorsed_at) VALUES ('{motion}', 's3', 1)")
    scene.later()
    assert (code, newest) in scene.faults()
    with pytest.raises(Refused) as caught:
        board.endorse(motion, "s4")
    assert caught.value.code in {"conflict", "unavailable"}
    assert motions.motion(board.chamber, motion).state == "lapsed"
    board.hub.publish()
    scene.later()
    assert ("case-missing", newest) in scene.faults()
    # It stays, and keeps nobody from anything else.
    board.hub.run_job("governance.audit")
    scene.later()
    assert ("case-missing", newest) in scene.faults()
    shown = scene.stranger.run("board", "show", "--hub", board.hub.issuer)
    assert "what leads to them is not what the log says" in shown.stderr
    other = board.propose("community.open", "kiosks")
    board.endorse(other, "s2", "s3")
    assert motions.motion(board.chamber, other).state == "discussion"
    motions.withdraw(board.chamber, board.seated("s1"), other)
    board.hub.publish()
