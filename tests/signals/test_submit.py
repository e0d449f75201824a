"""Submitting over HTTP, on both databases: receipts, batches, repetition."""

import hashlib
import json

from tests.signals.material import SIGHTING, Voice, md5, report, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub, dump, unchanged
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.feed import Receipt
from tocsin_schemas.ledger import Entry, instant
from tocsin_schemas.policy import DAY


def test_a_first_signal_is_created_and_its_receipt_says_what_was_recorded(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1), days=3)
    answer = pixel.post(token)
    assert answer.status_code == 201
    receipt = Receipt.model_validate_json(answer.content)
    assert (receipt.seq, receipt.status) == (0, "candidate")
    assert instant(receipt.recorded_at) == hub.clock()
    assert instant(receipt.expires_at) == hub.clock() + 3 * DAY
    assert receipt.statement == hashlib.sha256(payload_of(token)).hexdigest()
    assert receipt.jws_digest == hashlib.sha256(token).hexdigest()
    entry = Entry.decode(receipt.entry.encode())
    assert (entry.community, entry.kind, entry.recorded_at) == ("child-safety", "report", hub.clock())
    assert check_hub(hub.database, hub.settings) == 1


def test_the_same_signal_again_gets_the_same_receipt(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1))
    first = pixel.post(token)
    with unchanged(hub.database):
        hub.clock.advance(60)
        second = pixel.post(token)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.content == second.content
    check_hub(hub.database, hub.settings)


