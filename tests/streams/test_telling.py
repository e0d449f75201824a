"""What is told on a stream, to whom, and what it counts for: signals, accounts, indicators, corrections."""

import hashlib
from typing import Any

import pytest

from tests.signals.material import DISPUTE, RETRACTION, SIGHTING, account_report, md5, report
from tests.streams.receiving import Admit, Receiver, Target, deliver, verified
from tests.support import states
from tests.support.hub import Hub
from tocsin.streams.rules.events import URIS
from tocsin_schemas.envelope import payload_of
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY

Told = list[tuple[str, dict[str, Any]]]


def handle(n: int) -> Indicator:
    """The n-th account token."""
    return Indicator("handle", bytes([1, 0, 0, 0, 1]) + hashlib.sha256(b"%d" % n).digest())


def later(one: Receiver, days: int = 30) -> int:
    return one.now + days * DAY


def shut(one: Receiver, action: str = "terminated") -> Any:
    """A report of an account, after which its reporter did this."""
    found = account_report(later(one))
    assert found.account is not None
    return found.model_copy(update={"account": found.account.model_copy(update={"action": action})})


def told(hub: Hub, one: Receiver, stream: dict[str, Any]) -> Told:
    hub.run_job("streams.fanout")
    return [*one.told(stream)]


def words(found: Told) -> list[str]:
    return [word for word, _ in found]


