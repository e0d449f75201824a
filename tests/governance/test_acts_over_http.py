"""What is signed and needs no account, over HTTP: applications, ballots, acts of members and of seats, appeals."""

import secrets
from typing import Any

import httpx2
import pytest

from tests.signals.material import md5, report
from tests.support.board import Board, form, found
from tests.support.hub import Hub
from tests.support.officers import panel, seats
from tests.support.state import contents
from tocsin.governance.service import emergency, member_acts
from tocsin_schemas import envelope
from tocsin_schemas.decisions import sign_ballot
from tocsin_schemas.governance import sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import dump_object

PIXEL = "https://pixel.example"
JWT = {"Content-Type": "application/jwt"}


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """Five seats, a panel, and two active members."""
    shared = found(module_hub, [*seats(), *panel()])
    shared.member("pixel")
    shared.member("kiosk")
    shared.activate("pixel", "kiosk")
    return shared


def post(board: Board, path: str, token: str | bytes) -> httpx2.Response:
    return board.hub.http.post(path, content=token, headers=JWT)


def refused(board: Board, path: str, token: str | bytes, code: str) -> None:
    """The token is refused with `code`, and everything is as it was."""
    before = contents(board.hub.database)
    answer = post(board, path, token)
    assert answer.json()["code"] == code, answer.text
    assert contents(board.hub.database) == before


def token(key: SigningKey, typ: str, **claims: Any) -> bytes:
    return envelope.sign(dump_object({"jti": secrets.token_hex(16), **claims}), key, typ)


def test_applying_without_an_account(board: Board) -> None:
    http, key = board.hub.http, SigningKey.generate()
    whole = form(board.hub, "newcomer", key).model_dump(mode="json")
    made = http.post("/v1/applications", json={**whole, "submit": False})
    assert made.status_code == 201, made.text
    application, secret = made.json()["id"], made.json()["secret"]
    path = f"/v1/applications/{application}"
    assert http.get(path).json()["state"] == "draft"
    assert http.get("/v1/applications/ap_unknown").status_code == 404
    assert http.post(f"{path}/submission", json={"secret": "wrong"}).status_code == 404
    assert http.post(f"{path}/submission", json={"secret": secret}).json()["state"] == "submitted"
    assert http.post(f"{path}/answers", json={"secret": secret, "answers": {}}).status_code == 409

    # A draft without keys is completed the same way.
    bare = http.post("/v1/applications", json={**whole, "keys": [], "submit": False}).json()
    draft = f"/v1/applications/{bare['id']}"
    assert http.get(draft).json()["missing"] == ["keys"]
    assert http.post(f"{draft}/submission", json={"secret": bare["secret"]}).json()["field"] == "keys"
    unknown = {"secret": bare["secret"], "issuer": "https://other.example"}
    assert http.post(f"{draft}/answers", json=unknown).json()["code"] == "request-invalid"
    completed = http.post(f"{draft}/answers", json={"secret": bare["secret"], "keys": whole["keys"]})
    assert completed.json()["missing"] == []
    assert http.post(f"{draft}/submission", json={"secret": bare["secret"]}).json()["state"] == "submitted"
    names_a_stranger = http.post("/v1/applications", json={**whole, "phone": "+49 30 901820"})
    assert (names_a_stranger.status_code, names_a_stranger.json()["code"]) == (400, "request-invalid")
    assert "901820" not in names_a_stranger.text
    assert "phone" not in names_a_stranger.text

    # Two members stand up for it with their keys.
    for name in ("pixel", "kiosk"):
        party = board.parties[name]
        claims = {
            "iss": party.issuer,
            "aud": board.hub.issuer,
            "iat": board.clock.now,
            "application": application,
        }
        signed = token(party.key, "tocsin-sponsorship+jwt", **claims)
        assert post(board, "/v1/applications/sponsors", signed).status_code == 200
        refused(board, "/v1/applications/sponsors", signed, "conflict")
        for wrong, code in (
            ({"aud": "https://other.example"}, "audience-unknown"),
            ({"iss": "https://other.example"}, "issuer-mismatch"),
            ({"iat": board.clock.now - 301}, "iat-too-old"),
            ({"iat": board.clock.now + 61}, "iat-future"),
            ({"iat": "now"}, "claim-invalid"),
            ({"application": 7}, "claim-invalid"),
            ({"application": "ap_" + "0" * 32}, "not-found"),
            ({"why": "they are nice"}, "claim-invalid"),
        ):
            bad = token(party.key, "tocsin-sponsorship+jwt", **{**claims, **wrong})
            refused(board, "/v1/applications/sponsors", bad, code)
    stranger = token(SigningKey.generate(), "tocsin-sponsorship+jwt", iss=PIXEL)
    refused(board, "/v1/applications/sponsors", stranger, "key-unknown")
    assert http.post(f"{path}/withdrawal", json={"secret": secret}).json()["state"] == "lapsed"


