"""Approvals: what is approved takes a fresh answer of a passkey to exactly that, on every page and by no way around.

Which forms these are is read from the table of rights and from the routes of the app: one that is not in `FORMS`
fails.
"""

from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

import pytest
from fastapi.routing import APIRoute

from tests.accounts.asking import assert_page, assert_refused_page, refuses
from tests.accounts.test_matrix import dependencies
from tests.governance.pages.sitting import ASKED, Room, landed
from tests.governance.pages.test_records import inputs
from tests.support.authenticator import UP
from tests.support.board import DOCUMENT, VETTERS
from tests.support.console import Asked, Visitor, approval_asked
from tests.support.pages import Reader
from tocsin.accounts.rules import CHALLENGE_SECONDS, PERMISSIONS
from tocsin.governance.service import motions, vetting
from tocsin.web.console import SAFE
from tocsin.web.html import SCRIPT_POLICY
from tocsin.web.people import Action
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import VettingItem

SECRET = "zX9-never-shown-again"
PIXEL = "https://pixel.example"
ITEM: VettingItem = "identity"


class Sent(NamedTuple):
    """A form that would do something: who sends it, where, with what, and words of it that they approve."""

    who: Visitor
    path: str
    fields: dict[str, str]
    words: str


def proposal(room: Room) -> str:
    """A motion of s1 that is open to s2."""
    motion = motions.propose(room.board.chamber, room.board.seated("s1"), "community.open", slug(room), {})
    path = f"/console/motions/{motion}"
    landed(room.people["s2"].post(f"{path}/declaration", conflict="no"))
    return path


def slug(room: Room) -> str:
    """A community that there is not."""
    return f"place-{len(motions.docket(room.board.chamber))}"


def application(room: Room, name: str) -> str:
    return f"/console/applications/{room.board.apply(name, SigningKey.generate())}"


def being_checked(room: Room, name: str) -> str:
    path = application(room, name)
    vetting.begin(room.board.chamber, path.rpartition("/")[2], VETTERS[0])
    return path


def vetted(room: Room, name: str) -> str:
    path = application(room, name)
    number = path.rpartition("/")[2]
    room.board.vet(number)
    room.board.sponsor(number)
    return path


def declaring(room: Room) -> Sent:
    motion = motions.propose(room.board.chamber, room.board.seated("s1"), "community.open", slug(room), {})
    path = f"/console/motions/{motion}/declaration"
    return Sent(room.people["s2"], path, {"conflict": "yes"}, "I have a conflict of interest")


def sponsoring(room: Room) -> Sent:
    number = application(room, "backed").rpartition("/")[2]
    return Sent(
        room.people["olga"],
        "/console/sponsorship",
        {"application": number},
        f"{PIXEL} knows https://backed.example",
    )


def changing(room: Room) -> Sent:
    s1, path = room.people["s1"], "/console/policy/change"
    return Sent(
        s1,
        path,
        inputs(s1.read(path)) | {"sighting": "14"},
        "Life of a sighting (days), before 30 Life of a sighting (days), after 14",
    )


def operator(room: Room) -> Visitor:
    """An operator, who has given out nothing yet."""
    if "odo" not in room.people:
        room.people["odo"] = room.console.person("odo", ("operator",))
    return room.people["odo"]


def linking(room: Room) -> Sent:
    room.console.accounts.invite("linked")
    return Sent(operator(room), "/console/people/linked/link", {}, "and is linked here")


def granting(room: Room) -> Sent:
    room.console.accounts.invite("given")
    fields = {"role": "org_analyst", "issuer": PIXEL}
    return Sent(operator(room), "/console/people/given/grant", fields, f"org analyst For {PIXEL}")


def removing(room: Room) -> Sent:
    """Somebody with two passkeys, who has signed in with the second."""
    first = room.console.person("twice")
    second = room.console.visitor()
    second.enrol(room.console.accounts.invite("twice"))
    fields = {"passkey": first.authenticator.id}
    return Sent(second, "/console/security/passkeys/remove", fields, "signs you in no more")


