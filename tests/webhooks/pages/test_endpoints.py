"""Endpoints at the console: what each person may see and do, what is refused, and that nothing is shown twice."""

import pytest

from tests.accounts.asking import SESSIONS, assert_page, assert_refused_page, refuses
from tests.client.webserver import Answer
from tests.governance.rotating import change
from tests.support.console import Console
from tests.webhooks.pages.conftest import Desk
from tests.webhooks.receiving import verifies
from tocsin_schemas.policy import DAY

HERE = "/console/endpoints"
SECRET = "zX9-never-shown-again"
ASKED = SESSIONS | {"passkey", "webhook_probe"}


def test_who_has_none_is_told_how_to_begin(desk: Desk) -> None:
    page = desk["olga"].read(HERE)
    assert "It takes three steps" in page.text
    assert "Python" in page.text
    assert HERE in {attrs.get("action") for tag, attrs in page.tags if tag == "form"}
    looked = desk["otto"].read(HERE)
    assert HERE not in {attrs.get("action") for tag, attrs in looked.tags if tag == "form"}
    assert "is no member of this hub yet" in desk["nora"].read(HERE).text
    for name in ("opal", "aud"):
        assert_refused_page(desk[name].get(HERE), "role-missing")


def test_a_secret_is_shown_once_and_verifies(desk: Desk) -> None:
    path, secret = desk.add()
    for _ in range(2):
        assert "whsec_" not in desk["olga"].get(path).text
    assert desk["olga"].post(f"{path}/activation").status_code == 303
    (asked,) = desk.there.asked
    assert verifies(asked, desk.hub.clock(), secret=secret)
    assert "Active" in desk["otto"].read(path).text


def test_an_endpoint_that_does_not_answer_stays_as_it_is(desk: Desk) -> None:
    path, _ = desk.add()
    desk.there.script = lambda _asked: Answer(404, SECRET.encode())
    with refuses(desk.hub, ASKED):
        answer = desk["olga"].post(f"{path}/activation")
        shown = assert_refused_page(answer, "endpoint-unverified")
    assert "status 404" in shown.text
    assert SECRET not in answer.text
    with refuses(desk.hub, ASKED):
        assert_refused_page(desk["olga"].post(f"{path}/test"), "endpoint-inactive")
        assert_refused_page(desk["olga"].post(f"{path}/state", state="active"), "endpoint-inactive")
    assert "Now activate it" in desk["olga"].read(path).text


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"url": "https://169.254.169.254/latest"}, "egress-refused"),
        ({"url": f"https://user:{SECRET}@pixel.example/"}, "egress-refused"),
        ({"url": f"ftp://{SECRET}.example/"}, "egress-refused"),
        ({"url": ""}, "claim-invalid"),
        ({"url": "x" * 2001}, "claim-invalid"),
        ({"severity": SECRET}, "request-invalid"),
        ({"detail": SECRET}, "request-invalid"),
    ],
)
def test_what_cannot_be_is_not_made(desk: Desk, fields: dict[str, str], code: str) -> None:
    form = {
        "url": desk.there.url,
        "severity": "info",
        "detail": "thin",
        "type.signal.recalled": "on",
        **fields,
    }
    olga = desk["olga"]
    with refuses(desk.hub, ASKED):
        answer = olga.post(HERE, **form)
        shown = assert_refused_page(answer, code)
    assert SECRET not in answer.text
    if code != "request-invalid":
        ticked = {attrs["name"] for tag, attrs in shown.tags if tag == "input" and "checked" in attrs}
        assert ticked == {"type.signal.recalled", "severity", "detail"}
        assert shown.attributes("input", "aria-invalid") == ["true"]


