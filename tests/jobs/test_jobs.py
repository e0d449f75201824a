"""Jobs: under a lease, on time, by hand."""

import json
import logging
import threading
from pathlib import Path

import pytest

from tests.signals.material import Voice, md5, report
from tests.support.forks import run
from tests.support.hub import Hub, LiveHub
from tests.support.invariants import BOOKKEEPING, check_hub, dump, unchanged
from tocsin.jobs import metronome, store
from tocsin.jobs.service import JOBS, LEASE_SECONDS, Job, Means
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY


def take(hub: Hub, holder: str) -> bool:
    with hub.database.transaction() as uow:
        return store.take(uow, "signals.expire", holder, LEASE_SECONDS)


def test_a_lease_keeps_others_out_until_it_ends(hub: Hub) -> None:
    assert take(hub, "aa")
    assert not take(hub, "bb")
    assert take(hub, "aa"), "it may be kept"
    hub.clock.advance(LEASE_SECONDS - 1)
    assert not take(hub, "bb")
    hub.clock.advance(1)
    assert take(hub, "bb")
    assert not take(hub, "aa")


def test_only_its_holder_gives_it_back(hub: Hub) -> None:
    take(hub, "aa")
    with hub.database.transaction() as uow:
        store.give_back(uow, "signals.expire", "bb")
    assert not take(hub, "bb")
    with hub.database.transaction() as uow:
        store.give_back(uow, "signals.expire", "aa")
    assert take(hub, "bb")


def test_a_job_that_another_process_runs_is_left_alone(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + 10), md5(1))
    hub.clock.advance(10)
    take(hub, "aa")
    with unchanged(hub.database, frozenset()):
        assert hub.run_job("signals.expire") is None
    hub.clock.advance(LEASE_SECONDS)
    assert hub.run_job("signals.expire") == 1
    assert dump(hub.database)["job_lease"] == []
    assert hub.run_job("signals.expire") == 0


def test_a_job_that_fails_gives_its_lease_back(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_means: Means) -> int:
        raise RuntimeError

    monkeypatch.setitem(JOBS, "signals.expire", Job("signals.expire", 5, "fails", fail))
    with pytest.raises(RuntimeError):
        hub.run_job("signals.expire")
    assert dump(hub.database)["job_lease"] == []


def test_a_job_with_nothing_to_do_takes_no_lease(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    assert hub.run_job("ledger.publish") == 1
    with hub.database.transaction() as uow:
        assert store.take(uow, "ledger.publish", "aa", LEASE_SECONDS)
    assert hub.run_job("ledger.publish") == 0, "with the lease in other hands"
    pixel.say(report(hub.clock() + DAY), md5(2))
    assert hub.run_job("ledger.publish") is None, "now there is something to do"


def test_a_dead_publisher_keeps_nobody_waiting(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), md5(1))
    job = JOBS["ledger.publish"]
    lease = job.lease or 0
    assert 1 <= lease <= 5
    with hub.database.transaction() as uow:
        assert store.take(uow, job.name, "aa", lease), "somebody begins, and dies"
    assert hub.run_job(job.name) is None
    hub.clock.advance(lease)
    assert hub.run_job(job.name) == 1


def test_used_assertions_and_revoked_tokens_are_forgotten_in_time(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.party.token()
    revoked = hub.http.post("/oauth/revoke", data=pixel.party.form(token=token))
    assert revoked.status_code == 200
    before = dump(hub.database)
    assert (len(before["assertion"]), len(before["revoked_token"])) == (2, 1)
    assert hub.run_job("members.forget") == 0
    hub.clock.advance(DAY)
    assert hub.run_job("members.forget") == 3
    after = dump(hub.database)
    assert (after["assertion"], after["revoked_token"]) == ([], [])


def test_the_metronome_beats(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A job that fails is logged and tried again at its next beat; a job that did something says how much."""
    beats: list[int] = []
    enough = threading.Event()

    def beat(_means: Means) -> int:
        beats.append(1)
        if len(beats) == 1:
            raise RuntimeError("told to nobody")
        enough.set()
        return 7

    for name in list(JOBS):
        monkeypatch.delitem(JOBS, name)
    monkeypatch.setitem(JOBS, "test.beat", Job("test.beat", 1, "beats", beat))
    with caplog.at_level(logging.INFO, logger="tocsin"):
        scheduler = metronome.start(hub.means)
        assert enough.wait(60)
        scheduler.shutdown()
    said = {
        record.getMessage(): record for record in caplog.records if record.name == "tocsin.jobs.metronome"
    }
    assert said["job failed"].__dict__["job"] == "test.beat"
    assert (said["job done"].__dict__["job"], said["job done"].__dict__["count"]) == ("test.beat", 7)


def test_every_job_has_a_name_a_pace_and_a_summary() -> None:
    assert {"signals.expire", "members.forget", "ledger.publish"} <= JOBS.keys()
    for name, job in JOBS.items():
        assert (job.name, job.every > 0, bool(job.summary)) == (name, True, True)


@pytest.mark.slow
def test_by_hand_and_by_the_server_itself(live_hub: LiveHub) -> None:
    pixel = Voice(live_hub, "pixel")
    begun = live_hub.clock()
    pixel.batch([pixel.report(md5(n), days=1) for n in range(3)])
    pixel.say(report(live_hub.clock() + 3), md5(9))
    env = {**live_hub.env, "PATH": "/usr/bin:/bin", "TOCSIN_ISSUER": live_hub.issuer}

    def by_hand(*args: str) -> dict[str, object]:
        done = run("tocsin-hub", ["run-job", "signals.expire", "--json", *args], env)
        done.check_returncode()
        return json.loads(done.stdout)

    # The server's own metronome erases the short one by and by.
    waiting = threading.Event()
    while dump(live_hub.database, BOOKKEEPING)["statement"][3][-2] is None:
        assert live_hub.clock() < begun + 120
        waiting.wait(0.2)
    done = by_hand("--now", rfc3339(begun + 2 * DAY))
    assert done == {"job": "signals.expire", "done": 3}
    assert by_hand("--now", rfc3339(begun + 4 * DAY)) == {"job": "signals.expire", "done": 0}
    assert check_hub(live_hub.database, live_hub.settings) == 6
    assert Path(live_hub.log).exists()
