"""The `tocsin` command: against a real hub in a process of its own, with files and pictures of its own."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.client.frontage import over_http
from tests.client.pictures import flat, landscape, save
from tests.client.simulator import Simulator, sha256
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import LiveHub, in_own_process
from tests.support.parties import Party
from tocsin_client.cli import cli
from tocsin_client.cli.options import report_options
from tocsin_client.clock import system_clock
from tocsin_client.rows import COLUMNS, PRIVATE
from tocsin_schemas.problems import REGISTRY

SLUG = "child-safety"
REPORT = ("--label", "test@1:benign_a", "--basis", "human_confirmed", "--detection-context", "upload")
STRANGER = ("--issuer", "https://stranger.example", "--client-id", "cl_1")
SECRET = "jane.doe@mail.example"


class Terminal:
    """One member at a terminal: a home folder, and what `tocsin` answers there."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def run(self, *words: object, code: int = 0, given: str | bytes | None = None) -> Result:
        env = {"TOCSIN_HOME": str(self.home)}
        result = CliRunner(env=env).invoke(cli, [str(word) for word in words], input=given)
        assert result.exit_code == code, result.output
        return result

    def rows(self, *words: object, code: int = 0, given: str | bytes | None = None) -> list[dict[str, Any]]:
        result = self.run(*words, "--json", code=code, given=given)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def row(self, *words: object, code: int = 0) -> dict[str, Any]:
        (row,) = self.rows(*words, code=code)
        return row

    def error(self, *words: object, code: int) -> dict[str, str]:
        found = json.loads(self.run(*words, "--json", code=code).stderr.splitlines()[-1])
        assert found.keys() == {"error", "what", "next"}
        assert all(found.values())
        return found