def test_filters_are_what_may_be_chosen(desk: Desk) -> None:
    offered = {attrs.get("name") for tag, attrs in desk["olga"].read(HERE).tags if tag == "input"}
    assert "community.child-safety" in offered
    assert "community.deepfakes" not in offered, "it may be written to, not read"
    assert "type.endpoint.test" not in offered
    fields = {"type.signal.recalled": "on", "community.child-safety": "on", "community.deepfakes": "on"}
    path, _ = desk.add(**fields, severity="urgent")
    text = desk["otto"].read(path).text
    assert "1 kind of message, child-safety, only what is urgent" in text
    settings = desk["olga"].read(f"{path}/settings")
    ticked = {attrs["name"] for tag, attrs in settings.tags if tag == "input" and "checked" in attrs}
    assert ticked == {"type.signal.recalled", "community.child-safety", "severity", "detail"}
    assert desk.there.url in settings.attributes("input", "value")


def test_signals_in_full_are_for_who_may_read_them(desk: Desk) -> None:
    assert "full" in desk["olga"].read(HERE).attributes("input", "value")
    assert "full" not in desk["pete"].read(HERE).attributes("input", "value")
    form = {"url": desk.there.url, "severity": "info", "detail": "full"}
    with refuses(desk.hub, ASKED):
        assert_refused_page(desk["pete"].post(HERE, **form), "request-invalid")


def test_nobody_reaches_the_endpoint_of_another_member(desk: Desk) -> None:
    fred, *others = [desk[name] for name in ("fred", "otto", "opal", "nora")]
    path = desk.active()
    message = desk.test(path).rpartition("/")[2]
    unknown = f"{HERE}/ep_{'0' * 32}"
    for base in (path, unknown, f"{HERE}/%00", f"{HERE}/%F0%9F%94%94"):
        for tail in ("", "/messages", f"/messages/{message}", "/settings"):
            assert_refused_page(fred.get(base + tail), "not-found")
        for tail, fields in {
            "/activation": {},
            "/test": {},
            "/state": {"state": "paused"},
            "/settings": {"url": desk.there.url, "severity": "info", "detail": "thin"},
            "/rotation": {},
            "/removal": {"sure": "yes"},
            "/messages": {"what": "kept"},
            f"/messages/{message}/replay": {},
        }.items():
            with refuses(desk.hub, ASKED):
                assert_refused_page(fred.post(base + tail, **fields), "not-found")
                for other, code in zip(others, ("role-missing", "role-missing", "not-found"), strict=True):
                    assert_refused_page(other.post(base + tail, **fields), code)
    mine = desk.active("fred")
    assert_refused_page(fred.get(f"{mine}/messages/{message}"), "not-found")
    with refuses(desk.hub, ASKED):
        assert_refused_page(fred.post(f"{mine}/messages/{message}/replay"), "not-found")
        again = fred.post(f"{mine}/messages", what="range", first=message)
        assert "First message" in assert_refused_page(again, "not-found").text


def test_messages_and_what_came_back(desk: Desk) -> None:
    path = desk.active()
    first = desk.test(path)
    assert "None yet" in desk["otto"].read(first).text
    desk.send()
    assert "Status 204" in desk["otto"].read(first).text
    desk.there.script = lambda _asked: Answer(302, headers={"Location": f"http://127.0.0.1/{SECRET}"})
    second = desk.test(path)
    desk.send()
    shown = desk["otto"].read(second)
    assert "Redirects are not followed" in shown.text
    assert SECRET not in shown.text
    text = desk["otto"].read(path).text
    assert "1 failure in a row" in text
    listed = desk["otto"].read(f"{path}/messages")
    assert [one for one in listed.attributes("a", "href") if "/messages/msg_" in one] == [second, first]
    for state, said in (("pending", "Status 302"), ("delivered", "Status 204")):
        assert said in desk["otto"].read(f"{path}/messages?state={state}").text
    assert "nothing had to be given up" in desk["otto"].read(f"{path}/messages?state=dead").text
    assert desk["otto"].get(f"{path}/messages?state={SECRET}").status_code == 400
    for odd in ("%00", "msg_", "%F0%9F%94%94"):
        assert_refused_page(desk["otto"].get(f"{path}/messages/{odd}"), "not-found")
        assert_refused_page(desk["otto"].get(f"{path}/messages?before={odd}"), "not-found")
    before = first.rpartition("/")[2]
    assert "There are no older ones" in desk["otto"].read(f"{path}/messages?before={before}").text


