"""Members, policy, keys, audit, signals and an organisation's settings, as people at the console see and use them."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.governance.pages.sitting import Room, landed
from tests.signals.material import md5, report
from tests.support.console import Visitor
from tests.support.pages import Reader
from tests.support.parties import Party
from tocsin.governance.pages import audit
from tocsin.governance.pages.policy import PACKS, VALUES
from tocsin.governance.service import searching
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY

PIXEL = "https://pixel.example"
COMMUNITY = "child-safety"
SECRET = md5(9)


@dataclass
class Office:
    """The room with an active member in it, its administrator and its analyst."""

    room: Room
    party: Party

    def __getitem__(self, name: str) -> Visitor:
        return self.room.people[name]


@pytest.fixture(scope="module")
def offices() -> dict[int, Office]:
    return {}


@pytest.fixture
def office(room: Room, offices: dict[int, Office]) -> Office:
    if id(room) not in offices:
        room.board.decide("community.open", COMMUNITY)
        party = room.board.member("pixel")
        room.board.activate("pixel")
        for handle, role in (("olga", "org_admin"), ("otto", "org_analyst")):
            room.people[handle] = room.console.person(handle, (role,), PIXEL)
        offices[id(room)] = Office(room, party)
    room.again()
    return offices[id(room)]


def inputs(page: Reader) -> dict[str, str]:
    """The fields of a page's forms with the values they begin with."""
    return {
        str(attrs["name"]): str(attrs.get("value") or "")
        for tag, attrs in page.tags
        if tag == "input" and attrs.get("name") not in {None, "csrf"}
    }


def test_a_member_is_shown_with_everything_it_follows_from(office: Office) -> None:
    assert "pixel.example" in office["s1"].read("/console/members").text
    text = office["s1"].read("/console/members/pixel.example").text
    for part in ("Active", "child-safety", office.party.key.public.kid, "admit https://pixel.example"):
        assert part in text
    assert office["s1"].get("/console/members/nobody.example").status_code == 404


def test_a_member_that_was_suspended_is_watched_for_a_while(office: Office) -> None:
    """Everybody is told, for as long as the policy says, and no longer."""
    board, http = office.room.board, office.room.hub.http

    def shown() -> tuple[bool, bool, str | None]:
        office.room.again()
        (line,) = [
            member
            for member in http.get("/.well-known/tocsin/board/state").json()["members"]
            if member["issuer"] == PIXEL
        ]
        return (
            "watched after a suspension until" in Reader(http.get("/members").text).text,
            "after its suspension, until" in office["s1"].read("/console/members/pixel.example").text,
            line.get("watched_until"),
        )

    assert shown() == (False, False, None)
    noticed = {"until": board.clock.now + 60 * DAY, "noticed_at": board.clock.now - 8 * DAY}
    board.enact("member.suspend", PIXEL, noticed)
    assert shown() == (False, False, None), "it is not back yet"
    board.enact("member.reinstate", PIXEL)
    ends = board.clock.now + 30 * DAY
    assert shown() == (True, True, rfc3339(ends))
    board.clock.now = ends
    board.enact("community.open", "after-the-watch")
    assert shown() == (False, False, None)


def test_a_scorecard_is_read_for_a_reason(office: Office) -> None:
    path = "/console/members/pixel.example/scorecard"
    assert office["s1"].get(path).status_code == 403
    office.room.purpose("s1", "scorecard.read", "ballot")
    assert "Its live statements" in office["s1"].read(path).text
    assert office["olga"].get(path).status_code == 403
    office.room.purpose("aud", "scorecard.read", "audit")
    assert office["aud"].get(path).status_code == 200


def test_a_change_of_policy_becomes_a_motion(office: Office) -> None:
    room = office.room
    page = office["s1"].read("/console/policy/change")
    sent = inputs(page)
    assert sent.keys() == VALUES.keys() | PACKS.keys()
    before = room.board.state.policy
    same = office["s1"].post("/console/policy/change", **sent)
    assert (same.status_code, "Nothing is changed" in same.text) == (409, True)
    for name, wrong in (("sighting", "two"), ("corroborating_groups", "1"), ("voting", "0")):
        refused = office["s1"].post("/console/policy/change", **{**sent, name: wrong})
        assert refused.status_code == 400
        assert VALUES[name].label in refused.text
    motion = landed(office["s1"].post("/console/policy/change", **{**sent, "sighting": "14"}))
    identifier = motion.rpartition("/")[2]
    assert room.board.state.policy == before
    # While it is discussed, and not only by a number.
    assert "What it changes" in (shown := office["aud"].read(motion).text)
    assert "Life of a sighting (days) Before: 30 After: 14" in shown
    room.board.carry(identifier)
    assert room.board.state.policy.sighting == 14 * DAY
    # Another change does not alter what this one was.
    later = room.board.state.policy.model_copy(update={"version": 3, "sighting": 7 * DAY})
    room.board.enact("policy.set", "policy", {"policy": later.model_dump(mode="json")})
    assert "Life of a sighting (days) Before: 30 After: 14" in office["aud"].read(motion).text
    room.again()
    text = office["olga"].read("/console/policy").text
    assert "Version 2" in text
    assert "Life of a sighting (days) 30 14" in text


