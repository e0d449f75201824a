"""What opens to a seat before and after it has said whether it has a conflict: files, and the lines of lists."""

import pytest

from tests.accounts.asking import assert_refused_page, refuses
from tests.governance.pages.sitting import ASKED, Room, forms, landed
from tests.support.board import DOCUMENT
from tests.support.pages import Reader
from tocsin.governance.service import applications, motions
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY

NAMES = ("amber", "birch", "cedar")


@pytest.fixture(scope="module")
def moved(room: Room) -> dict[str, tuple[str, str]]:
    """Three admissions that s1 has proposed: name to the path of the file and of the motion."""
    made = {}
    for name in NAMES:
        application = room.board.apply(name, SigningKey.generate(), communities={})
        room.board.vet(application)
        motion = motions.propose_admission(room.board.chamber, room.board.seated("s1"), application)
        made[name] = f"/console/applications/{application}", f"/console/motions/{motion}"
    return made


def links(page: Reader, prefix: str) -> list[str]:
    return [link for link in page.attributes("a", "href") if link.startswith(prefix)]


def test_a_recused_seat_does_nothing_to_an_application(room: Room, moved: dict[str, tuple[str, str]]) -> None:
    file, motion = moved["amber"]
    s2, application = room.people["s2"], file.rpartition("/")[2]
    for name in ("s2", "vera"):
        room.purpose(name)
    finding = {"item": "identity", "result": "pass", "evidence": DOCUMENT}
    asked = {"questions": {"domain": "ask"}, "checks": finding, "vetting": {}, "discard": {}, "admission": {}}

    # 1. Not asked yet: the file leads to the question.
    assert landed(s2.get(file)) == motion
    listed = s2.read("/console/applications")
    assert file not in links(listed, file)
    assert motion in links(listed, motion)
    with refuses(room.hub, ASKED | {"read_log"}):
        for what, sent in asked.items():
            shown = assert_refused_page(s2.post(f"{file}/{what}", **sent), "conflict")
            assert "say first whether you have a conflict of interest" in shown.text

    # 2. Recused: no link, no form, and no way around them.
    landed(s2.post(f"{motion}/declaration", conflict="yes"))
    assert links(s2.read(motion), "/console/applications/") == []
    with refuses(room.hub, ASKED | {"read_log"}):
        shown = assert_refused_page(s2.get(file), "ballot-recused")
        assert "Checklist" not in shown.text
        for what, sent in asked.items():
            # Nobody is asked for a passkey for what they may not do.
            assert_refused_page(s2.offer(f"{file}/{what}", **sent), "ballot-recused")
    listed = s2.read("/console/applications")
    assert links(listed, file) == []
    assert "https://amber.example" in listed.text
    assert "Closed: you are recused" in listed.text
    assert applications.status(room.board.chamber, application).state == "vetting"

    # 3. Whoever has no conflict reads on from the motion, and vetters go on as before.
    s3 = room.people["s3"]
    landed(s3.post(f"{motion}/declaration", conflict="no"))
    assert file in links(s3.read(motion), file)
    room.purpose("s3")
    assert f"{file}/questions" in forms(s3.read(file))
    assert "Checklist" in room.people["vera"].read(file).text


def test_lists_name_whom_it_is_about_where_that_is_open(
    room: Room, moved: dict[str, tuple[str, str]]
) -> None:
    s4 = room.people["s4"]
    for path in ("/console", "/console/docket"):
        shown = s4.read(path)
        assert [name for name in NAMES if f"https://{name}.example" in shown.text] == []
        assert len(set(said(shown, moved))) == len(NAMES)
    assert f"Motion {moved['birch'][1][-6:]}" in s4.read(moved["birch"][1]).text
    landed(s4.post(f"{moved['birch'][1]}/declaration", conflict="no"))
    landed(s4.post(f"{moved['cedar'][1]}/declaration", conflict="yes"))
    docket, home = s4.read("/console/docket").text, s4.read("/console").text
    assert "Admit a member: https://birch.example" in docket
    assert "Admit a member: https://cedar.example" in docket
    assert "https://amber.example" not in docket
    assert "Endorse, if you agree: Admit a member: https://birch.example" in home
    assert "https://cedar.example" not in home
    # Who proposed it is asked nothing more, and an auditor has no vote to be kept from.
    s1, auditor = room.people["s1"].read("/console"), room.people["aud"].read("/console/docket")
    assert links(s1, "/console/motions/mo_") == []
    assert all(f"https://{name}.example" in auditor.text for name in NAMES)


def said(page: Reader, moved: dict[str, tuple[str, str]]) -> list[str]:
    """The numbers that tell the motions apart, as the page has them."""
    return [motion[-6:] for _, motion in moved.values() if f"Motion {motion[-6:]}" in page.text]


def test_what_has_ended_says_what_it_was_about(room: Room, moved: dict[str, tuple[str, str]]) -> None:
    board = room.board
    for slug in ("first", "second"):
        assert board.decide("community.open", slug).result == "passes"
    shown = room.people["s4"].read("/console/docket").text
    assert "Open a community: first" in shown
    assert "Open a community: second" in shown
    # What lapsed is asked about no more: its page is open to everybody.
    board.clock.advance(90 * DAY)
    room.hub.run_job("governance.tick")
    shown = room.people["s4"].read("/console/docket").text
    assert all(f"Admit a member: https://{name}.example" in shown for name in moved)