FORMS: Final[dict[str, Callable[[Room], Sent]]] = {
    "/console/applications/{application_id}/vetting": lambda room: Sent(
        room.people["vera"],
        f"{application(room, 'begun')}/vetting",
        {},
        "checks of https://begun.example begin",
    ),
    "/console/applications/{application_id}/discard": lambda room: Sent(
        room.people["vera"],
        f"{application(room, 'none')}/discard",
        {},
        "What https://none.example handed in is no",
    ),
    "/console/applications/{application_id}/checks": lambda room: Sent(
        room.people["viktor"],
        f"{being_checked(room, 'found')}/checks",
        {"item": ITEM, "result": "fail", "evidence": DOCUMENT},
        "of https://found.example wanting.",
    ),
    "/console/applications/{application_id}/admission": lambda room: Sent(
        room.people["s1"], f"{vetted(room, 'ready')}/admission", {}, "Admit https://ready.example as platform"
    ),
    "/console/sponsorship": sponsoring,
    "/console/emergency": lambda room: Sent(
        room.people["s1"], "/console/emergency", {"member": PIXEL}, f"{PIXEL} is to be suspended at once"
    ),
    "/console/policy/change": changing,
    "/console/ties": lambda room: Sent(
        room.people["s3"], "/console/ties", {"issuer": "https://tied.example", "ended_at": ""}, "I am tied to"
    ),
    "/console/motions/new/{kind}": lambda room: Sent(
        room.people["s1"],
        "/console/motions/new/member.suspend",
        {"member": PIXEL, "until": "2027-06-01", "noticed_at": "", "complainant": ""},
        f"Suspend {PIXEL} until 2027-06-01",
    ),
    "/console/motions/{motion_id}/declaration": declaring,
    "/console/motions/{motion_id}/endorsement": lambda room: Sent(
        room.people["s2"], f"{proposal(room)}/endorsement", {}, "Open the community place-"
    ),
    "/console/people": lambda room: Sent(
        operator(room),
        "/console/people",
        {"handle": "asked", "role": "vetter", "issuer": ""},
        "Handle asked Role vetter For the hub Who it is nobody yet",
    ),
    "/console/people/{handle}/link": linking,
    "/console/people/{handle}/grant": granting,
    "/console/organisation/people": lambda room: Sent(
        room.people["olga"],
        "/console/organisation/people",
        {"handle": "oren", "role": "org_admin"},
        f"Role org admin For {PIXEL} Who it is nobody yet",
    ),
    "/console/security/passkeys/new": lambda room: Sent(
        room.console.person("more"), "/console/security/passkeys/new", {}, "One more passkey"
    ),
    "/console/security/passkeys/remove": removing,
    "/console/motions/{motion_id}/withdrawal": lambda room: Sent(
        room.people["s1"], f"{proposal(room)}/withdrawal", {}, "Open the community place-"
    ),
}
"""Every form that is approved, as somebody sends it who may."""


@pytest.fixture(scope="module", autouse=True)
def _people(room: Room) -> None:
    for name in ("pixel", "frame"):
        room.board.member(name)
    room.board.activate("pixel", "frame")
    room.people["olga"] = room.console.person("olga", ("org_admin",), PIXEL)


def posted(room: Room) -> Iterator[tuple[str, Action]]:
    """The path and the action of each form that somebody signed in can send."""
    for route in room.hub.app.router.routes:
        if isinstance(route, APIRoute) and not SAFE.issuperset(route.methods or ()):
            for call in dependencies(route.dependant):
                if hasattr(call, "action"):
                    yield route.path, call.action


def asked(answer: Any) -> Asked:
    """What somebody is asked to approve, on a page with the one script and nothing else."""
    found = approval_asked(answer)
    assert found is not None, answer.text
    assert_page(answer, 403)
    assert answer.headers["content-security-policy"] == SCRIPT_POLICY
    return found


