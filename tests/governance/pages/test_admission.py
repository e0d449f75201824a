"""An applicant becomes a member by nothing but the pages: the form, the workbench, the motion, five signed votes."""

import json
from collections.abc import Mapping

import httpx2
import pytest

from tests.accounts.asking import assert_page, assert_refused_page, refuses
from tests.governance.pages.sitting import ASKED, Room, forms, landed
from tests.support.board import DOCUMENT, VETTERS
from tests.support.console import Visitor
from tests.support.pages import Reader
from tocsin.governance.rules.applications import QUESTIONS
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import applications
from tocsin.members.rules import control_group_id
from tocsin_schemas.governance import sign_key_proof
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import REGISTRY

SECRET = "zX9-never-shown-again"
READS = ASKED | {"read_log"}
"""A refused check shows the workbench again, and who reads that is noted."""


def filled(room: Room, name: str, key: SigningKey, **changed: str) -> dict[str, str]:
    """The form of `https://<name>.example` as a browser sends it."""
    issuer = f"https://{name}.example"
    fields = {"issuer": issuer, "member_class": "platform", "owner": issuer, "do": "submit"}
    for question, asked in QUESTIONS.items():
        if asked.kind == "code" and asked.many:
            fields[f"q.{question}.{asked.choices[0]}"] = "on"
        else:
            value = {"code": "".join(asked.choices[:1]), "origin": issuer, "digest": DOCUMENT}[asked.kind]
            fields[f"q.{question}"] = value
    fields["keys"] = offer(room, issuer, key)
    return {**fields, **changed}


def offer(room: Room, issuer: str, key: SigningKey) -> str:
    """A line of `tocsin keys prove`."""
    proof = sign_key_proof(iss=issuer, aud=room.hub.issuer, iat=room.hub.clock(), key=key)
    return json.dumps({"jwk": key.public.jwk(), "proof": proof})


def apply(room: Room, fields: Mapping[str, str]) -> httpx2.Response:
    visitor = room.console.visitor()
    return visitor.post("/apply", once=once(visitor), **fields)


def once(visitor: Visitor) -> str:
    """The token of an empty form."""
    form = visitor.read("/apply")
    assert "Apply for membership" in form.text
    (token,) = [attrs["value"] for _, attrs in form.tags if attrs.get("name") == "once"]
    return str(token)


def handed_in(room: Room, name: str, key: SigningKey | None = None) -> tuple[str, str]:
    """An application that was handed in by the form: its number and its secret."""
    answer = apply(room, filled(room, name, key or SigningKey.generate()))
    shown = assert_page(answer, 201).text.split()
    return shown[shown.index("Number") + 1], shown[shown.index("Secret") + 1]


