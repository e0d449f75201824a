"""The log and its witnesses: cosignatures below what is shown, and nothing signed that contradicts what they saw."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.client.webserver import Answer, Asked, serving
from tests.ledger.logs import append, open_log, watching
from tests.ledger.witnesses import (
    LOG,
    Other,
    cosigners,
    late,
    other_hub,
    policy,
    shown,
    witness_set,
    witnesses,
)
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.published import check_published
from tests.support.state import contents
from tocsin.db import Database
from tocsin.ledger import service
from tocsin.ledger.service import Ledger
from tocsin.ledger.service.feeding import LONGEST_PAUSE
from tocsin_schemas.checkpoint import cosign, open_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519_COSIGNER, NoteSigner
from tocsin_schemas.problems import Refused


def test_what_is_shown_bears_the_cosignatures_of_both_kinds(
    ledger: Ledger, folder: Path, database: Database, other: Other, clock: MovableClock
) -> None:
    size = 0
    for count in (3, 1, 300, 700):
        clock.advance(1)
        size = append(database, count)
        assert service.publish(ledger) == count
        opened = shown(ledger)
        assert opened.checkpoint.size == size
        assert {item.time for item in opened.cosignatures} == {clock()}
        assert cosigners(ledger) == [4, 6]
        assert check_published(watching(folder), database, tidy=True) == size
    # One request a publication: what it cosigned last is remembered, and the proof leads from there.
    assert [(item.old, item.checkpoint.size) for item in other.submitted] == [
        (0, 3),
        (3, 4),
        (4, 304),
        (304, 1004),
    ]


def test_a_witness_that_is_further_than_we_remember_says_so(
    ledger: Ledger, database: Database, other: Other
) -> None:
    append(database, 10)
    service.publish(ledger)
    with database.transaction() as uow:
        uow.conn.execute(text("DELETE FROM log_witness"))
    append(database, 10)
    other.submitted.clear()
    service.publish(ledger)
    assert [(item.old, len(item.proof) > 0) for item in other.submitted] == [(0, False), (10, True)]
    assert cosigners(ledger) == [4, 6]


def test_cosignatures_stay_fresh_while_nothing_is_new(
    ledger: Ledger, database: Database, clock: MovableClock
) -> None:
    append(database, 10)
    service.publish(ledger)
    clock.advance(1199)
    assert not service.unpublished(ledger)
    clock.advance(1)
    assert service.unpublished(ledger)
    service.publish(ledger)
    assert {item.time for item in shown(ledger).cosignatures} == {clock()}
    assert not service.unpublished(ledger)


def test_what_a_crash_left_out_of_the_note_is_asked_for_again(ledger: Ledger, database: Database) -> None:
    append(database, 10)
    service.publish(ledger)
    with database.transaction() as uow:
        note = uow.conn.execute(text("SELECT checkpoint FROM publication")).scalar_one()
        bare = bytes(note).split("\n\u2014 witness.example".encode())[0] + b"\n"
        uow.conn.execute(text("UPDATE publication SET checkpoint = :bare"), {"bare": bare})
    assert service.unpublished(ledger)
    service.publish(ledger)
    assert cosigners(ledger) == [4, 6]


def test_a_dead_witness_holds_nothing_up_and_is_left_alone_longer_each_time(
    ledger: Ledger, database: Database, other: Other, clock: MovableClock
) -> None:
    other.answers = lambda _asked: Answer(500)
    append(database, 1)
    assert service.publish(ledger) == 1
    for asked, pause in enumerate([2, 4, 8, 16, 32, 64, 128, 256, 512, LONGEST_PAUSE, LONGEST_PAUSE], 1):
        assert len(other.submitted) == asked
        clock.advance(pause - 1)
        assert not service.unpublished(ledger)
        append(database, 1)
        assert service.publish(ledger) == 1
        assert len(other.submitted) == asked
        clock.advance(1)
        assert service.unpublished(ledger)
        assert service.publish(ledger) == 0
    assert cosigners(ledger) == []
    other.answers = lambda _asked: None
    clock.advance(LONGEST_PAUSE)
    service.publish(ledger)
    assert cosigners(ledger) == [4, 6]
    assert shown(ledger).checkpoint.size == 12


def test_a_slow_witness_costs_the_time_limit(database: Database, folder: Path, other: Other) -> None:
    ledger = replace(open_log(database, folder), witnesses=witness_set(database, policy(other), 0.3))
    other.answers = lambda _asked: late(Answer(500))
    append(database, 1)
    started = time.monotonic()
    assert service.publish(ledger) == 1
    assert time.monotonic() - started < 1.9


def test_of_two_witnesses_the_living_one_cosigns(
    databases: Databases, tmp_path: Path, database: Database, folder: Path, other: Other, clock: MovableClock
) -> None:
    with other_hub(databases, tmp_path / "third", clock, "third.example") as third:
        both = policy(other, third)
        ledger = replace(open_log(database, folder), witnesses=witness_set(database, both))
        third.answers = lambda _asked: Answer(503)
        append(database, 5)
        service.publish(ledger)
        note = ledger.objects.read("checkpoint")
        assert note is not None
        names = [
            item.name for item in open_checkpoint(note, LOG.verifier, [*other.keys, *third.keys]).cosignatures
        ]
        assert names == ["witness.example/witness"] * 2
        with pytest.raises(Refused, match="quorum-missing"):
            shown(ledger)
        third.answers = lambda _asked: None
        clock.advance(2)
        other.submitted.clear()
        service.publish(ledger)
        assert shown(ledger).checkpoint.size == 5
        # Whoever has cosigned is not asked again; what it said stays.
        assert other.submitted == []


STRANGER = NoteSigner("witness.example/witness", ED25519_COSIGNER, SigningKey.generate())


@pytest.mark.parametrize(
    "kind",
    ["empty", "junk", "stranger", "broken", "zero", "old", "future", "latin", "redirect", "refused", "twice"],
)
def test_a_bad_answer_is_no_cosignature_and_does_no_harm(
    ledger: Ledger, database: Database, folder: Path, other: Other, clock: MovableClock, kind: str
) -> None:
    def answer(asked: Asked) -> Answer:
        checkpoint = other.submitted[-1].checkpoint
        cosigner = other.witness._cosigners[0]
        at = {"zero": 0, "old": clock() - 1200, "future": clock() + 61}.get(kind, clock())
        good = cosign(checkpoint, cosigner, at).encode()
        bodies = {
            "empty": b"",
            "junk": b"x" * 100_000,
            "stranger": cosign(checkpoint, STRANGER, at).encode(),
            "broken": cosign(checkpoint._replace(size=9), cosigner, at).encode(),
            "latin": b"\xe9\n",
        }
        if kind in {"redirect", "refused", "twice"}:
            return {
                "redirect": Answer(307, headers={"Location": "/witness/elsewhere"}),
                "refused": Answer(404),
                "twice": Answer(409, b"0\n", {"Content-Type": "text/x.tlog.size"}),
            }[kind]
        return Answer(200, bodies.get(kind, good))

    other.answers = answer
    append(database, 5)
    assert service.publish(ledger) == 5
    assert cosigners(ledger) == []
    assert witnesses(ledger).alarms() == []
    assert check_published(watching(folder), database, tidy=True) == 5
    other.answers = lambda _asked: None
    clock.advance(2)
    service.publish(ledger)
    assert cosigners(ledger) == [4, 6]


def test_a_proof_that_our_store_cannot_make_costs_the_cosignature_alone(
    ledger: Ledger, database: Database, folder: Path, other: Other
) -> None:
    append(database, 300)
    service.publish(ledger)
    with database.transaction() as uow:
        uow.conn.execute(text("UPDATE log_witness SET size = 100"))
    append(database, 1)
    (folder / "tile" / "0" / "000").write_bytes(bytes(8192))
    assert service.publish(ledger) == 1
    assert cosigners(ledger) == []
    assert witnesses(ledger).alarms() == []


def test_whoever_has_cosigned_is_not_asked_again(ledger: Ledger, database: Database, other: Other) -> None:
    append(database, 3)
    service.publish(ledger)
    standing = service.published(ledger)
    assert standing is not None
    checkpoint = open_checkpoint(standing.note, LOG.verifier).checkpoint
    other.submitted.clear()
    assert witnesses(ledger).collect(checkpoint, standing.note, service.tree(ledger, standing)) == []
    assert other.submitted == []


def test_without_witnesses_nothing_is_asked_and_nothing_written(database: Database, folder: Path) -> None:
    alone = witness_set(database, b"quorum none\n")
    ledger = replace(open_log(database, folder), witnesses=alone)
    append(database, 3)
    assert service.publish(ledger) == 3
    assert not alone.due(b"", 0)
    assert alone.alarms() == []
    assert contents(database)["log_witness"] == []


def test_a_witness_without_an_address_is_waited_for_by_nobody(
    database: Database, folder: Path, other: Other
) -> None:
    (key, _) = other.keys
    lonely = f"witness w {key.vkey}\nquorum none\n".encode()
    ledger = replace(open_log(database, folder), witnesses=witness_set(database, lonely))
    append(database, 3)
    assert service.publish(ledger) == 3
    assert not service.unpublished(ledger)


def test_nothing_but_the_logs_own_signature_is_sent(ledger: Ledger, database: Database, other: Other) -> None:
    append(database, 3)
    service.publish(ledger)
    append(database, 3)
    service.publish(ledger)
    for submission in other.submitted:
        assert [line.name for line in submission.note.signatures] == [LOG.verifier.name]


def test_a_witness_that_is_not_there_holds_nothing_up(database: Database, folder: Path, other: Other) -> None:
    with serving(lambda _asked: Answer(200)) as web:
        gone = web.url
    ledger = replace(open_log(database, folder), witnesses=witness_set(database, policy(other, url=gone)))
    append(database, 3)
    assert service.publish(ledger) == 3
    assert witnesses(ledger).alarms() == []
