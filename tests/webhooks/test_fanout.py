"""Fan-out: messages once and numbered without a hole, whatever dies or runs at once; and what is forgotten."""

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from itertools import count

import pytest
from sqlalchemy import text

from tests.signals.material import Voice, md5, report
from tests.support.hub import Hub
from tests.support.invariants import dump
from tests.support.told import check_messages
from tests.webhooks.hearing import ENDPOINTS, Ear, Hear, deliver, ears
from tocsin import outbox
from tocsin.outbox import Happening
from tocsin.webhooks.service import fanout
from tocsin_schemas.notifications import EVENT_TYPES, SEVERITY, parse_notification
from tocsin_schemas.policy import DAY

_NUMBERS = count(1)


@pytest.fixture
def hear(calling_hub: Hub) -> Iterator[Hear]:
    calling_hub.clock.advance(1)
    with ears(calling_hub) as found:
        yield found


@pytest.fixture
def voice(calling_hub: Hub) -> Voice:
    number = next(_NUMBERS)
    deliver(calling_hub)
    return Voice(calling_hub, f"fan{number}", communities={f"fan{number}": "rw"})


def community(hub: Hub, voice: Voice) -> int:
    slug = voice.issuer.removeprefix("https://").removesuffix(".example")
    with hub.database.snapshot() as uow:
        return hub.members.communities(uow)[slug].id


def happen(hub: Hub, voice: Voice, many: int, **more: object) -> None:
    """So many expiries in the member's community, without statements behind them."""
    place = community(hub, voice)
    with hub.database.transaction() as uow:
        outbox.publish(
            uow,
            [Happening("signal.expired", place, n, n, **more) for n in range(many)],  # type: ignore[arg-type]
        )


def numbers(ear: Ear) -> list[int]:
    return sorted(one["data"]["seq"] for one in ear.raw)


