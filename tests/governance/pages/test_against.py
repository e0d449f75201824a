"""A member that something is moved against is told of it at once: on its people's pages, and by the API."""

from collections.abc import Iterator

import pytest

from tests.accounts.asking import assert_refused_page
from tests.governance.pages.sitting import Room, landed
from tests.support.board import DOCUMENT, edit
from tocsin.governance.service import motions
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY

PIXEL, FRAME = "https://pixel.example", "https://frame.example"
HEADING = "Moved against you"
WEEK = 7 * DAY
PLACES = ("/console", "/console/organisation")


@pytest.fixture(scope="module", autouse=True)
def _members(room: Room) -> None:
    for name in ("pixel", "frame"):
        room.board.member(name)
    room.board.activate("pixel", "frame")
    for handle, role, issuer in (
        ("adam", "org_admin", PIXEL),
        ("ana", "org_analyst", PIXEL),
        ("fay", "org_admin", FRAME),
    ):
        room.people[handle] = room.console.person(handle, (role,), issuer)


@pytest.fixture(autouse=True)
def _withdrawn(room: Room) -> Iterator[None]:
    """After a test nothing is moved against pixel any more."""
    yield
    for line in motions.docket(room.board.chamber, room.board.seated("s1")):
        if "withdraw" in line.may:
            landed(room.people["s1"].post(f"/console/motions/{line.id}/withdrawal"))


def moved(room: Room, kind: str, **fields: str) -> str:
    """The path of a motion against pixel that s1 has proposed by its form."""
    return landed(room.people["s1"].post(f"/console/motions/new/{kind}", member=PIXEL, **fields))


def told(room: Room) -> list[dict[str, str]]:
    """What pixel's programs are told."""
    answer = room.hub.http.get("/v1/me", headers=room.board.parties["pixel"].bearer())
    assert answer.status_code == 200
    found: list[dict[str, str]] = answer.json()["motions"]
    return found


def day(at: int) -> str:
    return rfc3339(at)[:10]


def test_a_motion_is_notice_as_soon_as_it_is_proposed(room: Room) -> None:
    assert "Nothing waits for you." in room.people["adam"].read("/console").text
    assert told(room) == []
    path = moved(room, "member.sanction")
    at = room.hub.clock()
    for name in ("adam", "ana"):
        for place in PLACES:
            shown = room.people[name].read(place).text
            assert f"{HEADING} The board has been asked" in shown
            assert f"Sanction a member: {PIXEL} Restrict {PIXEL}." in shown
            assert "It would read, but neither send nor vote" in shown
            assert "More yes than no." in shown
            assert f"Since {day(at)}" in shown
            assert "by this motion. It is over" in shown
            assert f"Not before {day(at + WEEK)}" in shown
            assert f"Not before {day(at + 2 * WEEK)}" in shown
            assert "within 30 days" in shown
            assert "tocsin member withdraw" in shown
    assert "Nothing else waits for you." in room.people["adam"].read("/console").text
    assert "/console/appeals/new" in room.people["adam"].read("/console").attributes("a", "href")
    (notice,) = told(room)
    assert notice["motion"] == path.rpartition("/")[2]
    assert (notice["type"], notice["state"]) == ("member.sanction", "proposed")
    assert notice["noticed_at"] == notice["proposed_at"] == rfc3339(at)
    assert (notice["opens_at"], notice["closes_at"]) == (rfc3339(at + WEEK), rfc3339(at + 2 * WEEK))
    (parsed,) = room.board.parties["pixel"].sdk().me().motions
    assert parsed.text == f"Restrict {PIXEL}."
    # Nobody else's business, and the motion itself is still the board's.
    for name in ("fay", "aud", "opal"):
        assert HEADING not in room.people[name].read("/console").text
    assert HEADING not in room.people["fay"].read("/console/organisation").text
    assert_refused_page(room.people["adam"].get(path), "role-missing")


def test_its_clocks_are_told_and_nothing_of_the_discussion(room: Room) -> None:
    path = moved(room, "member.suspend", until=day(room.hub.clock() + 60 * DAY))
    for name in ("s2", "s3"):
        landed(room.people[name].post(f"{path}/declaration", conflict="no"))
        landed(room.people[name].post(f"{path}/endorsement"))
    said = {"stance": "concern", "topic": "proportionality", "document": DOCUMENT}
    landed(room.people["s2"].post(f"{path}/remarks", **said))
    begun = room.hub.clock()
    for place in PLACES:
        shown = room.people["adam"].read(place).text
        assert "In discussion" in shown
        assert f"Suspend {PIXEL} until {day(begun + 60 * DAY)}" in shown
        assert f"Ballot opens {day(begun + WEEK)}" in shown
        assert f"Ballot closes {day(begun + 2 * WEEK)}" in shown
        for kept in (" s1 ", " s2 ", DOCUMENT, "Proportionality"):
            assert kept not in shown
    room.hub.clock.advance(WEEK)
    shown = room.people["adam"].read("/console").text
    assert f"Ballot opened {day(begun + WEEK)}" in shown
    assert f"Ballot closes {day(begun + 2 * WEEK)}" in shown
    assert told(room)[0]["state"] == "ballot"
    room.hub.clock.advance(WEEK)
    assert HEADING not in room.people["adam"].read("/console").text
    assert told(room) == []


def test_notice_before_the_motion_is_the_proposers_word(room: Room) -> None:
    before = room.hub.clock() - 9 * DAY
    moved(room, "member.sanction", noticed_at=rfc3339(before)[:16])
    shown = room.people["adam"].read("/console/organisation").text
    assert f"Since {day(before)}" in shown
    assert "as the proposer says; the motion was proposed" in shown


def test_a_motion_that_is_withdrawn_or_cannot_be_read_is_not_told(room: Room) -> None:
    path = moved(room, "member.sanction")
    motion = path.rpartition("/")[2]
    assert HEADING in room.people["adam"].read("/console").text
    edit(room.hub, "UPDATE motion SET params = :params WHERE id = :id", params=b"{}", id=motion)
    assert HEADING not in room.people["adam"].read("/console").text
    # Whoever acts next has the row put right first.
    motions.withdraw(room.board.chamber, room.board.seated("s1"), motion)
    assert HEADING not in room.people["adam"].read("/console").text


def test_an_emergency_does_not_warn_and_its_ballot_is_told(room: Room) -> None:
    board = room.board
    path = landed(room.people["s1"].post("/console/emergency", member=PIXEL))
    assert HEADING not in room.people["adam"].read("/console").text
    assert told(room) == []
    motion = path.rpartition("/")[2]
    for seat in ("s1", "s5"):
        landed(room.vote(seat, motion))
    assert board.state.members[PIXEL].state == "emergency_suspended"
    for place in PLACES:
        shown = room.people["adam"].read(place).text
        assert f"Suspend a member: {PIXEL}" in shown
        assert "None: it follows an emergency suspension." in shown
        assert "Ballot opened" in shown
    (follow,) = [line.id for line in motions.docket(board.chamber) if line.state == "ballot"]
    for seat in room.seats:
        if motions.motion(board.chamber, follow).state == "ballot":
            board.vote(follow, seat)
    assert board.state.members[PIXEL].state == "suspended"

    # What puts it out for good is told, too, while its keys are dead.
    moved(room, "member.expel")
    shown = room.people["ana"].read("/console/organisation").text
    assert f"Expel a member: {PIXEL} Expel {PIXEL}." in shown
    assert "None: the rules give none of this kind." in shown
    assert "have an administrator appeal" in shown