def test_a_seat_with_an_offline_key_does_everything_by_signing(board: Board) -> None:
    http, path = board.hub.http, "/v1/board/acts"

    def act(by: str, what: str, /, **said: Any) -> bytes:
        key = board.officers[by].key
        assert key is not None
        claims = {"seat": by, "aud": board.hub.issuer, "iat": board.clock.now, "act": what}
        return token(key, "tocsin-seat-act+jwt", **{**claims, **said})

    propose = {"type": "community.open", "subject": "signed", "params": {}}
    first = act("s1", "propose", **propose)
    made = post(board, path, first)
    assert made.status_code == 200, made.text
    motion = made.json()["id"]
    refused(board, path, first, "jti-reused")
    refused(board, path, act("s3", "endorse", motion=motion, seat="s5"), "issuer-mismatch")
    refused(board, path, act("s3", "endorse", motion=motion, conflict=True), "claim-invalid")
    refused(board, path, act("s3", "endorse"), "claim-invalid")
    refused(board, path, act("s3", "endorse", motion=motion, iat=board.clock.now - 301), "iat-too-old")
    refused(board, path, act("s3", "endorse", motion=motion, aud="https://other.example"), "audience-unknown")
    not_a_seat = token(
        board.parties["pixel"].key, "tocsin-seat-act+jwt", seat="s1", act="endorse", motion=motion
    )
    refused(board, path, not_a_seat, "key-unknown")
    for seat in ("s3", "s5"):
        endorsed = post(board, path, act(seat, "endorse", motion=motion))
        assert endorsed.status_code == 200, endorsed.text
    assert endorsed.json()["state"] == "discussion"
    declared = post(board, path, act("s5", "declare", motion=motion, conflict=True))
    assert declared.json()["recusals"] == [{"seat": "s5", "reason": "declared"}]

    board.discuss(motion)
    paper = http.get(f"/v1/board/motions/{motion}/paper", params={"choice": "yes"}).json()
    assert paper["decision"]["subject"] == "signed"
    assert http.get(f"/v1/board/motions/{motion}/paper", params={"choice": "maybe"}).status_code == 400
    for seat in ("s1", "s3"):
        key = board.officers[seat].key
        assert key is not None
        ballot = sign_ballot(bytes.fromhex(paper["digest"]), "yes", seat, key, 0)
        cast = post(board, f"/v1/board/motions/{motion}/ballots", ballot.jws or "")
        assert cast.status_code == 200, cast.text
        refused(board, f"/v1/board/motions/{motion}/ballots", ballot.jws or "", "ballot-duplicate")
    # How an open ballot stands is not told: only how many have voted.
    assert cast.json()["count"] == {"eligible": 4, "quorum": 3, "cast": 2}
    assert "ballots" not in cast.json()
    ballot = board.officers["s2"].ballot(board.paper(motion, "s2", "no"))
    sent = ballot.model_dump(mode="json", exclude_none=True)
    path = f"/v1/board/motions/{motion}/ballots"
    assert http.post(path, json={**sent, "note": "x"}).json()["code"] == "request-invalid"
    assert http.post(path, json=sent).status_code == 200
    board.vote(motion, "s4")
    over = http.get(f"/v1/board/motions/{motion}").json()
    assert (over["result"], over["count"]["no"]) == ("passes", 1)
    records = http.get("/.well-known/tocsin/board/records").text.splitlines()
    assert f'"seq":{over["record"]}' in records[over["record"]]


def test_an_emergency_is_not_announced(board: Board) -> None:
    made = emergency.begin(board.chamber, board.seated("s1"), PIXEL)
    listed = [row["id"] for row in board.hub.http.get("/v1/board/motions").json()]
    assert made not in listed
    board.clock.advance(DAY)
    assert made in [row["id"] for row in board.hub.http.get("/v1/board/motions").json()]


