"""What another policy would do to the last thirty days: counted on what is there, and nothing is changed."""

import json

from tests.signals.material import COMMUNITY, SIGHTING, Voice, md5, pdq, report
from tests.support.hub import Hub
from tests.support.invariants import unchanged
from tocsin.signals.service.simulate import COUNTED, Simulated, changed_policy, simulate
from tocsin_schemas.policy import DAY, Policy


def test_other_thresholds_caps_and_lives(hub: Hub) -> None:
    pixel, weave, frame = (Voice(hub, name) for name in ("pixel", "weave", "frame"))
    for voice, numbers in ((pixel, range(6)), (weave, range(4)), (frame, range(2))):
        voice.batch([voice.report(md5(number)) for number in numbers])
    context = hub.means.context
    shares: list[float] = []
    with unchanged(hub.database):
        same = simulate(context, Policy(), on_progress=shares.append)
        assert (same.before, same.after, same.moved) == (same.before, same.before, 0)
        assert (same.capped_after, same.shortened, same.over) == (0, 0, 0)
        assert sum(same.before.values()) == 6
        assert shares[-1] == 1.0
        assert shares == sorted(shares)
        stricter = simulate(
            context, changed_policy(context, b'{"corroborating_groups": 3, "signals_per_hour": 4}')
        )
    lifted = sum(count for status, count in same.before.items() if status not in {"candidate", "quarantined"})
    assert lifted == 4
    assert (
        sum(count for status, count in stricter.after.items() if status not in {"candidate", "quarantined"})
        == 2
    )
    assert stricter.moved == 2
    assert (stricter.capped_before, stricter.capped_after) == (0, 2)
    assert stricter.document()["refused_by_cap"] == {"before": 0, "after": 2}


def test_shorter_lives(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(number)) for number in range(3)])
    hub.clock.advance(20 * DAY)
    context = hub.means.context
    found = simulate(context, changed_policy(context, b'{"media_candidate": 864000}'))
    assert (found.shortened, found.over, found.lengthened) == (3, 3, 0)
    # An author's own date stays; what the policy cut short would live longer.
    assert simulate(context, Policy(media_candidate=400 * DAY)).lengthened == 0
    pixel.batch([pixel.report(md5(3), days=300)])
    assert simulate(context, Policy(media_candidate=400 * DAY)).lengthened == 1
    hub.clock.advance(31 * DAY)
    assert simulate(context, Policy(media_candidate=10)).before == {}, "recorded before the last thirty days"
    assert COMMUNITY in {community.slug for community in hub.members.list_communities()}


def test_what_would_not_come_in(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    hub.clock.advance(DAY)
    now = hub.clock()
    answers = pixel.batch(
        [
            pixel.report(md5(1)),
            pixel.report(md5(2), toe=now - 10 * DAY),
            pixel.report(md5(3), toe=now - 3 * DAY),
            pixel.report(md5(4), iat=now - 200, toe=now - 200),
        ]
    )
    assert all("seq" in answer for answer in answers)
    pixel.say(SIGHTING, md5(1))
    context = hub.means.context

    def under(changes: dict[str, object]) -> Simulated:
        with unchanged(hub.database):
            return simulate(context, changed_policy(context, json.dumps(changes).encode()))

    assert under({"label_packs": []}).refused == {"label-unknown": 4}
    assert under({"toe_past": 5 * DAY}).refused == {"toe-invalid": 1}
    assert under({"iat_past": 100, "toe_past": 5 * DAY}).refused == {"iat-too-old": 1, "toe-invalid": 1}
    assert under({"iat_past": 100}).document()["refused"] == {"iat-too-old": 1}
    found = under({"quorum": 5, "live_reports": 9, "toe_past": 40 * DAY})
    assert (found.refused, found.uncounted) == ({}, ("live_reports", "quorum"))
    assert "Not counted here: live_reports, quorum." in found.lines()


def test_what_would_be_kept_from_everybody(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    for first, quality in enumerate((40, 60, 80)):
        pixel.say(report(hub.clock() + DAY, quality=quality), pdq(128, first))
    context = hub.means.context
    assert simulate(context, Policy(min_pdq_quality=70)).quarantined == 1
    assert simulate(context, Policy(min_pdq_quality=30)).quarantined == -1
    assert "+1 would be in quarantine." in simulate(context, Policy(min_pdq_quality=70)).lines()


def test_every_value_is_counted_or_named() -> None:
    assert set(Policy.model_fields) >= COUNTED