def test_what_was_kept_back_is_sent_when_it_is_asked_for(desk: Desk) -> None:
    path = desk.active()
    tested = desk.test(path)
    assert desk["olga"].post(f"{path}/state", state="paused").status_code == 303
    desk.send()
    assert len(desk.there.asked) == 1
    assert "Kept back" in desk["olga"].read(tested).text
    assert "1 message so far" in desk["olga"].read(path).text
    with refuses(desk.hub, ASKED):
        assert_refused_page(desk["olga"].post(f"{path}/messages", what="kept"), "endpoint-inactive")
    assert desk["olga"].post(f"{path}/state", state="active").status_code == 303
    desk.send()
    assert len(desk.there.asked) == 2
    assert desk["olga"].post(f"{tested}/replay").status_code == 303
    desk.send()
    assert [one.headers["webhook-id"] for one in desk.there.asked[1:]] == [tested.rpartition("/")[2]] * 2


def test_several_are_sent_again(desk: Desk) -> None:
    path = desk.active()
    tests = [desk.test(path).rpartition("/")[2] for _ in range(3)]
    desk.send(60)
    replay = f"{path}/messages"
    for fields, queued in (
        ({"what": "since", "since": "2026-11-22T00:00"}, "3 messages on the way again"),
        ({"what": "range", "first": tests[1]}, "2 messages on the way again"),
        ({"what": "range", "first": tests[0], "last": tests[1]}, "2 messages on the way again"),
        ({"what": "since", "since": "2027-01-01T00:00:30"}, "Nothing to send again"),
    ):
        assert queued in assert_page(desk["olga"].post(replay, **fields)).text
        desk.send(60)
    with refuses(desk.hub, ASKED):
        for wrong, code in (
            ({"what": "since", "since": SECRET}, "claim-invalid"),
            ({"what": "since"}, "request-invalid"),
            ({"what": "range", "first": SECRET}, "claim-invalid"),
            ({"what": "range", "first": f"msg_{'0' * 32}"}, "not-found"),
            ({"what": SECRET}, "request-invalid"),
        ):
            answer = desk["olga"].post(replay, **wrong)
            assert_refused_page(answer, code)
            assert SECRET not in answer.text


def test_everybody_of_a_member_is_told_of_an_endpoint_that_was_stopped(desk: Desk) -> None:
    path = desk.active()
    desk.there.script = lambda _asked: Answer(410)
    desk.test(path)
    desk.send()
    for name in ("olga", "otto"):
        for page in ("/console", "/console/security", path):
            shown = desk[name].read(page)
            assert "has stopped sending to an endpoint of https://pixel.example" in shown.text
            assert path in shown.attributes("a", "href")
    for name in ("fred", "opal"):
        assert "has stopped sending" not in desk[name].read("/console").text
    assert "status 410" in desk["olga"].read(path).text
    desk.there.script = None
    assert desk["olga"].post(f"{path}/activation").status_code == 303
    assert "has stopped sending" not in desk["olga"].read("/console").text


def test_settings_are_changed_and_a_new_address_answers_first(desk: Desk) -> None:
    path = desk.active()
    form = {"severity": "notice", "detail": "thin"}
    assert desk["olga"].post(f"{path}/settings", url=desk.there.url, **form).status_code == 303
    assert "Active" in desk["olga"].read(path).text
    with refuses(desk.hub, ASKED):
        answer = desk["olga"].post(f"{path}/settings", url=f"https://{SECRET}@pixel.example", **form)
        shown = assert_refused_page(answer, "egress-refused")
    assert SECRET not in answer.text
    assert desk.there.url in shown.attributes("input", "value")
    assert desk["olga"].post(f"{path}/settings", url=f"{desk.there.url}/2", **form).status_code == 303
    assert "It has to answer again" in desk["olga"].read(path).text


