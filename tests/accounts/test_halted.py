"""Members that are suspended or gone: their people put their case at the console, and read and manage nothing."""

import pytest

from tests.accounts.asking import assert_page, assert_refused_page, refuses
from tests.accounts.test_matrix import MATRIX, PIXEL, probes
from tests.signals.material import COMMUNITY, Voice, md5, report
from tests.support.console import Console
from tests.support.hub import Hub
from tests.support.states import STATES, put
from tocsin.accounts.rules import REASONS
from tocsin.signals.service import read
from tocsin.web.people import ACTIONS
from tocsin_schemas.membership import permit
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import REGISTRY, Refused
from tocsin_schemas.vocabulary import MemberState

FRAME = "https://frame.example"
HALTED: dict[MemberState, str] = {
    "emergency_suspended": "member-suspended",
    "suspended": "member-suspended",
    "withdrawn": "membership-ended",
    "expelled": "membership-ended",
}
SHUT = {
    "signal.read",
    "organisation.manage",
    "organisation.invite",
    "application.sponsor",
    "endpoint.manage",
    "stream.manage",
}
"""What the design takes from the people of such a member, written a second time."""


@pytest.fixture(scope="module", autouse=True)
def _members(site: Hub) -> None:
    for name in ("pixel", "frame"):
        Voice(site, name)


@pytest.fixture(autouse=True)
def _restored(site: Hub):
    yield
    put(site, PIXEL, "active")


@pytest.mark.parametrize("state", STATES)
def test_every_state_and_action(console: Console, site: Hub, handle: str, state: MemberState) -> None:
    people = {
        "M": console.person(f"{handle}-m", ("org_admin",), PIXEL),
        "N": console.person(f"{handle}-n", ("org_analyst",), PIXEL),
    }
    put(site, PIXEL, state)
    with probes(site):
        for letter, visitor in people.items():
            for action in ACTIONS:
                answer = visitor.get(f"/console/probe/{action}")
                if letter not in MATRIX[action].split():
                    assert_refused_page(answer, "role-missing")
                elif state in HALTED and action in SHUT:
                    shown = assert_refused_page(answer, HALTED[state]).text
                    assert "It is so since" in shown
                    assert ("Appeal a decision" in shown) == (letter == "M")
                elif action in REASONS:
                    assert_page(answer, 403)
                else:
                    assert answer.text == "done", (letter, action)


def test_the_console_and_the_tokens_keep_the_same_states_out() -> None:
    for state in STATES:
        if state in HALTED:
            with pytest.raises(Refused, match=HALTED[state]):
                permit(state, "read")
        else:
            permit(state, "read")


@pytest.mark.parametrize("state", HALTED)
def test_the_very_next_request_reads_and_changes_nothing(
    console: Console, site: Hub, handle: str, state: MemberState
) -> None:
    admin = console.person(f"{handle}-m", ("org_admin",), PIXEL)
    analyst = console.person(f"{handle}-n", ("org_analyst",), PIXEL)
    analyst.post("/console/purpose", action="signal.read", purpose="own-signals")
    value = int(handle.rpartition("-")[2])
    frame = Voice(site, f"frame-{handle}")
    frame.say(report(site.clock() + 20 * DAY), md5(value))
    typed = {"community": COMMUNITY, "indicator": str(md5(value))}
    assert frame.issuer in assert_page(analyst.post("/console/signals", **typed)).text
    put(site, PIXEL, state)
    with refuses(site):
        for answer in (
            analyst.post("/console/signals", **typed),
            analyst.get(f"/console/signals?community={COMMUNITY}"),
            analyst.post("/console/purpose", action="signal.read", purpose="own-signals"),
            admin.post("/console/organisation/clients", **{"signals:read": "yes"}),
            admin.post("/console/organisation/people", handle=f"{handle}-x", role="org_admin"),
            admin.post("/console/organisation/people/somebody/revoke", role="org_admin"),
            admin.post("/console/endpoints", url="https://receiver.example/x"),
            admin.post("/console/streams/st_x/removal", sure="yes"),
            admin.get("/console/sponsorship"),
        ):
            assert_refused_page(answer, HALTED[state])
            assert frame.issuer not in answer.text
    # What is left: how it stands, its signed acts, an appeal, how one signs in. Every page says so.
    page = assert_page(admin.get("/console/organisation"))
    assert "Make a client" not in page.text
    assert "Make a link" not in page.text
    assert f"{PIXEL} is" in page.text
    assert "Nobody reads signals or manages anything for it here." in page.text
    links = {attrs.get("href") for tag, attrs in page.tags if tag == "a"}
    assert "/console/signals" not in links
    assert "/console/appeals/new" in links
    for path in (
        "/console",
        "/console/appeals/new",
        "/console/security",
        "/console/endpoints",
        "/console/policy",
    ):
        assert_page(admin.get(path))


def test_an_auditor_sees_no_more_than_the_member(console: Console, site: Hub, handle: str) -> None:
    auditor = console.person(handle, ("auditor",))
    auditor.post("/console/purpose", action="signal.read", purpose="audit")
    value = int(handle.rpartition("-")[2])
    Voice(site, f"frame-{handle}").say(report(site.clock() + 20 * DAY), md5(value))
    typed = {"community": COMMUNITY, "indicator": str(md5(value)), "member": PIXEL}
    assert_page(auditor.post("/console/signals", **typed))
    put(site, PIXEL, "suspended")
    with refuses(site, frozenset({"read_log"})):
        assert_page(auditor.post("/console/signals", **typed), REGISTRY["member-suspended"].status)
        assert f"<option>{PIXEL}" not in auditor.get("/console/signals").text


def test_whoever_acts_for_another_member_too_acts_for_that_one(
    console: Console, site: Hub, handle: str
) -> None:
    visitor = console.person(handle, ("org_analyst",), PIXEL)
    console.accounts.invite(handle, ("org_admin",), FRAME)
    visitor.post("/console/purpose", action="signal.read", purpose="own-signals")
    put(site, PIXEL, "suspended")
    person = console.accounts.identify(visitor.secret)
    assert set(person.organisations) == {PIXEL, FRAME}
    left = console.accounts.admit(person, visitor.secret, "signal.read", "/console/signals")
    assert dict(left.organisations) == {FRAME: {"org_admin"}}
    assert_page(visitor.get("/console/signals"))
    put(site, FRAME, "withdrawn")
    assert_refused_page(visitor.get("/console/signals"), "membership-ended")
    put(site, FRAME, "active")


def test_the_service_reads_nothing_for_such_a_member_whoever_asks(site: Hub, handle: str) -> None:
    context = site.app.state.signals
    value = int(handle.rpartition("-")[2])
    Voice(site, f"frame-{handle}").say(report(site.clock() + 20 * DAY), md5(value))
    with context.database.snapshot() as uow:
        pixel = context.members.by_issuer(uow, PIXEL).id
    for state in STATES:
        put(site, PIXEL, state)
        with context.database.snapshot() as uow:
            found = context.members.readable(uow, pixel, COMMUNITY)
        assert (found is None) == (state in HALTED)
        if state in HALTED:
            with pytest.raises(Refused, match="no such community"):
                read.indicator_view(context, pixel, COMMUNITY, str(md5(value)), delivered=False)
            with pytest.raises(Refused, match="none that you may read"):
                context.members.directory_for(pixel, COMMUNITY)
