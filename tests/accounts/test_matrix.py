"""Who may do what: every role and every action, asked over HTTP, and no route of a person without an action."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Depends, Response
from fastapi.routing import APIRoute

from tests.accounts.asking import assert_page, assert_refused_page, refuses
from tests.support.console import Console, Visitor, seat
from tests.support.hub import Hub
from tocsin.accounts.rules import GRANTED, NEVER, OF_A_MEMBER, PERMISSIONS, REASONS, allowed, demand_same
from tocsin.web.console import person
from tocsin.web.people import ACTIONS, ROLES, Action, Person, Role, Seated

PIXEL = "https://pixel.example"
OPEN = {
    "/console/sign-in",
    "/console/sign-in/passkey",
    "/console/sign-in/code",
    "/console/sign-in/openid",
    "/console/openid",
    "/console/enrol/{token}",
    "/console/sign-out",
}
"""Where nobody has to be signed in."""
SEATS: dict[Role, Seated] = {
    "board": Seated("s1", "platform", chair=False, duty=False),
    "chair": Seated("s2", "independent", chair=True, duty=False),
    "duty": Seated("s3", "vendor", chair=False, duty=True),
}
MATRIX: dict[Action, str] = {
    #                     board chair duty vetter operator auditor org_admin org_analyst
    "home.read": "B C D V O A M N",
    "security.manage": "B C D V O A M N",
    "passkey.manage": "B C D V O A M N",
    "seat.accept": "B C D V M N",
    "policy.read": "B C D V O A M N",
    "audit.read": "B C D V O A M N",
    "people.read": "O A",
    "people.manage": "O",
    "people.invite": "O",
    "readlog.read": "A",
    "application.read": "B C D V A",
    "application.vet": "B C D V",
    "application.ask": "B C D V",
    "application.sponsor": "M",
    "docket.read": "B C D A",
    "motion.read": "B C D A",
    "motion.propose": "B C D",
    "motion.endorse": "B C D",
    "motion.remark": "B C D",
    "motion.recuse": "B C D",
    "motion.vote": "B C D",
    "emergency.read": "B C D A",
    "emergency.sign": "D",
    "member.read": "B C D V O A",
    "scorecard.read": "B C D A",
    "policy.simulate": "B C D O A",
    "key.read": "B C D O A",
    "audit.export": "B C D A",
    "signal.read": "A M N",
    "organisation.read": "M N",
    "organisation.manage": "M",
    "organisation.invite": "M",
    "organisation.act": "M",
    "appeal.file": "M",
    "endpoint.read": "M N",
    "endpoint.manage": "M",
    "stream.read": "M N",
    "stream.manage": "M",
    "delivery.read": "O A",
    "delivery.stop": "O",
}
"""What the design grants, written a second time and by person: a chair and a duty officer sit on the board as well."""
LETTERS: dict[str, Role] = dict(zip("BCDVOAMN", ROLES, strict=True))


def who(console: Console, site: Hub, role: Role) -> Visitor:
    """Somebody who is that and nothing else; with a seat, a member of the board as well."""
    handle = f"only-{role.replace('_', '-')}"
    if role in SEATS:
        visitor = console.person(handle)
        seat(site, {f"only-{name}": seated for name, seated in SEATS.items()})
        return visitor
    return console.person(handle, (role,), PIXEL if role in OF_A_MEMBER else None)


@contextmanager
def probes(site: Hub) -> Iterator[None]:
    """A route for each action, as a feature would write it."""
    router = APIRouter()

    def add(action: Action) -> None:
        def probe(_somebody: Annotated[Person, Depends(person(action))]) -> Response:
            return Response("done", media_type="text/plain")

        router.add_api_route(f"/console/probe/{action}", probe, methods=["GET", "POST"])

    for action in ACTIONS:
        add(action)
    before = list(site.app.router.routes)
    site.app.include_router(router)
    yield
    site.app.router.routes[:] = before


@pytest.mark.parametrize("letter", LETTERS)
def test_every_action_is_open_to_whom_it_should_be_and_to_nobody_else(
    console: Console, site: Hub, letter: str
) -> None:
    role = LETTERS[letter]
    visitor = who(console, site, role)
    with probes(site):
        for action in ACTIONS:
            right = letter in MATRIX[action].split()
            answer = visitor.get(f"/console/probe/{action}")
            if not right:
                assert_refused_page(answer, "role-missing")
            elif action in REASONS:
                assert "Why do you read this?" in assert_page(answer, 403).text
                answer = visitor.post("/console/purpose", action=action, purpose=REASONS[action][0])
                assert answer.headers["location"] == f"/console/probe/{action}"
                assert visitor.get(f"/console/probe/{action}").text == "done"
            else:
                assert answer.text == "done", action
    visitor.post("/console/sign-out")


def test_nothing_is_open_to_somebody_without_a_role_or_without_a_session(
    console: Console, site: Hub, handle: str
) -> None:
    nobody, visitor = console.person(handle), console.visitor()
    everyone = {action for action in ACTIONS if PERMISSIONS[action].roles == frozenset(ROLES)}
    with probes(site):
        for action in ACTIONS:
            answer = nobody.get(f"/console/probe/{action}")
            assert answer.status_code == (200 if action in everyone else 403), action
            assert visitor.get(f"/console/probe/{action}").status_code == 303
            assert visitor.send("POST", f"/console/probe/{action}").status_code == 401


def test_what_is_approved_each_time_is_taken_by_no_form_that_does_not_ask(
    console: Console, site: Hub
) -> None:
    visitor = who(console, site, "duty")
    approving = {action for action in ACTIONS if PERMISSIONS[action].approves}
    approving -= {action for action in approving if "D" not in MATRIX[action].split()}
    with probes(site), refuses(site):
        for action in approving:
            with pytest.raises(RuntimeError, match="approved each time"):
                visitor.post(f"/console/probe/{action}")
        assert visitor.post("/console/probe/motion.remark").text == "done"


def test_every_route_of_the_console_names_its_action(site: Hub) -> None:
    guarded = {}
    for route in routes(site):
        actions = [call.action for call in dependencies(route.dependant) if hasattr(call, "action")]
        if route.path in OPEN:
            assert actions == [], route.path
        else:
            assert actions, f"{route.path} is open to everybody"
            guarded[route.path, tuple(sorted(route.methods))] = actions[0]
    assert guarded["/console/people", ("GET",)] == "people.read"
    assert guarded["/console/people", ("POST",)] == "people.invite"
    assert guarded["/console/people/{handle}/lock", ("POST",)] == "people.manage"


@pytest.mark.parametrize("letter", LETTERS)
def test_every_route_of_the_console_is_shut_to_whom_its_action_is_not_open(
    console: Console, site: Hub, letter: str
) -> None:
    """The routes that there are, with ids that there are not: 403 for whoever may not, never for whoever may."""
    if site.database.dialect != "sqlite":
        pytest.skip("routes are the same whatever the database")
    visitor = who(console, site, LETTERS[letter])
    for route in routes(site):
        actions = [call.action for call in dependencies(route.dependant) if hasattr(call, "action")]
        if not actions or route.path in {"/console/purpose", "/console/security/sessions/end"}:
            continue
        path = route.path
        for name in route.param_convertors:
            path = re.sub(rf"{{{name}(:\w+)?}}", "0", path)
        for method in route.methods & {"GET", "POST"}:
            answer = visitor.get(path) if method == "GET" else visitor.post(path)
            shut = "Your role does not allow this" in answer.text
            assert shut == (letter not in MATRIX[actions[0]].split()), (method, path, answer.status_code)
            assert answer.status_code < 500, (method, path)
    visitor.post("/console/sign-out")


def test_the_table_is_the_one_of_the_design() -> None:
    for letter, role in LETTERS.items():
        roles = frozenset({role, "board"}) if role in SEATS else frozenset({role})
        assert {action for action in ACTIONS if allowed(roles, action)} == {
            action for action in ACTIONS if letter in MATRIX[action].split()
        }


def test_duties_are_separate_whatever_else_somebody_is() -> None:
    own = {"security.manage", "passkey.manage"}
    voting = {action for action in ACTIONS if PERMISSIONS[action].passkey} - own - {"people.invite"}
    writing = {action for action in ACTIONS if PERMISSIONS[action].writes} - own
    for size in (1, 2, 3):
        for roles in combinations(ROLES, size):
            may = {action for action in ACTIONS if allowed(frozenset(roles), action)}
            if "operator" in roles:
                assert may & (voting | {"signal.read"}) == set(), roles
            if "board" in roles:
                assert "signal.read" not in may, roles
            if "auditor" in roles:
                assert may & writing == set(), roles
    assert set(NEVER) <= set(ROLES)
    assert all(not PERMISSIONS[action].writes for action in REASONS)


def test_a_role_that_goes_with_no_seat_takes_no_vote_away(console: Console, site: Hub, handle: str) -> None:
    """Whoever gives roles cannot silence the board by giving one."""
    visitor = console.person(handle, ("operator", "auditor"))
    seat(site, {handle: SEATS["board"]})
    assert console.accounts.identify(visitor.secret).roles == {"board"}
    with probes(site):
        assert visitor.get("/console/probe/motion.vote").text == "done"
        assert_refused_page(visitor.get("/console/probe/people.manage"), "role-missing")
    assert set(GRANTED) == set(ROLES) - set(SEATS)


def routes(site: Hub) -> list[Any]:
    found = [
        route
        for route in site.app.router.routes
        if isinstance(route, APIRoute) and (route.path == "/console" or route.path.startswith("/console/"))
    ]
    assert len(found) > 20
    return found


def dependencies(dependant: Any) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from dependencies(inner)


@pytest.mark.parametrize("named", [["a"], ["a", "b", "c"], []])
def test_a_table_that_names_something_else_is_not_loaded(named: list[str]) -> None:
    demand_same(["b", "a"], ["a", "b"])
    with pytest.raises(ValueError, match="exactly what there is"):
        demand_same(named, ["a", "b"])
