"""The rules of the proceedings by themselves: what is vetted, who sponsors, who endorses, whose word holds."""

import pytest

from tests.support.officers import seats
from tocsin.governance.rules import motions, vetting
from tocsin.governance.rules.applications import QUESTIONS, Answer, missing, read_answers
from tocsin.governance.rules.ballots import everybody_voted, tallied
from tocsin.governance.rules.people import Caller, groups_of, may_vote
from tocsin.governance.rules.sponsors import chosen
from tocsin.governance.rules.tokens import MemberWord
from tocsin.governance.rules.vetting import ITEMS, Check
from tocsin_schemas.ballots import closes_at
from tocsin_schemas.board import BoardState, MemberStanding, Opening
from tocsin_schemas.decisions import Decision, Plain, Recusal, sign_ballot
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Roster
from tocsin_schemas.tally import RULES
from tocsin_schemas.vocabulary import DecisionType

NOW = 1_800_000_000
OFFICERS = seats()


def member(name: str, group: str, state: str = "active") -> MemberStanding:
    return MemberStanding(
        issuer=f"https://{name}.example",
        member_class="platform",
        control_group=group,
        state=state,  # type: ignore[arg-type]  # a state of the list
        since=NOW,
        cause=1,
        sponsors=(),
        admitted_by=1,
        admitted_at=NOW,
        activated=state == "active",
    )


def test_each_question_bears_on_some_item() -> None:
    assert vetting.BEARS_ON.keys() == QUESTIONS.keys()
    assert all(set(items) <= set(ITEMS) and items for items in vetting.BEARS_ON.values())


def state(*members: MemberStanding) -> BoardState:
    roster = Roster(
        version=1,
        rp_id="hub.example",
        origin="https://hub.example",
        seats=[held.seat for held in OFFICERS],
        panel=[],
        expires_at=NOW + 365 * DAY,
    )
    members_by_issuer = {standing.issuer: standing for standing in members}
    opened_on = {bytes(32): Opening(0, NOW, Policy())}
    return BoardState(
        1, bytes(32), NOW, bytes(32), roster, Policy(), members=members_by_issuer, digests=opened_on
    )


def check(item: str, checker: str, result: str = "pass") -> Check:
    return Check(item, checker, result, bytes(32), NOW)  # type: ignore[arg-type]  # words of the lists


def test_the_checklist_is_done_when_two_people_passed_each_item_and_nobody_failed_it() -> None:
    once = [check(item, "ada") for item in ITEMS]
    assert vetting.missing([]) == vetting.missing(once) == ITEMS
    twice = [*once, *(check(item, "ben") for item in ITEMS)]
    assert vetting.missing(twice) == ()
    assert vetting.missing([*twice, check("security", "cy", "fail")]) == ("security",)
    mended = [*twice, check("security", "cy", "fail"), check("security", "cy")]
    assert vetting.missing(mended) == ()
    # The same person a hundred times is one person.
    assert vetting.missing([check(item, "ada") for item in ITEMS] * 100) == ITEMS


ANSWERS = {"appeals": (Answer(origin="https://help.pixel.example"),)}


def test_what_was_found_on_an_answer_is_gone_with_it() -> None:
    other = {"appeals": (Answer(origin="https://other.example"),)}
    assert vetting.unsettled(ANSWERS, ANSWERS) == vetting.unsettled(ANSWERS, {}) == frozenset()
    assert vetting.unsettled(ANSWERS, other) == {"appeal_works", "rights_screen"}
    assert vetting.unsettled({}, ANSWERS) == vetting.unsettled(ANSWERS, other)
    unknown = {item for items in vetting.BEARS_ON.values() for item in items} - set(ITEMS)
    assert unknown == set()
    # Sponsors' letters are no answer of the applicant's.
    assert set(ITEMS) - {item for items in vetting.BEARS_ON.values() for item in items} == {"sponsor_letters"}


def test_a_report_is_one_document_with_one_digest() -> None:
    twice = [check(item, name) for name in ("ada", "ben") for item in ITEMS]
    document = vetting.report("ap_1", "https://pixel.example", ANSWERS, twice)
    digest = vetting.report_digest(document)
    assert digest == vetting.report_digest(dict(reversed(document.items())))
    others = [
        vetting.report("ap_2", "https://pixel.example", ANSWERS, twice),
        vetting.report("ap_1", "https://kiosk.example", ANSWERS, twice),
        vetting.report("ap_1", "https://pixel.example", {}, twice),
        vetting.report("ap_1", "https://pixel.example", ANSWERS, [*twice, check("identity", "cy")]),
    ]
    assert digest not in {vetting.report_digest(other) for other in others}
    with pytest.raises(Refused, match="vetting-incomplete"):
        vetting.report("ap_1", "https://pixel.example", ANSWERS, twice[1:])


