"""The witness over HTTP: every status of C2SP tlog-witness, what is remembered, and what is not."""

import hashlib
from collections.abc import Callable

import pytest
from httpx2 import Response
from sqlalchemy import text

from tests.support.hub import Hub
from tests.support.state import contents
from tests.witnessing.logs import Log, proof, request, signer, stranger_line
from tocsin.config import Settings
from tocsin.witnessing.service import KEPT, Witness
from tocsin_schemas.checkpoint import Opened, open_checkpoint, sign_checkpoint
from tocsin_schemas.notes import NoteVerifier
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_witness import parse_submission

WITNESS = "hub.example/witness"


@pytest.fixture
def witness(hub: Hub) -> Witness:
    found: Witness = hub.app.state.witness
    return found


@pytest.fixture
def log(witness: Witness) -> Log:
    """A log that the hub watches."""
    made = Log()
    witness.add_log(made.key)
    return made


@pytest.fixture
def send(hub: Hub) -> Callable[..., Response]:
    """Submits a request body, as whatever type."""

    def post(body: bytes, media_type: str | None = None) -> Response:
        headers = {} if media_type is None else {"Content-Type": media_type}
        return hub.http.post("/witness/add-checkpoint", content=body, headers=headers)

    return post


def served(hub: Hub, origin: str) -> Response:
    return hub.http.get(f"/witness/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint")


def verified(note: bytes, log: Log, witness: Witness) -> Opened:
    return open_checkpoint(note, log.key, witness.keys)


def test_the_witness_is_named_after_the_hub_and_has_a_key_of_each_kind(witness: Witness) -> None:
    assert [(key.name, key.kind) for key in witness.keys] == [(WITNESS, 4), (WITNESS, 6)]


@pytest.mark.parametrize(
    "media_type", [None, "text/plain", "application/octet-stream", "text/plain; charset=utf-8"]
)
def test_200_with_cosignatures_of_both_kinds(
    send: Callable[..., Response], hub: Hub, log: Log, witness: Witness, media_type: str | None
) -> None:
    answer = send(log.request(0, 9), media_type)
    assert answer.status_code == 200, answer.text
    assert answer.text.count("\n") == 2
    assert all(line.startswith("\u2014 hub.example/witness ") for line in answer.text.splitlines())
    opened = verified(log.note(9) + answer.content, log, witness)
    assert opened.checkpoint == log.head(9)
    assert {(item.name, item.time) for item in opened.cosignatures} == {(WITNESS, hub.clock())}
    assert {item.key_id for item in opened.cosignatures} == {key.key_id for key in witness.keys}


def test_what_was_cosigned_is_served_with_the_signatures_of_the_log(
    send: Callable[..., Response], hub: Hub, log: Log
) -> None:
    answer = send(request(0, [], log.note(9) + stranger_line(log.head(9))))
    found = served(hub, log.origin)
    assert (found.status_code, found.content) == (200, log.note(9) + answer.content)
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.headers["cache-control"] == "public, max-age=1"
    assert b"stranger" not in found.content


def test_a_log_is_followed_step_by_step(
    send: Callable[..., Response], hub: Hub, log: Log, witness: Witness
) -> None:
    sizes = [0, 0, 1, 2, 2, 3, 7, 64, 65, 129, 200]
    for old, size in zip([0, *sizes], sizes, strict=False):
        hub.clock.advance(1)
        answer = send(log.request(old, size))
        assert answer.status_code == 200, (old, size, answer.text)
        assert verified(served(hub, log.origin).content, log, witness).checkpoint == log.head(size)


def test_the_same_checkpoint_again_costs_no_write_for_a_moment(
    send: Callable[..., Response], hub: Hub, log: Log, witness: Witness
) -> None:
    first = send(log.request(0, 9))
    before = contents(hub.database)
    hub.clock.advance(4)
    again = send(log.request(9, 9))
    assert (again.status_code, again.content) == (200, first.content)
    assert contents(hub.database) == before
    hub.clock.advance(1)
    later = send(log.request(9, 9))
    opened = verified(log.note(9) + later.content, log, witness)
    assert {item.time for item in opened.cosignatures} == {hub.clock()}
    # A clock that was put right again hands out no cosignature of the future.
    hub.clock.advance(-100)
    opened = verified(log.note(9) + send(log.request(9, 9)).content, log, witness)
    assert {item.time for item in opened.cosignatures} == {hub.clock()}


def test_400_for_what_is_no_request_and_for_an_old_size_above_the_new(
    send: Callable[..., Response], hub: Hub, log: Log
) -> None:
    send(log.request(0, 9))
    before = contents(hub.database)
    for body in (b"", b"old 9\n", b"old 09\n\n" + log.note(9), request(10, [], log.note(9))):
        answer = send(body)
        assert (answer.status_code, answer.json()["code"]) == (400, "submission-malformed")
    assert contents(hub.database) == before


