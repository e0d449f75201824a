"""Forms that do not fit: each says which field and what is expected, keeps what fits, and echoes nothing else.

So do forms that come too late: the session over, or the approval.
"""

import re

import httpx2
import pytest

from tests.accounts.asking import assert_page, assert_refused_page, refuses
from tests.governance.pages.sitting import ASKED, Room, landed
from tests.governance.pages.test_records import inputs
from tests.support.authenticator import UP
from tests.support.board import DOCUMENT, VETTERS
from tests.support.console import approval_asked
from tests.support.pages import Reader
from tocsin.accounts.rules import CHALLENGE_SECONDS, IDLE_SECONDS
from tocsin.governance.pages.policy import RANGES, VALUES
from tocsin.governance.pages.propose import KINDS
from tocsin.governance.service import motions, vetting
from tocsin.web.console import RETURN_COOKIE
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import Policy

SECRET = "zX9-never-shown-again"
PIXEL = "https://pixel.example"
KID = SigningKey.generate().public.kid
CODE = re.compile(r"[a-z]+_(mismatch|error|parsing|type|equal|short|long)\b")
"""A word by which pydantic names an error."""
READS = ASKED | {"read_log"}


@pytest.fixture(scope="module", autouse=True)
def _members(room: Room) -> None:
    for name in ("pixel", "frame"):
        room.board.member(name)
    room.board.activate("pixel")


def marked(answer: httpx2.Response) -> dict[str, str]:
    """The fields that are marked as wrong, by the ends of their ids, with what is said beside each; tied to the
    summary above and to these words.
    """
    shown = Reader(answer.text)
    ids = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert not CODE.search(shown.text)
    found = {}
    for _, attrs in shown.tags:
        if attrs.get("aria-invalid") == "true":
            name = str(attrs["id"]).removeprefix("q-")
            assert f"why-{name}" in str(attrs["aria-describedby"]).split()
            assert set(str(attrs["aria-describedby"]).split()) <= set(ids)
            (said,) = re.findall(rf'id="why-{name}">([^<]+)<', answer.text)
            found[name] = said
    alert = answer.text.index('role="alert"')
    assert not found or alert < answer.text.index("aria-invalid")
    summed = [link for link in shown.attributes("a", "href") if link.startswith("#q-")]
    assert sorted(summed) == sorted(f"#q-{name}" for name in found)
    return found


def values(answer: httpx2.Response) -> dict[str, str]:
    return inputs(Reader(answer.text))


def lines(answer: httpx2.Response) -> list[str]:
    (text,) = re.findall(r"<textarea[^>]*>([^<]*)<", answer.text)
    return str(text).split()


@pytest.mark.parametrize("path", ["/console/policy/change", "/console/policy/simulation"])
def test_a_policy_comes_back_as_it_was_typed(room: Room, path: str) -> None:
    s1 = room.people["s1"]
    sent = values(s1.get("/console/policy/change")) | {"sighting": "21", "dispute": "99", "quorum": "0"}
    with refuses(room.hub, ASKED):
        answer = s1.post(path, **sent)
        assert_refused_page(answer, "request-invalid")
        assert values(answer) == sent
        assert marked(answer) == {"quorum": "Give a whole number from 3 to 99"}
        several = s1.post(path, **{**sent, "voting": SECRET, "tie": "", "appeal": "1" * 10, "outcome": "1.5"})
        assert marked(several).keys() == {"quorum", "voting", "tie", "appeal", "outcome"}
        assert values(several) == sent | dict.fromkeys(("voting", "tie", "appeal", "outcome"), "")
        assert SECRET not in several.text
        del sent["watch"]
        assert "watch" in marked(s1.post(path, **sent))


def test_a_policy_that_changes_nothing_keeps_the_form(room: Room) -> None:
    s1 = room.people["s1"]
    sent = values(s1.get("/console/policy/change"))
    for path in ("/console/policy/change", "/console/policy/simulation"):
        with refuses(room.hub, ASKED):
            same = s1.post(path, **sent)
            assert_refused_page(same, "conflict")
        assert "Nothing is changed" in same.text
        assert marked(same) == {}
    # Whoever asks again for the page of a simulation gets the form.
    assert values(s1.get("/console/policy/simulation")) == sent


def test_a_value_is_between_what_the_chain_allows() -> None:
    for name, (least, most) in RANGES.items():
        for number, fits in ((least, True), (most, True), (least - 1, False), (most + 1, False)):
            told = {**Policy().model_dump(), name: number * VALUES[name].size}
            if fits:
                Policy.model_validate(told)
            else:
                with pytest.raises(ValueError, match=name):
                    Policy.model_validate(told)


