"""What an emergency suspension would change, before it is decided: the same counts that it then has."""

import pytest

from tests.signals.material import COMMUNITY, DISPUTE, Voice, md5, report
from tests.support.hub import Hub
from tests.support.states import put
from tocsin.errors import Refused
from tocsin.signals.service import reach as reaching
from tocsin_schemas.policy import DAY


@pytest.mark.parametrize("batch", [1, 1000])
def test_the_preview_counts_what_the_suspension_does(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    monkeypatch.setattr(reaching, "BATCH", batch)
    pixel, frame, vendor = (Voice(hub, name) for name in ("pixel", "frame", "vendor"))
    until = hub.clock() + 90 * DAY
    pixel.say(report(until), md5(0))
    hub.clock.advance(31 * DAY)
    pixel.say(report(until), [md5(1), md5(2)])
    for voice in (pixel, frame):
        voice.say(report(until), md5(3))
    for voice in (pixel, frame, vendor):
        voice.say(report(until), md5(4))
    pixel.say(DISPUTE, md5(3))
    frame.say(report(until), md5(5))
    before = statuses(vendor)
    with hub.database.snapshot() as uow:
        found = reaching.reach(hub.means.context)(uow, pixel.issuer)
    assert dict(found) == {"statements": 5, "withheld": 4, "indicators": 2, "corroborated": 1}
    put(hub, pixel.issuer, "emergency_suspended")
    after = statuses(vendor)
    assert before == [
        "candidate",
        "candidate",
        "candidate",
        "human_confirmed",
        "human_confirmed",
        "candidate",
    ]
    assert after == ["candidate", None, None, "candidate", "human_confirmed", "candidate"]
    with hub.database.snapshot() as uow:
        again = reaching.reach(hub.means.context)(uow, pixel.issuer)
    assert dict(again) == {"statements": 5, "withheld": 0, "indicators": 0, "corroborated": 0}


def statuses(voice: Voice) -> list[str | None]:
    views = [voice.view(md5(n)) for n in range(6)]
    return [view.json()["status"] if view.status_code == 200 else None for view in views]


def test_nobody_knows_how_far_a_stranger_reaches(hub: Hub) -> None:
    with hub.database.snapshot() as uow, pytest.raises(Refused, match="no such member"):
        reaching.reach(hub.means.context)(uow, f"https://{COMMUNITY}.example")
