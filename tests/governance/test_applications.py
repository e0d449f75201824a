"""Applying and vetting: what is asked, who checks, who sponsors, and what is refused without a trace."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.board import DOCUMENT, VETTERS, Board, form, found, given, seats
from tests.support.hub import Hub
from tests.support.state import contents
from tocsin.governance.rules import applications as rules
from tocsin.governance.rules.applications import Amendment, ApplicationForm, Wish
from tocsin.governance.rules.people import Caller
from tocsin.governance.rules.vetting import ITEMS
from tocsin.governance.service import applications, motions, vetting
from tocsin.members.rules import control_group_id
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused

PIXEL = "https://pixel.example"


@pytest.fixture(scope="module")
def board(module_hub: Hub) -> Board:
    """Five seats; three unrelated active members, and one that belongs to the first one's owner."""
    shared = found(module_hub, seats())
    for name, owner in (("pixel", None), ("kiosk", None), ("harbor", None), ("twin", PIXEL)):
        shared.member(name, owner=owner)
    shared.activate("pixel", "kiosk", "harbor", "twin")
    return shared


@pytest.fixture
def key() -> SigningKey:
    return SigningKey.generate()


def refuses(board: Board, code: str, act: Callable[..., Any], *said: Any, **named: Any) -> Refused:
    """The act is refused with `code`, and everything is as it was."""
    before = contents(board.hub.database)
    with pytest.raises(Refused) as refused:
        act(*said, **named)
    assert refused.value.code == code
    assert contents(board.hub.database) == before
    return refused.value


def by(name: str) -> Caller:
    """An administrator of a member."""
    return Caller("adam", frozenset({"org_admin"}), f"https://{name}.example")


def with_answers(whole: ApplicationForm, **answers: list[str]) -> ApplicationForm:
    return whole.model_copy(update={"answers": {**whole.answers, **answers}})


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ({"governmental": ["yes"]}, "answers.governmental"),
        ({"registration": ["not a digest"]}, "answers.registration"),
        ({"registration": ["D" * 64]}, "answers.registration"),
        ({"appeals": ["https://pixel.example/appeals"]}, "answers.appeals"),
        ({"appeals": ["javascript:alert(1)"]}, "answers.appeals"),
        ({"service": ["social", "social"]}, "answers.service"),
        ({"appeals": ["https://a.example", "https://b.example"]}, "answers.appeals"),
        ({"hobbies": ["chess"]}, "answers"),
    ],
)
def test_an_answer_that_is_none(
    board: Board, key: SigningKey, answers: dict[str, list[str]], field: str
) -> None:
    whole = with_answers(form(board.hub, "newcomer", key), **answers)
    code = "claim-unknown" if "hobbies" in answers else "claim-invalid"
    refused = refuses(board, code, applications.apply, board.chamber, whole, submit=True)
    assert refused.field == field
    assert all(
        value not in refused.reason for values in answers.values() for value in values if len(value) > 8
    )


def test_an_application_that_lacks_something(board: Board, key: SigningKey) -> None:
    whole = with_answers(form(board.hub, "newcomer", key), ownership=[])
    refused = refuses(board, "claim-missing", applications.apply, board.chamber, whole, submit=True)
    assert refused.field == "answers.ownership"
    without_keys = form(board.hub, "newcomer")
    refused = refuses(board, "claim-missing", applications.apply, board.chamber, without_keys, submit=True)
    assert refused.field == "keys"


def test_a_key_must_prove_itself(board: Board, key: SigningKey) -> None:
    apply = applications.apply
    mine = form(board.hub, "newcomer", key)
    other = form(board.hub, "someone", SigningKey.generate())
    borrowed = mine.model_copy(
        update={"keys": [mine.keys[0].model_copy(update={"proof": other.keys[0].proof})]}
    )
    refuses(board, "key-unknown", apply, board.chamber, borrowed, submit=True)
    not_mine = mine.model_copy(update={"keys": other.keys})
    refuses(board, "issuer-mismatch", apply, board.chamber, not_mine, submit=True)
    board.clock.advance(3601)
    refuses(board, "iat-too-old", apply, board.chamber, mine, submit=True)
    taken = form(board.hub, "newcomer", board.parties["pixel"].key)
    refuses(board, "conflict", apply, board.chamber, taken, submit=True)


