"""Who must not be told: members that may not read any more, and those from whom a thing was hidden."""

import json

import pytest
from sqlalchemy import text

from tests.signals.material import DISPUTE, RETRACTION, md5, report
from tests.streams.receiving import Admit, Receiver, Target, deliver, verified
from tests.streams.test_telling import handle, later, shut, statement, told, words
from tests.support import states
from tests.support.hub import Hub
from tocsin_schemas.policy import DAY
from tocsin_schemas.vocabulary import MemberState


def take_back(hub: Hub, author: Receiver, seq: int, community: str) -> None:
    author.say(RETRACTION, bytes.fromhex(statement(hub, author, seq)), community=community)


def shown(hub: Hub, one: Receiver) -> int:
    """How many indicators count as given to a member."""
    asked = "SELECT count(*) FROM indicator_view v JOIN organisation o ON o.id = v.organisation_id WHERE issuer = :one"
    with hub.database.snapshot() as uow:
        return int(uow.conn.execute(text(asked), {"one": one.issuer}).scalar_one())


@pytest.mark.parametrize("state", ["suspended", "expelled", "withdrawn"])
def test_who_may_read_nothing_is_not_told_of_what_it_was_never_given(
    hub: Hub, member: Admit, community: str, target: Target, state: MemberState
) -> None:
    author, one, two, reader = member("author"), member("one"), member("two"), member("reader")
    reader.create(target)
    given = author.say(report(later(author)), md5(200), community=community)
    deliver(hub)
    deliver(hub)
    states.put(hub, reader.issuer, state)
    target.take()
    views = shown(hub, reader)
    new = author.say(report(later(author)).model_copy(update={"tlp": "red"}), md5(201), community=community)
    for voice in (one, two):
        voice.say(DISPUTE, md5(201), community=community)
    take_back(hub, author, new["seq"], community)
    deliver(hub)
    assert target.take() == []
    # What it was given is put right, and nothing new is told by that.
    for voice in (one, two):
        voice.say(DISPUTE, md5(200), community=community)
    deliver(hub)
    take_back(hub, author, given["seq"], community)
    deliver(hub)
    found = [verified(hub, pushed.body.decode(), reader.issuer) for pushed in target.take()]
    assert [word for word, _ in found] == ["indicator.disputed", "signal.retracted"]
    assert found[0][1]["sub_id"]["id"] == str(md5(200))
    assert not {"statement", "expires_at", "jws"} & found[0][1]["event"].keys()
    assert "jws" not in found[1][1]["event"]
    assert shown(hub, reader) == views


def test_what_waited_when_the_rights_went_is_asked_again(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, one, two, reader = member("author"), member("one"), member("two"), member("reader")
    reader.create(target)
    deliver(hub)
    target.take()
    receipt = author.say(report(later(author)), md5(205), community=community)
    for voice in (one, two):
        voice.say(DISPUTE, md5(205), community=community)
    take_back(hub, author, receipt["seq"], community)
    hub.run_job("streams.fanout")
    states.put(hub, reader.issuer, "suspended")
    deliver(hub)
    assert target.take() == []


def test_a_provisional_member_is_told_of_nothing_that_was_hidden_from_it(
    hub: Hub, member: Admit, community: str
) -> None:
    author, active, newcomer = member("author"), member("active"), member("newcomer")
    states.put(hub, newcomer.issuer, "provisional")
    theirs, stream = active.create(), newcomer.create()
    red = shut(author).model_copy(update={"tlp": "red"})
    receipt = author.say(red, handle(210), community=community)
    assert words(told(hub, active, theirs)) == ["signal.recorded", "account-disabled"]
    hub.run_job("feed.build")
    feed = hub.http.get(f"/v1/communities/{community}/feed", headers=newcomer.headers())
    assert [json.loads(line).get("withheld") for line in feed.text.splitlines()] == ["tlp"]
    take_back(hub, author, receipt["seq"], community)
    assert words(told(hub, newcomer, stream)) == ["signal.retracted"]
    assert words(told(hub, active, theirs)) == ["signal.retracted", "account-enabled"]


def test_the_early_end_of_what_was_hidden_is_not_told(hub: Hub, member: Admit, community: str) -> None:
    author, newcomer = member("author"), member("newcomer")
    states.put(hub, newcomer.issuer, "provisional")
    stream = newcomer.create()
    until = later(author, 90)
    green = report(until).model_copy(update={"tlp": "green"})
    author.say(report(until), md5(215), community=community)
    free = author.say(green, md5(216), community=community)
    told(hub, newcomer, stream)
    states.put(hub, author.issuer, "withdrawn")
    hub.clock.advance(31 * DAY)
    hub.run_job("signals.expire")
    found = told(hub, newcomer, stream)
    assert [claims["sub_id"]["id"] for _, claims in found] == [f"entry:{free['seq']}"]


def test_labels_of_what_is_withheld_are_not_told(hub: Hub, member: Admit, community: str) -> None:
    gone, one, two = member("gone"), member("one"), member("two")

    def labelled(word: str) -> object:
        return report(later(one)).model_copy(update={"labels": [f"test@1:{word}"]})

    gone.say(labelled("benign_b"), md5(220), community=community)
    states.put(hub, gone.issuer, "suspended")
    for voice in (one, two):
        voice.say(labelled("benign_a"), md5(220), community=community)
    asked = "SELECT labels FROM outbox_event WHERE type = 'indicator.corroborated' ORDER BY id DESC LIMIT 1"
    with hub.database.snapshot() as uow:
        assert json.loads(uow.conn.execute(text(asked)).scalar_one()) == ["test@1:benign_a"]


def test_what_happens_during_an_emergency_suspension_waits_for_its_end(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    reader.create(target)
    deliver(hub)
    target.take()
    author.say(report(later(author)), md5(230), community=community)
    hub.run_job("streams.fanout")
    states.put(hub, reader.issuer, "emergency_suspended")
    author.say(report(later(author)), md5(231), community=community)
    for _ in range(2):
        deliver(hub)
    assert target.take() == []
    states.put(hub, reader.issuer, "active")
    deliver(hub)
    found = [verified(hub, pushed.body.decode(), reader.issuer) for pushed in target.take()]
    assert {claims["sub_id"]["id"] for _, claims in found} == {str(md5(230)), str(md5(231))}


def test_an_emergency_that_ends_in_a_suspension_tells_nothing_of_it(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    reader.create(target)
    deliver(hub)
    target.take()
    states.put(hub, reader.issuer, "emergency_suspended")
    receipt = author.say(report(later(author)), md5(235), community=community)
    take_back(hub, author, receipt["seq"], community)
    deliver(hub)
    states.put(hub, reader.issuer, "suspended")
    deliver(hub)
    assert target.take() == []