def test_the_table_names_every_form_that_is_approved(room: Room) -> None:
    forms = dict(posted(room))
    assert {path for path, action in forms.items() if PERMISSIONS[action].approves} == FORMS.keys()
    approving = {action for action, right in PERMISSIONS.items() if right.approves}
    assert approving == {forms[path] for path in FORMS}
    # A ballot is a signature by itself; a remark is no approval.
    signed = {action for action, right in PERMISSIONS.items() if right.passkey and not right.approves}
    assert signed == {"motion.vote", "seat.accept", "motion.remark"}
    # Whoever is signed in does nothing by any other route than the console's.
    assert all(path.startswith("/console") for path in forms)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_approved_but_by_a_fresh_answer_to_exactly_that(room: Room, form: str) -> None:
    who, path, fields, words = FORMS[form](room)
    other = room.people["s4"]
    with refuses(room.hub, ASKED):
        found = asked(shown := who.offer(path, **fields))
        assert words in Reader(shown.text).text
        assert (found.path, found.fields) == (path, fields)
        # Without a script the fields of the answer are there and empty.
        empty = dict.fromkeys(who.sign(found.challenge), "")
        assert asked(who.offer(path, **fields, **empty)).fields == fields
        lazy = who.offer(path, **fields, **who.sign(found.challenge, flags=UP))
        assert_refused_page(lazy, "assertion-unverified-user")
        assert_refused_page(who.offer(path, **fields, **other.sign(found.challenge)), "credential-unknown")
        stray = who.offer(path, **fields, stray=SECRET, **who.sign(found.challenge))
        assert_refused_page(stray, "request-invalid")
        assert SECRET not in stray.text
        forged = who.sign(found.challenge[:-2] + ("AA" if found.challenge[-2:] != "AA" else "BA"))
        assert_refused_page(who.offer(path, **fields, **forged), "challenge-invalid")
    answer = who.sign(found.challenge)
    done = who.offer(path, **fields, **answer)
    assert done.status_code in {200, 303}, Reader(done.text).text
    with refuses(room.hub, ASKED):
        again = who.offer(path, **fields, **answer)
        assert 400 <= again.status_code < 500


@pytest.mark.parametrize(
    ("path", "approved", "sent"),
    [
        ("/console/ties", {"issuer": "https://a.example"}, {"issuer": "https://b.example"}),
        (
            "/console/motions/new/community.open",
            {"community": "child-art"},
            {"community": "child-arms"},
        ),
        (
            "/console/motions/new/member.suspend",
            {"member": PIXEL, "until": "2027-02-01"},
            {"member": PIXEL, "until": "2027-02-02"},
        ),
    ],
)
def test_what_was_approved_is_what_is_done(
    room: Room, path: str, approved: dict[str, str], sent: dict[str, str]
) -> None:
    s3 = room.people["s3"]
    with refuses(room.hub, ASKED):
        answer = s3.sign(asked(s3.offer(path, **approved)).challenge)
        assert_refused_page(s3.offer(path, **sent, **answer), "challenge-invalid")


def test_one_motion_is_not_endorsed_by_approving_another(room: Room) -> None:
    s2 = room.people["s2"]
    first, second = proposal(room), proposal(room)
    with refuses(room.hub, ASKED):
        answer = s2.sign(asked(s2.offer(f"{first}/endorsement")).challenge)
        assert_refused_page(s2.offer(f"{second}/endorsement", **answer), "challenge-invalid")
        answer = s2.sign(asked(s2.offer(f"{first}/declaration", conflict="no")).challenge)
        assert_refused_page(s2.offer(f"{first}/declaration", conflict="yes", **answer), "challenge-invalid")


