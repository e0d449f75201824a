"""One indicator's view: its standing can be recomputed from what it shows."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.signals.material import COMMUNITY, DISPUTE, OUTCOME, SIGHTING, Voice, evidence, md5, report, sha256
from tests.support.hub import Hub
from tests.support.invariants import check_hub
from tocsin_schemas import envelope, ledger
from tocsin_schemas.feed import Directory, IndicatorView
from tocsin_schemas.fold import Statement, fold
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.signals import Event, Report


def recomputed(view: IndicatorView, directory: Directory, policy: Policy, now: int) -> tuple[object, ...]:
    """Status, reasons, reporters and disputes, folded from the signed bytes the view shows."""
    members = {member.issuer: member for member in directory.members}
    statements = []
    for shown in view.statements:
        assert shown.jws is not None
        keys = {
            key.public().kid: envelope.AuthorKey(key.public(), member.issuer, 0, 2**60)
            for member in directory.members
            for key in member.keys
        }
        verified = envelope.verify(shown.jws.encode(), keys)
        event = verified.signal.event
        assert (verified.digest.hex(), verified.signal.iss) == (shown.statement, shown.author)
        statements.append(
            Statement(
                id=verified.digest,
                kind=shown.kind,
                author=shown.author,
                group=members[shown.author].control_group,
                iat=verified.signal.iat,
                expires_at=ledger.instant(shown.expires_at),
                basis=event.basis if isinstance(event, Report) else None,
                counts=shown.counts,
            )
        )
    found = fold(statements, now, policy)
    reasons = [(reason.rule, [item.hex() for item in reason.statements]) for reason in found.reasons]
    return found.status, reasons, found.reporters, found.disputes


def check_view(hub: Hub, voice: Voice, number: int) -> IndicatorView:
    view = IndicatorView.model_validate_json(voice.view(md5(number)).content)
    sdk = voice.party.sdk()
    said = (
        view.status,
        [(reason.rule, reason.statements) for reason in view.reasons],
        view.reporters,
        view.disputes,
    )
    assert said == recomputed(view, sdk.directory(COMMUNITY), sdk.policy(), hub.clock())
    return view


def test_a_view_says_everything_about_one_indicator(hub: Hub) -> None:
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    first = pixel.say(report(hub.clock() + DAY), [md5(1), sha256(1)], toe=hub.clock() - 60)
    hub.clock.advance(10)
    second = frame.say(report(hub.clock() + 2 * DAY, "human_reviewed"), md5(1))
    frame.say(SIGHTING, md5(1))
    pixel.say(DISPUTE, md5(1))
    pixel.say(OUTCOME, md5(1))
    view = check_view(hub, frame, 1)
    assert (view.indicator, view.community) == (str(md5(1)), COMMUNITY)
    assert (view.status, view.reporters, view.disputes) == ("human_confirmed", "2", 1)
    assert ledger.instant(view.first_seen) == hub.clock() - 70
    assert ledger.instant(view.last_seen) == hub.clock()
    assert [s.kind for s in view.statements] == ["report", "report", "sighting", "dispute", "outcome"]
    assert [s.seq for s in view.statements] == [0, 1, 2, 3, 4]
    rules = {reason.rule: set(reason.statements) for reason in view.reasons}
    both = {first["statement"], second["statement"]}
    assert rules == {
        "reported/v1": both,
        "corroborated/v1": both,
        "human-confirmed/v1": {first["statement"]},
    }
    size = hub.publish()
    entries = ledger.decode_bundle(hub.http.get(f"/log/{ledger.bundle_path(0, size)}").content)
    for shown in view.statements:
        raw = entries[shown.seq]
        assert shown.r is not None
        assert shown.jws is not None
        opened = ledger.Entry.decode(raw)
        assert ledger.opens(opened.commitment, bytes.fromhex(shown.r), shown.jws.encode())
        assert (opened.kind, ledger.rfc3339(opened.recorded_at)) == (shown.kind, shown.recorded_at)


def test_a_view_shows_every_report_and_dispute_and_the_newest_of_the_rest(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.signals.store.reading.NEWEST_SHOWN", 3)
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.say(report(hub.clock() + DAY), md5(1))
    for _ in range(5):
        pixel.say(SIGHTING, md5(1))
    frame.say(report(hub.clock() + DAY), md5(1))
    frame.say(DISPUTE, md5(1))
    view = check_view(hub, frame, 1)
    assert [(s.seq, s.kind) for s in view.statements] == [
        (0, "report"), (3, "sighting"), (4, "sighting"), (5, "sighting"), (6, "report"), (7, "dispute"),
    ]  # fmt: skip
    assert (view.status, view.disputes) == ("human_confirmed", 1)


ACTIONS = ["report", "classifier", "sighting", "dispute", "pull", "wait", "retract"]
steps = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["report", "classifier", "sighting", "dispute", "pull", "wait", "retract"]),
    ),
    min_size=1,
    max_size=12,
)


@given(steps)
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_the_standing_is_what_the_shown_statements_fold_to(hub: Hub, plan: list[tuple[int, str]]) -> None:
    """Whatever four members (two of one owner) do about it, anyone can recompute the status and its reasons."""
    serial = len(hub.members.list_members())
    voices = [Voice(hub, f"m{serial + n}", owner=f"owner{serial}" if n > 1 else None) for n in range(4)]
    last: dict[int, tuple[str, int]] = {}
    for turn, (who, what) in enumerate(plan):
        voice = voices[who]
        if what == "wait":
            hub.clock.advance(DAY)
        elif what == "pull":
            voice.feed(after=max(0, voice.get("/v1/me").json()["log_size"] - 20))
        elif what == "retract" and hub.clock() < last.get(who, ("", 0))[1]:
            voice.party.sdk().retract(COMMUNITY, last.pop(who)[0], "error")
        else:
            until = hub.clock() + 3 * DAY
            proof = [evidence(serial * 100 + turn)]
            events: dict[str, Event] = {
                "sighting": SIGHTING,
                "dispute": DISPUTE,
                "classifier": report(until, "classifier", evidence=proof),
            }
            event = events.get(what, report(until, evidence=proof))
            hub.clock.advance(1)
            answer = voice.post(voice.sign(event, md5(serial)))
            if answer.status_code == 201:
                last[who] = answer.json()["statement"], until
        if voices[0].view(md5(serial)).status_code == 200:
            check_view(hub, voices[0], serial)
    check_hub(hub.database, hub.settings)