@pytest.fixture(scope="module")
def town(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    """One hub for all tests of this module; each test makes members of its own."""
    folder = tmp_path_factory.mktemp("town")
    with databases.migrated("sqlite", folder) as url, in_own_process(url, folder) as hub:
        yield hub


@pytest.fixture
def names(request: pytest.FixtureRequest) -> Iterator[str]:
    """Names that no other test uses."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:30].strip("-")
    return (f"{stem}-{number}" for number in range(10))


@pytest.fixture
def slug(names: Iterator[str]) -> str:
    """A community of this test's own."""
    return next(names)


@pytest.fixture
def terminal(town: LiveHub, names: Iterator[str], slug: str, tmp_path: Path):
    """Makes members that have logged in."""

    def make(**wanted: Any) -> Terminal:
        name = next(names)
        party = town.party(name, **{"communities": {slug: "rw"}, **wanted})
        made = Terminal(tmp_path / name)
        log_in(made, party, town)
        return made

    return make


def write_key(party: Party, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "member.jwk"
    path.touch(mode=0o600)
    path.write_text(json.dumps(party.key.jwk()))
    return path


def login_words(hub: LiveHub, party: Party) -> tuple[str, ...]:
    return ("login", "--hub", hub.issuer, "--issuer", party.issuer, "--client-id", party.client_id)


def log_in(terminal: Terminal, party: Party, hub: LiveHub, *more: str) -> dict[str, Any]:
    key = write_key(party, terminal.home)
    return terminal.row(*login_words(hub, party), "--key", key, *more)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(landscape(1), tmp_path / "found.png")


class TestKeys:
    def test_a_new_key_prints_its_public_part_only(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path / "home")
        made = terminal.run("keys", "new")
        jwk = json.loads(made.stdout)
        assert "d" not in jwk
        assert jwk["alg"] == "Ed25519"
        assert "Private key kept in" in made.stderr
        assert terminal.row("keys", "show")["jwk"] == jwk
        path = terminal.home / "keys" / f"{jwk['kid']}.jwk"
        assert json.loads(terminal.run("keys", "show", path).stdout) == jwk

    def test_another_algorithm_and_place(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path / "home")
        made = terminal.row("keys", "new", "--alg", "ES256", "--out", tmp_path / "mine.jwk")
        assert (made["jwk"]["alg"], made["path"]) == ("ES256", str(tmp_path / "mine.jwk"))
        assert terminal.error("keys", "new", "--out", tmp_path / "mine.jwk", code=2)["error"] == "not-ready"

    def test_home_can_be_an_option(self, tmp_path: Path) -> None:
        Terminal(tmp_path / "unused").run("keys", "new", "--home", tmp_path / "other")
        assert len(list((tmp_path / "other" / "keys").iterdir())) == 1
        assert not (tmp_path / "unused").exists()


class TestLogin:
    def test_it_checks_and_remembers(
        self, town: LiveHub, names: Iterator[str], slug: str, tmp_path: Path
    ) -> None:
        party = town.party(next(names), communities={slug: "rw"})
        terminal = Terminal(tmp_path / "home")
        answer = log_in(terminal, party, town)
        assert (answer["hub"], answer["issuer"], answer["community"]) == (town.issuer, party.issuer, slug)
        assert json.loads((terminal.home / "config.json").read_text())["client_id"] == party.client_id
        text = terminal.run(*login_words(town, party), "--key", terminal.home / "member.jwk")
        assert "200,000 of 200,000 signals are left" in text.stdout

    def test_several_communities_ask_for_a_choice(
        self, town: LiveHub, names: Iterator[str], slug: str, tmp_path: Path
    ) -> None:
        other = next(names)
        party = town.party(next(names), communities={slug: "rw", other: "r"})
        terminal = Terminal(tmp_path / "home")
        words = (*login_words(town, party), "--key", write_key(party, terminal.home))
        assert slug in terminal.error(*words, code=2)["next"]
        assert other in terminal.error(*words, "--community", "unheard-of", code=2)["next"]
        assert not (terminal.home / "config.json").exists()
        assert terminal.row(*words, "--community", other)["community"] == other

    def test_no_community_yet(self, town: LiveHub, names: Iterator[str], tmp_path: Path) -> None:
        party = town.party(next(names), communities={})
        terminal = Terminal(tmp_path / "home")
        words = (*login_words(town, party), "--key", write_key(party, terminal.home))
        assert "no community" in terminal.error(*words, code=2)["what"]

    def test_a_key_that_the_hub_does_not_know(self, town: LiveHub, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path / "home")
        terminal.run("keys", "new")
        error = terminal.error("login", "--hub", town.issuer, *STRANGER, code=3)
        assert error["error"] == "key-unknown"

    def test_another_members_client(
        self, town: LiveHub, names: Iterator[str], slug: str, tmp_path: Path
    ) -> None:
        party = town.party(next(names), communities={slug: "rw"})
        terminal = Terminal(tmp_path / "home")
        words = (
            "login",
            "--hub",
            town.issuer,
            "--key",
            write_key(party, terminal.home),
            "--client-id",
            party.client_id,
        )
        assert "another member" in terminal.error(*words, "--issuer", "https://other.example", code=2)["what"]

    def test_a_hub_that_is_not_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        terminal = Terminal(tmp_path / "home")
        terminal.run("keys", "new")
        monkeypatch.setattr("tocsin_client.http._LONGEST_PAUSE", 0.01)
        monkeypatch.setattr("tocsin_client.http._FIRST_PAUSE", 0.01)
        assert (
            terminal.error("login", "--hub", "http://127.0.0.1:9", *STRANGER, code=3)["error"]
            == "hub-unreachable"
        )

    def test_a_hub_address_that_is_none(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path / "home")
        terminal.run("keys", "new")
        error = terminal.error("login", "--hub", SECRET, *STRANGER, code=1)
        assert SECRET not in str(error)

    @pytest.mark.parametrize(
        "words",
        [
            ("follow",),
            ("status",),
            ("verify",),
            ("match", "--hash", "md5:" + "0" * 32),
            ("retract", "0" * 64),
        ],
    )
    def test_before_login_every_command_says_so(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        assert "tocsin login" in Terminal(tmp_path / "home").error(*words, code=2)["next"]


class TestHash:
    def test_pictures_and_other_files(self, tmp_path: Path, picture: Path) -> None:
        other = tmp_path / "notes.bin"
        other.write_bytes(b"hello")
        terminal = Terminal(tmp_path / "home")
        first, second = terminal.rows("hash", picture, other)
        assert [name.partition(":")[0] for name in first["indicators"]] == ["pdq", "md5", "sha1", "sha256"]
        assert (first["file"], first["pdq_quality"]) == (str(picture), 100)
        assert second == {
            "file": str(other),
            "indicators": [
                "md5:5d41402abc4b2a76b9719d911017c592",
                "sha1:aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
                "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            ],
        }
        text = terminal.run("hash", picture).stdout
        assert "quality 100" in text
        assert first["indicators"][0] in text

    def test_what_cannot_be_read_costs_only_itself(self, tmp_path: Path, picture: Path) -> None:
        terminal = Terminal(tmp_path / "home")
        rows = terminal.rows("hash", tmp_path / "missing", picture, code=1)
        assert (rows[0], "indicators" in rows[1]) == (
            {"file": str(tmp_path / "missing"), "note": "file-unreadable"},
            True,
        )
        assert "cannot be read" in terminal.run("hash", tmp_path / "missing", code=1).stdout

    def test_csv_is_a_report_file(self, tmp_path: Path, picture: Path) -> None:
        terminal = Terminal(tmp_path / "home")
        made = terminal.run("hash", "--csv", picture, tmp_path / "missing", code=1)
        header, line = made.stdout.splitlines()
        assert header == "indicators,pdq_quality,file,note"
        assert line.endswith(f",100,{picture},")
        assert "missing" in made.stderr


class TestReport:
    def test_files(self, terminal: Any, picture: Path, tmp_path: Path) -> None:
        here = terminal()
        plain = save(flat(), tmp_path / "flat.png")
        found = here.rows("report", picture, plain, tmp_path / "missing", *REPORT, code=1)
        by_file = {row["file"]: row for row in found}
        assert by_file[str(picture)]["status"] == "candidate"
        assert by_file[str(plain)]["status"] == "candidate", "without its PDQ, which says nothing"
        assert by_file[str(tmp_path / "missing")]["refused"]["code"] == "request-invalid"
        here.run("follow")
        assert here.row("status")["records"]["indicator:pdq"] == 1

    def test_one_thing_by_its_hashes(self, terminal: Any) -> None:
        here = terminal()
        hashes = ("--indicator", "md5:" + "1" * 32, "--indicator", "sha1:" + "2" * 40)
        rehearsed = here.row("report", *hashes, *REPORT, "--dry-run")
        assert (rehearsed["would"], rehearsed["dry_run"]) == ("record", True)
        assert "would record" in here.run("report", *hashes, *REPORT, "--dry-run").stdout
        receipt = here.row("report", *hashes, *REPORT)
        again = here.row("report", *hashes, *REPORT, code=1)
        assert again["refused"]["code"] == "renewal-without-evidence"
        assert again["refused"]["next"] == REGISTRY["renewal-without-evidence"].help
        here.run("retract", receipt["statement"])
        assert here.error("retract", receipt["statement"], code=1)["error"] == "statement-unknown"

    def test_a_model_file(self, terminal: Any, tmp_path: Path) -> None:
        here = terminal()
        path = tmp_path / "tuned.safetensors"
        path.write_bytes(os.urandom(5000))
        words = (
            "--artefact-kind",
            "lora",
            "--label",
            "artefact@1:safety_removed",
            "--basis",
            "human_reviewed",
        )
        assert here.row("report", path, *words)["status"] == "candidate"
        here.run("follow")
        assert here.row("match", path)["hits"][0]["indicator"].startswith("file-sha256:")

    def test_an_account(self, terminal: Any) -> None:
        here = terminal()
        words = (
            "--label",
            "behaviour@1:ban_evasion",
            "--basis",
            "human_reviewed",
            "--conduct",
            "ban_evasion",
        )
        more = (
            "--relevance",
            "child_safety",
            "--action",
            "terminated",
            "--reviewers",
            "2",
            "--minor-suspected",
        )
        token = "email:v1.3." + "a" * 52
        # What concerns a minor is kept and shown to nobody (trust.md §4); the author is told.
        assert here.row("report", "--indicator", token, *words, *more)["status"] == "quarantined"

    def test_what_does_not_fit_is_refused_for_each_file(self, terminal: Any, picture: Path) -> None:
        here = terminal()
        row = here.row("report", picture, "--label", "test@1:benign_a", "--basis", "human_confirmed", code=1)
        assert row["refused"]["field"] == "detection_context"
        assert (
            "refused: detection_context: required"
            in here.run(
                "report", picture, "--label", "test@1:benign_a", "--basis", "human_confirmed", code=1
            ).stdout
        )

    def test_a_value_in_the_wrong_place_is_not_repeated(self, terminal: Any) -> None:
        here = terminal()
        here.run("follow")
        for words in (
            ("report", "--indicator", SECRET, *REPORT),
            ("report", "--indicator", "md5:" + SECRET, *REPORT),
            ("report", "--indicator", "md5:" + "1" * 32, *REPORT, "--label", SECRET),
            ("report", "--indicator", "md5:" + "1" * 32, *REPORT, "--observed-at", SECRET),
            ("dispute", SECRET, "--reason", "outdated", "--basis", "classifier"),
            ("retract", SECRET),
            ("match", "--hash", SECRET),
            ("status", SECRET),
        ):
            result = here.run(*words, code=1)
            assert SECRET not in result.output
            assert "next:" in result.stderr

    @pytest.mark.parametrize("words", [(), ("x.jpg", "--indicator", "md5:" + "1" * 32)])
    def test_files_or_hashes(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        assert Terminal(tmp_path).error("report", *words, code=2)["error"] == "usage"


class TestSpeaking:
    def test_sighting_dispute_and_outcome(self, terminal: Any) -> None:
        pixel, forum = terminal(), terminal()
        hashed = "md5:" + "3" * 32
        pixel.run("report", "--indicator", hashed, *REPORT)
        forum.run("sighting", hashed, "--detection-context", "hosting", "--count", "2-4")
        forum.run("dispute", hashed, "--reason", "false_positive", "--basis", "human_reviewed")
        receipt = forum.row("outcome", hashed, "--result", "no_violation", "--decision-mode", "human")
        assert receipt["status"] == "candidate"
        forum.run("follow")
        status = forum.row("status", hashed)
        assert [item["kind"] for item in status["statements"]] == ["report", "sighting", "dispute", "outcome"]
        assert status["disputes"] == 1
        text = forum.run("status", hashed).stdout
        assert text.startswith("candidate (reported/v1)")
        assert status["statements"][0]["statement"] in text

    def test_the_hubs_refusal_has_a_request_to_ask_about(self, terminal: Any) -> None:
        here = terminal()
        result = here.run("sighting", "md5:" + "4" * 32, "--detection-context", "upload", code=1)
        assert re.search(
            r"error: the hub says indicator-unknown: .*\(request [\w-]+\)\nnext: ", result.stderr
        )


class TestSubmit:
    def test_a_csv_file_with_bad_lines(self, terminal: Any, tmp_path: Path) -> None:
        here = terminal()
        path = tmp_path / "reports.csv"
        good = "test@1:benign_a,human_confirmed,upload"
        path.write_text(
            "indicators,labels,basis,detection_context\n"
            f"md5:{'5' * 32},{good}\n"
            f"{SECRET},{good}\n"
            f"md5:{'6' * 32} sha1:{'6' * 40},{good}\n"
            f"md5:{'5' * 32},{good}\n"
        )
        rehearsed = here.run("submit", path, "--dry-run", code=1)
        assert "2 would be recorded, 2 refused" in rehearsed.stderr
        assert SECRET not in rehearsed.output
        rows = {row["line"]: row for row in here.rows("submit", path, code=1)}
        assert [rows[line]["status"] for line in (2, 4)] == ["candidate", "candidate"]
        assert rows[3]["refused"]["field"] == "indicators"
        assert rows[5]["refused"]["code"] == "renewal-without-evidence"

    def test_hash_pipes_into_submit(self, terminal: Any, picture: Path, tmp_path: Path) -> None:
        here = terminal()
        other = save(landscape(9), tmp_path / "other.png")
        hashed = here.run("hash", "--json", picture, other).stdout
        rows = here.rows("submit", "-", "--format", "ndjson", *REPORT, given=hashed)
        assert [row["line"] for row in rows] == [1, 2]
        table = here.run("hash", "--csv", picture).stdout
        assert here.rows("submit", "-", "--format", "csv", *REPORT, given=table, code=1)[0]["line"] == 2

    def test_lines_can_be_skipped(self, terminal: Any, tmp_path: Path) -> None:
        here = terminal()
        path = tmp_path / "reports.ndjson"
        path.write_text("".join(f'{{"indicators":"md5:{n:032x}"}}\n' for n in range(1, 6)) + "{\n")
        rows = here.rows("submit", path, *REPORT, "--skip", 3, code=1)
        assert [(row["line"], "refused" in row) for row in rows] == [(6, True), (4, False), (5, False)]

    def test_past_the_cap_it_says_where_to_go_on(self, terminal: Any, tmp_path: Path) -> None:
        here = terminal(signals_per_hour=2)
        path = tmp_path / "reports.ndjson"
        path.write_text("".join(f'{{"indicators":"md5:{n:032x}"}}\n' for n in range(1, 6)))
        result = here.run("submit", path, *REPORT, code=3)
        assert "Go on with --skip 0" in result.stderr
        assert re.search(r"next: +Wait \d+ s\.", result.stderr)

    def test_the_format_must_be_known(self, terminal: Any, tmp_path: Path) -> None:
        path = tmp_path / "reports.txt"
        path.touch()
        assert terminal().error("submit", path, code=2)["error"] == "usage"

    def test_a_file_that_is_not_there(self, terminal: Any, tmp_path: Path) -> None:
        assert terminal().error("submit", tmp_path / "none.csv", code=2)["error"] == "file"

    def test_a_header_that_is_none(self, terminal: Any, tmp_path: Path) -> None:
        path = tmp_path / "reports.csv"
        path.write_text(f"{SECRET}\n")
        error = terminal().error("submit", path, code=1)
        assert "column 1" in error["what"]
        assert SECRET not in str(error)


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

        def page_while_another_follows(community: str, after: int | None, limit: int) -> list[bytes]:
            simulator.page = ask  # type: ignore[method-assign]  # once
            lines = ask(community, after, limit)
            here.run("follow")
            return lines

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


class TestCommand:
    def test_every_command_has_help_with_json_and_home(self) -> None:
        def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
            if isinstance(command, click.Group):
                for name, inner in command.commands.items():
                    yield from walk(inner, (*path, name))
            else:
                yield path

        paths = list(walk(cli, ()))
        assert len(paths) == 15
        for path in paths:
            text = CliRunner().invoke(cli, [*path, "--help"]).output
            assert "Usage:" in text
            if path != ("completion",):
                assert "--json" in text, path
                assert "--home" in text, path

    def test_every_column_of_a_report_file_has_an_option(self) -> None:
        made = report_options(lambda: None)
        names = {param.name for param in made.__click_params__}  # type: ignore[attr-defined]  # click keeps them there
        assert names == COLUMNS.keys() - PRIVATE - {"indicators"}

    @pytest.mark.parametrize(
        "words",
        [
            (SECRET,),
            ("report", f"--{SECRET}"),
            ("keys", "show", "a", SECRET),
            ("keys", "new", "--alg", SECRET),
            ("match", "--distance", SECRET),
            ("follow", "--watch", SECRET),
        ],
    )
    def test_a_mistyped_command_line_is_not_repeated(self, tmp_path: Path, words: tuple[str, ...]) -> None:
        result = Terminal(tmp_path).run(*words, code=2)
        assert SECRET not in result.output
        assert result.stderr.startswith("error: ")
        assert "--help" in result.stderr

    def test_what_could_have_been_meant_is_named(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path)
        assert "perhaps --label" in terminal.run("report", "--labl", "x", code=2).stderr
        assert "Ed25519, ES256" in terminal.run("keys", "new", "--alg", "RSA", code=2).stderr
        assert "--hub" in terminal.run("login", code=2).stderr

    def test_without_a_command_there_is_help(self, tmp_path: Path) -> None:
        assert "First steps" in Terminal(tmp_path).run(code=2).output

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_completion(self, tmp_path: Path, shell: str) -> None:
        assert "_TOCSIN_COMPLETE" in Terminal(tmp_path).run("completion", shell).stdout

    def test_completion_really_completes(self) -> None:
        env = {
            **os.environ,
            "_TOCSIN_COMPLETE": "bash_complete",
            "COMP_WORDS": "tocsin ver",
            "COMP_CWORD": "1",
        }
        found = subprocess.run(
            [Path(sys.executable).with_name("tocsin")], env=env, capture_output=True, text=True, check=False
        )
        assert found.stdout.strip() == "plain,verify"

    def test_the_version(self, tmp_path: Path) -> None:
        assert Terminal(tmp_path).run("--version").stdout.startswith("tocsin, version ")

    def test_a_real_process(self, tmp_path: Path) -> None:
        path = tmp_path / "file"
        path.write_bytes(b"hello")
        done = subprocess.run(
            [Path(sys.executable).with_name("tocsin"), "hash", "--json", path, tmp_path / "none"],
            env={**os.environ, "TOCSIN_HOME": str(tmp_path / "home")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1
        assert [json.loads(line)["file"] for line in done.stdout.splitlines()] == [
            str(path),
            str(tmp_path / "none"),
        ]

    def test_progress_is_shown_on_a_terminal_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Path
    ) -> None:
        from tocsin_client.cli.console import Console
        from tocsin_client.config import Home

        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda: True)
        monkeypatch.setattr(sys, "stderr", screen)
        with Console(False, Home.locate(tmp_path)).progress("hashing", 4) as advance:
            advance(4)
        assert "hashing" in screen.getvalue()
        assert "100%" in screen.getvalue()

    def test_a_file_that_cannot_be_written(self, tmp_path: Path) -> None:
        blocked = tmp_path / "blocked"
        blocked.touch()
        error = Terminal(blocked).error("keys", "new", code=2)
        assert error["error"] == "file"

    def test_stopping_it_is_no_failure_of_the_mirror(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("tocsin_client.cli.identity.new_key", interrupt)
        assert Terminal(tmp_path).error("keys", "new", code=2)["error"] == "stopped"