def test_who_may_not_apply(board: Board, key: SigningKey) -> None:
    refuses(board, "conflict", applications.apply, board.chamber, form(board.hub, "pixel", key), submit=True)
    nowhere = form(board.hub, "newcomer", key, communities={"unheard-of": "r"})
    refuses(board, "not-found", applications.apply, board.chamber, nowhere, submit=True)


def test_the_secret_opens_an_application_and_nothing_else_does(board: Board, key: SigningKey) -> None:
    chamber = board.chamber
    made = applications.apply(chamber, form(board.hub, "newcomer", key), submit=False)
    for secret in ("", "wrong", made.secret[:-1]):
        refuses(board, "not-found", applications.submit, chamber, made.id, secret)
        refuses(board, "not-found", applications.answer, chamber, made.id, secret, {})
        refuses(board, "not-found", applications.withdraw, chamber, made.id, secret)
    assert applications.answer(chamber, made.id, made.secret, {"service": ["video"]}).state == "draft"
    assert applications.submit(chamber, made.id, made.secret).state == "submitted"
    refuses(board, "conflict", applications.submit, chamber, made.id, made.secret)
    refuses(board, "conflict", applications.answer, chamber, made.id, made.secret, {"service": ["video"]})
    shown = applications.application(chamber, made.id, VETTERS[0])
    assert [answer.code for answer in shown.answers["service"]] == ["video"]
    assert applications.withdraw(chamber, made.id, made.secret).state == "lapsed"
    refuses(board, "conflict", applications.withdraw, chamber, made.id, made.secret)


def test_a_draft_is_amended_by_its_applicant(board: Board, key: SigningKey) -> None:
    chamber = board.chamber
    board.enact("community.open", "kiosks")
    board.enact("community.open", "harbours")
    bare = form(board.hub, "newcomer", communities={"kiosks": "r"})
    made = applications.apply(chamber, bare, submit=False)
    assert applications.status(chamber, made.id).missing == ("keys",)
    offers = {name: form(board.hub, name, key).keys for name in ("newcomer", "somebody-else")}
    taken = form(board.hub, "newcomer", board.parties["pixel"].key).keys

    def amend(**what: Any) -> Any:
        return applications.answer(chamber, made.id, made.secret, {}, Amendment.model_construct(**what))

    refused: dict[str, dict[str, Any]] = {
        "issuer-mismatch": {"keys": offers["somebody-else"]},
        "conflict": {"keys": taken},
        "not-found": {"communities": [wish("unheard-of")]},
        "claim-invalid": {"communities": [wish("kiosks"), wish("kiosks")]},
    }
    for code, what in refused.items():
        refuses(board, code, amend, member_class="hotline", owner=PIXEL, **what)
    assert amend(keys=offers["newcomer"]).missing == ()
    other = SigningKey.generate()
    amend(keys=form(board.hub, "newcomer", other).keys, communities=[wish("harbours")], owner=PIXEL)
    amend(member_class="hotline")
    view = applications.application(chamber, made.id, VETTERS[0])
    assert [held.kid for held in view.keys] == [other.public.kid]
    assert [wanted.community for wanted in view.communities] == ["harbours"]
    assert (view.member_class, view.control_group) == ("hotline", control_group_id(PIXEL))
    amend(communities=[])
    assert applications.application(chamber, made.id, VETTERS[0]).communities == ()

    # What the checkers ask again is answered, and nothing else changes with it.
    applications.submit(chamber, made.id, made.secret)
    assert applications.status(chamber, made.id).missing == ()
    refuses(board, "conflict", amend, member_class="platform")
    vetting.begin(chamber, made.id, VETTERS[0])
    vetting.request_info(chamber, made.id, VETTERS[0], ["security"])
    refuses(
        board, "claim-unknown", applications.answer, chamber, made.id, made.secret,
        {"security": ["soc2"]}, Amendment(member_class="platform"),
    )  # fmt: skip
    applications.withdraw(chamber, made.id, made.secret)


