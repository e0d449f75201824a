"""Motions, votes and emergencies at the console: what works, and what is refused with nothing changed."""

import pytest

from tests.accounts.asking import assert_page, assert_refused_page, refuses
from tests.governance.pages.sitting import ASKED, Room, challenges, forms, landed
from tests.support.authenticator import UP
from tests.support.board import DOCUMENT
from tests.support.console import Visitor
from tests.support.pages import Reader
from tocsin.accounts.service.secrets import decode
from tocsin.accounts.store import people
from tocsin.governance.pages.propose import KINDS
from tocsin.governance.service import motions
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.tally import RULES
from tocsin_schemas.vocabulary import DECISION_TYPES

SECRET = "zX9-never-shown-again"
PIXEL, FRAME = "https://pixel.example", "https://frame.example"


@pytest.fixture(scope="module", autouse=True)
def _members(room: Room) -> None:
    for name in ("pixel", "frame"):
        room.board.member(name)
    room.board.activate("pixel", "frame")


def proposed(room: Room, kind: str, **fields: str) -> str:
    """The path of a motion that s1 has proposed by its form."""
    return landed(room.people["s1"].post(f"/console/motions/new/{kind}", **fields))


def opened(room: Room, kind: str, **fields: str) -> tuple[str, str]:
    """A motion whose ballot is open, with everybody but s1 having declared: its path and id."""
    path = proposed(room, kind, **fields)
    for name in room.seats[1:]:
        landed(room.people[name].post(f"{path}/declaration", conflict="no"))
    for name in ("s2", "s3"):
        landed(room.people[name].post(f"{path}/endorsement"))
    room.hub.clock.advance(7 * DAY)
    return path, path.rpartition("/")[2]


def test_every_kind_of_decision_has_a_form_or_another_way(room: Room) -> None:
    elsewhere = {"member.admit", "member.emergency_suspend", "policy.set", "appeal.uphold", "appeal.dismiss"}
    assert {*KINDS, *elsewhere} == set(DECISION_TYPES) == set(RULES)
    s1 = room.people["s1"]
    index = s1.read("/console/motions/new")
    for kind in KINDS:
        assert f"/console/motions/new/{kind}" in index.attributes("a", "href")
        assert "Passes with" in s1.read(f"/console/motions/new/{kind}").text or "Nothing can be chosen" in (
            s1.read(f"/console/motions/new/{kind}").text
        )
    for path in ("/console/motions/new/member.admit", "/console/motions/mo_0", "/console/motions/%00"):
        assert_refused_page(s1.get(path), "not-found")


def test_a_form_comes_back_with_what_was_wrong_and_keeps_what_fits(room: Room) -> None:
    s1 = room.people["s1"]
    sent = {"member": PIXEL, "until": "2027-02-30", "noticed_at": SECRET, "complainant": SECRET}
    with refuses(room.hub, ASKED):
        answer = s1.post("/console/motions/new/member.suspend", **sent)
        shown = assert_refused_page(answer, "claim-invalid")
    assert SECRET not in answer.text
    assert "Suspended until : Give a date" in shown.text
    chosen = {attrs.get("value") for tag, attrs in shown.tags if tag == "option" and "selected" in attrs}
    assert chosen == {PIXEL}
    with refuses(room.hub, ASKED):
        for kind, fields in {
            "member.suspend": {"member": PIXEL, "until": "2099-01-01"},
            "member.reinstate": {"member": PIXEL},
            "community.open": {"community": "Child Safety"},
            "community.grant": {"member": PIXEL, "community": SECRET},
            "key.revoke": {"key": SECRET},
            "key.enrol": {"member": PIXEL, "keys": SECRET},
            "peering.set": {"peer": SECRET, "terms": DOCUMENT},
            "agreement.record": {"list": "iwf", "terms": SECRET},
            "member.sanction": {"member": PIXEL, "complainant": f"{SECRET}\0"},
            "roster.set": {
                "seat": "s99",
                "seat_class": "independent",
                "term_ends": SECRET,
                "expires": SECRET,
            },
        }.items():
            refused = s1.post(f"/console/motions/new/{kind}", **fields)
            assert 400 <= refused.status_code < 500, kind
            assert 'role="alert"' in refused.text, kind
            assert SECRET not in refused.text


