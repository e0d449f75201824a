"""What a mirror answers, and what it does when a member comes back."""

import pytest

from tests.client.simulator import Simulator, sha256, texts
from tocsin_client.config import NotReady
from tocsin_client.mirror import Mirror, VerificationFailed
from tocsin_schemas.policy import Policy


class TestStanding:
    def test_it_is_folded_on_reading(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a", basis="human_reviewed")
        simulator.report("forum", "a", basis="human_reviewed")
        simulator.report("pixel", "b")
        mirror.follow(simulator)
        assert mirror.standing(sha256("a")).status == "corroborated"
        assert mirror.tally() == {"corroborated": 1, "candidate": 1}

    def test_a_suspended_authors_statements_do_not_count(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        simulator.report("forum", "a")
        mirror.follow(simulator)
        assert mirror.standing(sha256("a")).status == "human_confirmed"
        simulator.members["forum"].state = "suspended"
        mirror.follow(simulator)
        standing = mirror.standing(sha256("a"))
        assert (standing.status, standing.reporters) == ("candidate", "1")
        simulator.members["pixel"].state = "suspended"
        mirror.follow(simulator)
        assert mirror.standing(sha256("a")).status == "quarantined"

    def test_nor_do_those_of_a_member_that_is_not_listed_any_more(
        self, mirror: Mirror, simulator: Simulator
    ) -> None:
        simulator.report("pixel", "a")
        mirror.follow(simulator)
        del simulator.members["pixel"]
        mirror.follow(simulator)
        assert mirror.standing(sha256("a")).status == "quarantined"

    def test_brands_of_one_owner_are_one_voice(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.members["forum"].group = simulator.members["pixel"].group
        simulator.report("pixel", "a")
        simulator.report("forum", "a")
        mirror.follow(simulator)
        assert mirror.standing(sha256("a")).status == "candidate"

    def test_the_hubs_policy_counts(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        simulator.report("forum", "a")
        simulator.hub_policy = Policy(version=2, corroborating_groups=3)
        mirror.follow(simulator)
        assert mirror.standing(sha256("a")).status == "candidate"

    def test_an_empty_mirror_tallies_nothing(self, mirror: Mirror, simulator: Simulator) -> None:
        mirror.follow(simulator)
        assert mirror.tally() == {}

    def test_nothing_is_known_before_the_first_step(self, mirror: Mirror) -> None:
        with pytest.raises(NotReady, match="empty"):
            mirror.standing(sha256("a"))
        assert mirror.store.policy() == Policy()


class TestReinstatement:
    """A follower that came late was told `withheld`; when the author is back, it must not stay behind."""

    @pytest.fixture
    def held(self, mirror: Mirror, simulator: Simulator) -> list[bytes | None]:
        simulator.report("forum", "a")
        simulator.report("pixel", "b")
        simulator.elsewhere(3)
        simulator.report("forum", "c")
        simulator.report("pixel", "d")
        real = list(simulator.lines)
        for seq in (0, 5):
            simulator.replace(seq, withheld="state")
        simulator.members["forum"].state = "suspended"
        mirror.follow(simulator)
        assert texts(mirror) == {"b", "d"}
        return real

    @pytest.mark.parametrize("limit", [1, 2, 100])
    def test_what_was_withheld_is_fetched_again(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None], limit: int
    ) -> None:
        simulator.lines = held
        simulator.members["forum"].state = "active"
        step = mirror.follow(simulator, limit=limit)
        assert (step.stored, step.absent) == (2, -2)
        assert texts(mirror) == {"a", "b", "c", "d"}
        assert "withheld:state" not in mirror.store.counts()
        assert mirror.follow(simulator).stored == 0

    def test_nothing_is_fetched_while_the_author_is_away(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None]
    ) -> None:
        simulator.elsewhere()
        simulator.asked.clear()
        mirror.follow(simulator)
        assert [ask for ask in simulator.asked if ask.startswith("page")] == ["page 6"]

    def test_what_was_retracted_meanwhile_stays_away(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None]
    ) -> None:
        simulator.lines = [*held]
        simulator.replace(0, gone="retracted")
        simulator.members["forum"].state = "active"
        mirror.follow(simulator)
        assert texts(mirror) == {"b", "c", "d"}

    def test_a_lie_is_refused_there_too_and_looked_for_again(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None]
    ) -> None:
        simulator.lines = held
        simulator.amend(0, r="0" * 64)
        simulator.members["forum"].state = "active"
        with pytest.raises(VerificationFailed):
            mirror.follow(simulator)
        assert texts(mirror) == {"b", "c", "d"}
        with pytest.raises(VerificationFailed):
            mirror.follow(simulator)
        step = mirror.follow(simulator, keep_going=True)
        assert [item.code for item in step.refused] == ["commitment-mismatch"]
        assert mirror.store.counts()["withheld:state"] == 1