def test_every_happening_is_a_message_once_and_numbered_without_a_hole(
    calling_hub: Hub, hear: Hear, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = calling_hub
    one, two = hear(voice), hear(voice, types=["signal.expired"])
    happen(hub, voice, 25)
    # A few at a time, as with very many endpoints.
    monkeypatch.setattr(fanout, "MOST_ITEMS", 1)
    assert hub.run_job("webhooks.fanout") == 25
    assert hub.run_job("webhooks.fanout") == 0
    hub.run_job("delivery.send")
    assert numbers(one) == numbers(two) == list(range(1, 26))
    assert len(set(one.ids())) == 25
    firsts = {said["data"]["seq"]: said["data"]["first"] for said in one.raw}
    assert firsts == {seq: seq - 1 for seq in range(1, 26)}


def test_a_fan_out_that_dies_leaves_nothing_and_loses_nothing(
    calling_hub: Hub, hear: Hear, voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = calling_hub
    ear = hear(voice)
    happen(hub, voice, 3)
    before = dump(hub.database)

    def die(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr("tocsin.delivery.service.enqueue", die)
        with pytest.raises(RuntimeError):
            hub.run_job("webhooks.fanout")
    assert dump(hub.database, frozenset({"job_lease"})) == {
        name: rows for name, rows in before.items() if name != "job_lease"
    }
    deliver(hub)
    assert numbers(ear) == [1, 2, 3]


def test_two_at_once_number_nothing_twice(calling_hub: Hub, hear: Hear, voice: Voice) -> None:
    hub = calling_hub
    listening = [hear(voice) for _ in range(3)]
    happen(hub, voice, 60)
    webhooks = hub.means.webhooks
    threads = [threading.Thread(target=fanout.fan_out, args=(webhooks,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with hub.database.snapshot() as uow:
        rows = uow.conn.execute(
            text(
                "SELECT i.receiver_id, i.seq, m.public_id FROM delivery_item AS i"
                " JOIN webhook_message AS m ON m.id = i.message_id"
                " JOIN webhook_endpoint AS e ON e.receiver_id = i.receiver_id WHERE e.public_id = :one"
                " OR e.public_id = :two OR e.public_id = :three"
            ),
            dict(zip(("one", "two", "three"), (ear.id for ear in listening), strict=True)),
        ).all()
    found = defaultdict(list)
    for receiver_id, seq, _ in rows:
        found[receiver_id].append(seq)
    assert sorted(map(sorted, found.values())) == [list(range(1, 61))] * 3
    deliver(hub)


def test_an_endpoint_that_rests_is_numbered_for_and_gets_all_of_it_later(
    calling_hub: Hub, hear: Hear, voice: Voice
) -> None:
    hub = calling_hub
    ear = hear(voice)
    path = f"{ENDPOINTS}/{ear.id}"
    happen(hub, voice, 1)
    deliver(hub)
    assert hub.http.patch(path, json={"state": "paused"}, headers=voice.headers()).status_code == 200
    happen(hub, voice, 2)
    deliver(hub)
    assert numbers(ear) == [1]
    assert hub.http.patch(path, json={"state": "active"}, headers=voice.headers()).status_code == 200
    deliver(hub)
    assert numbers(ear) == [1, 2, 3]


def test_a_test_is_sent_to_the_one_that_asked(calling_hub: Hub, hear: Hear, voice: Voice) -> None:
    hub = calling_hub
    one, other = hear(voice, types=["key.revoked"], severity="urgent"), hear(voice)
    for seq in (1, 2):
        with hub.database.transaction() as uow:
            (endpoint_id,) = uow.conn.execute(
                text("SELECT id FROM webhook_endpoint WHERE public_id = :one"), {"one": one.id}
            ).one()
            fanout.tell(uow, endpoint_id, "endpoint.test")
        deliver(hub)
        assert one.raw[-1]["type"] == "endpoint.test"
        assert one.raw[-1]["data"] == {"subject": f"endpoint:{one.id}", "seq": seq}
    assert other.raw == []


def test_what_may_be_told_to_nobody_is_no_message(calling_hub: Hub, hear: Hear, voice: Voice) -> None:
    hub = calling_hub
    ear = hear(voice)
    happen(hub, voice, 4, count=0, free_count=0)
    assert hub.run_job("webhooks.fanout") == 4
    hub.run_job("delivery.send")
    assert ear.raw == []


def test_every_type_that_can_be_published_becomes_a_body_that_can_be_read(
    calling_hub: Hub, hear: Hear, voice: Voice
) -> None:
    hub = calling_hub
    ear = hear(voice)
    place = community(hub, voice)
    kinds = [kind for kind in EVENT_TYPES if not kind.startswith("endpoint.")]
    with hub.database.transaction() as uow:
        outbox.publish(uow, [Happening(kind, place, 3, 5) for kind in kinds])
        outbox.publish(uow, [Happening(kind, None, 3, 3) for kind in kinds])
    deliver(hub)
    assert ear.types() == sorted(kinds * 2)
    # Every body is read by `told`, which knows no other form; each subject is numbered by itself.
    by_subject = defaultdict(list)
    for one in ear.raw:
        assert parse_notification(json.dumps(one).encode()).type == one["type"]
        assert one["data"]["subject"].endswith(":urgent") is (SEVERITY[one["type"]] == "urgent")
        by_subject[one["data"]["subject"]].append(one["data"]["seq"])
    about = f"community:{voice.issuer[8:].split('.')[0]}"
    assert sorted(by_subject) == ["board", "board:urgent", about, f"{about}:urgent"]
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in by_subject.values())


def test_messages_are_forgotten_after_thirty_days_and_what_still_waits_for_them_is_dropped(
    calling_hub: Hub, hear: Hear, voice: Voice
) -> None:
    hub = calling_hub
    ear = hear(voice)
    happen(hub, voice, 1)
    hub.run_job("webhooks.fanout")
    hub.clock.advance(30 * DAY)
    hub.run_job("webhooks.forget")
    hub.clock.advance(1)
    happen(hub, voice, 1)
    hub.run_job("webhooks.fanout")
    assert (hub.run_job("webhooks.forget") or 0) >= 1
    hub.run_job("delivery.send")
    assert numbers(ear) == [2]
    hub.http.delete(f"{ENDPOINTS}/{ear.id}", headers=voice.headers())
    hub.run_job("webhooks.forget")
    with hub.database.snapshot() as uow:
        left = text(
            "SELECT count(*) FROM webhook_subject AS s WHERE NOT EXISTS"
            " (SELECT 1 FROM webhook_endpoint AS e WHERE e.id = s.endpoint_id)"
        )
        assert uow.conn.execute(left).scalar() == 0


def test_a_batch_is_one_message_and_one_of_both_kinds_is_two(calling_hub: Hub, voice: Voice) -> None:
    hub = calling_hub
    slug = voice.issuer[8:].split(".")[0]
    until = hub.clock() + 30 * DAY
    free = report(until).model_copy(update={"tlp": "clear", "labels": ["test@1:benign_b"]})
    signed = [voice.sign(report(until), md5(9000 + n), community=slug) for n in range(3)]
    voice.batch([*signed, voice.sign(free, md5(9100), community=slug)])
    hub.run_job("webhooks.fanout")
    with hub.database.snapshot() as uow:
        rows = uow.conn.execute(
            text("SELECT audience, labels FROM webhook_message WHERE subject = :one ORDER BY id"),
            {"one": f"community:{slug}"},
        ).all()
    assert [tuple(row) for row in rows] == [
        ("full", '["test@1:benign_a", "test@1:benign_b"]'),
        ("free", '["test@1:benign_b"]'),
    ]


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE webhook_subject SET seq = seq - 1 WHERE endpoint_id = :id",
        "DELETE FROM webhook_subject WHERE endpoint_id = :id",
        "UPDATE delivery_item SET seq = 1 WHERE receiver_id = :receiver_id",
        "UPDATE webhook_endpoint SET activated_at = activated_at + 3600 WHERE id = :id",
        "UPDATE webhook_message SET organisation_id = 0 WHERE subject = :subject",
    ],
)
def test_damage_to_messages_is_found(calling_hub: Hub, hear: Hear, voice: Voice, damage: str) -> None:
    hub = calling_hub
    ear = hear(voice)
    happen(hub, voice, 2)
    deliver(hub)
    with hub.database.snapshot() as uow:
        check_messages(uow)
        query = text("SELECT id, receiver_id FROM webhook_endpoint WHERE public_id = :one")
        row = uow.conn.execute(query, {"one": ear.id}).one()
    given = {"id": row.id, "receiver_id": row.receiver_id, "subject": ear.raw[0]["data"]["subject"]}

    def damaged() -> None:
        with hub.database.transaction() as uow:
            uow.conn.execute(text(damage), given)
            check_messages(uow)

    with pytest.raises(AssertionError, match=r"number|message"):
        damaged()