GOOD = {
    "member.object": {"member": "https://frame.example"},
    "member.activate": {"member": "https://frame.example"},
    "member.extend": {"member": "https://frame.example"},
    "member.refuse": {"member": "https://frame.example"},
    "member.suspend": {"member": PIXEL, "until": "2027-06-01", "noticed_at": "2026-01-01T10:00"},
    "member.sanction": {"member": PIXEL, "complainant": PIXEL, "noticed_at": "2026-01-01T10:00:30"},
    "key.revoke": {"key": ""},
    "key.enrol": {"member": PIXEL, "keys": KID},
    "community.open": {"community": "deepfakes"},
    "community.grant": {"member": PIXEL, "community": "child-safety", "read": "on", "write": "on"},
    "peering.set": {"peer": "https://hub.other.example", "terms": DOCUMENT},
    "agreement.record": {"list": "iwf", "terms": DOCUMENT},
    "roster.set": {
        "seat": "s5",
        "seat_class": "independent",
        "handle": "handle-s5",
        "issuer": PIXEL,
        "relieves": "s1",
        "term_ends": "2030-01-01",
        "expires": "2031-01-01",
        "duty": "on",
    },
}


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind in GOOD])
def test_every_form_of_a_motion_names_its_field(room: Room, kind: str) -> None:
    """Each field alone, with the others as they should be."""
    s1, path = room.people["s1"], f"/console/motions/new/{kind}"
    good = GOOD[kind]
    if kind == "key.revoke":
        good = {"key": f"{PIXEL} {next(iter(room.board.state.members[PIXEL].keys))}"}
    with refuses(room.hub, ASKED):
        for name in good:
            answer = s1.offer(path, **{**good, name: SECRET})
            assert 400 <= answer.status_code < 500
            assert SECRET not in answer.text
            assert marked(answer).keys() == {name}, name
            kept = {field: value for field, value in good.items() if field != name}
            for field, value in kept.items():
                assert f">{value}<" in answer.text or f'value="{value}"' in answer.text, field
        both = s1.offer(path, **dict.fromkeys(good, SECRET))
        assert marked(both).keys() == good.keys()
        required = {
            str(attrs["name"]) for _, attrs in s1.read(path).tags if "required" in attrs and "name" in attrs
        }
        assert marked(s1.offer(path, none="x")).keys() == required


def test_thumbprints_come_back(room: Room) -> None:
    s1, path = room.people["s1"], "/console/motions/new/key.enrol"
    others = [SigningKey.generate().public.kid for _ in range(8)]
    with refuses(room.hub, ASKED):
        answer = s1.offer(path, member=PIXEL, keys=f"{KID}\r\n{SECRET}\r\n{others[0]}")
        assert lines(answer) == [KID, others[0]]
        assert marked(answer)["keys"].startswith("Give one to 8 thumbprints, one a line")
        many = s1.offer(path, member=PIXEL, keys="\n".join([KID, *others]))
        assert marked(many).keys() == {"keys"}
        assert len(lines(many)) == 8
        lost = s1.offer(path, member="", keys=KID)
        assert (marked(lost), lines(lost)) == ({"member": "Choose one of the list"}, [KID])


def test_what_the_chain_refuses_is_said_beside_the_field(room: Room) -> None:
    s1, path = room.people["s1"], "/console/motions/new/community.open"
    with refuses(room.hub, ASKED):
        for name in ("board", "docket"):
            assert marked(s1.offer(path, community=name)) == {
                "community": "No community can be called board or docket"
            }
        open_already = s1.offer(path, community="child-safety")
        assert marked(open_already).keys() == {"community"}
        assert values(open_already)["community"] == "child-safety"
        long = s1.offer("/console/motions/new/member.suspend", member=PIXEL, until="2099-01-01")
        assert marked(long).keys() == {"until"}
    motion = landed(s1.post(path, community="twice"))
    with refuses(room.hub, ASKED):
        twice = s1.offer(path, community="twice")
        assert marked(twice) == {"community": "The same motion is before the board"}
    landed(s1.post(f"{motion}/withdrawal"))


def test_a_finding_keeps_what_fits(room: Room) -> None:
    number = room.board.apply("checked", SigningKey.generate())
    vetting.begin(room.board.chamber, number, VETTERS[0])
    path, vera = f"/console/applications/{number}/checks", room.people["vera"]
    room.purpose("vera")
    with refuses(room.hub, READS):
        answer = vera.post(path, item="security", result="fail", evidence=SECRET)
        assert_refused_page(answer, "claim-invalid")
        assert SECRET not in answer.text
        assert marked(answer).keys() == {"evidence-security"}
        assert ticked(answer) == ["fail"]
        assert re.search(r'<details class="item" id="item-security" open>', answer.text)
        no_choice = vera.post(path, item="security", result="", evidence=DOCUMENT)
        assert marked(no_choice) == {"result-security": "Choose good or wanting"}
        assert ticked(no_choice) == []
        assert f'value="{DOCUMENT}"' in no_choice.text
        none = vera.post(path, item="security")
        assert marked(none).keys() == {"evidence-security", "result-security"}
        unasked = vera.post(f"/console/applications/{number}/questions")
        assert marked(unasked).keys() == {"questions"}
    landed(vera.post(path, item="security", result="pass", evidence=DOCUMENT))
    with refuses(room.hub, READS):
        repeated = vera.post(path, item="security", result="pass", evidence=DOCUMENT)
        assert_refused_page(repeated, "checker-repeated")
        assert ticked(repeated) == ["pass"]