def test_a_seat_changes_hands_by_the_form(room: Room) -> None:
    s1 = room.people["s1"]
    form = {"seat": "s5", "seat_class": "independent", "term_ends": "2030-01-01", "expires": "2031-01-01"}
    with refuses(room.hub, ASKED):
        nobody = s1.post("/console/motions/new/roster.set", handle="grace", **form)
        assert "Who takes it" in assert_refused_page(nobody, "not-found").text
        odd = s1.post("/console/motions/new/roster.set", handle="\0", **form)
        assert_refused_page(odd, "claim-invalid")
    grace = room.console.person("grace")
    with refuses(room.hub, ASKED):
        # Nobody's key is taken unseen: it is chosen by its thumbprint.
        asked = s1.post("/console/motions/new/roster.set", handle="grace", **form)
        assert offered(assert_refused_page(asked, "request-invalid")) == {kid(grace): False}
        assert 'name="handle" value="grace"' in asked.text
        nobodys = s1.post("/console/motions/new/roster.set", **{kid(grace): "on"}, **form)
        assert_refused_page(nobodys, "request-invalid")
        others = s1.post("/console/motions/new/roster.set", handle="grace", **{kid(s1): "on"}, **form)
        assert_refused_page(others, "claim-invalid")
        form |= {kid(grace): "on"}
        # s5 is on duty: somebody has to be.
        unduty = s1.post("/console/motions/new/roster.set", handle="grace", **form)
        assert offered(assert_refused_page(unduty, "roster-invalid")) == {kid(grace): True}
    path = proposed(room, "roster.set", handle="grace", duty="on", chair="on", **form)
    view = motions.motion(room.board.chamber, path.rpartition("/")[2])
    roster = view.params["roster"]
    seats = {seat["seat"]: seat for seat in roster["seats"]}
    assert [seat["seat"] for seat in roster["seats"]] == ["s1", "s2", "s3", "s4", "s5"]
    assert [name for name, seat in seats.items() if seat.get("chair")] == ["s5"]
    assert [key["id"] for key in seats["s5"]["credentials"]] == [grace.authenticator.id]
    shown = s1.read(path).text
    assert "version 2" in shown
    told = f"keys {grace.authenticator.jwk['kid']} (passkey)"
    assert "Seat s5 Before: independent on duty, handle-s5 until" in shown
    assert f"independent chair on duty, grace until 2030-01-01, {told}" in shown
    assert "Seat s4 Before: independent chair, handle-s4" in shown
    assert "The roster expires" in shown
    assert "Seat s1" not in shown
    landed(s1.post(f"{path}/withdrawal"))
    assert "Withdrawn" in s1.read(path).text


def kid(visitor: Visitor) -> str:
    """The field of somebody's key in the form of a roster."""
    return f"key-{visitor.authenticator.jwk['kid']}"


def offered(page: Reader) -> dict[str, bool]:
    """The keys that a form lets one choose from, and whether each is ticked."""
    return {
        str(attrs["name"]): "checked" in attrs
        for tag, attrs in page.tags
        if tag == "input" and str(attrs.get("name")).startswith("key-")
    }


def test_whoever_stays_keeps_the_keys_that_the_roster_names(room: Room) -> None:
    """An operator's link makes a passkey of the account; a motion about the seat's term does not make it the seat's."""
    s1, form = room.people["s1"], {"seat": "s4", "seat_class": "independent", "handle": "handle-s4"}
    form |= {"term_ends": "2030-01-01", "expires": "2031-01-01", "chair": "on"}
    stranger, copied = room.console.visitor(), room.console.visitor()
    for visitor in (stranger, copied):
        assert visitor.enrol(room.console.accounts.invite("handle-s4")).status_code == 303
    with room.hub.database.transaction() as uow:
        people.key_cloned(uow, decode(copied.authenticator.id, "credential"))
    held = room.board.state.roster.seat("s4")
    assert held is not None

    def keys(path: str) -> list[str]:
        view = motions.motion(room.board.chamber, path.rpartition("/")[2])
        (seat,) = [seat for seat in view.params["roster"]["seats"] if seat["seat"] == "s4"]
        landed(s1.post(f"{path}/withdrawal"))
        return [key["id"] for key in seat["credentials"]]

    assert keys(proposed(room, "roster.set", **form)) == [key.id for key in held.credentials]
    with refuses(room.hub, ASKED):
        asked = s1.post("/console/motions/new/roster.set", rekey="on", **form)
        shown = assert_refused_page(asked, "request-invalid")
        assert offered(shown) == {kid(room.people["s4"]): True, kid(stranger): False}
        dead = s1.post("/console/motions/new/roster.set", **{kid(copied): "on"}, **form)
        assert_refused_page(dead, "claim-invalid")
    chosen = {kid(stranger): "on", kid(room.people["s4"]): "on"}
    both = keys(proposed(room, "roster.set", **chosen, **form))
    assert both == [held.credentials[0].id, stranger.authenticator.id]