def test_only_a_seat_may_propose_a_policy(office: Office) -> None:
    for name in ("olga", "aud", "opal", "vera"):
        assert office[name].post("/console/policy/change").status_code == 403
        if name in {"olga", "vera"}:
            assert office[name].get("/console/policy/change").status_code == 403
            assert office[name].post("/console/policy/simulation").status_code == 403


def test_a_change_is_tried_on_the_last_days_first(office: Office) -> None:
    before = office.room.board.state
    sent = inputs(office["aud"].read("/console/policy/change")) | {"media_candidate": "1"}
    office.party.sdk().report(COMMUNITY, [md5(3)], report(office.room.hub.clock() + 20 * DAY))
    answer = office["aud"].post("/console/policy/simulation", **sent)
    assert "statements would end earlier" in Reader(answer.text).text
    assert inputs(Reader(answer.text))["media_candidate"] == "1"
    sent |= {"media_candidate": "180", "iat_past": "0", "toe_past": "0", "quorum": "4"}
    office.room.hub.clock.advance(60)
    now = office.room.hub.clock()
    office.party.sdk().report(COMMUNITY, [md5(4)], report(now + DAY), observed_at=now - 1)
    text = Reader(office["aud"].post("/console/policy/simulation", **sent).text).text
    assert "1 would have been refused, 1 with toe-invalid" in text
    assert "so they are not in the figures: Fewest votes that a decision takes." in text
    assert office.room.board.state == before


def test_keys_are_listed_and_reminded_of(office: Office) -> None:
    text = office["s1"].read("/console/keys").text
    assert office.party.key.public.kid in text
    assert "No member's last key ends within 30 days" in text
    assert office["olga"].get("/console/keys").status_code == 403


def test_records_are_read_exported_and_proved(office: Office) -> None:
    text = office["aud"].read("/console/audit").text
    assert office.room.board.state.genesis.hex() in text
    assert "The board was founded" in text
    exported = office["aud"].get("/console/audit/records.ndjson")
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    assert exported.text.splitlines() == (
        office.room.hub.http.get("/.well-known/tocsin/board/records").text.splitlines()
    )
    assert office["olga"].get("/console/audit/records.ndjson").status_code == 403
    seals = office["aud"].get("/console/audit/docket.ndjson")
    assert seals.headers["content-disposition"] == 'attachment; filename="docket.ndjson"'
    assert seals.content == office.room.hub.http.get("/.well-known/tocsin/board/docket").content
    assert office["olga"].get("/console/audit/docket.ndjson").status_code == 403
    office.room.hub.publish()
    opened = json.loads(exported.text.splitlines()[1])["log_seq"]
    proof = office.room.hub.http.get(f"/log/proof/{opened}").text
    found = office["otto"].post("/console/audit/proof", proof=proof.replace("\n", "\r\n"))
    assert f"It holds: entry {opened} (decision)" in Reader(found.text).text
    lines = proof.split("\n")
    altered = proof.replace(f"index {opened}\n", f"index {opened + 1}\n")
    assert altered != proof, lines[:4]
    for bad in (altered, "nonsense", ""):
        refused = office["otto"].post("/console/audit/proof", proof=bad)
        assert refused.status_code >= 400
        assert "It holds" not in refused.text