def wish(community: str) -> Wish:
    return Wish(community=community, read=True, write=False)


def test_applications_lapse(board: Board, key: SigningKey) -> None:
    chamber, clock = board.chamber, board.clock
    made = applications.apply(chamber, form(board.hub, "newcomer", key), submit=True)
    vetting.begin(chamber, made.id, VETTERS[0])
    vetting.request_info(chamber, made.id, VETTERS[0], ["security"])
    refuses(board, "claim-missing", applications.answer, chamber, made.id, made.secret, {})
    refuses(
        board, "claim-unknown", applications.answer, chamber, made.id, made.secret,
        {"security": ["soc2"], "conduct": ["accepted"]},
    )  # fmt: skip
    clock.advance(30 * DAY - 1)
    assert applications.lapse(chamber) == 0
    clock.advance(1)
    assert applications.lapse(chamber) == 1
    assert applications.status(chamber, made.id).state == "lapsed"
    again = applications.apply(chamber, form(board.hub, "newcomer", SigningKey.generate()), submit=True)
    clock.advance(180 * DAY)
    assert board.hub.run_job("governance.tick")
    assert applications.status(chamber, again.id).state == "lapsed"


def test_who_checks(board: Board, key: SigningKey) -> None:
    chamber = board.chamber
    whole = form(board.hub, "newcomer", key, owner=PIXEL)
    made = applications.apply(chamber, whole, submit=True)
    nobody = Caller("nora", frozenset({"operator"}))
    refuses(board, "role-missing", vetting.begin, chamber, made.id, nobody)
    vetting.begin(chamber, made.id, VETTERS[0])
    check = vetting.check

    # Of the applicant's own group: through the organisation that gave the role, or through the seat held.
    related = Caller("pia", frozenset({"vetter"}), PIXEL)
    refuses(board, "checker-related", check, chamber, made.id, related, "identity", "pass", DOCUMENT)
    refuses(board, "role-missing", check, chamber, made.id, nobody, "identity", "pass", DOCUMENT)
    refuses(board, "claim-invalid", check, chamber, made.id, VETTERS[0], "identity", "pass", "no digest")
    refuses(board, "claim-invalid", check, chamber, made.id, VETTERS[0], "shoes", "pass", DOCUMENT)

    # One person is not two checkers; who found wrong may find otherwise later.
    view = check(chamber, made.id, VETTERS[0], "identity", "fail", DOCUMENT)
    refuses(board, "checker-repeated", check, chamber, made.id, VETTERS[0], "identity", "fail", DOCUMENT)
    assert not view.items[0].complete
    check(chamber, made.id, VETTERS[1], "identity", "pass", DOCUMENT)
    view = check(chamber, made.id, VETTERS[0], "identity", "pass", DOCUMENT)
    assert view.items[0].complete
    assert [found.result for found in view.items[0].checks] == ["fail", "pass", "pass"]
    refuses(board, "checker-repeated", check, chamber, made.id, VETTERS[0], "identity", "pass", DOCUMENT)

    # No report, and no motion, before every item is done.
    refuses(board, "vetting-incomplete", vetting.report, chamber, made.id, VETTERS[0])
    propose = motions.propose_admission
    refuses(board, "vetting-incomplete", propose, chamber, board.seated("s1"), made.id)
    for item in ITEMS[1:]:
        check(chamber, made.id, VETTERS[0], item, "pass", DOCUMENT)
    refuses(board, "vetting-incomplete", propose, chamber, board.seated("s1"), made.id)
    for item in ITEMS[1:]:
        view = check(chamber, made.id, VETTERS[1], item, "pass", DOCUMENT)
    assert view.missing == ("sponsors",)
    refuses(board, "sponsors-missing", propose, chamber, board.seated("s1"), made.id)
    applications.withdraw(chamber, made.id, made.secret)