def test_a_tie_is_declared_once_for_every_motion_about_an_organisation(room: Room) -> None:
    s4, frame = room.people["s4"], "https://frame.example"
    path = proposed(room, "member.suspend", member=FRAME, until="2027-06-01")
    assert "You have declared none" in s4.read("/console/ties").text
    with refuses(room.hub, ASKED):
        for fields in (
            {"issuer": SECRET},
            {"issuer": f"{frame}/path"},
            {"issuer": frame, "ended_at": "2099-01-01"},
            {"issuer": frame, "ended_at": SECRET},
        ):
            answer = s4.post("/console/ties", **fields)
            assert_refused_page(answer, "claim-invalid")
            assert SECRET not in answer.text
        for name in ("aud", "opal", "vera"):
            assert_refused_page(room.people[name].get("/console/ties"), "role-missing")
            assert_refused_page(room.people[name].post("/console/ties", issuer=frame), "role-missing")
    assert landed(s4.post("/console/ties", issuer=frame)) == "/console/ties"
    assert f"{frame} The tie holds: you have no vote" in s4.read("/console/ties").text
    assert "You have declared none" in room.people["s3"].read("/console/ties").text
    assert "tied to whom this is about" in s4.read(path).text
    with refuses(room.hub, ASKED):
        assert_refused_page(s4.post("/console/ties", issuer=frame, ended_at="2020-01-31"), "claim-invalid")
    today = rfc3339(room.hub.clock())[:10]
    landed(s4.post("/console/ties", issuer=frame, ended_at=today))
    assert f"The tie ended {today}" in s4.read("/console/ties").text
    assert "tied to whom this is about" in s4.read(path).text
    landed(room.people["s1"].post(f"{path}/withdrawal"))


def test_what_a_motion_says_opens_after_the_declaration(room: Room) -> None:
    path = proposed(room, "member.suspend", member=PIXEL, until="2027-06-01")
    seat = room.people["s4"]
    assert "Endorse, if you agree: Suspend a member" in seat.read("/console").text
    docket = seat.read("/console/docket").text
    assert "Suspend a member" in docket
    assert PIXEL not in docket
    closed = seat.read(path)
    assert "2027-06-01" not in closed.text
    assert "Discussion" not in closed.text
    assert landed(seat.post(f"{path}/declaration", conflict="yes")) == path
    recused = seat.read(path).text
    assert "s4 (you) declared a conflict" in recused
    assert "Discussion" not in recused
    with refuses(room.hub, ASKED):
        assert_refused_page(seat.post(f"{path}/endorsement"), "ballot-recused")
    assert "2027-06-01" in room.people["s1"].read(path).text
    landed(room.people["s1"].post(f"{path}/withdrawal"))


def test_votes_that_do_not_count_are_refused_and_change_nothing(room: Room) -> None:
    path, motion = opened(room, "community.open", community="deepfakes")
    s1, s2 = room.people["s1"], room.people["s2"]
    papers = challenges(s1.read(path))
    assert set(papers) == {"yes", "no", "abstain"}
    action = f"{path}/ballots"
    with refuses(room.hub, ASKED):
        assert_refused_page(s1.post(action, choice="yes"), "ballot-invalid")
        assert_refused_page(s1.post(action, choice="perhaps", **s1.sign(papers["yes"])), "request-invalid")
        # A signature over another choice; by another seat's passkey; without the person's PIN or finger.
        assert_refused_page(s1.post(action, choice="no", **s1.sign(papers["yes"])), "ballot-invalid")
        assert_refused_page(
            s1.post(action, choice="yes", **s2.sign(papers["yes"])), "ballot-credential-unknown"
        )
        lazy = s1.post(action, choice="yes", **s1.sign(papers["yes"], flags=UP))
        assert "Check here what you sign" in assert_refused_page(lazy, "ballot-unverified-user").text
        for name in ("vera", "aud", "opal"):
            other = room.people[name]
            assert_refused_page(other.post(action, choice="yes", **other.sign(papers["yes"])), "role-missing")
        assert_refused_page(s1.post(f"{action}", choice="yes", csrf="x"), "form-token-invalid")
    signed = s1.sign(papers["yes"])
    assert landed(s1.post(action, choice="yes", **signed)) == path
    with refuses(room.hub, ASKED):
        assert_refused_page(s1.post(action, choice="yes", **signed), "ballot-duplicate")
    landed(s2.post(f"{path}/declaration", conflict="yes"))
    assert challenges(s2.read(path)) == {}
    with refuses(room.hub, ASKED):
        assert_refused_page(s2.post(action, choice="yes", **s2.sign(papers["yes"])), "ballot-recused")
    shown = room.people["s3"].read(path).text
    assert "1 cast, 3 needed" in shown
    assert "s1 Yes passkey" in shown
    assert f"/console/motions/{motion}" in room.people["aud"].read("/console/docket").attributes("a", "href")
    room.hub.clock.advance(7 * DAY)
    late = room.people["s3"].post(action, choice="yes", **room.people["s3"].sign(papers["yes"]))
    assert_refused_page(late, "ballot-late")
    assert "No quorum" in room.people["s3"].read(path).text