def ticked(answer: httpx2.Response) -> list[str]:
    return [
        str(attrs["value"])
        for _, attrs in Reader(answer.text).tags
        if attrs.get("type") == "radio" and "checked" in attrs
    ]


def test_a_tie_and_a_remark_keep_what_fits(room: Room) -> None:
    s4 = room.people["s4"]
    motion = motions.propose(room.board.chamber, room.board.seated("s4"), "community.open", "remarked", {})
    with refuses(room.hub, ASKED):
        late = s4.offer("/console/ties", issuer=PIXEL, ended_at="2099-01-01")
        assert marked(late).keys() == {"ended_at"}
        assert values(late)["issuer"] == PIXEL
        odd = s4.offer("/console/ties", issuer=SECRET, ended_at="2024-01-01")
        assert marked(odd).keys() == {"issuer"}
        assert values(odd)["ended_at"] == "2024-01-01"
        said = {"stance": "concern", "topic": "identity", "document": SECRET}
        remark = s4.post(f"/console/motions/{motion}/remarks", **said)
        assert SECRET not in remark.text
        assert marked(remark).keys() == {"document"}
        for word in ("concern", "identity"):
            assert f'<option value="{word}" selected>' in remark.text


@pytest.mark.parametrize(
    ("name", "path", "page"),
    [
        ("vera", "/console/applications/{number}/checks", "/console/applications/{number}"),
        ("s1", "/console/policy/change", "/console/policy/change"),
        ("s1", "/console/policy/simulation", "/console/policy/simulation"),
        ("s1", "/console/motions/new/key.enrol", "/console/motions/new/key.enrol"),
        ("s1", "/console/motions/{motion}/remarks", "/console/motions/{motion}"),
        ("s1", "/console/ties", "/console/ties"),
        ("olga", "/console/organisation/people/otto/revoke", "/console/organisation"),
        ("s1", "/console/purpose", "/console"),
    ],
)
def test_whoever_signs_in_for_a_form_comes_back_to_its_page(
    room: Room, name: str, path: str, page: str
) -> None:
    if "olga" not in room.people:
        room.people["olga"] = room.console.person("olga", ("org_admin",), PIXEL)
    slug = f"late-{len(motions.docket(room.board.chamber))}"
    motion = motions.propose(room.board.chamber, room.board.seated("s1"), "community.open", slug, {})
    places = {"number": room.board.apply(slug, SigningKey.generate()), "motion": motion}
    path, page = path.format(**places), page.format(**places)
    who = room.people[name]
    room.hub.clock.advance(IDLE_SECONDS)
    with refuses(room.hub, ASKED):
        answer = who.offer(path, none=SECRET)
        shown = assert_refused_page(answer, "signed-out")
        assert SECRET not in answer.text
        assert "/console/sign-in" in shown.attributes("a", "href")
        assert ("the page with the form opens again" in shown.text) == (page != "/console")
        arrived = who.sign_in()
        assert landed(arrived) == page
        assert RETURN_COOKIE not in who.cookies
    room.people[name] = who
    # Nothing was sent again, and it is a page.
    assert who.get(page).status_code in {200, 403}


def test_a_form_of_another_session_leads_back_to_its_page(room: Room) -> None:
    answer = room.people["s1"].post("/console/policy/simulation", csrf="x")
    shown = assert_refused_page(answer, "form-token-invalid")
    assert "/console/policy/simulation" in shown.attributes("a", "href")
    unread = room.people["s1"].get("/console/audit?before=x")
    assert "int_parsing" not in assert_refused_page(unread, "request-invalid").text


def test_what_is_approved_too_late_is_asked_about_again(room: Room) -> None:
    number = room.board.apply("slow", SigningKey.generate())
    vetting.begin(room.board.chamber, number, VETTERS[0])
    back, vera = f"/console/applications/{number}", room.people["vera"]
    room.purpose("vera")
    finding = {"item": "security", "result": "fail", "evidence": DOCUMENT}
    with refuses(room.hub, READS):
        first = approval_asked(vera.offer(f"{back}/checks", **finding))
        assert first is not None
        room.hub.clock.advance(CHALLENGE_SECONDS)
        late = vera.offer(first.path, **first.fields, **vera.sign(first.challenge))
        shown = assert_refused_page(late, "challenge-invalid")
        assert "This answer was not taken." in shown.text
        assert "wanting." in shown.text
        assert back in shown.attributes("a", "href")
        (form,) = [attrs for tag, attrs in shown.tags if tag == "form" and "data-passkey" in attrs]
        challenge = str(form["data-challenge"])
        assert challenge != first.challenge
        lazy = vera.offer(first.path, **first.fields, **vera.sign(challenge, flags=UP))
        assert_refused_page(lazy, "assertion-unverified-user")
    assert landed(vera.offer(first.path, **first.fields, **vera.sign(challenge))) == back
    assert "Found wanting" in assert_page(vera.get(back)).text
