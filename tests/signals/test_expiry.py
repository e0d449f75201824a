"""Expiry: gone at its date for every reader, erased by the job, and counted in the log once a day."""

import threading
from pathlib import Path

import pytest

from tests.signals.material import (
    COMMUNITY,
    RETRACTION,
    SIGHTING,
    Voice,
    assert_refused,
    evidence,
    md5,
    pdq,
    report,
    sha256,
)
from tests.support.hub import Hub
from tests.support.invariants import BOOKKEEPING, check_hub, dump, unchanged
from tests.support.views import newest_view
from tocsin import keys
from tocsin.ledger import service as ledger_service
from tocsin.signals.service import submit as submission
from tocsin.signals.service.desk import Desk
from tocsin.signals.service.expire import expire
from tocsin_schemas import envelope, ledger, signals
from tocsin_schemas.hub_events import Expiry, expiry_root, verify_hub_event
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import LATEST


def run_job(hub: Hub) -> int | None:
    return hub.run_job("signals.expire")


def outbox(hub: Hub, kind: str) -> list[tuple[int, int]]:
    """(first, last) of the outbox rows of one type."""
    return [(row[3], row[4]) for row in sorted(dump(hub.database)["outbox_event"]) if row[1] == kind]


def test_at_its_date_it_is_gone_for_every_reader_before_any_job_runs(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.sign(report(hub.clock() + DAY), md5(1))
    pixel.say(report(hub.clock() + DAY), md5(1))
    hub.clock.advance(DAY - 1)
    assert "jws" in frame.feed()[0]
    assert frame.view(md5(1)).status_code == 200
    hub.clock.advance(1)
    assert frame.feed() == [{"seq": 0, "gone": "expired"}]
    assert_refused(frame.view(md5(1)), "not-found")
    assert_refused(pixel.post(pixel.sign(SIGHTING, md5(1))), "indicator-unknown")
    check_hub(hub.database, hub.settings)


def test_an_indicator_lives_as_long_as_its_last_statement(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + DAY), md5(1))
    frame.say(report(hub.clock() + 2 * DAY), md5(1))
    hub.clock.advance(DAY)
    for done in (None, run_job(hub)):
        view = frame.view(md5(1)).json()
        assert (view["status"], [s["author"] for s in view["statements"]]) == ("candidate", [frame.issuer])
        assert done in {None, 1}
        check_hub(hub.database, hub.settings)