def test_a_signal_the_hub_has_is_answered_long_after_it_stopped_being_fresh(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    token = pixel.report(md5(1))
    first = pixel.post(token)
    hub.clock.advance(20 * DAY)
    again = pixel.post(token)
    assert (again.status_code, again.content) == (200, first.content)


def test_a_batch_is_answered_line_by_line_and_a_bad_line_costs_only_itself(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    hub.clock.advance(400)
    good = [pixel.report(md5(n)) for n in range(4)]
    spoiled = good[0][:-2] + (b"AA" if not good[0].endswith(b"AA") else b"BA")
    late = pixel.report(md5(9), iat=hub.clock() - 301)
    lines = [good[0], b"", b"not a token", good[1], spoiled, late, good[2], b"\x00\xff", good[3]]
    results = pixel.batch(lines)
    codes = [result.get("code") for result in results]
    assert [code is None for code in codes] == [True, False, False, True, False, False, True, False, True]
    assert codes[1:3] == ["envelope-malformed", "envelope-malformed"]
    assert codes[5] == "iat-too-old"
    assert [results[at]["seq"] for at in (0, 3, 6, 8)] == [0, 1, 2, 3]
    for at in (1, 2, 4, 5, 7):
        assert {"type", "title", "status", "code", "help"} <= results[at].keys()
    assert check_hub(hub.database, hub.settings) == 4


def test_receipts_of_a_batch_stand_in_the_order_of_its_lines(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    tokens = [pixel.report([md5(n), sha256(n)]) for n in range(50)]
    receipts = pixel.batch(tokens)
    assert [receipt["seq"] for receipt in receipts] == list(range(50))
    assert [r["statement"] for r in receipts] == [hashlib.sha256(payload_of(t)).hexdigest() for t in tokens]


def test_a_trailing_newline_is_no_line(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    tokens = [pixel.report(md5(n)) for n in range(2)]
    answer = pixel.post_lines([*tokens, b""])
    assert len(answer.content.splitlines()) == 2


def test_a_signal_that_stands_twice_in_a_batch_is_recorded_once_and_answered_twice(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    one, two = pixel.report(md5(1)), pixel.report(md5(2))
    receipts = pixel.batch([one, two, one, one])
    assert receipts[0] == receipts[2] == receipts[3]
    assert [receipt["seq"] for receipt in receipts] == [0, 1, 0, 0]
    assert check_hub(hub.database, hub.settings) == 2


def test_a_batch_sent_again_gets_the_same_answer_and_changes_nothing(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    tokens = [pixel.report(md5(n)) for n in range(20)] + [b"not a token"]
    first = pixel.post_lines(tokens)
    with unchanged(hub.database):
        assert pixel.post_lines(tokens).content == first.content


def test_old_and_new_signals_may_be_mixed(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    old = [pixel.report(md5(n)) for n in range(3)]
    first = pixel.batch(old)
    new = [pixel.report(md5(n)) for n in range(3, 6)]
    mixed = pixel.batch([new[0], old[2], new[1], old[0], new[2]])
    assert (mixed[1], mixed[3]) == (first[2], first[0])
    assert [mixed[at]["seq"] for at in (0, 2, 4)] == [3, 4, 5]
    assert check_hub(hub.database, hub.settings) == 6


def test_aliases_are_one_statement_about_several_indicators(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    things = [md5(1), sha256(1)]
    receipt = pixel.say(report(hub.clock() + DAY), things)
    for thing in things:
        view = pixel.view(thing).json()
        assert [s["statement"] for s in view["statements"]] == [receipt["statement"]]
    tables = dump(hub.database)
    assert (len(tables["statement"]), len(tables["indicator"]), len(tables["observation"])) == (1, 2, 2)
    check_hub(hub.database, hub.settings)


def test_a_sighting_by_one_alias_is_about_that_alias_alone(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(report(hub.clock() + DAY), [md5(1), sha256(1)])
    pixel.say(SIGHTING, md5(1))
    assert len(pixel.view(md5(1)).json()["statements"]) == 2
    assert len(pixel.view(sha256(1)).json()["statements"]) == 1
    check_hub(hub.database, hub.settings)


def test_ten_members_report_one_hash(hub: Hub) -> None:
    voices = [Voice(hub, f"member{n}") for n in range(10)]
    receipts = [voice.say(report(hub.clock() + DAY), md5(1)) for voice in voices]
    tables = dump(hub.database)
    assert (len(tables["indicator"]), len(tables["statement"]), len(tables["observation"])) == (1, 10, 10)
    assert [r["status"] for r in receipts] == ["candidate"] + ["human_confirmed"] * 9
    sdk = voices[0].party.sdk()
    sdk.retract("child-safety", receipts[0]["statement"], "error")
    view = voices[1].view(md5(1)).json()
    assert [s["author"] for s in view["statements"]] == [voice.issuer for voice in voices[1:]]
    assert (view["status"], view["reporters"]) == ("human_confirmed", "6+")
    tables = dump(hub.database)
    assert (len(tables["indicator"]), len(tables["observation"])) == (1, 9)
    check_hub(hub.database, hub.settings)


def test_a_community_has_indicators_of_its_own(hub: Hub) -> None:
    both = {"child-safety": "rw", "ncii": "rw"}
    pixel, frame = Voice(hub, "pixel", communities=both), Voice(hub, "frame", communities=both)
    pixel.say(report(hub.clock() + DAY), md5(1))
    receipt = frame.say(report(hub.clock() + DAY), md5(1), community="ncii")
    assert receipt["status"] == "candidate"
    assert len(dump(hub.database)["indicator"]) == 2
    assert pixel.view(md5(1), "ncii").json()["statements"][0]["author"] == frame.issuer
    check_hub(hub.database, hub.settings)


def test_the_sdk_speaks_to_the_hub(hub: Hub) -> None:
    pixel = hub.party("pixel")
    sdk = pixel.sdk()
    first = sdk.report("child-safety", [md5(1)], report(hub.clock() + DAY))
    (again,) = sdk.submit([pixel.author.sign(SIGHTING, [md5(1)], audience=sdk.audience("child-safety"))])
    assert isinstance(again, Receipt)
    assert (first.seq, again.seq) == (0, 1)
    me = sdk.me()
    assert (me.log_size, me.signals_per_hour - me.signals_left) == (2, 2)
    assert [json.loads(line.raw)["seq"] for line in sdk.feed("child-safety", limit=1)] == [0, 1]
