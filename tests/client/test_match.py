import hashlib
import sys

import pytest

from tests.client.simulator import DAY, Simulator, report, sha256
from tests.support.clock import MovableClock
from tocsin_client.config import NotReady
from tocsin_client.match import Matcher
from tocsin_client.mirror import Mirror
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.signals import Account, Artefact, Media

PDQ = Indicator("pdq", hashlib.sha256(b"pdq").digest())


def flipped(indicator: Indicator, bits: int) -> Indicator:
    value = int.from_bytes(indicator.value) ^ ((1 << bits) - 1)
    return Indicator("pdq", value.to_bytes(32))


@pytest.fixture
def pdq_report(simulator: Simulator, clock: MovableClock):
    def publish(name: str, indicator: Indicator, **more: object) -> None:
        media = Media(ai_origin="unknown", origin_evidence="none", detection_context="upload", pdq_quality=90)
        simulator.publish(name, report(clock() + DAY, media=media, **more), [indicator])

    return publish


def test_exact_hits_say_what_is_known(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    simulator.report("pixel", "a", labels=["test@1:benign_b"], tlp="green")
    simulator.report("forum", "a", days=60, labels=["test@1:benign_a"], tlp="amber+strict")
    simulator.dispute("model", "a")
    mirror.follow(simulator)
    (hit,) = Matcher(mirror).find([sha256("a"), sha256("b")])
    assert (hit.indicator, hit.distance, hit.status) == (sha256("a"), 0, "human_confirmed")
    assert hit.rules == ("reported/v1", "corroborated/v1", "human-confirmed/v1")
    assert hit.labels == ("test@1:benign_a", "test@1:benign_b")
    assert (hit.tlp, hit.reporters, hit.disputes) == ("amber+strict", "2", 1)
    assert hit.authors == ("https://forum.example", "https://pixel.example")
    assert hit.expires_at == clock() + 60 * DAY
    assert len(hit.statements) == 2


@pytest.mark.parametrize(
    ("indicator", "body"),
    [
        (Indicator("md5", bytes(16)), {}),
        (Indicator("sha1", bytes(20)), {}),
        (Indicator("photodna", bytes(144)), {}),
        (Indicator("file-sha256", bytes(32)), {"media": None, "artefact": Artefact(kind="lora")}),
        (Indicator("weights-sha256", bytes(32)), {"media": None, "artefact": Artefact(kind="lora")}),
        (
            Indicator("email", b"\x01" + bytes(36)),
            {
                "media": None,
                "account": Account(reviewers=1, conduct="ban_evasion", relevance="both", action="held"),
            },
        ),
    ],
)
def test_every_type_matches_exactly(
    mirror: Mirror, simulator: Simulator, clock: MovableClock, indicator: Indicator, body: dict
) -> None:
    simulator.publish("pixel", report(clock() + DAY, **body), [indicator])
    mirror.follow(simulator)
    (hit,) = Matcher(mirror).find([indicator])
    assert hit.indicator == indicator
    other = Indicator(indicator.type, indicator.value[:-1] + b"\x02")
    assert Matcher(mirror).find([other]) == []


def test_pdq_within_the_distance_nearest_first(mirror: Mirror, simulator: Simulator, pdq_report) -> None:
    for bits in (31, 0, 10, 32):
        pdq_report("pixel", flipped(PDQ, bits))
    mirror.follow(simulator)
    assert [hit.distance for hit in Matcher(mirror).find([PDQ])] == [0, 10, 31]
    assert [hit.distance for hit in Matcher(mirror, distance=10).find([PDQ])] == [0, 10]
    assert [hit.distance for hit in Matcher(mirror, distance=0).find([PDQ])] == [0]


def test_an_indicator_is_hit_once_by_its_nearest_query(
    mirror: Mirror, simulator: Simulator, pdq_report
) -> None:
    pdq_report("pixel", PDQ)
    mirror.follow(simulator)
    matcher = Matcher(mirror)
    assert [hit.distance for hit in matcher.find([flipped(PDQ, 9), flipped(PDQ, 3), flipped(PDQ, 20)])] == [3]


@pytest.mark.parametrize("distance", [-1, 32])
def test_a_distance_that_is_none(mirror: Mirror, simulator: Simulator, distance: int) -> None:
    mirror.follow(simulator)
    with pytest.raises(ValueError, match="0 to 31"):
        Matcher(mirror, distance=distance)


def test_the_disputed_are_left_out_unless_asked_for(mirror: Mirror, simulator: Simulator) -> None:
    simulator.report("pixel", "a")
    simulator.dispute("forum", "a")
    simulator.dispute("model", "a")
    mirror.follow(simulator)
    assert Matcher(mirror).find([sha256("a")]) == []
    (hit,) = Matcher(mirror, include_disputed=True).find([sha256("a")])
    assert (hit.status, hit.disputes) == ("disputed", 2)


def test_the_quarantined_are_left_out_unless_asked_for(mirror: Mirror, simulator: Simulator) -> None:
    simulator.report("pixel", "a")
    simulator.members["pixel"].state = "suspended"
    mirror.follow(simulator)
    assert Matcher(mirror).find([sha256("a")]) == []
    (hit,) = Matcher(mirror, include_disputed=True).find([sha256("a")])
    assert (hit.status, hit.reporters) == ("quarantined", "0")


def test_the_expired_are_no_hits(mirror: Mirror, simulator: Simulator, clock: MovableClock) -> None:
    simulator.report("pixel", "a", days=1)
    mirror.follow(simulator)
    clock.advance(DAY)
    assert Matcher(mirror, include_disputed=True).find([sha256("a")]) == []


def test_a_sighting_alone_is_an_expired_indicator(
    mirror: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    simulator.publish("pixel", report(clock() + DAY), [sha256("a")], kind="sighting")
    mirror.follow(simulator)
    assert Matcher(mirror).find([sha256("a")]) == []
    (hit,) = Matcher(mirror, include_disputed=True).find([sha256("a")])
    assert (hit.status, hit.labels, hit.tlp) == ("expired", (), "red")


def test_without_the_extra_only_pdq_is_missing(
    mirror: Mirror, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    simulator.report("pixel", "a")
    mirror.follow(simulator)
    monkeypatch.delitem(sys.modules, "tocsin_client.pdq", raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)
    assert len(Matcher(mirror).find([sha256("a")])) == 1
    with pytest.raises(NotReady) as caught:
        Matcher(mirror).find([PDQ])
    assert "tocsin[hash]" in caught.value.next
