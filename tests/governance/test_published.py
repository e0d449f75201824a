"""What the board publishes: over HTTP, and as copies beside the log; and a crash in between."""

import multiprocessing
import os
import signal
from collections.abc import Iterator

import pytest

from tests.governance.played import PIXEL, founded, governed, play, playing, state
from tests.schemas.boards import Hall, copied
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tests.support.invariants import check_hub
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.governance.service.chain import open_chain
from tocsin.ledger import service as ledger
from tocsin.members.service import Members
from tocsin_client.board.webauthn import WebAuthn
from tocsin_schemas.chain import replay
from tocsin_schemas.governance import Body, PublishedRecord, record_bytes
from tocsin_schemas.ledger import opens
from tocsin_schemas.roster import Roster, canonical

PLACE = "/.well-known/tocsin/board"
PATHS = ("genesis", "records", "roster", "state", "docket")


@pytest.fixture(scope="module")
def hall() -> Hall:
    return founded()


@pytest.fixture
def hub(settings: Settings, clock: MovableClock, hall: Hall) -> Iterator[Hub]:
    with playing(settings, clock, hall) as found:
        yield found


def published(raw: bytes) -> list[PublishedRecord]:
    return [PublishedRecord.model_validate_json(line) for line in raw.splitlines()]


def test_a_stranger_replays_it(hub: Hub, hall: Hall) -> None:
    answer = hub.http.get(f"{PLACE}/records")
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = published(answer.content)
    genesis = hub.http.get(f"{PLACE}/genesis").content
    assert genesis == record_bytes(hall.records[0])
    assert replay([item.record for item in found], WebAuthn(), hall.state.genesis) == hall.state
    with hub.database.snapshot() as uow:
        entries = ledger.entries_at(uow, [item.log_seq for item in found])
    assert all(
        opens(entries[item.log_seq].commitment, bytes.fromhex(item.r), record_bytes(item.record))
        for item in found
    )
    roster = hub.http.get(f"{PLACE}/roster").content
    assert roster == canonical(Roster.model_validate_json(roster)) == canonical(hall.state.roster)


def test_records_are_asked_for_again_only_when_there_are_more(hub: Hub, hall: Hall) -> None:
    tag = hub.http.get(f"{PLACE}/records").headers["etag"]
    assert tag == f'"{hall.state.tip.hex()}"'
    again = hub.http.get(f"{PLACE}/records", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    later = copied(hall)
    later.act(PIXEL, "attest", year=2027)
    play(hub, later)
    assert hub.http.get(f"{PLACE}/records", headers={"If-None-Match": tag}).status_code == 200


def test_where_the_board_stands(hub: Hub, hall: Hall) -> None:
    said = hub.http.get(f"{PLACE}/state").json()
    assert (said["records"], said["tip"]) == (hall.state.size, hall.state.tip.hex())
    assert {member["issuer"]: member["state"] for member in said["members"]} == {
        issuer: member.state for issuer, member in hall.state.members.items()
    }


def test_without_a_board_there_is_nothing(settings: Settings, clock: MovableClock) -> None:
    for kind in (settings, governed(settings)):
        with in_process(kind, clock) as hub:
            for path in PATHS:
                answer = hub.http.get(f"{PLACE}/{path}")
                assert (answer.status_code, answer.json()["code"]) == (404, "board-absent")
        settings = settings.model_copy(update={"data_dir": settings.data_dir.with_name("other")})


def test_a_copy_lies_beside_the_log_once_that_covers_it(hub: Hub, hall: Hall) -> None:
    assert hub.run_job("governance.publish") == 0
    hub.publish()
    assert hub.run_job("governance.publish") == len(hall.records)
    assert hub.run_job("governance.publish") == 0
    copies = [hub.ledger.objects.read(f"board/records/{seq}.json") for seq in range(len(hall.records))]
    assert b"".join(copy or b"" for copy in copies) == hub.http.get(f"{PLACE}/records").content
    check_hub(hub.database, hub.settings)


def _die(settings: Settings, body: Body, at: int, *, committed: bool) -> None:
    """Append one record, and end as a machine that loses its power does."""
    database = Database(settings.database(), clock=lambda: at)
    chain = open_chain(Members(database, settings), settings)
    with database.transaction() as uow:
        chain.append(uow, body)
        if not committed:
            os.kill(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("committed", [False, True])
def test_killed_while_and_after_appending(
    settings: Settings, clock: MovableClock, hall: Hall, unmeasured: None, *, committed: bool
) -> None:
    """What was committed is there and is shown by the next hub; what was not never happened, and can be done again."""
    later = copied(hall)
    body = later.act(PIXEL, "attest", year=2027).body
    with playing(settings, clock, hall) as hub:
        ours = hub.settings
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=_die, args=(ours, body, later.now), kwargs={"committed": committed})
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    clock.now = later.now
    with in_process(ours, clock) as again:
        assert state(again).size == len(hall.records) + committed
        play(again, later)
        assert state(again).tip == later.state.tip
        again.publish()
        assert again.run_job("governance.publish") == len(later.records)
        check_hub(again.database, again.settings)
