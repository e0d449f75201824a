import sqlite3
from functools import partial
from pathlib import Path

import pytest

from tests.client.simulator import DAY, Member, Simulator, report, sha256, texts
from tests.support.clock import MovableClock
from tocsin_client.config import NotReady
from tocsin_client.feed import Absent, FeedPage
from tocsin_client.http import HubError
from tocsin_client.mirror import Mirror, Step, VerificationFailed
from tocsin_client.mirror_store import START, Applied, Moved
from tocsin_schemas.feed import Directory
from tocsin_schemas.indicators import Indicator


def whole(mirror: Mirror) -> list[str]:
    """Everything in the file, to see that nothing changed."""
    with sqlite3.connect(f"file:{path_of(mirror)}?mode=ro", uri=True) as conn:
        lines = list(conn.iterdump())
    conn.close()
    return [line for line in lines if 'INTO "state"' not in line]


def path_of(mirror: Mirror) -> Path:
    return Path(mirror.store._conn.execute("PRAGMA database_list").fetchone()[2])


def note_cursor(pages: list[int], step: Step) -> None:
    pages.append(step.cursor)


class TestFollow:
    def test_everything_that_verifies_is_stored(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a", "b")
        simulator.elsewhere(2)
        simulator.report("forum", "a")
        simulator.dispute("model", "b")
        simulator.expiry(simulator.gone())
        simulator.gone(reason="retracted")
        simulator.report("forum", "d")
        simulator.replace(8, withheld="quarantine")
        step = mirror.follow(simulator)
        assert step == Step(cursor=8, pages=1, stored=3, absent=3)
        assert mirror.store.counts() == {
            "statement:report": 2,
            "statement:dispute": 1,
            "hub:expiry": 1,
            "gone:expired": 1,
            "gone:retracted": 1,
            "withheld:quarantine": 1,
            "indicator:sha256": 2,
        }
        assert (mirror.store.cursor, mirror.store.stepped_at) == (8, simulator.clock())

    def test_a_second_step_takes_only_what_is_new(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        mirror.follow(simulator)
        before = whole(mirror)
        assert mirror.follow(simulator) == Step(cursor=0)
        assert whole(mirror) == before
        simulator.report("pixel", "b")
        assert mirror.follow(simulator).stored == 1
        assert simulator.asked.count("page None") == 1
        assert texts(mirror) == {"a", "b"}

    def test_pages_of_any_size_give_the_same_mirror(
        self, simulator: Simulator, clock: MovableClock, tmp_path: Path
    ) -> None:
        digests = [simulator.report("pixel", text)[1] for text in "abcd"]
        simulator.elsewhere()
        simulator.retract("pixel", digests[1])
        simulator.report("forum", "b")
        found = []
        for limit in (1, 2, 3, 100):
            with Mirror.open(
                tmp_path / f"{limit}.db", simulator.hub, simulator.community, clock=clock
            ) as mirror:
                pages: list[int] = []
                mirror.follow(simulator, limit=limit, on_page=partial(note_cursor, pages))
                assert pages[-1] == 6
                found.append(whole(mirror))
        assert found.count(found[0]) == 4

    def test_worker_processes_give_the_same_mirror(
        self, simulator: Simulator, clock: MovableClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("tocsin_client.mirror.WORTH_WORKERS", 10)
        monkeypatch.setattr("tocsin_client.feed.CHUNK", 7)
        for number in range(40):
            simulator.report("pixel", f"text {number}")
        found = []
        for workers in (1, 2):
            with Mirror.open(
                tmp_path / f"{workers}.db", simulator.hub, simulator.community, clock=clock
            ) as mirror:
                assert mirror.follow(simulator, workers=workers).stored == 40
                found.append(whole(mirror))
        assert found[0] == found[1]

    def test_an_empty_feed_is_no_trouble(self, mirror: Mirror, simulator: Simulator) -> None:
        assert mirror.follow(simulator) == Step(cursor=START)
        assert mirror.store.directory().community == "child-safety"

    def test_a_member_that_joins_behind_the_checkpoint(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        late = Member("late", "cg_late")
        listed = simulator.directory

        def directory_then_join(community: str) -> Directory:
            found = listed(community)
            if "late" not in simulator.members:
                simulator.members["late"] = late
                simulator.report("late", "b")
            return found

        simulator.directory = directory_then_join  # type: ignore[method-assign]  # the moment in between
        assert mirror.follow(simulator).stored == 1, "what the checkpoint does not cover waits"
        assert mirror.follow(simulator).stored == 1
        assert any(member.issuer == late.issuer for member in mirror.store.directory().members)

    @pytest.mark.parametrize("wrong", ["hub", "community"])
    def test_a_directory_of_something_else_is_refused(
        self, mirror: Mirror, simulator: Simulator, wrong: str
    ) -> None:
        simulator.report("pixel", "a")
        other = Simulator(simulator.clock)
        setattr(other, wrong, "https://other.example" if wrong == "hub" else "ncii")
        simulator.directory = other.directory  # type: ignore[method-assign]  # another hub's answer
        with pytest.raises(HubError, match="directory-mismatch"):
            mirror.follow(simulator)
        assert mirror.store.cursor == START

    def test_a_directory_with_a_key_that_is_none_is_refused(
        self, mirror: Mirror, simulator: Simulator
    ) -> None:
        listed = simulator.directory("")
        listed.members[0].keys[0].jwk["x"] = "AAAA"
        simulator.directory = lambda community: listed  # type: ignore[method-assign]  # a hub gone mad
        with pytest.raises(HubError, match="directory cannot be read"):
            mirror.follow(simulator)

    def test_two_processes_cannot_follow_one_mirror(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        ask = simulator.page

        def page_while_another_follows(community: str, after: int | None, limit: int) -> FeedPage:
            page = ask(community, after, limit)
            simulator.page = ask  # type: ignore[method-assign]  # once
            with Mirror.open(
                path_of(mirror), simulator.hub, simulator.community, clock=simulator.clock
            ) as other:
                other.follow(simulator)
            return page

        simulator.page = page_while_another_follows  # type: ignore[method-assign]  # once
        with pytest.raises(Moved):
            mirror.follow(simulator)
        assert mirror.store.counts()["statement:report"] == 1


class TestRefusal:
    def test_a_lie_stops_the_step_behind_everything_before_it(
        self, mirror: Mirror, simulator: Simulator
    ) -> None:
        for text in "abcd":
            simulator.report("pixel", text)
        simulator.amend(2, r="0" * 64)
        with pytest.raises(VerificationFailed) as caught:
            mirror.follow(simulator)
        assert (caught.value.failure.seq, caught.value.failure.code) == (2, "commitment-mismatch")
        assert (mirror.store.cursor, texts(mirror)) == (1, {"a", "b"})
        before = whole(mirror)
        with pytest.raises(VerificationFailed):
            mirror.follow(simulator)
        assert whole(mirror) == before
        assert mirror.store.refusals() == []

    def test_keep_going_notes_it_and_passes_over(self, mirror: Mirror, simulator: Simulator) -> None:
        for text in "abcd":
            simulator.report("pixel", text)
        simulator.amend(1, r="0" * 64)
        simulator.lines[2] = None
        step = mirror.follow(simulator, keep_going=True)
        assert [(item.seq, item.code) for item in step.refused] == [
            (1, "commitment-mismatch"),
            (2, "record-missing"),
        ]
        assert mirror.store.refusals() == step.refused
        assert (mirror.store.cursor, texts(mirror)) == (3, {"a", "d"})
        assert mirror.follow(simulator, keep_going=True).refused == []

    def test_a_line_without_a_number_spoils_its_page(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        simulator.report("pixel", "b")
        simulator.lines[1] = b"{}"
        simulator.report("pixel", "c")
        with pytest.raises(VerificationFailed, match="record-malformed"):
            mirror.follow(simulator)
        assert mirror.store.cursor == START
        assert mirror.follow(simulator, keep_going=True).stored == 2

    def test_a_page_that_leads_nowhere_ends_the_step_even_so(
        self, mirror: Mirror, simulator: Simulator
    ) -> None:
        simulator.report("pixel", "a")
        mirror.follow(simulator)
        simulator.report("pixel", "b")
        simulator.page = lambda community, after, limit: FeedPage([b"{}"], None)  # type: ignore[method-assign]  # a hub gone mad
        with pytest.raises(VerificationFailed):
            mirror.follow(simulator, keep_going=True)
        assert mirror.store.cursor == 0


class TestRetraction:
    def test_of_an_earlier_page(self, mirror: Mirror, simulator: Simulator) -> None:
        _, digest = simulator.report("pixel", "a")
        simulator.report("forum", "a")
        mirror.follow(simulator)
        simulator.retract("pixel", digest)
        assert mirror.follow(simulator).retracted == 1
        assert [row.author for row in mirror.store.about(sha256("a"))] == ["https://forum.example"]
        assert mirror.store.counts()["gone:retracted"] == 1

    def test_within_one_page(self, mirror: Mirror, simulator: Simulator) -> None:
        _, digest = simulator.report("pixel", "a")
        simulator.retract("pixel", digest)
        assert mirror.follow(simulator).retracted == 1
        assert texts(mirror) == set()

    def test_by_somebody_else_does_nothing(self, mirror: Mirror, simulator: Simulator) -> None:
        _, digest = simulator.report("pixel", "a")
        simulator.retract("forum", digest)
        assert mirror.follow(simulator).retracted == 0
        assert texts(mirror) == {"a"}

    def test_of_something_already_gone(self, mirror: Mirror, simulator: Simulator) -> None:
        _, digest = simulator.report("pixel", "a")
        simulator.replace(0, gone="erased")
        simulator.retract("pixel", digest)
        assert mirror.follow(simulator).retracted == 0


class TestExpiry:
    def test_the_clock_alone_drops_what_has_expired(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        simulator.report("pixel", "a", days=1)
        simulator.report("pixel", "b", days=2)
        mirror.follow(simulator)
        clock.advance(DAY - 1)
        assert mirror.follow(simulator).expired == 0
        clock.advance(1)
        assert mirror.follow(simulator).expired == 1
        assert texts(mirror) == {"b"}
        assert mirror.store.counts()["gone:expired"] == 1

    def test_it_counts_for_nothing_even_before_it_is_dropped(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        simulator.report("pixel", "a", days=1)
        mirror.follow(simulator)
        clock.advance(DAY)
        assert mirror.standing(sha256("a")).status == "expired"

    def test_what_has_expired_on_arrival_is_not_kept(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        simulator.report("pixel", "a", days=1)
        clock.advance(DAY)
        assert mirror.follow(simulator).expired == 1
        assert texts(mirror) == set()

    def test_a_dropped_value_is_nowhere_in_the_file(
        self, mirror: Mirror, simulator: Simulator, clock: MovableClock
    ) -> None:
        simulator.report("pixel", "a", days=1)
        for number in range(50):
            simulator.report("forum", f"more {number}")
        mirror.follow(simulator)
        path = path_of(mirror)
        value = sha256("a").value
        assert value in b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))
        clock.advance(DAY)
        mirror.follow(simulator)
        assert value not in b"".join(file.read_bytes() for file in path.parent.glob(path.name + "*"))


class TestFile:
    def test_only_its_owner_can_read_it(self, mirror: Mirror) -> None:
        assert path_of(mirror).stat().st_mode & 0o777 == 0o600

    def test_full_sync_and_write_ahead(self, mirror: Mirror) -> None:
        conn = mirror.store._conn
        assert conn.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert conn.execute("PRAGMA synchronous").fetchone() == (2,)
        assert conn.execute("PRAGMA secure_delete").fetchone() == (1,)

    def test_it_opens_again(self, mirror: Mirror, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        mirror.follow(simulator)
        with Mirror.open(path_of(mirror), simulator.hub, simulator.community, create=False) as again:
            assert again.store.cursor == 0

    @pytest.mark.parametrize(
        ("hub", "community"), [("https://x.example", "child-safety"), ("https://hub.example", "x")]
    )
    def test_not_for_another_hub_or_community(self, mirror: Mirror, hub: str, community: str) -> None:
        with pytest.raises(NotReady, match="belongs to another"):
            Mirror.open(path_of(mirror), hub, community)

    def test_not_when_another_version_made_it(self, mirror: Mirror) -> None:
        mirror.store._conn.execute("PRAGMA user_version = 99")
        with pytest.raises(NotReady, match="another version"):
            Mirror.open(path_of(mirror), "https://hub.example", "child-safety")

    def test_not_when_it_is_no_database(self, tmp_path: Path) -> None:
        path = tmp_path / "not.db"
        path.write_bytes(b"this is no database, whatever its name says\n" * 100)
        with pytest.raises(NotReady, match="cannot be read"):
            Mirror.open(path, "https://hub.example", "child-safety")

    def test_not_made_where_it_is_only_read(self, tmp_path: Path) -> None:
        with pytest.raises(NotReady, match="no mirror"):
            Mirror.open(tmp_path / "none.db", "https://hub.example", "child-safety", create=False)
        assert list(tmp_path.glob("none*")) == []

    def test_a_transaction_that_fails_leaves_nothing(self, mirror: Mirror, simulator: Simulator) -> None:
        with pytest.raises(sqlite3.IntegrityError):
            mirror.store.apply([Absent(0, "gone", "erased"), Absent(0, "gone", "erased")], START, 5, 0, b"")
        assert (mirror.store.cursor, mirror.store.counts()) == (START, {})

    def test_an_empty_page_can_be_applied(self, mirror: Mirror) -> None:
        assert mirror.store.apply([], START, 5, 0, b"") == Applied()
        assert mirror.store.cursor == 5
        assert mirror.store.withheld() == []


def test_other_indicator_types_are_kept_apart(
    mirror: Mirror, simulator: Simulator, clock: MovableClock
) -> None:
    value = sha256("a").value
    both = [Indicator("sha256", value), Indicator("pdq", value)]
    media = {
        "media": {
            "ai_origin": "unknown",
            "origin_evidence": "none",
            "detection_context": "upload",
            "pdq_quality": 90,
        }
    }
    simulator.publish("pixel", report(clock() + DAY, **media), both)
    mirror.follow(simulator)
    assert mirror.store.values("pdq") == mirror.store.values("sha256") == [value]
    assert mirror.store.indicators_of(0) == sorted(both)
    assert mirror.store.about(Indicator("md5", value[:16])) == []
