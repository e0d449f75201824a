"""Endpoints by API: what a member can do with its own, what it is refused, and what changes when."""

import json
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx2
import pytest

from tests.client.webserver import Answer, Asked
from tests.support.hub import Hub
from tests.support.invariants import unchanged
from tests.support.parties import Party
from tests.webhooks.receiving import Receiver, good, verifies
from tocsin.egress.calls import MOST_CALLS, MOST_OF_ONE
from tocsin.webhooks import rules

DAY = 86_400
ENDPOINTS = "/v1/webhooks/endpoints"
Admit = Callable[..., Party]


class Desk:
    """What one member asks of the hub."""

    def __init__(self, hub: Hub, party: Party) -> None:
        self.hub = hub
        self.party = party
        self.headers = party.bearer()

    @property
    def org_id(self) -> int:
        return next(
            view.org.id for view in self.hub.members.list_members() if view.org.issuer == self.party.issuer
        )

    def ask(self, method: str, path: str = "", **said: Any) -> httpx2.Response:
        return self.hub.http.request(method, f"{ENDPOINTS}{path}", headers=self.headers, **said)

    def make(self, url: str, **wanted: Any) -> dict[str, Any]:
        made = self.ask("POST", json={"url": url, **wanted})
        assert made.status_code == 201, made.text
        return dict(made.json())

    def active(self, url: str, **wanted: Any) -> dict[str, Any]:
        made = self.make(url, **wanted)
        done = self.ask("POST", f"/{made['id']}/activation")
        assert done.status_code == 200, done.text
        return made

    def refused(self, method: str, path: str = "", **said: Any) -> tuple[int, str, str]:
        with unchanged(self.hub.database, frozenset({"assertion", "webhook_probe"})):
            answer = self.ask(method, path, **said)
        problem = answer.json()
        return answer.status_code, problem["code"], problem.get("field", "")


@pytest.fixture
def desk(calling_hub: Hub, member: Admit) -> Desk:
    # The pace is a minute's.
    calling_hub.clock.advance(rules.PROBE_WINDOW)
    return Desk(calling_hub, member())


def test_an_endpoint_is_made_shown_and_removed(desk: Desk, receiver: Receiver) -> None:
    made = desk.ask(
        "POST",
        json={
            "url": receiver.url.replace("http://127", "HTTP://127"),
            "types": ["signal.retracted", "key.revoked", "key.revoked"],
            "communities": ["child-safety"],
            "labels": ["ncii@1:intimate_image"],
            "severity": "notice",
        },
    )
    assert made.headers["Cache-Control"] == "no-store"
    body = made.json()
    assert made.headers["Location"] == f"{ENDPOINTS}/{body['id']}"
    assert body.pop("secret").startswith("whsec_")
    public_key = body.pop("public_key")
    assert public_key.startswith("whpk_")
    shown = desk.ask("GET", f"/{body['id']}").json()
    assert shown == body
    assert shown == {
        "id": body["id"],
        "url": receiver.url,
        "state": "pending",
        "detail": "thin",
        "types": ["key.revoked", "signal.retracted"],
        "communities": ["child-safety"],
        "labels": ["ncii@1:intimate_image"],
        "severity": "notice",
        "created_at": shown["created_at"],
        "public_keys": [public_key],
        "backlog": 0,
        "held": 0,
        "failures": 0,
    }
    assert desk.ask("GET").json() == [shown]
    assert receiver.asked == []
    assert desk.ask("DELETE", f"/{body['id']}").status_code == 204
    assert desk.refused("GET", f"/{body['id']}") == (404, "not-found", "endpoint")
    assert desk.ask("GET").json() == []


def test_no_secret_lies_in_the_database_or_is_shown_again(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url)
    rotated = desk.ask("POST", f"/{made['id']}/rotation")
    assert rotated.headers["Cache-Control"] == "no-store"
    keys, secrets = ([one[name] for one in (rotated.json(), made)] for name in ("public_key", "secret"))
    assert len({*keys, *secrets}) == 4
    later = "".join(desk.ask("GET", path).text for path in ("", f"/{made['id']}"))
    assert not any(secret in later for secret in secrets)
    assert desk.ask("GET", f"/{made['id']}").json()["public_keys"] == keys
    assert desk.refused("POST", f"/{made['id']}/rotation") == (409, "endpoint-rotating", "")
    assert desk.ask("GET", f"/{made['id']}").json()["overlap_until"]
    again = desk.ask("POST", f"/{made['id']}/rotation?again=true")
    assert again.status_code == 200
    assert again.json()["secret"] not in secrets
    desk.hub.clock.advance(DAY)
    desk.headers = desk.party.bearer()
    assert "overlap_until" not in desk.ask("GET", f"/{made['id']}").json()
    assert desk.ask("POST", f"/{made['id']}/rotation").status_code == 200