def test_an_applicant_becomes_a_member_by_the_pages_alone(room: Room) -> None:
    key = SigningKey.generate()
    number, _ = handed_in(room, "pixel", key)
    assert "Handed in" in room.console.visitor().read(f"/apply/{number}").text

    # 1. Two checkers, each item by both; nobody twice.
    vera, viktor = room.people["vera"], room.people["viktor"]
    path = f"/console/applications/{number}"
    assert "Begin to check an application" in vera.read("/console").text
    assert_page(vera.get(path), 403)
    for name in ("vera", "viktor", "s1"):
        room.purpose(name)
    assert "Nobody has begun with the checks yet." in vera.read(path).text
    assert landed(vera.post(f"{path}/vetting")) == path
    assert "Check 13 items of an application" in viktor.read("/console").text
    found = {"result": "pass", "evidence": DOCUMENT}
    for item in ITEMS:
        assert landed(vera.post(f"{path}/checks", item=item, **found)) == path
    with refuses(room.hub, READS):
        again = assert_refused_page(vera.post(f"{path}/checks", item=ITEMS[0], **found), "checker-repeated")
        assert "Another person has to check this item" in again.text
        wrong = vera.post(f"{path}/checks", item=ITEMS[0], result="fail", evidence=SECRET)
        assert_refused_page(wrong, "claim-invalid")
        assert SECRET not in wrong.text
        early = room.people["s1"].post(f"{path}/admission")
        assert_refused_page(early, "vetting-incomplete")
    assert "0 of 13 items are checked by two people" in vera.read(path).text
    for item in ITEMS:
        assert landed(viktor.post(f"{path}/checks", item=item, **found)) == path
    assert "13 of 13 items are checked by two people" in vera.read(path).text
    assert f"{path}/admission" not in forms(vera.read(path))

    # 2. The board: proposed, endorsed by two, discussed for a week, voted on by five.
    s1 = room.people["s1"]
    assert "Propose an admission" in s1.read("/console").text
    motion = landed(s1.post(f"{path}/admission"))
    number_of = motion.rpartition("/")[2]
    for name in ("s2", "s3"):
        seat = room.people[name]
        closed = seat.read(motion)
        assert "First: have you a conflict of interest?" in closed.text
        assert "https://pixel.example" in closed.text
        # What it says opens after the answer.
        assert "Vetting report" not in closed.text
        assert forms(closed) == {f"{motion}/declaration", "/console/sign-out"}
        assert landed(seat.post(f"{motion}/declaration", conflict="no")) == motion
        assert "Vetting report" in seat.read(motion).text
        assert landed(seat.post(f"{motion}/endorsement")) == motion
    said = {"stance": "question", "topic": "human_review", "document": DOCUMENT}
    assert landed(room.people["s3"].post(f"{motion}/remarks", **said)) == motion
    shown = room.people["s2"].read(motion).text
    assert f"s3 Question Review by people {DOCUMENT}" in shown
    assert "The ballot opens" in shown
    assert "(in 7 days)" in shown

    room.hub.clock.advance(7 * DAY)
    for name in ("s4", "s5"):
        room.people[name].post(f"{motion}/declaration", conflict="no")
    for name in room.seats:
        assert "Vote: Admit a member" in room.people[name].read("/console").text
        assert landed(room.vote(name, number_of)) == motion

    # 3. The result, with its proof.
    room.hub.publish()
    result = room.people["aud"].read(motion)
    assert "Passes. Enough voted, and enough of them agreed." in result.text
    assert "5 yes, 0 no, 0 abstained" in result.text
    (entry,) = [link for link in result.attributes("a", "href") if link.startswith("/log/entry?")]
    assert "Kind decision" in Reader(room.hub.http.get(entry).text).text
    assert "to admit https://pixel.example" in room.people["opal"].read("/console").text
    assert "Admitted, keys to prove" in room.console.visitor().read(f"/apply/{number}").text
    assert "pixel" not in members(room)
    room.board.act("pixel", key, "prove-key", not_before=room.hub.clock(), not_after=room.hub.clock() + DAY)
    assert "https://pixel.example Platform Provisional" in members(room)


def members(room: Room) -> str:
    return room.console.visitor().read("/members").text


def test_what_fits_comes_back_and_what_does_not_is_never_shown(room: Room) -> None:
    with refuses(room.hub, ASKED):
        fields = filled(
            room,
            "frame",
            SigningKey.generate(),
            **{
                "q.registration": SECRET,
                "q.domain": f"https://ok.example\n{SECRET}",
                "owner": SECRET,
                "keys": SECRET,
            },
        )
        answer = apply(room, fields)
    shown = assert_page(answer, 422)
    assert SECRET not in answer.text
    assert "4 things need another look." in shown.text
    wrong = {
        attrs["name"] for _, attrs in shown.tags if attrs.get("aria-invalid") == "true" and "name" in attrs
    }
    assert wrong == {"q.registration", "q.domain", "owner", "keys"}
    values = {attrs.get("name"): attrs.get("value") for tag, attrs in shown.tags if tag == "input"}
    assert values["issuer"] == "https://frame.example"
    assert values["q.ownership"] == DOCUMENT
    checked = {attrs.get("name") for _, attrs in shown.tags if "checked" in attrs}
    assert {"q.service.social", "q.jurisdiction.eu", "q.antitrust"} <= checked
    for target in [link for link in shown.attributes("a", "href") if link.startswith("#q-")]:
        assert target[1:] in {attrs.get("id") for _, attrs in shown.tags}


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("issuer", "http://frame.example", "claim-invalid"),
        ("member_class", "", "claim-invalid"),
        ("q.governmental", "", "claim-missing"),
        ("keys", "", "claim-missing"),
        ("keys", "[1]", "claim-invalid"),
        ("keys", "{" * 5000, "claim-invalid"),
    ],
)
def test_a_form_that_does_not_fit_is_not_taken(room: Room, field: str, value: str, code: str) -> None:
    with refuses(room.hub, ASKED):
        answer = apply(room, filled(room, "frame", SigningKey.generate(), **{field: value}))
    assert_refused_page(answer, code)


def test_a_proof_for_somebody_else_is_not_taken(room: Room) -> None:
    key = SigningKey.generate()
    with refuses(room.hub, ASKED):
        fields = filled(room, "frame", key, keys=offer(room, "https://other.example", key))
        shown = assert_refused_page(apply(room, fields), "issuer-mismatch")
    assert "Must be the applicant's issuer" in shown.text