def test_what_is_only_asked_about_was_never_proposed(room: Room) -> None:
    """An objection opens its ballot at once; asking about it opens none."""
    room.board.member("kiosk")
    s1, path, fields = (
        room.people["s1"],
        "/console/motions/new/member.object",
        {"member": "https://kiosk.example"},
    )
    with refuses(room.hub, ASKED):
        asked(s1.offer(path, **fields))
        asked(s1.offer(path, **fields))
    before = len(motions.docket(room.board.chamber))
    motion = landed(s1.post(path, **fields))
    assert "Ballot open" in s1.read(motion).text
    assert len(motions.docket(room.board.chamber)) == before + 1


def test_an_approval_may_take_some_minutes_and_no_more(room: Room) -> None:
    s1 = room.people["s1"]
    # The notice is given when the motion is made, so a minute later it says another time.
    path, fields = "/console/motions/new/member.sanction", {"member": PIXEL}
    answer = s1.sign(asked(s1.offer(path, **fields)).challenge)
    room.hub.clock.advance(CHALLENGE_SECONDS - 1)
    assert landed(s1.offer(path, **fields, **answer)).startswith("/console/motions/mo_")
    path, fields = "/console/motions/new/member.suspend", {"member": PIXEL, "until": "2027-03-01"}
    answer = s1.sign(asked(s1.offer(path, **fields)).challenge)
    room.hub.clock.advance(CHALLENGE_SECONDS)
    with refuses(room.hub, ASKED):
        assert_refused_page(s1.offer(path, **fields, **answer), "challenge-invalid")


def test_nobody_endorses_what_is_closed_to_them(room: Room) -> None:
    """The page that asks says what the motion says, which opens after the declaration."""
    motion = motions.propose(
        room.board.chamber,
        room.board.seated("s1"),
        "member.suspend",
        PIXEL,
        {"until": room.hub.clock() + 40 * DAY},
    )
    with refuses(room.hub, ASKED):
        answer = room.people["s4"].offer(f"/console/motions/{motion}/endorsement")
        assert_refused_page(answer, "conflict")
        assert "say first whether you have a conflict" in answer.text
        assert "Suspend https" not in answer.text


def test_what_does_not_fit_is_not_shown_to_be_approved(room: Room) -> None:
    s1 = room.people["s1"]
    grant = {"member": PIXEL, "community": "child-safety", "read": SECRET}
    roster = {"seat": "s5", "seat_class": "independent", "term_ends": "2030-01-01", "expires": "2031-01-01"}
    with refuses(room.hub, ASKED):
        for kind, fields in (
            ("community.grant", grant),
            ("roster.set", {**roster, "duty": SECRET}),
            ("roster.set", {**roster, "relieves": SECRET}),
            ("roster.set", {**roster, "issuer": SECRET}),
            ("roster.set", {**roster, "key-x": SECRET}),
        ):
            answer = s1.offer(f"/console/motions/new/{kind}", **fields)
            assert_refused_page(answer, "request-invalid")
            assert SECRET not in answer.text


def test_a_session_opens_no_other_door(room: Room) -> None:
    """The routes of the API take what is signed, whoever's cookie comes with it."""
    s2, motion = room.people["s2"], proposal(room).rpartition("/")[2]
    documents = {
        "application/json": (f"/v1/board/motions/{motion}/ballots", "/v1/members/acts"),
        "application/jwt": (
            f"/v1/board/motions/{motion}/ballots",
            "/v1/board/acts",
            "/v1/board/appeals",
            "/v1/members/acts",
            "/v1/applications/sponsors",
        ),
    }
    cookies = "; ".join(f"{name}={value}" for name, value in s2.cookies.items())
    with refuses(room.hub, ASKED):
        for kind, paths in documents.items():
            for path in paths:
                body = f'{{"act":"endorse","motion":"{motion}","seat":"s2","choice":"yes"}}'
                answer = room.hub.http.post(
                    path, content=body, headers={"content-type": kind, "cookie": cookies}
                )
                assert 400 <= answer.status_code < 500, path