def test_404_for_an_origin_that_nobody_registered(send: Callable[..., Response], hub: Hub, log: Log) -> None:
    stranger = Log("stranger.example/log")
    before = contents(hub.database)
    answer = send(stranger.request(0, 9))
    assert (answer.status_code, answer.json()["code"]) == (404, "log-unknown")
    assert "stranger" not in answer.text
    # Nor does a good signature of a log we know help under another name.
    other = sign_checkpoint("stranger.example/log", 9, log.root(9), log.signer)
    assert send(request(0, [], other)).status_code == 404
    assert contents(hub.database) == before


def test_403_for_what_the_log_has_not_signed(send: Callable[..., Response], hub: Hub, log: Log) -> None:
    before = contents(hub.database)
    forged = sign_checkpoint(*log.head(9)[:3], signer(log.origin))
    altered = log.note(9).replace(b"\n9\n", b"\n8\n")
    mixed = log.note(9) + log.note(8).partition(b"\n\n")[2]
    for note in (forged, altered, mixed):
        answer = send(request(0, [], note))
        assert (answer.status_code, answer.json()["code"]) == (403, "log-unsigned")
    assert contents(hub.database) == before


def test_409_with_the_size_that_was_cosigned_last(send: Callable[..., Response], hub: Hub, log: Log) -> None:
    for old in (1, 9):
        answer = send(log.request(old, 9))
        assert (answer.status_code, answer.content) == (409, b"0\n")
        assert answer.headers["content-type"] == "text/x.tlog.size"
    assert send(log.request(0, 9)).status_code == 200
    before = contents(hub.database)
    for old in (0, 3, 10):
        answer = send(log.request(old, 12))
        assert (answer.status_code, answer.content) == (409, b"9\n")
    assert contents(hub.database) == before


def test_422_for_what_does_not_continue(send: Callable[..., Response], hub: Hub, log: Log) -> None:
    empty = sign_checkpoint(log.origin, 0, b"x" * 32, log.signer)
    assert send(request(0, [], empty)).status_code == 422
    assert send(request(0, [b"x" * 32], log.note(9))).status_code == 422
    assert send(log.request(0, 9)).status_code == 200
    served_before = served(hub, log.origin).content
    fork = log.forked(4)
    for body in (
        fork.request(9, 9),
        fork.request(9, 12),
        request(9, [], log.note(12)),
        request(9, proof(8, log.leaves[:12]), log.note(12)),
        request(9, [b"x" * 32], log.note(9)),
    ):
        answer = send(body)
        assert (answer.status_code, answer.json()["code"]) == (422, "consistency-invalid")
    assert served(hub, log.origin).content == served_before
    assert send(log.request(9, 12)).status_code == 200