def test_a_member_changes_its_key_by_itself(board: Board) -> None:
    path, now = "/v1/members/acts", board.clock.now
    old, new = board.parties["kiosk"].key, SigningKey.generate()
    proof = sign_key_proof(iss="https://kiosk.example", aud=board.hub.issuer, iat=now, key=new)
    life = {"not_before": now, "not_after": now + 365 * DAY}
    added = board.signed_act("kiosk", old, "key-add", jwk=new.public.jwk(), proof=proof, **life)
    made = post(board, path, added)
    assert made.status_code == 201, made.text
    assert {"log_seq", "r", "record"} == made.json().keys()
    refused(board, path, added, "jti-reused")
    stranger = board.signed_act("kiosk", SigningKey.generate(), "key-revoke", kid=old.public.kid)
    refused(board, path, stranger, "key-unknown")
    of_another = board.signed_act("kiosk", board.parties["pixel"].key, "key-revoke", kid=old.public.kid)
    refused(board, path, of_another, "issuer-mismatch")

    # Revoked in one call, by the new key: the old one is dead with the answer.
    bearer = board.parties["kiosk"].bearer()
    assert board.hub.http.get("/v1/me", headers=bearer).status_code == 200
    gone = board.signed_act("kiosk", new, "key-revoke", kid=old.public.kid)
    assert board.hub.http.post(path, json={"jws": gone}).status_code == 201
    assert board.hub.http.get("/v1/me", headers=bearer).json()["code"] == "token-revoked"
    answer = board.hub.http.post(
        "/oauth/token", data=board.parties["kiosk"].form(grant_type="client_credentials")
    )
    assert answer.json()["code"] == "key-revoked"
    refused(board, path, board.signed_act("kiosk", old, "attest", year=2027), "key-revoked")
    board.parties["kiosk"].key = new
    assert board.hub.http.get("/v1/me", headers=board.parties["kiosk"].bearer()).status_code == 200


def test_keys_are_called_to_mind_before_they_expire(board: Board) -> None:
    left = next(iter(board.state.members[PIXEL].keys.values())).not_after - board.clock.now
    assert member_acts.reminders(board.chamber, PIXEL) == []
    board.clock.advance(left - 30 * DAY)
    (reminder,) = member_acts.reminders(board.chamber, PIXEL)
    assert (reminder.issuer, reminder.kid, reminder.days) == (
        PIXEL,
        board.parties["pixel"].key.public.kid,
        30,
    )
    board.clock.advance(-(left - 30 * DAY))


def test_the_next_request_of_a_suspended_member_fails(board: Board) -> None:
    party = board.parties["pixel"]
    bearer = party.bearer()
    feed = "/v1/communities/child-safety/feed"
    assert board.hub.http.get(feed, headers=bearer).status_code == 200
    assert board.suspend_in_emergency("pixel").result == "passes"
    before = contents(board.hub.database)
    assert board.hub.http.get(feed, headers=bearer).json()["code"] == "member-suspended"
    audience = f"{board.hub.issuer}/communities/child-safety"
    signal = party.author.sign(report(board.clock.now + DAY), [md5(1)], audience=audience)
    answer = board.hub.http.post(
        "/v1/signals", content=signal, headers={**bearer, "Content-Type": envelope.MEDIA_TYPE}
    )
    assert answer.json()["code"] == "member-suspended"
    asked = board.hub.http.post("/oauth/token", data=party.form(grant_type="client_credentials"))
    assert asked.status_code in {400, 401}, asked.text
    assert asked.json()["code"] == "member-suspended"
    assert contents(board.hub.database).keys() == before.keys()
    assert contents(board.hub.database)["statement"] == before["statement"]

    # It can still appeal once the board has confirmed: its key says who it is, and opens nothing else.
    (motion,) = [
        row["id"] for row in board.hub.http.get("/v1/board/motions").json() if row["state"] == "ballot"
    ]
    for seat in ("s1", "s2", "s3", "s4", "s5"):
        confirmed = board.vote(motion, seat)
    assert board.state.members[PIXEL].state == "suspended"
    claims = {"iss": PIXEL, "aud": board.hub.issuer, "iat": board.clock.now}
    appeal = token(party.key, "tocsin-appeal+jwt", **claims, of=confirmed.seq)
    filed = post(board, "/v1/board/appeals", appeal)
    assert filed.status_code == 201, filed.text
    refused(board, "/v1/board/appeals", appeal, "conflict")
    refused(board, "/v1/board/appeals", token(party.key, "tocsin-appeal+jwt", **claims), "claim-invalid")
    refused(board, "/v1/board/appeals", token(party.key, "tocsin-appeal+jwt", **claims, of=99), "not-found")


def test_a_body_of_another_type(board: Board) -> None:
    http = board.hub.http
    for path in ("/v1/members/acts", "/v1/board/acts", "/v1/board/appeals", "/v1/applications/sponsors"):
        assert http.post(path, content=b"x", headers={"Content-Type": "text/plain"}).status_code == 415
        assert http.post(path, content=b"\xff.\xff.\xff", headers=JWT).status_code == 422
        assert http.post(path, content=b"x" * 9000, headers=JWT).status_code == 413