def test_records_are_searched_by_kind_subject_and_day(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = office.room.board
    board.member("kiosk", communities={COMMUNITY: "r"})
    board.clock.advance(DAY)
    board.enact("community.open", "quays")
    aud = office["aud"]
    day = datetime.fromtimestamp(board.clock(), UTC).date().isoformat()
    everything = [json.loads(line) for line in aud.get("/console/audit/records.ndjson").text.splitlines()]

    def exported(**wanted: str) -> list[int]:
        answer = aud.get(f"/console/audit/records.ndjson?{urlencode(wanted)}")
        assert answer.status_code == 200, answer.text
        lines = [json.loads(line) for line in answer.text.splitlines()]
        assert all(line in everything for line in lines)
        return [line["record"]["seq"] for line in lines]

    def of(wanted: Callable[[dict[str, Any]], bool]) -> list[int]:
        return [one["record"]["seq"] for one in reversed(everything) if wanted(one["record"])]

    def decided(record: dict[str, Any]) -> dict[str, Any]:
        return dict(record["body"].get("decision", {"type": "", "subject": "", "params": {}}))

    kiosk = "https://kiosk.example"
    assert exported(kind="community.open") == of(lambda one: decided(one)["type"] == "community.open")
    assert exported(kind="genesis") == [0]
    assert exported(kind="member") == of(lambda one: one["kind"] == "member")
    found = exported(subject=f"{kiosk}/")
    assert set(found) > set(of(lambda one: decided(one)["subject"] == kiosk))
    assert set(found) & set(exported(kind="member")), "its proof of keys, which only its signature names"
    admitted = exported(kind="member.admit", subject=COMMUNITY)
    assert set(admitted) > set(exported(kind="member.admit", subject=kiosk))
    assert exported(day=day) == of(lambda one: one["at"] // DAY == board.clock() // DAY)
    assert exported(kind="community.open", subject="quays", day=day) == [everything[-1]["record"]["seq"]]
    assert exported(day="1999-12-31") == []

    # The page says the same, and its next pages keep the search.
    page = aud.read(f"/console/audit?kind=community.open&subject=quays&day={day}")
    assert "quays" in page.text
    log_seq = everything[-1]["log_seq"]
    assert {f"/log/entry?number={log_seq}", f"/log/proof/{log_seq}"} <= set(page.attributes("a", "href"))
    assert {"quays", day} <= set(page.attributes("input", "value"))
    assert "Nothing matches." in aud.read("/console/audit?subject=https://nobody.example").text
    whole = exported(kind="community.open")
    monkeypatch.setattr(audit, "SHOWN", 1)
    monkeypatch.setattr(searching, "LOOKED_AT", 5)
    assert walked(aud, "/console/audit?kind=community.open", "Older records") == whole
    assert "Older ones have not been looked at yet" in aud.read("/console/audit?kind=genesis").text

    for wrong in (
        "kind=zebra",
        "subject=javascript:alert",
        "subject=nowhere",
        "day=2026-02-30",
        "day=20260101",
    ):
        refused = aud.get(f"/console/audit?{wrong}")
        assert refused.status_code == 400
        assert wrong.partition("=")[2] not in refused.text
        marked = [attrs for _, attrs in Reader(refused.text).tags if attrs.get("aria-invalid") == "true"]
        assert [attrs["name"] for attrs in marked] == [wrong.partition("=")[0]]
        assert aud.get(f"/console/audit/records.ndjson?{wrong}").status_code == 400
    assert office["olga"].get("/console/audit/records.ndjson?kind=member").status_code == 403


def walked(visitor: Visitor, path: str, older: str) -> list[int]:
    """The numbers of the records on one page after another, by following its link."""
    numbers: list[int] = []
    while path:
        answer = visitor.read(path)
        labels = [
            label for label in answer.attributes("a", "aria-label") if label.startswith("Proof of record")
        ]
        numbers += [int(label.rpartition(" ")[2]) for label in labels]
        links = [link for link in answer.attributes("a", "href") if "before=" in link]
        assert (older in answer.text) == bool(links)
        path = links[0].removesuffix("#records") if links else ""
    return numbers


def test_the_log_is_searched_by_kind_community_and_day(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, aud = office.room.hub, office["aud"]
    office.party.sdk().report(COMMUNITY, [md5(41)], report(hub.clock() + 20 * DAY))
    hub.publish()
    today = datetime.fromtimestamp(hub.clock(), UTC).date().isoformat()

    def exported(query: str) -> list[dict[str, Any]]:
        answer = aud.get(f"/console/audit/entries.ndjson?{query}")
        assert answer.headers["content-type"].startswith("application/x-ndjson")
        return [json.loads(line) for line in answer.text.splitlines()]

    everything = exported("")
    assert [line["seq"] for line in everything] == list(range(len(everything)))[::-1]
    found = exported(f"kind=report&community={COMMUNITY}&day={today}")
    assert found
    assert found == [
        line
        for line in everything
        if (line["entry"]["kind"], line["entry"]["community"]) == ("report", COMMUNITY)
        and line["entry"]["recorded_at"].startswith(today)
    ]
    decisions = exported("kind=decision")
    assert decisions == [line for line in everything if line["entry"]["kind"] == "decision"]
    assert exported("community=board&kind=report") == []
    page = aud.read(f"/console/audit/entries?kind=report&community={COMMUNITY}&day={today}")
    number = found[0]["seq"]
    assert {f"/log/entry?number={number}", f"/log/proof/{number}"} <= set(page.attributes("a", "href"))
    assert hub.http.get(f"/log/proof/{number}").status_code == 200
    assert today in page.attributes("input", "value")
    assert "Nothing matches." in aud.read("/console/audit/entries?kind=release&day=1999-12-31").text
    below = aud.read(f"/console/audit/entries?before={number}&kind=report").attributes("a", "href")
    assert f"/log/entry?number={number}" not in below
    monkeypatch.setattr(audit, "SHOWN", 1)
    many = aud.read("/console/audit/entries?community=docket")
    (older,) = [link for link in many.attributes("a", "href") if "before=" in link]
    assert "community=docket" in older
    assert aud.read(older).text != many.text

    for wrong in ("kind=everything", "community=nowhere", "day=yesterday"):
        refused = aud.get(f"/console/audit/entries?{wrong}")
        assert (refused.status_code, wrong.partition("=")[2] in refused.text) == (400, False)
        assert aud.get(f"/console/audit/entries.ndjson?{wrong}").status_code == 400
    # Whoever has signed in may look, as at the public log; exports are for the board and for auditors.
    assert office["olga"].get("/console/audit/entries?kind=report").status_code == 200
    assert office["olga"].get("/console/audit/entries.ndjson").status_code == 403
    assert hub.http.get("/console/audit/entries", follow_redirects=False).status_code == 303


def test_a_member_looks_at_a_signal_and_the_value_is_shortened(office: Office) -> None:
    value = str(SECRET)
    until = office.room.hub.clock() + 20 * DAY
    office.party.sdk().report(COMMUNITY, [SECRET], report(until))
    assert office["otto"].get("/console/signals").status_code == 403
    office.room.purpose("otto", "signal.read", "own-signals")
    assert office["otto"].get("/console/signals").status_code == 200
    answer = office["otto"].post("/console/signals", community=COMMUNITY, indicator=value)
    text = Reader(answer.text).text
    assert "candidate" in text
    assert "At least one member whose word counts reports it." in text
    assert value[:12] in text
    assert value not in answer.text
    lately = office["otto"].get(f"/console/signals?community={COMMUNITY}").text
    assert value[:12] in lately
    assert value not in lately
    unknown = office["otto"].post("/console/signals", community=COMMUNITY, indicator=str(md5(77)))
    assert unknown.status_code == 404
    assert str(md5(77)) not in unknown.text


def test_an_auditor_looks_over_a_members_shoulder_and_the_board_cannot(office: Office) -> None:
    office.room.purpose("aud", "signal.read", "audit")
    office.party.sdk().report(COMMUNITY, [md5(5)], report(office.room.hub.clock() + 20 * DAY))
    fields = {"community": COMMUNITY, "indicator": str(md5(5)), "member": PIXEL}
    text = Reader(office["aud"].post("/console/signals", **fields).text).text
    assert f"What {PIXEL} may see" in text
    assert "Why it sees this" in text
    for name in ("s1", "s4", "opal", "vera"):
        assert office[name].get("/console/signals").status_code == 403
        assert office[name].post("/console/signals", **fields).status_code == 403


def test_an_administrator_looks_after_people_and_clients(office: Office) -> None:
    text = office["otto"].read("/console/organisation").text
    assert "olga" in text
    made = office["olga"].post("/console/organisation/people", handle="oren", role="org_analyst")
    assert "The link for oren" in Reader(made.text).text
    assert "oren" in office["olga"].read("/console/organisation").text
    assert landed(office["olga"].post("/console/organisation/people/oren/revoke", role="org_analyst"))
    assert "oren" not in office["olga"].read("/console/organisation").text
    landed(office["olga"].post("/console/organisation/clients", **{"signals:read": "yes"}))
    view = next(v for v in office.room.hub.members.list_members() if v.org.issuer == PIXEL)
    client = view.clients[-1]
    assert client.scopes == {"signals:read"}
    landed(office["olga"].post("/console/organisation/clients/revoke", client_id=client.client_id))
    view = next(v for v in office.room.hub.members.list_members() if v.org.issuer == PIXEL)
    assert view.clients[-1].revoked
    assert office["olga"].post("/console/organisation/clients").status_code == 422
    assert (
        office["olga"].post("/console/organisation/clients/revoke", client_id="cl_nobodys").status_code == 404
    )
    for name in ("otto", "s1", "aud", "opal"):
        assert office[name].post("/console/organisation/clients").status_code == 403


def test_a_signed_act_is_recorded_and_another_is_refused(office: Office) -> None:
    size = office.room.board.state.size
    act = office.room.board.signed_act("pixel", office.party.key, "attest", year=2027)
    refused = office["olga"].post("/console/organisation/acts", act=act[:-3] + "AAA")
    assert refused.status_code >= 400
    assert office.room.board.state.size == size
    year = datetime.fromtimestamp(office.room.hub.clock(), UTC).year
    act = office.room.board.signed_act("pixel", office.party.key, "attest", year=year)
    landed(office["olga"].post("/console/organisation/acts", act=act))
    assert office.room.board.state.size == size + 1
    assert "attested for this year" in office["s1"].read("/console/members/pixel.example").text