def test_a_draft_is_completed_and_handed_in_with_its_secret(room: Room) -> None:
    fields = filled(room, "drafted", SigningKey.generate(), do="draft")
    del fields["q.registration"]
    shown = assert_page(apply(room, fields), 201).text.split()
    number, secret = shown[shown.index("Number") + 1], shown[shown.index("Secret") + 1]
    applicant = room.console.visitor()
    assert "Complete your draft" in applicant.read(f"/apply/{number}").text
    with refuses(room.hub, ASKED):
        assert_refused_page(applicant.post(f"/apply/{number}/submission", secret=SECRET), "not-found")
        lacking = applicant.post(f"/apply/{number}/submission", secret=secret)
        assert (
            "Entry in the company or charity register" in assert_refused_page(lacking, "claim-missing").text
        )
    sent = {"q.registration": DOCUMENT, "secret": secret}
    assert landed(applicant.post(f"/apply/{number}/answers", **sent)) == f"/apply/{number}"
    assert landed(applicant.post(f"/apply/{number}/submission", secret=secret)) == f"/apply/{number}"
    assert "Handed in" in applicant.read(f"/apply/{number}").text
    assert landed(applicant.post(f"/apply/{number}/withdrawal", secret=secret)) == f"/apply/{number}"
    assert "Lapsed" in applicant.read(f"/apply/{number}").text


def test_whatever_a_draft_lacks_is_completed_on_its_page(room: Room) -> None:
    room.board.enact("community.open", "kiosks")
    key = SigningKey.generate()
    issuer = "https://bare.example"
    bare = {"issuer": issuer, "member_class": "platform", "owner": issuer, "do": "draft"}
    shown = assert_page(apply(room, bare), 201).text.split()
    number, secret = shown[shown.index("Number") + 1], shown[shown.index("Secret") + 1]
    path = f"/apply/{number}"
    applicant = room.console.visitor()
    draft = applicant.read(path)
    lacking = {name for name, question in QUESTIONS.items() if question.required} | {"keys"}
    assert {link[3:] for link in links(draft)} == lacking

    # One thing after another; every refusal leads to a field of the page.
    for name in QUESTIONS:
        if name in lacking:
            with refuses(room.hub, ASKED):
                refused = applicant.post(f"{path}/submission", secret=secret)
            assert f"#q-{name}" in links(assert_refused_page(refused, "claim-missing"))
            value = filled(room, "bare", key)
            given = {field: value[field] for field in value if field.split(".")[:2] == ["q", name]}
            assert landed(applicant.post(f"{path}/answers", secret=secret, **given)) == path
    with refuses(room.hub, ASKED):
        refused = applicant.post(f"{path}/submission", secret=secret)
        assert "#q-keys" in links(assert_refused_page(refused, "claim-missing"))
        for wrong in (
            {"keys": SECRET},
            {"keys": offer(room, "https://other.example", key)},
            {"owner": SECRET},
            {"member_class": SECRET},
            {"keys": offer(room, issuer, key), "q.domain": SECRET},
        ):
            answer = applicant.post(f"{path}/answers", secret=secret, **wrong)
            assert answer.status_code in {409, 422}, answer.text
            assert SECRET not in answer.text
            assert links(Reader(answer.text))
        stranger = applicant.post(f"{path}/answers", secret=SECRET, keys=offer(room, issuer, key))
        assert_refused_page(stranger, "not-found")
    whole = {
        "keys": offer(room, issuer, key),
        "member_class": "hotline",
        "owner": "https://parent.example/",
        "read.kiosks": "on",
    }
    assert landed(applicant.post(f"{path}/answers", secret=secret, **whole)) == path
    assert links(applicant.read(path)) == set()
    assert landed(applicant.post(f"{path}/submission", secret=secret)) == path
    view = applications.application(room.board.chamber, number, VETTERS[0])
    assert (view.state, view.member_class) == ("submitted", "hotline")
    assert view.control_group == control_group_id("https://parent.example")
    assert [held.kid for held in view.keys] == [key.public.kid]
    assert [(wish.community, wish.read, wish.write) for wish in view.communities] == [("kiosks", True, False)]
    # Nothing of it changes any more.
    with refuses(room.hub, ASKED):
        late = applicant.post(f"{path}/answers", secret=secret, member_class="platform")
    assert_refused_page(late, "conflict")


def links(page: Reader) -> set[str]:
    """Where a page leads to fields of its own, each of which is there."""
    found = {link for link in page.attributes("a", "href") if link.startswith("#q-")}
    assert {link[1:] for link in found} <= {attrs.get("id") for _, attrs in page.tags}
    return found