def test_who_signed_in_without_a_passkey_of_the_roster_reads_and_does_not_vote(room: Room) -> None:
    path, _ = opened(room, "community.open", community="passkeys-only")
    stranger = room.console.visitor()
    assert stranger.enrol(room.console.accounts.invite("handle-s3")).status_code == 303
    shown = stranger.read(path)
    assert "sign in with a passkey that the roster names" in shown.text
    assert challenges(shown) == {}
    assert not [action for action in forms(shown) if action.startswith(path)]
    papers = challenges(room.people["s3"].read(path))
    remark = {"stance": "concern", "topic": "identity"}
    with refuses(room.hub, ASKED):
        # An operator's link, or a stolen password, takes no seat's vote away: neither from this motion nor for good.
        for where, fields in (
            (f"{path}/declaration", {"conflict": "yes"}),
            (f"{path}/remarks", remark),
            ("/console/ties", {"issuer": PIXEL}),
        ):
            assert_refused_page(stranger.post(where, **fields), "passkey-unseated")
        given = stranger.post(f"{path}/ballots", choice="yes", **stranger.sign(papers["yes"]))
        assert_refused_page(given, "passkey-unseated")
    assert "The next roster can name this" in Reader(given.text).text


def test_an_emergency_takes_two_and_its_clock_counts_in_words(room: Room) -> None:
    first, second = room.people["s1"], room.people["s5"]
    shown = first.read(f"/console/emergency?member={FRAME}")
    assert "Keys dead at once 1 Clients shut out 1" in shown.text
    assert "child-safety" in shown.text
    with refuses(room.hub, ASKED):
        assert_refused_page(room.people["s4"].post("/console/emergency", member=FRAME), "role-missing")
        unknown = first.post("/console/emergency", member=SECRET)
        assert unknown.status_code in {404, 422}
        assert SECRET not in unknown.text
    path = landed(first.post("/console/emergency", member=FRAME))
    motion = path.rpartition("/")[2]
    # Nothing is asked first: whoever signs has said that there is no conflict.
    assert f"{path}/ballots" in forms(first.read(path))
    assert landed(room.vote("s1", motion)) == path
    assert room.board.state.members[FRAME].state == "active"
    assert "1 of 2 duty officers have signed" in second.read("/console/emergency").text
    assert "Vote: Suspend in an emergency" in second.read("/console").text
    assert landed(room.vote("s5", motion)) == path
    assert room.board.state.members[FRAME].state == "emergency_suspended"
    assert "Suspended in an emergency" in room.console.visitor().read("/members").text
    room.hub.clock.advance(2 * 3600)
    assert "2 days and 22 hours left" in room.people["s5"].read("/console/emergency").text
    assert "the emergency suspension lifts by itself" in room.people["aud"].read("/console").text
    # The board was asked at once, and lets it pass.
    assert "Suspend a member" in room.people["s3"].read("/console/docket").text
    room.hub.clock.advance(Policy().emergency)
    room.hub.run_job("governance.tick")
    assert "Suspended now" not in room.people["s5"].read("/console/emergency").text
    assert room.board.state.members[FRAME].state == "active"


def test_a_member_appeals_what_took_something_from_it(room: Room) -> None:
    board = room.board
    until = room.hub.clock() + 60 * DAY
    assert board.decide("member.suspend", PIXEL, {"until": until}).result == "passes"
    adam = room.console.person("appellant", ("org_admin",), PIXEL)
    shown = adam.read("/console/appeals/new")
    (number,) = [attrs["value"] for _, attrs in shown.tags if attrs.get("name") == "of"]
    with refuses(room.hub, ASKED):
        assert_refused_page(adam.post("/console/appeals/new", of="1"), "not-found")
        assert_refused_page(adam.post("/console/appeals/new", of=SECRET), "claim-invalid")
        assert_refused_page(room.people["aud"].post("/console/appeals/new", of=str(number)), "role-missing")
    assert "Filed" in assert_page(adam.post("/console/appeals/new", of=str(number))).text
    assert "Appeal" in room.people["aud"].read("/console/docket").text
    with refuses(room.hub, ASKED):
        assert_refused_page(adam.post("/console/appeals/new", of=str(number)), "conflict")


def test_home_tells_who_one_is_and_what_expires(room: Room) -> None:
    # Who sponsors is active, and another test may have had a member suspended.
    if (pixel := room.board.state.members.get(PIXEL)) is not None and pixel.state == "suspended":
        room.board.enact("member.reinstate", PIXEL)
    room.board.member("soon")
    room.hub.clock.advance(345 * DAY)
    shown = room.people["opal"].read("/console").text
    assert "What you are here" in shown
    assert "Keys that expire" in shown
    assert "https://soon.example" in shown
    assert "becomes restricted unless it attests" in shown or "Clocks that run" in shown
