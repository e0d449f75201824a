"""What another policy would do to the last thirty days: counted on what is there, and nothing is changed."""

from tests.signals.material import COMMUNITY, Voice, md5
from tests.support.hub import Hub
from tests.support.invariants import unchanged
from tocsin.signals.service.simulate import changed_policy, simulate
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
    assert (found.shortened, found.over) == (3, 3)
    hub.clock.advance(11 * DAY)
    assert simulate(context, Policy(media_candidate=10)).before == {}, "recorded before the last thirty days"
    assert COMMUNITY in {community.slug for community in hub.members.list_communities()}
