"""What a mirror answers, and what it does when a member comes back."""

import pytest

from tests.client.simulator import Simulator, sha256, texts
from tests.support.clock import MovableClock
from tests.support.states import STATES
from tocsin_client.config import NotReady
from tocsin_client.mirror import Mirror, VerificationFailed
from tocsin_schemas.policy import DAY, Policy
from tocsin_schemas.signals import Retraction
from tocsin_schemas.vocabulary import MemberState


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


class TestStates:
    """What a member's state, and since when, makes of what it said: as the hub counts it."""

    def test_an_emergency_suspension_takes_the_last_thirty_days(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        simulator.report("pixel", "a", days=90)
        clock.advance(31 * DAY)
        simulator.report("pixel", "b", days=90)
        mirror.follow(simulator)
        pixel = simulator.members["pixel"]
        pixel.state, pixel.since = "emergency_suspended", clock()
        mirror.follow(simulator)
        assert mirror.tally() == {"candidate": 1, "quarantined": 1}
        assert mirror.standing(sha256("a")).status == "candidate"
        # One that was never active did not count before, and does not begin to.
        pixel.activated = False
        mirror.follow(simulator)
        assert mirror.tally() == {"quarantined": 2}

    @pytest.mark.parametrize("state", STATES)
    def test_each_state_as_the_table_has_it(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock, state: MemberState
    ) -> None:
        simulator.report("pixel", "a")
        mirror.follow(simulator)
        pixel = simulator.members["pixel"]
        pixel.state, pixel.since = state, clock()
        mirror.follow(simulator)
        counts = state in {"active", "restricted", "withdrawing"}
        pixel.activated = state != "provisional"
        assert mirror.standing(sha256("a")).status == ("candidate" if counts else "quarantined")

    @pytest.mark.parametrize("state", ["emergency_suspended", "suspended", "withdrawn", "expelled"])
    def test_keys_are_dead_from_the_day_of_the_state(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock, state: MemberState
    ) -> None:
        """A hub that took something of such a member is not believed."""
        simulator.report("pixel", "a")
        clock.advance(10)
        pixel = simulator.members["pixel"]
        pixel.state, pixel.since = state, clock()
        clock.advance(1)
        simulator.report("pixel", "b")
        with pytest.raises(VerificationFailed, match="key-revoked"):
            mirror.follow(simulator)
        assert texts(mirror) == {"a"}
        # Back in favour, with the same key.
        pixel.state, pixel.since = "active", clock()
        mirror.follow(simulator)
        assert texts(mirror) == {"a", "b"}

    @pytest.mark.parametrize("gone", [False, True])
    def test_what_a_member_said_that_left_is_dropped_after_thirty_days(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock, gone: bool
    ) -> None:
        simulator.report("pixel", "a", days=90)
        _, taken_back = simulator.report("pixel", "b", days=90)
        simulator.report("forum", "c", days=90)
        simulator.publish("pixel", Retraction(reason="error"), taken_back, expires_at=clock() + 90 * DAY)
        real = list(simulator.lines)
        mirror.follow(simulator)
        pixel = simulator.members["pixel"]
        pixel.state, pixel.since = "withdrawn", clock()
        clock.advance(30 * DAY - 1)
        mirror.follow(simulator)
        assert texts(mirror) == {"a", "c"}
        clock.advance(1)
        step = mirror.follow(simulator)
        assert (texts(mirror), step.absent, mirror.store.withheld()) == ({"c"}, 1, [0])
        assert mirror.store.counts()["statement:retraction"] == 1
        # It comes back: the hub shows what is left of it.
        simulator.lines = real
        if gone:
            simulator.replace(0, gone="expired")
        pixel.state, pixel.since = "active", clock()
        mirror.follow(simulator)
        assert texts(mirror) == ({"c"} if gone else {"a", "c"})
        assert mirror.store.withheld() == []


class TestRelease:
    """The hub names what it shows from now on; a follower that passed it by fetches it."""

    @pytest.fixture
    def held(self, mirror: Mirror, simulator: Simulator) -> list[bytes | None]:
        for text in "abcd":
            simulator.report("forum", text)
        real = list(simulator.lines)
        for seq, reason in ((0, "state"), (2, "state"), (3, "tlp")):
            simulator.replace(seq, withheld=reason)
        mirror.follow(simulator)
        assert texts(mirror) == {"b"}
        return real

    @pytest.mark.parametrize("limit", [1, 100])
    def test_what_it_names_and_nothing_else(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None], limit: int
    ) -> None:
        simulator.lines = [*held]
        simulator.replace(2, withheld="state")
        simulator.release(0, 1, 3)
        step = mirror.follow(simulator, limit=limit)
        assert (texts(mirror), step.stored, step.absent) == ({"a", "b", "d"}, 2, -2)
        assert mirror.store.withheld() == [2]
        assert mirror.store.counts()["hub:release"] == 1

    def test_a_hub_that_names_it_and_withholds_it_still_is_asked_no_more(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None]
    ) -> None:
        simulator.release(0)
        mirror.follow(simulator)
        assert mirror.store.withheld() == [0, 2, 3]

    def test_a_lie_is_refused_and_looked_for_again(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None]
    ) -> None:
        simulator.lines = [*held]
        simulator.amend(0, r="0" * 64)
        simulator.release(0)
        for _ in range(2):
            with pytest.raises(VerificationFailed, match="commitment-mismatch"):
                mirror.follow(simulator)
        assert texts(mirror) == {"b"}
        simulator.lines[0] = held[0]
        mirror.follow(simulator)
        assert texts(mirror) == {"a", "b"}

    def test_who_may_read_more_now_is_given_more(
        self, mirror: Mirror, simulator: Simulator, held: list[bytes | None]
    ) -> None:
        simulator.members["pixel"].state = "provisional"
        mirror.follow(simulator)
        simulator.lines = [*held]
        mirror.follow(simulator)
        assert texts(mirror) == {"b"}
        simulator.members["pixel"].state = "active"
        mirror.follow(simulator)
        assert texts(mirror) == {"a", "b", "c", "d"}