def test_a_signal_is_told_with_what_its_author_signed(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    token = author.report(md5(1), community=community)
    receipt = author.post(token).json()
    ((word, claims),) = told(hub, reader, stream)
    assert word == "signal.recorded"
    assert claims["sub_id"] == {"format": "opaque", "id": str(md5(1))}
    assert claims["iat"] == claims["toe"] == hub.clock()
    assert claims["event"] == {
        "community": community,
        "seq": receipt["seq"],
        "statement": hashlib.sha256(payload_of(token)).hexdigest(),
        "expires_at": later(author),
        "labels": ["test@1:benign_a"],
        "kind": "report",
        "jws": token.decode(),
    }


def test_of_several_hashes_of_one_thing_each_has_a_token_and_they_one_cause(
    hub: Hub, member: Admit, community: str
) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    author.say(report(later(author)), [md5(10), md5(11), md5(12)], community=community)
    found = told(hub, reader, stream)
    assert {claims["sub_id"]["id"] for _, claims in found} == {str(md5(n)) for n in (10, 11, 12)}
    assert len({claims["txn"] for _, claims in found}) == 1
    assert len({claims["jti"] for _, claims in found}) == 3


def test_a_partner_never_sees_authors(hub: Hub, member: Admit, community: str) -> None:
    author, partner = member("author"), member("partner", "r", member_class="partner")
    stream = partner.create()
    author.say(report(later(author)), md5(2), community=community)
    hub.run_job("streams.fanout")
    answer = partner.poll(stream)
    ((_, claims),) = [verified(hub, token, partner.issuer) for token in answer["sets"].values()]
    assert "jws" not in claims["event"]
    assert author.issuer not in str(claims)
    assert claims["event"]["labels"] == ["test@1:benign_a"]


def test_a_shut_account_is_riscs_account_disabled(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    author.say(shut(author), handle(1), community=community)
    author.say(shut(author, "rate_limited"), handle(2), community=community)
    found = told(hub, reader, stream)
    assert words(found) == ["signal.recorded", "account-disabled", "signal.recorded"]
    _, claims = found[1]
    assert list(claims["events"]) == ["https://schemas.openid.net/secevent/risc/event-type/account-disabled"]
    assert claims["sub_id"]["id"] == str(handle(1))
    assert claims["txn"] == found[0][1]["txn"]
    event = claims["event"]
    assert "reason" not in event
    assert (event["conduct"], event["action"]) == ("ban_evasion", "terminated")


def test_its_retraction_is_account_enabled_to_who_was_told(hub: Hub, member: Admit, community: str) -> None:
    author, reader, late = member("author"), member("reader"), member("late")
    stream = reader.create()
    receipt = author.say(shut(author), handle(3), community=community)
    assert words(told(hub, reader, stream)) == ["signal.recorded", "account-disabled"]
    late_stream = late.create()
    digest = bytes.fromhex(statement(hub, author, receipt["seq"]))
    author.say(RETRACTION, digest, community=community)
    found = told(hub, reader, stream)
    assert words(found) == ["signal.retracted", "account-enabled"]
    assert found[0][1]["sub_id"]["id"] == f"statement:{digest.hex()}"
    assert found[1][1]["sub_id"]["id"] == str(handle(3))
    assert found[1][1]["event"] == {"community": community, "seq": receipt["seq"]}
    # Whoever never heard of the account hears of a statement that was withdrawn, and of no account.
    assert words([*late.told(late_stream)]) == ["signal.retracted"]
    assert rows(hub, "stream_disabled", community) == 0


def test_an_account_that_another_has_shut_too_stays_so(hub: Hub, member: Admit, community: str) -> None:
    first, second, reader = member("first"), member("second"), member("reader")
    stream = reader.create()
    receipts = [one.say(shut(one), handle(4), community=community) for one in (first, second)]
    told(hub, reader, stream)
    first.say(RETRACTION, bytes.fromhex(statement(hub, first, receipts[0]["seq"])), community=community)
    assert words(told(hub, reader, stream)) == ["signal.retracted"]
    second.say(RETRACTION, bytes.fromhex(statement(hub, second, receipts[1]["seq"])), community=community)
    assert words(told(hub, reader, stream)) == ["signal.retracted", "account-enabled"]


def test_what_is_withdrawn_before_it_was_told_is_not_told(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    receipt = author.say(shut(author), handle(5), community=community)
    hub.run_job("streams.fanout")
    # It waits already: what it would say is erased with the statement.
    author.say(RETRACTION, bytes.fromhex(statement(hub, author, receipt["seq"])), community=community)
    found = told(hub, reader, stream)
    assert words(found) == ["signal.retracted"]
    assert str(handle(5)) not in str(found)


def test_corroboration_and_dispute_are_told(hub: Hub, member: Admit, community: str) -> None:
    first, second, reader = member("first"), member("second"), member("reader")
    stream = reader.create(events_requested=[URIS["indicator.corroborated"], URIS["indicator.disputed"]])
    first.say(report(later(first)), md5(20), community=community)
    second.say(report(later(second)), md5(20), community=community)
    ((word, claims),) = told(hub, reader, stream)
    assert (word, claims["sub_id"]["id"]) == ("indicator.corroborated", str(md5(20)))
    assert claims["event"]["status"] in ("corroborated", "human_confirmed")
    assert "jws" not in claims["event"]
    for one in (first, second):
        one.say(DISPUTE, md5(20), community=community)
    ((word, claims),) = told(hub, reader, stream)
    assert (word, claims["event"]["status"]) == ("indicator.disputed", "disputed")


def test_what_is_sent_makes_a_later_report_no_independent_one(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, poller, pushed, idle = member("author"), member("poller"), member("pushed"), member("idle")
    stream = poller.create()
    pushed.create(target)
    idle.create()
    deliver(hub)
    author.say(report(later(author)), md5(30), community=community)
    deliver(hub)
    poller.poll(stream)
    assert len(target.take()) == 2
    # Whoever was given it, by whatever way, repeats it; whose stream still holds it does not.
    assert kind(poller, md5(30), community) == "sighting"
    assert kind(pushed, md5(30), community) == "sighting"
    assert kind(idle, md5(30), community) == "report"


def test_a_member_is_not_told_what_it_said_itself(hub: Hub, member: Admit, community: str) -> None:
    author, other = member("author"), member("other")
    stream = author.create()
    author.say(report(later(author)), md5(40), community=community)
    assert told(hub, author, stream) == []
    other.say(SIGHTING, md5(40), community=community)
    assert words(told(hub, author, stream)) == ["signal.recorded"]


def test_only_who_may_read_is_told(hub: Hub, member: Admit, community: str) -> None:
    author, writer, stranger = member("author"), member("writer", "w"), member("stranger", "r")
    hub.members.grant(stranger.issuer, community, may_read=False, may_write=True)
    kept = [(one, one.create()) for one in (writer, stranger)]
    author.say(report(later(author)), md5(50), community=community)
    assert [told(hub, one, stream) for one, stream in kept] == [[], []]


def test_a_right_that_is_lost_holds_back_what_waits(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    author.say(report(later(author)), md5(51), community=community)
    hub.run_job("streams.fanout")
    hub.members.grant(reader.issuer, community, may_read=False, may_write=True)
    assert told(hub, reader, stream) == []
    assert kind(reader, md5(51), community) == "report"


def test_only_what_was_asked_for_is_told(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    none, some = (
        reader.create(events_requested=[]),
        reader.create(events_requested=[URIS["signal.retracted"]]),
    )
    author.say(shut(author), handle(6), community=community)
    assert told(hub, reader, none) == told(hub, reader, some) == []


def test_a_removed_subject_is_not_told_until_it_is_added_again(
    hub: Hub, member: Admit, community: str
) -> None:
    author, reader = member("author"), member("reader")
    stream, other = reader.create(), reader.create()
    named = {"stream_id": stream["stream_id"]}
    subject = {"format": "opaque", "id": str(md5(60))}
    answer = reader.ask("POST", "/ssf/subjects:remove", {**named, "subject": subject})
    assert (answer.status_code, answer.content) == (204, b"")
    author.say(report(later(author)), [md5(60), md5(61)], community=community)
    found = told(hub, reader, stream)
    assert [claims["sub_id"]["id"] for _, claims in found] == [str(md5(61))]
    assert len(reader.told(other)) == 2
    answer = reader.ask("POST", "/ssf/subjects:add", {**named, "subject": subject, "verified": True})
    assert (answer.status_code, answer.content) == (200, b"")
    author.say(SIGHTING, md5(60), community=community)
    assert words(told(hub, reader, stream)) == ["signal.recorded"]


@pytest.mark.parametrize(
    "subject",
    [
        {"format": "email", "email": "canary@example.com"},
        {"format": "iss_sub", "iss": "https://canary.example", "sub": "1"},
        {"format": "opaque", "id": "canary"},
        {"format": "opaque", "id": "md5:canary"},
        {"format": "opaque", "id": 7},
        {"format": "complex", "user": {"format": "opaque", "id": "md5:canary"}},
        {"format": "canary"},
    ],
)
def test_a_subject_that_is_none_here_is_answered_alike_and_not_kept(
    hub: Hub, member: Admit, subject: dict[str, Any]
) -> None:
    reader = member("reader")
    stream = reader.create()
    body = {"stream_id": stream["stream_id"], "subject": subject}
    assert reader.ask("POST", "/ssf/subjects:add", body).status_code == 200
    assert reader.ask("POST", "/ssf/subjects:remove", body).status_code == 204
    assert rows(hub, "stream_removed", None) == 0


@pytest.mark.parametrize("subject", [None, "x", [], {}, {"format": 7}])
def test_what_is_no_subject_is_refused(member: Admit, subject: Any) -> None:
    reader = member("reader")
    body = {"stream_id": reader.create()["stream_id"], "subject": subject}
    for path in ("/ssf/subjects:add", "/ssf/subjects:remove"):
        assert reader.ask("POST", path, body).status_code == 400
    body = {**body, "subject": {"format": "opaque", "id": "x"}, "verified": "yes"}
    assert reader.ask("POST", "/ssf/subjects:add", body).status_code == 400


def test_what_is_quarantined_is_told_to_nobody(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    author.say(account_report(later(author), minor=True), handle(7), community=community)
    assert told(hub, reader, stream) == []


def test_states_decide_what_is_told(hub: Hub, member: Admit, community: str) -> None:
    """Provisional: green and clear, no escalations. Suspended: what takes something back, by push alone."""
    first, second, reader = member("first"), member("second"), member("reader")
    stream = reader.create()
    states.put(hub, reader.issuer, "provisional")
    green = report(later(first)).model_copy(update={"tlp": "green"})
    first.say(report(later(first)), md5(70), community=community)
    first.say(green, md5(71), community=community)
    second.say(green, md5(71), community=community)
    found = told(hub, reader, stream)
    assert words(found) == ["signal.recorded", "signal.recorded"]
    assert {claims["sub_id"]["id"] for _, claims in found} == {str(md5(71))}


def test_what_a_provisional_member_says_is_told_once_it_is_borne_out(
    hub: Hub, member: Admit, community: str
) -> None:
    new, other, reader = member("new"), member("other"), member("reader")
    stream = reader.create()
    states.put(hub, new.issuer, "provisional")
    receipt = new.say(report(later(new)), md5(75), community=community)
    hub.run_job("signals.release")
    assert told(hub, reader, stream) == []
    other.say(report(later(other)), md5(75), community=community)
    hub.run_job("signals.release")
    found = told(hub, reader, stream)
    assert words(found) == ["signal.recorded", "signal.recorded"]
    assert found[1][1]["event"]["seq"] == receipt["seq"]


def test_what_the_board_decides_is_told(hub: Hub, member: Admit) -> None:
    reader, moved = member("reader"), member("moved")
    stream = reader.create()
    hub.members.suspend(moved.issuer)
    ((word, claims),) = told(hub, reader, stream)
    assert word == "member.state_changed"
    assert claims["sub_id"]["id"] == f"member:{moved.issuer}"
    assert claims["event"]["state"] == "suspended"
    hub.members.reinstate(moved.issuer)
    hub.members.revoke_key(moved.party.key.public.kid)
    # What is urgent overtakes.
    assert words(told(hub, reader, stream)) == ["key.revoked", "member.state_changed"]


def test_a_suspended_member_is_told_of_corrections_alone(
    hub: Hub, member: Admit, community: str, target: Target
) -> None:
    author, reader = member("author"), member("reader")
    reader.create(target)
    deliver(hub)
    receipt = author.say(shut(author), handle(8), community=community)
    deliver(hub)
    assert len(target.take()) == 3
    states.put(hub, reader.issuer, "suspended")
    author.say(report(later(author)), md5(72), community=community)
    author.say(RETRACTION, bytes.fromhex(statement(hub, author, receipt["seq"])), community=community)
    deliver(hub)
    pushed = [verified(hub, one.body.decode(), reader.issuer)[0] for one in target.take()]
    assert pushed == ["signal.retracted", "account-enabled"]
    states.put(hub, reader.issuer, "emergency_suspended")
    author.say(report(later(author)), md5(73), community=community)
    deliver(hub)
    assert target.take() == []


def test_an_end_before_its_time_is_told_and_a_due_one_is_not(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    due = author.report(md5(80), community=community, days=1)
    early = author.report(md5(81), community=community, days=90)
    receipts = author.batch([due, early])
    told(hub, reader, stream)
    hub.clock.advance(2 * DAY)
    hub.run_job("signals.expire")
    assert told(hub, reader, stream) == []
    # Nobody bore out what a member said that left a month ago.
    states.put(hub, author.issuer, "withdrawn")
    hub.clock.advance(30 * DAY)
    hub.run_job("signals.expire")
    ((word, claims),) = told(hub, reader, stream)
    assert (word, claims["sub_id"]["id"]) == ("signal.expired", f"entry:{receipts[1]['seq']}")
    assert claims["event"] == {"community": community, "seq": receipts[1]["seq"]}


def test_each_row_is_told_once(hub: Hub, member: Admit, community: str) -> None:
    author, reader = member("author"), member("reader")
    stream = reader.create()
    author.batch([author.report(md5(n), community=community) for n in range(90, 100)])
    assert hub.run_job("streams.fanout")
    assert hub.run_job("streams.fanout") == 0
    assert len(reader.told(stream)) == 10


def statement(hub: Hub, author: Receiver, seq: int) -> str:
    """The digest of a statement's payload."""
    with hub.database.snapshot() as uow:
        found = uow.conn.exec_driver_sql(f"SELECT digest FROM statement WHERE seq = {seq}").scalar_one()
    return bytes(found).hex()


def kind(one: Receiver, indicator: Indicator, community: str) -> str:
    """How the hub counts this member's report of an indicator."""
    receipt = one.say(report(later(one)), indicator, community=community)
    entry = one.hub.database
    with entry.snapshot() as uow:
        return str(
            uow.conn.exec_driver_sql(f"SELECT kind FROM statement WHERE seq = {receipt['seq']}").scalar_one()
        )


def rows(hub: Hub, table: str, community: str | None) -> int:
    """How many rows a table of streams has, of one community."""
    here = (
        ""
        if community is None
        else f" WHERE community_id = (SELECT id FROM community WHERE slug = '{community}')"
    )
    with hub.database.snapshot() as uow:
        return int(uow.conn.exec_driver_sql(f"SELECT count(*) FROM {table}{here}").scalar_one())