def test_another_body_than_the_route_takes_is_refused(send: Callable[..., Response], hub: Hub) -> None:
    assert send(b"x" * (512 * 1024)).status_code == 413
    answer = hub.http.post("/witness/add-checkpoint", content=b"x", headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 415
    assert hub.http.get("/witness/add-checkpoint").status_code == 405


def test_a_log_without_a_cosigned_checkpoint_has_none(hub: Hub, log: Log) -> None:
    assert served(hub, log.origin).status_code == 404
    assert served(hub, "stranger.example/log").status_code == 404
    for path in ("00", "A" * 64, "../x", "0" * 63):
        assert hub.http.get(f"/witness/{path}/checkpoint").status_code == 404


def test_evidence_is_kept_of_each_contradiction_once(
    send: Callable[..., Response], witness: Witness, log: Log
) -> None:
    send(log.request(0, 9))
    fork = log.forked(4)
    for _ in range(3):
        assert send(fork.request(9, 9)).status_code == 422
        assert send(fork.request(9, 12)).status_code == 422
        assert send(request(3, [], fork.note(9) + stranger_line(fork.head(9)))).status_code == 409
    forked, unproven = witness.evidence()
    assert (forked.kind, forked.size, unproven.kind, unproven.size) == ("fork", 9, "unproven", 12)
    # Two checkpoints that the log signed, of one size, that anybody can verify.
    assert forked.held is not None
    held = open_checkpoint(forked.held, log.key, witness.keys)
    shown = open_checkpoint(parse_submission(forked.request).note.render(), log.key)
    assert (held.checkpoint, shown.checkpoint) == (log.head(9), fork.head(9))
    assert b"stranger" not in forked.request
    (view,) = witness.logs()
    assert (view.size, view.forks, view.unproven) == (9, 1, 1)


def test_a_checkpoint_that_is_proved_later_is_no_longer_held_against_the_log(
    send: Callable[..., Response], witness: Witness, log: Log
) -> None:
    send(log.request(0, 9))
    send(request(9, [], log.note(12)))
    send(log.forked(4).request(9, 12))
    assert [item.kind for item in witness.evidence()] == ["unproven", "unproven"]
    assert send(log.request(9, 12)).status_code == 200
    (left,) = witness.evidence()
    assert parse_submission(left.request).checkpoint == log.forked(4).head(12)


def test_what_only_the_sender_can_have_got_wrong_is_no_evidence(
    send: Callable[..., Response], witness: Witness, log: Log
) -> None:
    assert send(request(0, [b"x" * 32], log.note(9))).status_code == 422
    send(log.request(0, 9))
    assert send(request(9, [b"x" * 32], log.note(9))).status_code == 422
    assert witness.evidence() == []


def test_evidence_is_bounded(send: Callable[..., Response], witness: Witness, log: Log) -> None:
    send(log.request(0, 9))
    for at in range(9):
        send(log.forked(at).request(9, 9))
    for size in range(10, 10 + KEPT + 5):
        assert send(request(9, [], log.note(size))).status_code == 422
    kinds = [item.kind for item in witness.evidence()]
    assert (kinds.count("fork"), kinds.count("unproven")) == (9, KEPT)


def test_a_checkpoint_with_extension_lines_is_cosigned_and_its_words_are_nowhere(
    send: Callable[..., Response], hub: Hub, witness: Witness, log: Log
) -> None:
    send(log.request(0, 9))
    note = log.extended(12, "a raw value somebody wrote")
    answer = send(request(9, proof(9, log.leaves[:12]), note))
    assert answer.status_code == 200
    assert len(verified(note + answer.content, log, witness).cosignatures) == 2
    # What is remembered is the tree; the note is not, so the older one is served.
    assert verified(served(hub, log.origin).content, log, witness).checkpoint == log.head(9)
    assert send(log.request(9, 12)).content == b"12\n"
    assert send(request(12, [], log.extended(15, "raw value"))).status_code == 422
    assert witness.evidence() == []
    assert send(log.request(12, 15)).status_code == 200
    assert verified(served(hub, log.origin).content, log, witness).checkpoint == log.head(15)
    with hub.database.snapshot() as uow:
        for table in ("witnessed_log", "witness_evidence"):
            for row in uow.conn.execute(text(f"SELECT * FROM {table}")):
                assert b"raw value" not in repr(row).encode()


def test_a_log_may_have_several_keys(
    send: Callable[..., Response], hub: Hub, witness: Witness, log: Log
) -> None:
    second = signer(log.origin)
    with_second = sign_checkpoint(*log.head(9)[:3], second)
    assert send(request(0, [], with_second)).status_code == 403
    view = witness.add_log(second.verifier)
    assert view.vkeys == (log.key.vkey, second.verifier.vkey)
    both = with_second + log.note(9).partition(b"\n\n")[2]
    answer = send(request(0, [], both))
    assert answer.status_code == 200
    assert served(hub, log.origin).content == both + answer.content


def test_a_log_that_is_added_again_goes_on_where_it_was(
    send: Callable[..., Response], hub: Hub, witness: Witness, log: Log
) -> None:
    send(log.request(0, 9))
    witness.remove_log(log.origin)
    assert send(log.request(9, 12)).status_code == 404
    assert [(view.vkeys, view.size) for view in witness.logs()] == [((), 9)]
    with pytest.raises(Refused, match="not-found"):
        witness.remove_log(log.origin)
    witness.add_log(log.key)
    # Had it been forgotten, a fork would now be cosigned.
    assert send(log.forked(4).request(0, 9)).content == b"9\n"
    assert send(log.request(9, 12)).status_code == 200


def test_what_cannot_be_watched_is_refused(hub: Hub, witness: Witness, log: Log) -> None:
    before = contents(hub.database)
    for key, code in (
        (log.key, "conflict"),
        (signer("hub.example/sandbox/log").verifier, "conflict"),
        (signer("x" * 256).verifier, "claim-invalid"),
    ):
        with pytest.raises(Refused) as caught:
            witness.add_log(key)
        assert caught.value.code == code
    assert contents(hub.database) == before
    assert isinstance(witness.add_log(signer("x" * 255).verifier).vkeys[0], str)


def test_logs_do_not_know_each_other(
    send: Callable[..., Response], hub: Hub, witness: Witness, log: Log
) -> None:
    other = Log("log.example/two")
    witness.add_log(other.key)
    assert send(log.request(0, 9)).status_code == 200
    assert send(other.request(0, 3)).status_code == 200
    assert send(log.request(9, 12)).status_code == 200
    assert [(view.origin, view.size) for view in witness.logs()] == [(log.origin, 12), (other.origin, 3)]
    # The key of one log says nothing about another.
    crossed = NoteVerifier(log.origin, other.key.kind, other.key.public)
    assert crossed.key_id != other.key.key_id


def test_a_read_only_hub_cosigns_nothing(hub: Hub, settings: Settings, log: Log) -> None:
    hub.database.read_only = True
    answer = hub.http.post("/witness/add-checkpoint", content=log.request(0, 9))
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