def test_a_seat_of_the_applicants_group_does_not_check(board: Board, key: SigningKey) -> None:
    seat = board.officers["s1"].seat
    assert seat.control_group is not None
    whole = form(board.hub, "newcomer", key, owner=seat.control_group)
    made = applications.apply(board.chamber, whole, submit=True)
    member = Caller(seat.handle or "", frozenset({"board"}))
    refuses(board, "checker-related", vetting.begin, board.chamber, made.id, member)
    applications.withdraw(board.chamber, made.id, made.secret)


def test_sponsors_are_unrelated(board: Board, key: SigningKey) -> None:
    chamber, sponsor = board.chamber, applications.sponsor
    made = applications.apply(chamber, form(board.hub, "newcomer", key), submit=False)
    refuses(board, "conflict", sponsor, chamber, made.id, by("pixel"))
    applications.submit(chamber, made.id, made.secret)
    refuses(
        board, "role-missing", sponsor, chamber, made.id, Caller("ann", frozenset({"org_analyst"}), PIXEL)
    )
    refuses(board, "sponsors-ineligible", sponsor, chamber, made.id, by("stranger"))
    sponsor(chamber, made.id, by("pixel"))
    refuses(board, "conflict", sponsor, chamber, made.id, by("pixel"))
    refuses(board, "sponsors-related", sponsor, chamber, made.id, by("twin"))
    view = sponsor(chamber, made.id, by("kiosk"))
    assert [given.fit for given in view.sponsors] == [True, True]

    # The applicant's own group.
    own = applications.apply(
        chamber, form(board.hub, "third", SigningKey.generate(), owner=PIXEL), submit=True
    )
    refuses(board, "sponsors-ineligible", sponsor, chamber, own.id, by("pixel"))
    refuses(board, "sponsors-ineligible", sponsor, chamber, own.id, by("twin"))

    # Vetted and sponsored it is admitted, and whoever sent a sponsor has no vote on it.
    board.vet(made.id)
    motion = motions.propose_admission(chamber, board.seated("s1"), made.id)
    refuses(board, "conflict", motions.propose_admission, chamber, board.seated("s2"), made.id)
    admitted = board.carry(motion)
    assert admitted.result == "passes"
    assert set(admitted.params["sponsors"]) == {PIXEL, "https://kiosk.example"}
    refuses(board, "conflict", applications.withdraw, chamber, made.id, made.secret)


def test_a_rejected_applicant_waits(board: Board, key: SigningKey) -> None:
    chamber = board.chamber
    made = applications.apply(chamber, form(board.hub, "unlucky", key), submit=True)
    board.vet(made.id)
    board.sponsor(made.id)
    choices = {"s1": "yes", "s2": "no", "s3": "no", "s4": "no", "s5": "yes"}
    motion = motions.propose_admission(chamber, board.seated("s1"), made.id)
    assert board.carry(motion, choices).result == "fails"  # type: ignore[arg-type]  # words of the list
    assert applications.status(chamber, made.id).state == "rejected"
    again = form(board.hub, "unlucky", SigningKey.generate())
    refuses(board, "conflict", applications.apply, chamber, again, submit=True)
    board.clock.advance(180 * DAY)
    again = form(board.hub, "unlucky", SigningKey.generate())
    assert applications.apply(chamber, again, submit=True).state == "submitted"


def test_an_inquorate_admission_is_moved_again(board: Board, key: SigningKey) -> None:
    chamber = board.chamber
    made = applications.apply(chamber, form(board.hub, "patient", key), submit=True)
    board.vet(made.id)
    board.sponsor(made.id)
    motion = motions.propose_admission(chamber, board.seated("s1"), made.id)
    assert board.carry(motion, {"s1": "yes"}).result == "inquorate"
    assert applications.status(chamber, made.id).state == "discussion"
    again = motions.propose_admission(chamber, board.seated("s1"), made.id)
    assert board.carry(again).result == "passes"
    assert applications.status(chamber, made.id).state == "approved_pending_keys"


