"""Receipts: a proof for everyone who asks, and what opens the entry for those who may read the statement."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.signals.material import COMMUNITY, RETRACTION, Voice, assert_refused, md5, pdq, report
from tests.support.hub import Hub, LiveHub
from tests.support.invariants import OF_A_REQUEST, check_hub, unchanged
from tests.support.proving import publishing, verified
from tocsin.signals.routes import receipts as routes
from tocsin_schemas import ledger
from tocsin_schemas.feed import Receipt
from tocsin_schemas.merkle import leaf_hash
from tocsin_schemas.policy import DAY
from tocsin_schemas.tlog_policy import parse_policy
from tocsin_schemas.tlog_proof import Proof


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, what is waited for comes."""
    monkeypatch.setattr(routes, "WAIT_SECONDS", 60)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting for proofs that do not come."""
    monkeypatch.setattr(routes, "WAIT_SECONDS", 0.3)


def ask(voice: Voice, seq: int) -> dict[str, str]:
    answer = voice.get(f"/v1/receipts/{seq}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    return verified(voice.hub, answer.content, seq)  # type: ignore[arg-type]  # a hub in this process


def test_a_receipt_proves_the_entry_and_opens_it(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    tokens = [pixel.report(md5(n)) for n in range(300)]
    answers = pixel.batch(tokens)
    hub.publish()
    for n in (0, 1, 255, 256, 299):
        for voice in (pixel, frame):
            extra = ask(voice, n)
            assert extra.keys() == {"entry", "r"}
            assert extra["entry"] == answers[n]["entry"]
            entry = ledger.Entry.decode(extra["entry"].encode())
            assert ledger.opens(entry.commitment, bytes.fromhex(extra["r"]), tokens[n])


def test_only_author_and_readers_are_given_what_opens_it(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", communities={COMMUNITY: "w"})
    others = {
        "reads": Voice(hub, "frame", communities={COMMUNITY: "r"}),
        "writes": Voice(hub, "vendor", communities={COMMUNITY: "w"}),
        "elsewhere": Voice(hub, "host", communities={"ncii": "rw"}),
    }
    seq = pixel.say(report(pixel.now + DAY), md5(1))["seq"]
    hub.publish()
    assert "r" in ask(pixel, seq)
    assert {name for name, voice in others.items() if "r" in ask(voice, seq)} == {"reads"}


def test_what_is_quarantined_is_opened_for_its_author_alone(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    answer = pixel.say(report(pixel.now + DAY, quality=10), pdq(128))
    assert answer["status"] == "quarantined"
    hub.publish()
    assert "r" in ask(pixel, answer["seq"])
    assert "r" not in ask(frame, answer["seq"])


def test_what_a_suspended_member_said_is_opened_for_nobody(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    seq = pixel.say(report(pixel.now + DAY), md5(1))["seq"]
    hub.publish()
    assert "r" in ask(frame, seq)
    hub.members.suspend(pixel.issuer)
    assert "r" not in ask(frame, seq)
    assert_refused(pixel.get(f"/v1/receipts/{seq}"), "member-suspended")


def test_what_has_ended_is_proved_and_no_longer_opened(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    short = pixel.say(report(pixel.now + DAY), md5(1))
    taken_back = pixel.say(report(pixel.now + DAY), md5(2))
    pixel.say(RETRACTION, bytes.fromhex(taken_back["statement"]))
    hub.publish()
    for voice in (pixel, frame):
        assert "r" in ask(voice, short["seq"])
        assert ask(voice, taken_back["seq"]) == {"entry": taken_back["entry"]}
    # From its date on, whether the job has run or not.
    hub.clock.advance(DAY)
    for _ in range(2):
        for voice in (pixel, frame):
            assert ask(voice, short["seq"]) == {"entry": short["entry"]}
        hub.run_job("signals.expire")


def test_the_hubs_own_events_are_opened_for_readers(hub: Hub) -> None:
    pixel = Voice(hub, "pixel", communities={COMMUNITY: "w"})
    frame = Voice(hub, "frame", communities={COMMUNITY: "r"})
    pixel.say(report(pixel.now + DAY), md5(1))
    for _ in range(2):
        hub.clock.advance(DAY)
        hub.run_job("signals.expire")
    hub.publish()
    extra = ask(frame, 1)
    assert json.loads(extra["entry"])["kind"] == "expiry"
    event = next(line for line in frame.feed() if line["seq"] == 1)
    assert extra["r"] == event["r"]
    assert "r" not in ask(pixel, 1)


def test_either_scope_will_do(hub: Hub) -> None:
    for name, scope in (("pixel", "signals:read"), ("frame", "signals:submit")):
        voice = Voice(hub, name, scopes=(scope,))
        assert_refused(voice.get("/v1/receipts/0"), "not-found")
    assert_refused(hub.http.get("/v1/receipts/0"), "unauthenticated")


def test_a_receipt_is_not_there_before_its_checkpoint(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    hub.publish()
    seq = pixel.say(report(pixel.now + DAY), md5(1))["seq"]
    with unchanged(hub.database, OF_A_REQUEST):
        answer = pixel.get(f"/v1/receipts/{seq}")
        assert_refused(answer, "not-yet-published")
        assert answer.headers["retry-after"] == "1"
        assert_refused(pixel.get(f"/v1/receipts/{seq + 1}"), "not-found")
    hub.publish()
    ask(pixel, seq)


@pytest.mark.parametrize("wrong", ["-1", "first", str(2**53 + 1)])
def test_what_is_no_number_has_no_receipt(hub: Hub, wrong: str) -> None:
    answer = Voice(hub, "pixel").get(f"/v1/receipts/{wrong}")
    assert_refused(answer, "request-invalid")
    assert wrong not in answer.text


def test_asking_for_a_receipt_changes_nothing(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    seq = pixel.say(report(pixel.now + DAY), md5(1))["seq"]
    hub.publish()
    frame.headers()
    with unchanged(hub.database, frozenset()):
        ask(frame, seq)


def test_a_submission_may_wait_for_its_proof(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    hub.publish()
    token = pixel.report(md5(1))
    with publishing(hub):
        answer = pixel.post(token, wait="proof")
    assert answer.status_code == 201
    assert answer.headers["preference-applied"] == "wait=proof"
    receipt = Receipt.model_validate_json(answer.content)
    assert receipt.proof is not None
    extra = verified(hub, receipt.proof.encode(), receipt.seq)
    assert extra["entry"] == receipt.entry
    assert ledger.opens(
        ledger.Entry.decode(receipt.entry.encode()).commitment, bytes.fromhex(extra["r"]), token
    )
    # The same signal again: the receipt it had, with a proof at once.
    again = pixel.post(token, wait="proof")
    assert again.status_code == 200
    assert Receipt.model_validate_json(again.content) == receipt
    check_hub(hub.database, hub.settings)


def test_a_batch_may_wait_and_each_receipt_has_its_proof(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    tokens = [pixel.report(md5(n)) for n in range(600)]
    tokens[5] = b"nonsense"
    tokens[7] = tokens[3]
    with publishing(hub):
        answer = pixel.post_lines(tokens, wait="proof")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["preference-applied"] == "wait=proof"
    results = [json.loads(line) for line in answer.content.splitlines()]
    assert len(results) == len(tokens)
    assert results[5]["code"] == "envelope-malformed"
    assert "proof" not in results.pop(5)
    assert results[6] == results[3]
    for result in results:
        extra = verified(hub, result["proof"].encode(), result["seq"])
        assert extra["entry"] == result["entry"]
    assert answer.content == answer.content.strip() + b"\n"


def test_a_batch_without_any_receipt_waits_for_nothing(hub: Hub) -> None:
    answer = Voice(hub, "pixel").post_lines([b"nonsense"] * 2, wait="proof")
    assert [json.loads(line)["code"] for line in answer.content.splitlines()] == ["envelope-malformed"] * 2


def test_without_a_checkpoint_in_time_the_receipt_comes_alone(hub: Hub, slow: None) -> None:
    pixel = Voice(hub, "pixel")
    hub.publish()
    for answer in (
        pixel.post(pixel.report(md5(1)), wait="proof"),
        pixel.post_lines([pixel.report(md5(2))], wait="proof"),
    ):
        assert answer.status_code in {200, 201}
        assert "preference-applied" not in answer.headers
        assert Receipt.model_validate_json(answer.content).proof is None
    assert check_hub(hub.database, hub.settings) == 2
    hub.publish()
    for seq in range(2):
        ask(pixel, seq)


def test_a_rehearsal_waits_for_no_proof(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    answer = pixel.post(pixel.report(md5(1)), wait="proof", dry_run="true")
    assert answer.json()["dry_run"] is True
    assert "preference-applied" not in answer.headers


def test_a_submission_can_wait_for_nothing_else(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    with unchanged(hub.database, OF_A_REQUEST):
        assert_refused(pixel.post(pixel.report(md5(1)), wait="forever"), "request-invalid")


def test_those_who_wait_hold_no_thread(hub: Hub) -> None:
    """More submissions wait than there are threads and connections, and the hub answers others all the same."""
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    hub.publish()
    headers = pixel.headers()
    tokens = [pixel.report(md5(n)) for n in range(60)]

    def send(token: bytes) -> httpx2.Response:
        wanted = {**headers, "Content-Type": "application/secevent+jwt"}
        return hub.http.post("/v1/signals", content=token, headers=wanted, params={"wait": "proof"})

    with ThreadPoolExecutor(len(tokens)) as pool:
        waiting = [pool.submit(send, token) for token in tokens]
        _until(lambda: frame.get("/v1/me").json()["log_size"] == len(tokens))
        assert not any(item.done() for item in waiting)
        hub.publish()
        answers = [item.result() for item in waiting]
    for answer in answers:
        receipt = Receipt.model_validate_json(answer.content)
        assert receipt.proof is not None
        verified(hub, receipt.proof.encode(), receipt.seq)


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 50
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_store_that_lost_a_tile_proves_nothing(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    tokens = [pixel.report(md5(n)) for n in range(3)]
    receipts = pixel.batch(tokens)
    hub.publish()
    hub.ledger.objects.delete_under("tile/0")
    assert_refused(pixel.get("/v1/receipts/0"), "unavailable")
    assert_refused(hub.http.get("/log/proof/0"), "unavailable")
    # What was recorded says so all the same.
    assert pixel.post(tokens[0], wait="proof").json() == receipts[0]
    assert pixel.batch(tokens, wait="proof") == receipts


def test_a_hub_as_operators_run_it_answers_with_proofs(working_hub: LiveHub) -> None:
    """Through the worker processes and the job that publishes, and by the policy that the hub hands out."""
    pixel = Voice(working_hub, "pixel")
    policy = parse_policy(working_hub.http.get("/log/policy").content)
    with ThreadPoolExecutor(2) as pool:
        batches = [[pixel.report(md5(n)) for n in range(at, at + 100)] for at in (0, 100)]
        found = list(pool.map(lambda tokens: pixel.batch(tokens, wait="proof"), batches))
    for receipt in (receipt for receipts in found for receipt in receipts):
        proof = Proof.decode(receipt["proof"].encode())
        proof.verify(leaf_hash(receipt["entry"].encode()), policy, working_hub.clock())
        assert proof.index == receipt["seq"]