def test_an_endpoint_that_answers_is_active(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url)
    desk.ask("POST", f"/{made['id']}/rotation")
    newest = desk.ask("POST", f"/{made['id']}/rotation?again=true").json()
    done = desk.ask("POST", f"/{made['id']}/activation")
    assert done.status_code == 200, done.text
    assert done.json()["state"] == "active"
    assert done.json()["activated_at"] == done.json()["created_at"]
    (asked,) = receiver.asked
    assert asked.headers["content-type"] == "application/json"
    now = desk.hub.clock()
    assert verifies(asked, now, secret=newest["secret"])
    assert verifies(asked, now, public_key=newest["public_key"])
    (said,) = receiver.bodies()
    assert said["type"] == "endpoint.verification"
    assert said["data"]["subject"] == f"endpoint:{made['id']}"
    # Once more does no harm, and has another challenge.
    assert desk.ask("POST", f"/{made['id']}/activation").json()["state"] == "active"
    assert receiver.bodies()[1]["data"]["challenge"] != said["data"]["challenge"]


def echo(asked: Asked) -> Answer:
    return Answer(200, asked.body, {"Content-Type": "application/json"})


def inside(asked: Asked) -> Answer:
    return Answer(200, b"challenge: " + json.loads(asked.body)["data"]["challenge"].encode())


def elsewhere(asked: Asked) -> Answer:
    return Answer(302, good(asked).body, {"Location": "http://127.0.0.1:1/"})


def much(asked: Asked) -> Answer:
    return Answer(200, good(asked).body.ljust(rules.ANSWER_BYTES + 1))