def test_with_another_answer_what_was_found_on_the_old_one_is_gone(board: Board, key: SigningKey) -> None:
    chamber = board.chamber
    made = applications.apply(chamber, form(board.hub, "changed", key), submit=True)
    board.vet(made.id)
    board.sponsor(made.id)
    before = vetting.report(chamber, made.id, VETTERS[0])
    motion = motions.propose_admission(chamber, board.seated("s1"), made.id)
    vetting.request_info(chamber, made.id, VETTERS[0], ["appeals", "human_review"])
    same = {"human_review": given("https://changed.example")["human_review"]}
    said = {"appeals": ["https://elsewhere.example"], **same}
    applications.answer(chamber, made.id, made.secret, said)
    view = applications.application(chamber, made.id, VETTERS[0])
    assert view.missing == ("appeal_works", "rights_screen")
    refuses(board, "vetting-incomplete", motions.endorse, chamber, board.seated("s2"), motion)
    for item in view.missing:
        for checker in VETTERS:
            vetting.check(chamber, made.id, checker, item, "pass", DOCUMENT)
    after = vetting.report(chamber, made.id, VETTERS[0])
    assert after.document["answers"] != before.document["answers"]
    assert after.digest != before.digest
    # The motion names the report of before: it is moved again, on this one.
    refuses(board, "vetting-incomplete", motions.endorse, chamber, board.seated("s2"), motion)
    motions.withdraw(chamber, board.seated("s1"), motion)
    again = motions.propose_admission(chamber, board.seated("s1"), made.id)
    assert board.carry(again).params["vetting"] == after.digest


def test_drafts_keep_nobody_from_applying(
    board: Board, key: SigningKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    chamber = board.chamber
    monkeypatch.setattr(
        rules, "MAX_WAITING", 2 + len(applications.applications(chamber, VETTERS[0], "submitted"))
    )
    monkeypatch.setattr(rules, "MAX_DRAFTS", 3 + len(applications.applications(chamber, VETTERS[0], "draft")))
    drafts = []
    for number in range(3):
        wanted = form(board.hub, f"idle-{number}", SigningKey.generate())
        drafts.append(applications.apply(chamber, wanted, submit=False))
    refuses(board, "rate-limited", applications.apply, chamber, form(board.hub, "idle-3", key), submit=False)
    first = applications.apply(chamber, form(board.hub, "meant-1", SigningKey.generate()), submit=True)
    applications.apply(chamber, form(board.hub, "meant-2", SigningKey.generate()), submit=True)
    # Those that are handed in are bounded too, however they are; a vetter puts aside what is none.
    more = form(board.hub, "meant-3", key)
    refuses(board, "rate-limited", applications.apply, chamber, more, submit=True)
    refuses(board, "rate-limited", applications.submit, chamber, drafts[0].id, drafts[0].secret)
    refuses(
        board, "role-missing", vetting.discard, chamber, first.id, Caller("nora", frozenset({"operator"}))
    )
    assert vetting.discard(chamber, first.id, VETTERS[0]).state == "lapsed"
    refuses(board, "conflict", vetting.discard, chamber, first.id, VETTERS[0])
    assert applications.submit(chamber, drafts[0].id, drafts[0].secret).state == "submitted"
    # A draft is gone in three days; what was handed in has its own time.
    board.clock.advance(rules.DRAFT_SECONDS)
    board.hub.run_job("governance.tick")
    states = [applications.status(chamber, draft.id).state for draft in drafts]
    assert states == ["submitted", "lapsed", "lapsed"]
    applications.withdraw(chamber, drafts[0].id, drafts[0].secret)


def test_whoever_speaks_for_two_owners_checks_neither(board: Board, key: SigningKey) -> None:
    whole = form(board.hub, "twofold", key, owner=PIXEL)
    made = applications.apply(board.chamber, whole, submit=True)
    both = Caller(
        "ann", frozenset({"vetter"}), "https://kiosk.example", frozenset({"https://kiosk.example", PIXEL})
    )
    refuses(board, "checker-related", vetting.begin, board.chamber, made.id, both)
