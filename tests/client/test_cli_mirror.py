"""`tocsin follow`, `match`, `status` and `verify`, against a real hub, and against one that lies."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.frontage import over_http
from tests.client.pictures import landscape, save
from tests.client.simulator import Simulator, sha256
from tests.client.terminal import REPORT, Terminal, log_in
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import in_own_process
from tocsin_client.clock import system_clock
from tocsin_client.feed import FeedPage


class TestMirror:
    def test_follow_match_status_verify(self, terminal: Any, picture: Path, tmp_path: Path) -> None:
        pixel, forum, model = terminal(), terminal(), terminal()
        pixel.run("report", picture, *REPORT)
        forum.run("report", picture, *REPORT)
        step = model.row("follow", "--once")
        assert (step["stored"], step["refused"]) == (2, 0)
        assert "0 verified and stored" in model.run("follow").stdout

        copy = save(landscape(1).resize((256, 192)), tmp_path / "copy.jpg", quality=70)
        other = save(landscape(2), tmp_path / "other.png")
        one, two = model.rows("match", copy, other)
        assert [hit["indicator"].partition(":")[0] for hit in one["hits"]] == ["pdq"]
        assert (one["hits"][0]["status"], one["hits"][0]["reporters"]) == ("human_confirmed", "2")
        assert two["hits"] == []
        exact = model.row("match", picture)["hits"]
        assert len(exact) == 4
        assert model.row("match", "--hash", exact[1]["indicator"])["hits"][0]["distance"] == 0
        assert model.row("match", copy, "--distance", "0")["hits"] == []
        text = model.run("match", copy, other, "--hash", exact[1]["indicator"]).stdout
        assert "copy.jpg: 1 hit\n  human_confirmed at distance" in text
        assert "other.png: no match" in text

        status = model.row("status")
        assert status["indicators"] == {"human_confirmed": 4}
        assert status["records"]["statement:report"] == 2
        assert "statement:report" in model.run("status").stdout
        verified = model.row("verify")
        assert (verified["statements"], verified["failures"]) == (2, [])
        assert "0 do not verify" in model.run("verify").stdout

    def test_match_goes_on_past_a_bad_file(self, terminal: Any, picture: Path, tmp_path: Path) -> None:
        here = terminal()
        here.run("report", picture, *REPORT)
        here.run("follow")
        cut = tmp_path / "cut.png"
        cut.write_bytes(picture.read_bytes()[:3000])
        rows = here.rows("match", tmp_path / "missing", cut, picture, code=1)
        assert rows[0] == {"file": str(tmp_path / "missing"), "note": "file-unreadable"}
        assert (rows[1]["note"], rows[1]["hits"]) == ("picture-unreadable", [])
        assert len(rows[2]["hits"]) == 4
        assert "missing" in here.run("match", tmp_path / "missing", code=1).stderr

    def test_a_stale_mirror_says_so(self, terminal: Any) -> None:
        here = terminal()
        here.run("follow")
        path = next((here.home / "mirrors").glob("*.sqlite3"))
        import sqlite3

        with sqlite3.connect(path) as conn:
            conn.execute("UPDATE state SET stepped_at = stepped_at - 7300")
        conn.close()
        assert "2 h old" in here.run("match", "--hash", "md5:" + "0" * 32).stderr

    def test_there_must_be_a_mirror(self, terminal: Any) -> None:
        here = terminal()
        for words in (("status",), ("verify",), ("match", "--hash", "md5:" + "0" * 32)):
            assert "tocsin follow" in here.error(*words, code=2)["next"]

    def test_match_needs_something(self, terminal: Any) -> None:
        assert terminal().error("match", code=2)["error"] == "usage"

    def test_a_mirror_that_was_tampered_with(self, terminal: Any, picture: Path) -> None:
        import sqlite3

        here = terminal()
        here.run("report", picture, *REPORT)
        here.run("follow")
        with sqlite3.connect(next((here.home / "mirrors").glob("*.sqlite3"))) as conn:
            conn.execute("UPDATE statement SET r = zeroblob(32)")
        conn.close()
        seq = here.row("follow")["cursor"]
        result = here.run("verify", "--json", code=3)
        assert json.loads(result.stdout)["failures"] == [
            {"seq": seq, "code": "commitment-mismatch", "field": "r"}
        ]
        assert "does not verify" in result.stderr

    def test_a_mirror_that_is_no_database(self, terminal: Any) -> None:
        here = terminal()
        here.run("follow")
        path = next((here.home / "mirrors").glob("*.sqlite3"))
        path.write_bytes(b"overwritten " * 1000)
        assert "Move" in here.error("status", code=2)["next"]

    def test_once_or_watch(self, terminal: Any) -> None:
        assert terminal().error("follow", "--once", "--watch", 5, code=2)["error"] == "usage"


@pytest.mark.slow
def test_watching_survives_a_hub_that_goes_away(databases: Databases, tmp_path: Path) -> None:
    """A real process follows a real hub that is killed and comes back."""
    folder = tmp_path / "hub"
    folder.mkdir(mode=0o700)
    with databases.migrated("sqlite", folder) as url, in_own_process(url, folder) as hub:
        party = hub.party("pixel")
        here = Terminal(tmp_path / "home")
        log_in(here, party, hub)
        here.run("report", "--indicator", "md5:" + "7" * 32, *REPORT)
        env = {**os.environ, "TOCSIN_HOME": str(here.home), "PYTHONUNBUFFERED": "1"}
        watcher = subprocess.Popen(
            [Path(sys.executable).with_name("tocsin"), "follow", "--watch", "1", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
        )
        assert watcher.stdout is not None
        assert watcher.stderr is not None
        try:
            assert json.loads(watcher.stdout.readline())["stored"] == 1
            hub.kill()
            assert "next try is in 1 s" in watcher.stderr.readline()
            hub.start()
            here.run("report", "--indicator", "md5:" + "8" * 32, *REPORT)
            stored = 0
            while stored == 0:
                stored = json.loads(watcher.stdout.readline())["stored"]
            assert stored == 1
        finally:
            watcher.terminate()
            watcher.communicate()


class TestLyingHub:
    @pytest.fixture
    def simulator(self, clock: MovableClock) -> Iterator[Simulator]:
        clock.now = system_clock()
        with over_http(Simulator(clock)) as simulated:
            yield simulated

    @pytest.fixture
    def here(self, simulator: Simulator, tmp_path: Path) -> Terminal:
        terminal = Terminal(tmp_path / "home")
        terminal.run("keys", "new")
        words = ("--hub", simulator.hub, "--issuer", "https://pixel.example", "--client-id", "cl_1")
        terminal.run("login", *words)
        return terminal

    def test_following_stops_and_says_what_can_be_done(self, here: Terminal, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        simulator.report("pixel", "b")
        simulator.amend(1, r="0" * 64)
        error = here.error("follow", code=3)
        assert error["error"] == "commitment-mismatch"
        assert "record 1" in error["what"]
        assert "--keep-going" in error["next"]
        assert here.row("status")["cursor"] == 0

    def test_keep_going_shows_what_was_refused(self, here: Terminal, simulator: Simulator) -> None:
        for text in "abc":
            simulator.report("pixel", text)
        simulator.amend(1, r="0" * 64)
        result = here.run("follow", "--keep-going", code=1)
        assert "refused: record 1: commitment-mismatch" in result.stderr
        assert "2 verified and stored" in result.stdout
        assert "1 refused" in result.stdout
        status = here.row("status")
        assert (status["refused"], status["records"]["refused"]) == (
            [{"seq": 1, "code": "commitment-mismatch"}],
            1,
        )

    def test_many_bundles(self, here: Terminal, simulator: Simulator) -> None:
        for number in range(3):
            simulator.elsewhere(200)
            simulator.report("pixel", str(number))
        assert here.row("follow")["stored"] == 3

    def test_a_suspended_authors_statements_are_shown_as_not_counting(
        self, here: Terminal, simulator: Simulator
    ) -> None:
        simulator.report("pixel", "a")
        simulator.members["pixel"].state = "suspended"
        here.run("follow")
        assert "(does not count)" in here.run("status", str(sha256("a"))).stdout

    def test_two_at_once(self, here: Terminal, simulator: Simulator) -> None:
        simulator.report("pixel", "a")
        ask = simulator.page

        def page_while_another_follows(community: str, after: int | None, limit: int) -> FeedPage:
            simulator.page = ask  # type: ignore[method-assign]  # once
            page = ask(community, after, limit)
            here.run("follow")
            return page

        simulator.page = page_while_another_follows  # type: ignore[method-assign]  # once
        assert here.error("follow", code=3)["error"] == "moved"

    def test_a_damaged_mirror(self, here: Terminal, simulator: Simulator) -> None:
        for number in range(200):
            simulator.report("pixel", str(number))
        here.run("follow")
        path = next((here.home / "mirrors").glob("*.sqlite3"))
        content = bytearray(path.read_bytes())
        content[8192:] = os.urandom(len(content) - 8192)
        path.write_bytes(content)
        assert here.error("verify", code=2)["error"] in {"mirror", "not-ready"}

    def test_a_hub_that_refuses_its_member(self, here: Terminal, simulator: Simulator) -> None:
        simulator.community = "elsewhere"
        assert here.error("follow", "--watch", 1, code=3)["error"] == "http-404"