def test_the_job_erases_what_it_said_and_keeps_its_place(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    token = pixel.report([md5(1), sha256(1)], days=1)
    lasting = pixel.report(md5(2), days=3)
    pixel.batch([token, lasting])
    nonce = bytes.fromhex(frame.feed()[0]["r"])
    hub.clock.advance(DAY)
    assert run_job(hub) == 1
    assert frame.feed()[0] == {"seq": 0, "gone": "expired"}
    assert outbox(hub, "signal.expired") == [(0, 0)]
    tables = dump(hub.database)
    assert (len(tables["indicator"]), len(tables["observation"])) == (1, 1)
    secrets = (token, token.split(b".")[1], token.split(b".")[2], nonce, md5(1).value, sha256(1).value)
    rows = b"\n".join(b"|".join(_bytes(cell) for cell in row) for table in tables.values() for row in table)
    assert md5(2).value in rows
    assert not [secret for secret in secrets if secret in rows]
    if hub.database.dialect == "sqlite":
        content = on_disk(hub)
        assert md5(2).value in content
        assert not [secret for secret in secrets if secret in content]
    check_hub(hub.database, hub.settings)


def _bytes(cell: object) -> bytes:
    return cell if isinstance(cell, bytes) else str(cell).encode()


def on_disk(hub: Hub) -> bytes:
    """The bytes of an SQLite database and of its write-ahead log."""
    path = Path(hub.database.url.removeprefix("sqlite:///"))
    wal = path.with_name(path.name + "-wal")
    return path.read_bytes() + (wal.read_bytes() if wal.exists() else b"")


def test_nothing_signed_is_left_in_the_file_of_many(hub: Hub) -> None:
    """Enough rows to split and merge pages.

    When SQLite splits a page of an index it leaves copies of some keys in the page's free space, which secure_delete
    does not know of; the job `database.settle` writes the file anew.
    """
    pixel = Voice(hub, "pixel")
    short = [pixel.report([md5(n), sha256(n)], days=1) for n in range(1000)]
    long = [pixel.report(md5(10_000 + n), days=9) for n in range(200)]
    mixed = [token for pair in zip(short[:200], long, strict=True) for token in pair] + short[200:]
    for begin in range(0, len(mixed), 400):
        pixel.batch(mixed[begin : begin + 400])
    nonces = {bytes.fromhex(record["r"]) for record in pixel.feed(limit=5000)}
    hub.clock.advance(DAY)
    assert run_job(hub) == 1000
    gone = nonces - {bytes.fromhex(record["r"]) for record in pixel.feed(limit=5000) if "r" in record}
    assert len(gone) == 1000
    assert len(dump(hub.database)["indicator"]) == 200
    check_hub(hub.database, hub.settings)
    if hub.database.dialect == "sqlite":
        content = on_disk(hub)
        assert all(md5(10_000 + n).value in content for n in range(200))
        assert not [nonce for nonce in gone if nonce in content]
        assert not [n for n, token in enumerate(short) if token[-86:] in content]
        hub.run_job("database.settle")
        content = on_disk(hub)
        assert not [n for n in range(1000) if md5(n).value in content or sha256(n).value in content]


def test_what_identifies_a_gone_statement_is_erased_when_no_replay_could_be_fresh(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.sign(report(hub.clock() + 100), md5(1))
    pixel.post(token)
    hub.clock.advance(100)
    run_job(hub)
    with unchanged(hub.database):
        assert_refused(pixel.post(token), "statement-gone")
    hub.clock.advance(3500)
    run_job(hub)
    with unchanged(hub.database):
        assert_refused(pixel.post(token), "statement-gone")
    hub.clock.advance(1)
    run_job(hub)
    row = dump(hub.database)["statement"][0]
    assert row[4:6] == (None, None)
    with unchanged(hub.database):
        assert_refused(pixel.post(token), "iat-too-old")
    check_hub(hub.database, hub.settings)


def test_each_day_is_entered_once_when_it_is_over(hub: Hub) -> None:
    both = {COMMUNITY: "rw", "ncii": "rw"}
    pixel, frame = Voice(hub, "pixel", communities=both), Voice(hub, "frame", communities=both)
    pixel.batch([pixel.report(md5(n), days=1 + n % 2) for n in range(6)])
    pixel.batch([pixel.report(md5(n), days=1, community="ncii") for n in range(2)])
    receipt = pixel.say(report(hub.clock() + DAY), sha256(7))
    pixel.say(RETRACTION, bytes.fromhex(receipt["statement"]))
    hub.clock.advance(DAY)
    assert run_job(hub) == 6
    assert check_hub(hub.database, hub.settings) == 10, "the day is not over"
    hub.clock.advance(DAY)
    assert run_job(hub) == 3
    assert check_hub(hub.database, hub.settings) == 12
    hub.clock.advance(5 * DAY)
    assert run_job(hub) == 0
    assert check_hub(hub.database, hub.settings) == 13
    with unchanged(hub.database, frozenset()):
        assert run_job(hub) == 0
    told = {slug: [r for r in frame.feed(slug) if "jws" in r] for slug in both}
    sdk = frame.party.sdk()
    events = []
    for slug, records in told.items():
        directory = sdk.directory(slug)
        hub_keys = {
            key.public().kid: envelope.AuthorKey(key.public(), directory.hub, 0, LATEST)
            for key in directory.hub_keys
        }
        for record in records:
            assert "expires_at" not in record
            event = verify_hub_event(record["jws"].encode(), hub_keys).claims
            assert event.aud == directory.audience
            said = event.event
            assert isinstance(said, Expiry)
            events.append((slug, said.day, said.count, said.root))
    # The retracted report is not among them: its author's word ended it. Its retraction is.
    assert events == [
        (COMMUNITY, "2026-11-23", 4, expiry_root([0, 2, 4, 9]).hex()),
        (COMMUNITY, "2026-11-24", 3, expiry_root([1, 3, 5]).hex()),
        ("ncii", "2026-11-23", 2, expiry_root([6, 7]).hex()),
    ]
    hub.publish()
    entries = dict(newest_view(sdk, hub.clock).entries(0, 12))
    assert [ledger.Entry.decode(entries[seq]).kind for seq in (10, 11, 12)] == ["expiry"] * 3
    for record in told[COMMUNITY]:
        commitment = ledger.Entry.decode(entries[record["seq"]]).commitment
        assert ledger.opens(commitment, bytes.fromhex(record["r"]), record["jws"].encode())


def test_a_day_in_which_the_job_ran_often_is_one_day(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.sign(report(hub.clock() + 1000 * (n + 1)), md5(n)) for n in range(20)])
    for _ in range(21):
        hub.clock.advance(1000)
        run_job(hub)
    assert check_hub(hub.database, hub.settings) == 20
    hub.clock.advance(DAY)
    for _ in range(2):
        run_job(hub)
        assert check_hub(hub.database, hub.settings) == 21
    event = signals.load_object(envelope.payload_of(pixel.feed(after=19)[0]["jws"].encode()), "payload")
    assert [said["count"] for said in event["events"].values()] == [20]


def test_what_expired_while_the_hub_was_down_is_caught_up_with(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n), days=1 + n) for n in range(4)])
    hub.clock.advance(30 * DAY)
    assert run_job(hub) == 4
    hub.clock.advance(DAY)
    run_job(hub)
    assert check_hub(hub.database, hub.settings) == 8, "each of the four days by itself"