REFUSALS: dict[str, tuple[Callable[[Asked], Answer | None], str]] = {
    "an echo": (echo, "not the challenge"),
    "the challenge among others": (inside, "not the challenge"),
    "a redirect": (elsewhere, "status 302"),
    "too much": (much, "larger than 4096 bytes"),
    "nothing": (lambda _asked: None, "no connection"),
    "no": (lambda _asked: Answer(500, b"secret things inside"), "status 500"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_endpoint_that_does_not_answer_stays_as_it_is(case: str, desk: Desk, receiver: Receiver) -> None:
    receiver.script, why = REFUSALS[case]
    made = desk.make(receiver.url)
    with unchanged(desk.hub.database, frozenset({"assertion", "webhook_probe"})):
        answer = desk.ask("POST", f"/{made['id']}/activation")
    assert (answer.status_code, answer.json()["code"]) == (422, "endpoint-unverified")
    assert why in answer.json()["detail"]
    assert "secret things" not in answer.text
    assert desk.ask("GET", f"/{made['id']}").json()["state"] == "pending"


def test_a_changed_url_is_proved_anew(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    path = f"/{made['id']}"
    assert desk.ask("PATCH", path, json={"url": receiver.url}).json()["state"] == "active"
    moved = desk.ask("PATCH", path, json={"url": f"{receiver.url}/2", "severity": "urgent"}).json()
    assert (moved["state"], moved["url"], moved["severity"]) == ("pending", f"{receiver.url}/2", "urgent")
    for state in ("active", "paused"):
        assert desk.refused("PATCH", path, json={"state": state}) == (409, "endpoint-inactive", "state")
    assert desk.refused("PATCH", path, json={"url": receiver.url, "state": "active"}) == (
        409,
        "endpoint-inactive",
        "state",
    )
    assert desk.ask("POST", f"{path}/activation").json()["state"] == "active"
    assert receiver.asked[-1].path == "/hook/2"


def test_a_url_that_changes_under_the_challenge_is_not_proved_by_it(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url)

    def meanwhile(asked: Asked) -> Answer:
        changed = desk.ask("PATCH", f"/{made['id']}", json={"url": f"{receiver.url}/2"})
        assert changed.status_code == 200
        return good(asked)

    receiver.script = meanwhile
    answer = desk.ask("POST", f"/{made['id']}/activation")
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
    assert desk.ask("GET", f"/{made['id']}").json()["state"] == "pending"


def test_an_owner_pauses_and_goes_on(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    path = f"/{made['id']}"
    for state in ("paused", "paused", "active", "active"):
        assert desk.ask("PATCH", path, json={"state": state}).json()["state"] == state
    desk.ask("PATCH", path, json={"state": "paused"})
    # The challenge says that it is there, not that its owner wants to go on.
    assert desk.ask("POST", f"{path}/activation").json()["state"] == "paused"


def test_what_is_left_out_stays_and_an_empty_list_is_everything(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url, types=["key.revoked"], labels=["ncii@1:intimate_image"], detail="full")
    path = f"/{made['id']}"
    before = desk.ask("GET", path).json()
    assert desk.ask("PATCH", path, json={}).json() == before
    assert desk.ask("PATCH", path, json={"types": []}).json() == before | {"types": []}
    assert desk.ask("PATCH", path, json={"detail": "thin"}).json()["detail"] == "thin"


WRONG: dict[str, tuple[dict[str, Any], tuple[int, str, str]]] = {
    "no url": ({}, (400, "request-invalid", "url")),
    "a url of a wrong kind": ({"url": 7}, (400, "request-invalid", "url")),
    "a url without end": ({"url": "https://a.example/" + "a" * 2000}, (400, "request-invalid", "url")),
    "plain http": ({"url": "http://a.example/"}, (422, "egress-refused", "url")),
    "an address inside": ({"url": "https://10.0.0.1/"}, (422, "egress-refused", "url")),
    "the metadata service": ({"url": "http://169.254.169.254/latest"}, (422, "egress-refused", "url")),
    "another port": ({"url": "https://a.example:22/"}, (422, "egress-refused", "url")),
    "a user": ({"url": "https://u:p@a.example/"}, (422, "egress-refused", "url")),
    "a header": ({"url": "https://a.example/\r\nX: 1"}, (422, "egress-refused", "url")),
    "an unknown type": ({"types": ["nothing"]}, (400, "request-invalid", "types.0")),
    "a type of its own": ({"types": ["endpoint.test"]}, (400, "request-invalid", "types")),
    "an unknown label": ({"labels": ["ncii@1:nothing"]}, (400, "request-invalid", "labels")),
    "an unknown severity": ({"severity": "loud"}, (400, "request-invalid", "severity")),
    "no community": ({"communities": ["no-such-place"]}, (400, "request-invalid", "communities")),
    "a community of others": ({"communities": ["others"]}, (400, "request-invalid", "communities")),
    "no slug": ({"communities": ["No Slug"]}, (400, "request-invalid", "communities.0")),
    "a state": ({"state": "active"}, (400, "request-invalid", "")),
    "an owner": ({"organisation_id": 1}, (400, "request-invalid", "")),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_changes_nothing(case: str, desk: Desk, member: Admit, receiver: Receiver) -> None:
    member(communities={"others": "rw"})
    wanted, expected = WRONG[case]
    url = {} if case == "no url" else {"url": receiver.url}
    assert desk.refused("POST", json=url | wanted) == expected
    if case in {"no url", "a state"}:
        return
    made = desk.make(receiver.url)
    assert desk.refused("PATCH", f"/{made['id']}", json=wanted) == expected


def test_a_body_is_json_and_small(desk: Desk) -> None:
    assert desk.refused("POST", content=b"url=x") == (415, "unsupported-media-type", "content-type")
    headers = {**desk.headers, "Content-Type": "application/json"}
    for content, expected in ((b"{" * 70_000, (413, "payload-too-large")), (b"[]", (400, "request-invalid"))):
        answer = desk.hub.http.post(ENDPOINTS, headers=headers, content=content)
        assert (answer.status_code, answer.json()["code"]) == expected


def test_a_member_has_so_many_and_is_not_asked_twice(desk: Desk, receiver: Receiver) -> None:
    for _ in range(rules.MOST_ENDPOINTS // rules.MOST_PROBES):
        for _ in range(rules.MOST_PROBES):
            desk.make(receiver.url)
        answer = desk.ask("POST", json={"url": receiver.url})
        assert (answer.status_code, answer.json()["code"]) == (429, "rate-limited")
        assert answer.headers["Retry-After"] == str(rules.PROBE_WINDOW)
        desk.hub.clock.advance(rules.PROBE_WINDOW)
    assert desk.refused("POST", json={"url": receiver.url}) == (409, "endpoint-limit", "")
    one = desk.ask("GET").json()[0]["id"]
    desk.ask("DELETE", f"/{one}")
    assert desk.make(receiver.url)["id"] != one


def test_challenges_are_counted_with_the_rest(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url)
    for _ in range(rules.MOST_PROBES - 1):
        desk.ask("POST", f"/{made['id']}/activation")
    assert len(receiver.asked) == rules.MOST_PROBES - 1
    assert desk.refused("POST", f"/{made['id']}/activation") == (429, "rate-limited", "")
    assert desk.refused("PATCH", f"/{made['id']}", json={"url": f"{receiver.url}/2"}) == (
        429,
        "rate-limited",
        "",
    )
    assert len(receiver.asked) == rules.MOST_PROBES - 1


def test_only_so_many_calls_wait_in_one_process(desk: Desk, receiver: Receiver) -> None:
    made = desk.make(receiver.url)
    path = f"/{made['id']}/activation"
    calls = desk.hub.app.state.webhooks.calls
    mine = desk.org_id
    with ExitStack() as waiting:
        for _ in range(MOST_OF_ONE):
            waiting.enter_context(calls.one(mine))
        assert desk.refused("POST", path) == (429, "rate-limited", "")
        assert desk.refused("POST", json={"url": receiver.url}) == (429, "rate-limited", "")
    with ExitStack() as waiting:
        for other in range(MOST_CALLS):
            waiting.enter_context(calls.one(-other))
        assert desk.refused("POST", path) == (503, "unavailable", "")
    assert receiver.asked == []
    assert desk.ask("POST", path).status_code == 200


ROUTES = [
    ("GET", "", None),
    ("PATCH", "", {"severity": "urgent"}),
    ("DELETE", "", None),
    ("POST", "/activation", None),
    ("POST", "/rotation", None),
    ("POST", "/test", None),
    ("GET", "/deliveries", None),
    ("GET", "/attempts", None),
    ("POST", "/replay", {"since": "2026-11-22T12:00:00Z"}),
]


@pytest.mark.parametrize(("method", "action", "said"), ROUTES)
def test_an_endpoint_of_others_is_like_one_that_never_was(
    method: str, action: str, said: dict[str, Any] | None, desk: Desk, member: Admit, receiver: Receiver
) -> None:
    made = desk.active(receiver.url)
    stranger = Desk(desk.hub, member())
    nobodys = f"ep_{'0' * 32}"
    refusals = [
        stranger.refused(method, f"/{endpoint}{action}", **({} if said is None else {"json": said}))
        for endpoint in (made["id"], nobodys)
    ]
    assert refusals == [(404, "not-found", "endpoint")] * 2
    assert len(receiver.asked) == 1


@pytest.mark.parametrize(("method", "action", "said"), [("GET", None, None), ("POST", None, {}), *ROUTES])
def test_the_scope_is_asked_for(
    method: str, action: str | None, said: dict[str, Any] | None, desk: Desk, receiver: Receiver
) -> None:
    made = desk.make(receiver.url)
    path = "" if action is None else f"/{made['id']}{action}"
    desk.headers = desk.party.bearer("signals:read signals:submit ssf.manage ssf.read")
    wanted = {} if said is None else {"json": said}
    assert desk.refused(method, path, **wanted)[:2] == (403, "forbidden")
    desk.headers = {}
    assert desk.refused(method, path, **wanted)[:2] == (401, "unauthenticated")


def test_a_partner_has_endpoints_and_no_full_bodies(
    calling_hub: Hub, member: Admit, receiver: Receiver
) -> None:
    partner = Desk(calling_hub, member(member_class="partner", communities={"child-safety": "r"}))
    assert partner.refused("POST", json={"url": receiver.url, "detail": "full"}) == (
        400,
        "request-invalid",
        "detail",
    )
    made = partner.active(receiver.url, communities=["child-safety"])
    assert partner.refused("PATCH", f"/{made['id']}", json={"detail": "full"}) == (
        400,
        "request-invalid",
        "detail",
    )


def test_a_suspended_member_manages_nothing(desk: Desk, receiver: Receiver) -> None:
    made = desk.active(receiver.url)
    desk.hub.members.suspend(desk.party.issuer)
    assert desk.refused("GET")[:2] == (403, "member-suspended")
    assert desk.refused("POST", f"/{made['id']}/activation")[:2] == (403, "member-suspended")
    assert len(receiver.asked) == 1