def test_a_new_secret_signs_beside_the_old_one(desk: Desk) -> None:
    path, old = desk.add()
    answer = assert_page(desk["olga"].post(f"{path}/rotation"))
    new = next(word for word in answer.text.split() if word.startswith("whsec_"))
    desk["olga"].post(f"{path}/activation")
    for secret in (old, new):
        assert verifies(desk.there.asked[0], desk.hub.clock(), secret=secret)
    with refuses(desk.hub, ASKED):
        assert_refused_page(desk["olga"].post(f"{path}/rotation"), "endpoint-rotating")
    assert "Change it again, and end the older one now" in desk["olga"].get(f"{path}/settings").text
    assert "whsec_" in assert_page(desk["olga"].post(f"{path}/rotation", again="yes")).text


def test_removing_says_what_is_lost_and_wants_to_be_meant(desk: Desk) -> None:
    path = desk.active()
    desk.test(path)
    assert "What waits for it is never sent: 1 message." in desk["olga"].read(f"{path}/settings").text
    with refuses(desk.hub, ASKED):
        assert_refused_page(desk["olga"].post(f"{path}/removal"), "request-invalid")
    assert desk["olga"].post(f"{path}/removal", sure="yes").headers["location"] == HERE
    assert_refused_page(desk["olga"].get(path), "not-found")
    desk.send(DAY)
    assert len(desk.there.asked) == 1


def test_who_administers_one_member_and_reads_for_another_does_it_for_the_first(desk: Desk) -> None:
    both = Console(desk.hub).person("bea", ("org_analyst",), "https://frame.example")
    assert HERE not in {attrs.get("action") for tag, attrs in both.read(HERE).tags if tag == "form"}
    desk.hub.app.state.accounts.invite("bea", ("org_admin",), "https://pixel.example")
    desk.people["bea"] = both
    path = desk.active("bea")
    assert "Active" in desk["olga"].read(path).text
    assert_refused_page(desk["fred"].get(path), "not-found")


def test_people_are_told_when_a_secret_ends_because_the_hub_changes_its_key(desk: Desk) -> None:
    path = desk.active()
    hub, said = desk.hub, "the secret of an endpoint of https://pixel.example ends soon"
    assert said not in desk["olga"].read("/console").text
    change(hub, "delivery", hub.settings)
    for handle, there in (("olga", True), ("otto", True), ("fred", False), ("opal", False)):
        assert (said in desk[handle].read("/console").text) == there
    page = desk["olga"].read(path)
    assert "Its secret ends" in page.text
    assert f"{path}/settings#rotate" in page.attributes("a", "href")
    assert "Whoever manages endpoints" in desk["otto"].read(path).text
    with hub.database.transaction() as uow:
        # People are signed out before seven days are over.
        uow.conn.exec_driver_sql(f"UPDATE hub_key SET not_after = {uow.now} WHERE not_before = 0")
    assert said not in desk["olga"].read("/console").text
    assert "Its secret has ended" in desk["olga"].read(path).text


def test_the_operator_stops_one_and_allows_it_again(desk: Desk) -> None:
    act = "/console/delivery/receivers"
    path, _ = desk.add()
    receiver = path.rpartition("/")[2]
    assert desk["olga"].post(f"{path}/activation").status_code == 303
    for visitor in (desk["olga"], desk["aud"], desk["opal"])[:2]:
        with refuses(desk.hub, ASKED):
            assert_refused_page(visitor.post(act, receiver=receiver, do="stop"), "role-missing")
    assert act not in desk["aud"].get("/console/delivery").text
    for wrong, code in (("ep_zX9", "not-found"), ("zX9", "not-found")):
        with refuses(desk.hub, ASKED):
            shown = assert_refused_page(desk["opal"].post(act, receiver=wrong, do="stop"), code)
        assert "zX9" not in shown.text
    assert f"Stopped {receiver} of" in assert_page(desk["opal"].post(act, receiver=receiver, do="stop")).text
    told = desk["otto"].read(path).text
    assert "The operator of this hub disabled it." in told
    assert "Ask them why" in told
    with refuses(desk.hub, ASKED):
        assert_refused_page(desk["olga"].post(f"{path}/activation"), "endpoint-inactive")
    assert (
        f"Allowed again {receiver} of"
        in assert_page(desk["opal"].post(act, receiver=receiver, do="allow")).text
    )
    assert desk["olga"].post(f"{path}/activation").status_code == 303
    assert "All is well" in desk["olga"].read(path).text