def test_more_than_one_batch_of_work_is_done_at_once(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.signals.service.expire.BATCH", 10)
    both = {COMMUNITY: "rw", "ncii": "rw"}
    pixel = Voice(hub, "pixel", communities=both)
    pixel.batch([pixel.report(md5(n), days=1, community=["ncii", COMMUNITY][n % 7 > 2]) for n in range(30)])
    hub.clock.advance(DAY)
    assert run_job(hub) == 30
    check_hub(hub.database, hub.settings)


def test_runs_of_the_outbox_name_nothing_that_still_lives(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n), days=9 if n in {2, 5} else 1) for n in range(8)])
    hub.clock.advance(DAY)
    run_job(hub)
    assert outbox(hub, "signal.expired") == [(0, 1), (3, 4), (6, 7)]


def test_running_it_again_changes_nothing(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n), days=1) for n in range(5)])
    hub.clock.advance(DAY)
    assert run_job(hub) == 5
    with unchanged(hub.database, frozenset()):
        assert run_job(hub) == 0


def test_two_that_run_it_at_once_do_it_once(hub: Hub) -> None:
    """Past its lease a slow worker may still be at it when the next begins."""
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(n), days=1) for n in range(600)])
    hub.clock.advance(2 * DAY)
    context, key = hub.app.state.signals, keys.load(hub.settings).events
    done: list[int] = []
    together = threading.Barrier(3)

    def work() -> None:
        together.wait()
        done.append(expire(context, key))

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(done) == [0, 0, 600]
    hub.clock.advance(DAY)
    assert expire(context, key) == 0
    assert check_hub(hub.database, hub.settings) == 601


def test_a_report_that_comes_while_the_last_one_expires_keeps_its_indicator(hub: Hub) -> None:
    """The job waits for a batch in hand: it must not erase an indicator that the batch is about."""
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + DAY), md5(1))
    hub.clock.advance(DAY)
    context, key = hub.app.state.signals, keys.load(hub.settings).events
    token = frame.report(md5(1))
    answers: list[object] = []
    at_the_desk, job_had_its_chance = threading.Event(), threading.Event()

    class SlowDesk(Desk):
        def flush(self) -> None:
            at_the_desk.set()
            job_had_its_chance.wait(60)
            super().flush()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(submission, "Desk", SlowDesk)
        batch = threading.Thread(target=lambda: answers.append(frame.post(token)))
        batch.start()
        assert at_the_desk.wait(60)
        job = threading.Thread(target=expire, args=(context, key))
        job.start()
        job.join(0.5)
        waited = job.is_alive()
        job_had_its_chance.set()
        batch.join()
        job.join()
    check_hub(hub.database, hub.settings)
    assert waited
    assert [s["author"] for s in frame.view(md5(1)).json()["statements"]] == [frame.issuer]
    with hub.database.snapshot() as uow:
        assert ledger_service.size(uow) == 2


def test_a_renewal_takes_new_evidence_and_outlives_the_first(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + 2 * DAY, evidence=[evidence(1)]), md5(1))
    hub.clock.advance(DAY)
    again = report(hub.clock() + 2 * DAY, evidence=[evidence(1)])
    with unchanged(hub.database):
        assert_refused(pixel.post(pixel.sign(again, md5(1))), "renewal-without-evidence")
    pixel.say(report(hub.clock() + 2 * DAY, evidence=[evidence(2)]), md5(1))
    hub.clock.advance(DAY)
    run_job(hub)
    assert [s["seq"] for s in pixel.view(md5(1)).json()["statements"]] == [1]
    check_hub(hub.database, hub.settings)


def test_an_expired_report_does_not_come_back_on_old_evidence(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    met = hub.clock()
    pixel.say(report(hub.clock() + 31 * DAY), md5(1), toe=met)
    hub.clock.advance(31 * DAY)
    for _ in range(2):
        with unchanged(hub.database, BOOKKEEPING):
            assert_refused(pixel.post(pixel.report(md5(1), toe=met)), "toe-invalid")
        run_job(hub)
    assert pixel.post(pixel.report(md5(1))).status_code == 201
    check_hub(hub.database, hub.settings)


def test_quarantined_statements_expire_like_others(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY, quality=10), pdq(128))
    hub.clock.advance(DAY)
    assert pixel.feed() == [{"seq": 0, "gone": "expired"}]
    assert run_job(hub) == 1
    check_hub(hub.database, hub.settings)