def test_every_question_can_be_answered_and_every_required_one_is_missed() -> None:
    samples = {"origin": ["https://a.example"], "digest": ["a" * 64]}
    given = {
        name: samples.get(question.kind, list(question.choices[:1])) for name, question in QUESTIONS.items()
    }
    answers = read_answers(given)
    assert list(answers) == list(QUESTIONS)
    assert missing(answers, 1) == ()
    assert missing(answers, 0) == ("keys",)
    required = [name for name, question in QUESTIONS.items() if question.required]
    assert missing([], 0) == (*required, "keys")
    many = next(name for name, question in QUESTIONS.items() if question.kind == "origin" and question.many)
    with pytest.raises(Refused, match="claim-invalid"):
        read_answers({many: [f"https://{number}.example" for number in range(17)]})


def test_sponsors_are_two_of_different_owners_that_are_not_the_applicants() -> None:
    x, x2, y, z = (
        member(name, group) for name, group in (("x", "cg_x"), ("x2", "cg_x"), ("y", "cg_y"), ("z", "cg_z"))
    )
    everyone = state(x, x2, y, z)
    offered = [x.issuer, x2.issuer, y.issuer, "https://stranger.example"]
    assert chosen(everyone, offered, "cg_new") == (x.issuer, y.issuer)
    assert chosen(everyone, offered, "cg_x") == (y.issuer,)
    assert everyone.sponsors_needed == state(x, y).sponsors_needed == 2
    assert state(x, x2).sponsors_needed == state().sponsors_needed == 0
    suspended = member("y", "cg_y", "suspended")
    assert chosen(state(x, suspended, z), offered, "cg_new") == (x.issuer,)


def test_where_a_person_speaks_from() -> None:
    x, y = member("x", "cg_x"), member("y", "cg_y")
    sent = OFFICERS[0].seat
    assert groups_of(state(x), Caller("ada", frozenset({"vetter"}), x.issuer)) == {"cg_x"}
    # Whichever organisation somebody speaks for, the others count as well, and the seat besides.
    both = Caller("ada", frozenset({"vetter"}), y.issuer, frozenset({x.issuer, y.issuer}))
    assert groups_of(state(x, y), both) == {"cg_x", "cg_y"}
    seated = Caller(sent.handle or "", frozenset({"vetter"}), x.issuer)
    assert groups_of(state(x), seated) == {"cg_x", sent.control_group}
    assert groups_of(state(x), Caller(sent.handle or "", frozenset({"board"}))) == {sent.control_group}
    assert groups_of(state(x), Caller("ada", frozenset({"vetter"}))) == frozenset()
    restricted = member("seat-s1", sent.control_group or "", "restricted")
    assert may_vote(state(), sent)
    assert not may_vote(state(restricted), sent)


@pytest.mark.parametrize(
    ("recused", "wanted"), [([], 2), (["s2"], 2), (["s2", "s3"], 2), (["s2", "s3", "s4"], 1)]
)
def test_endorsers_are_two_or_all_that_are_left(recused: list[str], wanted: int) -> None:
    decision = opened([Recusal(seat=seat, reason="declared") for seat in recused])
    assert motions.endorsers_needed([held.seat for held in OFFICERS], decision, "s1") == wanted


def opened(recused: list[Recusal]) -> Decision:
    kind: DecisionType = "community.open"
    return Decision(
        type=kind,
        seq=1,
        prev="0" * 64,
        roster_version=1,
        threshold=RULES[kind],
        subject="child-safety",
        params=Plain(),
        recused=recused,
        issued_at=NOW,
        expires_at=closes_at(state(), RULES[kind], kind, "child-safety", NOW),
    )


def test_a_ballot_is_decided_when_nobody_is_left_to_ask() -> None:
    decision = opened([Recusal(seat="s2", reason="declared")])
    ballots = [held.sign(decision, "yes", NOW) for held in OFFICERS if held.seat.seat in {"s1", "s3", "s4"}]
    assert not everybody_voted(state(), decision, ballots)
    ballots.append(OFFICERS[4].sign(decision, "no", NOW))
    assert everybody_voted(state(), decision, ballots)
    result, (tally,) = tallied(state(), decision, ballots)
    assert (result, tally.eligible, tally.yes, tally.no) == ("passes", 4, 3, 1)
    # A vote signed with a key that the seat does not have counts nowhere.
    stranger = sign_ballot(bytes(32), "yes", "s5", SigningKey.generate(), NOW)
    assert not everybody_voted(state(), decision, [*ballots[:3], stranger])


def test_what_a_member_says_is_closed() -> None:
    said = {"iss": "https://x.example", "aud": "https://hub.example", "iat": NOW, "jti": "0" * 32}
    assert MemberWord.model_validate({**said, "of": 3}).of == 3
    for more in ({"why": "because"}, {"application": "because"}, {"of": 0}, {"of": True}):
        with pytest.raises(ValueError, match="validation error"):
            MemberWord.model_validate({**said, **more})