def test_a_form_sent_again_makes_no_second_application(room: Room) -> None:
    visitor = room.console.visitor()
    fields = {**filled(room, "impatient", SigningKey.generate()), "once": once(visitor)}
    first = assert_page(visitor.post("/apply", **fields), 201).text.split()
    number, secret = first[first.index("Number") + 1], first[first.index("Secret") + 1]
    with refuses(room.hub, ASKED):
        again = visitor.post("/apply", **fields)
        later = visitor.post("/apply", **{**fields, "do": "draft"})
    for answer in (again, later):
        shown = assert_page(answer, REGISTRY["conflict"].status)
        assert "there is no second one" in shown.text
        assert number in shown.text
        assert secret not in answer.text
    # The first secret is the one, the token is one visitor's, and what carries none is taken from nobody.
    assert landed(visitor.post(f"/apply/{number}/withdrawal", secret=secret)) == f"/apply/{number}"
    with refuses(room.hub, ASKED):
        assert_page(visitor.post("/apply", **fields), REGISTRY["conflict"].status)
        for token in ("", SECRET, "x" * 44):
            assert_refused_page(visitor.post("/apply", **{**fields, "once": token}), "request-invalid")
    other = room.console.visitor()
    once(other)
    assert number not in assert_page(other.post("/apply", **fields), 201).text
    # A form that was not taken may be sent again, put right.
    frame = {**filled(room, "frame", SigningKey.generate()), "once": once(visitor)}
    assert visitor.post("/apply", **{**frame, "keys": ""}).status_code == 422
    assert_page(visitor.post("/apply", **frame), 201)


def test_what_was_never_handed_in_is_not_shown_to_the_board(room: Room) -> None:
    for name in ("shy", "bold"):
        fields = filled(room, name, SigningKey.generate(), do="draft" if name == "shy" else "submit")
        shown = assert_page(apply(room, fields), 201).text.split()
        number, secret = shown[shown.index("Number") + 1], shown[shown.index("Secret") + 1]
        if name == "bold":
            visitor = room.console.visitor()
            visitor.get("/apply")
            landed(visitor.post(f"/apply/{number}/withdrawal", secret=secret))
    room.hub.clock.advance(3 * DAY)
    room.hub.run_job("governance.tick")
    room.purpose("s1")
    listed = room.people["s1"].read("/console/applications").text
    assert "https://bold.example" in listed
    assert "https://shy.example" not in listed


def test_what_is_asked_again_is_answered_by_the_applicant(room: Room) -> None:
    number, secret = handed_in(room, "asked")
    vera = room.people["vera"]
    room.purpose("vera")
    path = f"/console/applications/{number}"
    landed(vera.post(f"{path}/vetting"))
    with refuses(room.hub, READS):
        assert_refused_page(vera.post(f"{path}/questions"), "claim-invalid")
    assert landed(vera.post(f"{path}/questions", registration="ask", domain="ask")) == path
    assert "The applicant has been asked again: Entry in the company" in vera.read(path).text
    applicant = room.console.visitor()
    shown = applicant.read(f"/apply/{number}")
    assert "(in 30 days)" in shown.text
    names = {attrs.get("name") for _, attrs in shown.tags} - {None}
    assert {name for name in names if str(name).startswith("q.")} == {"q.registration", "q.domain"}
    sent = {"q.registration": DOCUMENT, "q.domain": "https://asked.example/", "secret": secret}
    assert landed(applicant.post(f"/apply/{number}/answers", **sent)) == f"/apply/{number}"
    assert "Being checked" in applicant.read(f"/apply/{number}").text


def test_an_administrator_of_a_member_sponsors(room: Room) -> None:
    board = room.board
    for name in ("one", "two"):
        board.member(name)
    board.activate("one", "two")
    number, _ = handed_in(room, "backed")
    adam = room.console.person("adam", ("org_admin",), "https://one.example")
    page = adam.read(f"/console/sponsorship?application={number}")
    assert "Sponsor it for https://one.example" in page.text
    assert "https://backed.example" in page.text
    assert (
        "https://one.example now sponsors https://backed.example"
        in assert_page(adam.post("/console/sponsorship", application=number)).text
    )
    with refuses(room.hub, ASKED):
        assert_refused_page(adam.post("/console/sponsorship", application=number), "conflict")
        assert_refused_page(adam.post("/console/sponsorship", application="ap_0"), "not-found")
        assert_refused_page(
            room.people["s1"].post("/console/sponsorship", application=number), "role-missing"
        )
    (given,) = applications.application(board.chamber, number, VETTERS[0]).sponsors
    assert (given.issuer, given.handle, given.fit) == ("https://one.example", "adam", True)
    room.purpose("s1")
    assert "https://one.example adam yes" in room.people["s1"].read(f"/console/applications/{number}").text
