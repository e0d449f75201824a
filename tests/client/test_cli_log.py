"""`tocsin log`: against a real hub, and against hubs that lie in every way that there is."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.client.frontage import over_http
from tests.client.simulated_log import built
from tests.client.simulator import Simulator
from tests.client.terminal import REPORT, Terminal
from tests.client.webserver import Answer, serving
from tests.support.clock import MovableClock
from tests.support.hub import LiveHub
from tocsin_client.clock import system_clock
from tocsin_schemas import ledger
from tocsin_schemas.checkpoint import log_origin
from tocsin_schemas.ledger import Entry


class TestHonestHub:
    @pytest.fixture
    def here(self, terminal: Any) -> Terminal:
        made: Terminal = terminal()
        made.run("report", "--indicator", "md5:" + "a" * 32, *REPORT)
        made.run("report", "--indicator", "md5:" + "b" * 32, *REPORT)
        made.run("follow")
        return made

    def test_verify(self, here: Terminal, slug: str) -> None:
        row = here.row("log", "verify")
        mirror = row["mirror"]
        assert (mirror["community"], mirror["held"], mirror["ours"]) == (slug, 2, 2)
        assert (mirror["absent"], mirror["refused"], mirror["failures"]) == (0, 0, [])
        assert row["entries"] == row["size"] >= 2
        text = here.run("log", "verify").stdout
        assert "2 entries, of which you hold 2" in text
        assert "0 do not fit" in text

    def test_a_stranger_verifies_the_log_alone(self, town: LiveHub, here: Terminal, tmp_path: Path) -> None:
        stranger = Terminal(tmp_path / "stranger")
        assert stranger.row("log", "verify", "--hub", town.issuer)["entries"] >= 2
        assert "no mirror" in stranger.run("log", "verify", "--hub", town.issuer).stdout
        assert stranger.row("log", "monitor", "--once", "--hub", town.issuer)["others"] == []

    def test_prove_and_check(self, here: Terminal, tmp_path: Path, slug: str) -> None:
        seq = here.row("follow")["cursor"]
        file = tmp_path / "one.tlog-proof"
        assert here.row("log", "prove", seq, "-o", file)["file"] == str(file)
        told = here.row("log", "check", file)
        assert (told["seq"], told["community"], told["kind"]) == (seq, slug, "report")
        assert f"a report in {slug}" in here.run("log", "check", file).stdout
        assert here.run("log", "prove", seq).stdout.encode() == file.read_bytes()
        policy = tmp_path / "policy"
        policy.write_text(here.row("log", "trust")["policy"])
        stranger = Terminal(tmp_path / "stranger")
        assert stranger.row("log", "check", file, "--policy", policy)["seq"] == seq
        assert (
            "--policy" in stranger.error("log", "check", file, "--hub", "https://x.example", code=2)["next"]
        )

    def test_a_proof_opens_for_who_has_the_signal(self, here: Terminal, tmp_path: Path) -> None:
        import sqlite3

        with sqlite3.connect(next((here.home / "mirrors").glob("*.sqlite3"))) as conn:
            found = dict(conn.execute("SELECT seq, jws FROM statement").fetchall())
        conn.close()
        seq, other = sorted(found)
        file, plain, signal = tmp_path / "open", tmp_path / "plain", tmp_path / "signal.jws"
        here.run("log", "prove", seq, "--open", "-o", file)
        here.run("log", "prove", seq, "-o", plain)
        signal.write_bytes(found[seq] + b"\n")
        assert here.row("log", "check", file, "--signal", signal)["signal"] == "recorded"
        assert "It is the record of that signal" in here.run("log", "check", file, "--signal", signal).stdout
        assert here.error("log", "check", plain, "--signal", signal, code=3)["error"] == "proof-malformed"
        signal.write_bytes(found[other])
        assert here.error("log", "check", file, "--signal", signal, code=3)["error"] == "commitment-mismatch"
        assert here.error("log", "prove", 0 if seq else 99, "--open", code=2)["error"] == "not-ready"

    def test_nothing_beyond_the_log_can_be_proved(self, here: Terminal) -> None:
        assert here.error("log", "prove", 10**9, code=1)["error"] == "not-found"

    def test_monitor_with_another_follower(self, here: Terminal, terminal: Any, town: LiveHub) -> None:
        other: Terminal = terminal()
        other.run("follow")
        (peer,) = (other.home / "logs").iterdir()
        row = here.row("log", "monitor", "--once", "--peer", peer, "--peer", f"{town.issuer}/log")
        assert [sight["state"] for sight in row["others"]] == ["agrees", "agrees"]
        assert "agrees, at" in here.run("log", "monitor", "--once", "--peer", peer).stdout

    def test_trust_shows_what_was_pinned(self, here: Terminal, town: LiveHub) -> None:
        row = here.row("log", "trust")
        assert row["policy"].startswith(f"log {log_origin(town.issuer, sandbox=True)}+")
        assert (row["served_is_the_same"], row["evidence"]) == (True, [])
        assert "quorum none" in here.run("log", "trust").stdout
        assert here.row("log", "trust", "--served")["served_is_the_same"] is None
        assert here.error("log", "trust", "--served", "--policy", __file__, code=2)["error"] == "usage"

    def test_login_shows_the_logs_key(self, here: Terminal, town: LiveHub) -> None:
        profile = json.loads((here.home / "config.json").read_text())
        words = (
            "login",
            "--hub",
            town.issuer,
            "--issuer",
            profile["issuer"],
            "--client-id",
            profile["client_id"],
        )
        assert here.row(*words, "--key", profile["key"])["log"][0].startswith(
            log_origin(town.issuer, sandbox=True) + "+"
        )

    def test_help_teaches(self, here: Terminal) -> None:
        assert "signed promise" in here.run("log", "--help").stdout
        for words in (("verify",), ("prove",), ("check",), ("monitor",), ("trust",)):
            assert "Example" in here.run("log", *words, "--help").stdout


class TestLyingHub:
    @pytest.fixture
    def simulator(self, clock: MovableClock) -> Iterator[Simulator]:
        clock.now = system_clock()
        with over_http(Simulator(clock)) as simulated:
            yield simulated

    @pytest.fixture
    def here(self, simulator: Simulator, tmp_path: Path) -> Terminal:
        """A member that holds 300 reports."""
        for number in range(300):
            simulator.report("pixel", str(number))
        terminal = self.member(simulator, tmp_path / "home")
        terminal.run("follow")
        assert terminal.row("log", "verify")["mirror"]["held"] == 300
        return terminal

    def member(self, simulator: Simulator, home: Path) -> Terminal:
        terminal = Terminal(home)
        terminal.run("keys", "new")
        words = ("--hub", simulator.hub, "--issuer", "https://pixel.example", "--client-id", "cl_1")
        terminal.run("login", *words)
        return terminal

    def accused(self, terminal: Terminal, *words: object) -> dict[str, str]:
        """The error of `log verify` or so, which `log monitor` must give as well."""
        error = terminal.error("log", *(words or ("verify",)), code=3)
        if not words:
            assert terminal.error("log", "monitor", "--once", code=3)["error"] == error["error"]
        return error

    def test_an_edited_entry(self, here: Terminal, simulator: Simulator) -> None:
        bundle = simulator.log.leaves[:256]
        bundle[17] = Entry.decode(bundle[17])._replace(kind="dispute").encode()
        simulator.log.forged["tile/entries/000"] = ledger.encode_bundle(bundle)
        error = self.accused(here)
        assert (error["error"], "entry 17 " in error["what"]) == ("log-entry-mismatch", True)

    def test_an_edited_entry_in_a_tree_of_its_own(self, here: Terminal, simulator: Simulator) -> None:
        simulator.relog(17, kind="dispute")
        error = self.accused(here)
        assert (error["error"], "does not continue" in error["what"]) == ("log-forked", True)
        assert "evidence" in error["next"]

    def test_a_dropped_leaf(self, here: Terminal, simulator: Simulator) -> None:
        del simulator.log.leaves[40]
        simulator.log.leaves.append(simulator.log.leaves[0])
        error = self.accused(here)
        assert error["error"] == "log-forked"
        assert here.row("log", "check", self.evidence(here))["evidence"] == "log-forked"
        assert "different logs" in here.run("log", "check", self.evidence(here)).stdout

    def test_a_dropped_leaf_in_a_bundle(self, here: Terminal, simulator: Simulator) -> None:
        bundle = simulator.log.leaves[:256]
        del bundle[40]
        simulator.log.forged["tile/entries/000"] = ledger.encode_bundle(bundle)
        assert "entry 40 " in self.accused(here)["what"]

    def test_a_swapped_tile(self, here: Terminal, simulator: Simulator) -> None:
        simulator.log.forged["tile/0/000"] = bytes(8192)
        error = self.accused(here)
        assert (error["error"], "tile/0/000" in error["what"]) == ("log-tile-mismatch", True)

    def test_a_checkpoint_rolled_back(self, here: Terminal, simulator: Simulator) -> None:
        simulator.log.shown = 290
        error = self.accused(here)
        assert (error["error"], "290" in error["what"], "300" in error["what"]) == (
            "log-rolled-back",
            True,
            True,
        )
        assert "cannot be proved" in here.run("log", "check", self.evidence(here)).stdout
        assert here.row("log", "trust")["evidence"] == [str(self.evidence(here))]

    def test_two_followers_who_are_shown_different_logs(
        self, here: Terminal, simulator: Simulator, tmp_path: Path
    ) -> None:
        simulator.relog(17, kind="dispute")
        other = self.member(simulator, tmp_path / "other")
        other.run("log", "verify")
        (peer,) = (other.home / "logs").iterdir()
        simulator.log.leaves[17] = Entry.decode(simulator.log.leaves[17])._replace(kind="report").encode()
        here.run("log", "monitor", "--once")
        error = self.accused(here, "monitor", "--once", "--peer", peer)
        assert (error["error"], "the copy in" in error["what"]) == ("log-forked", True)
        assert here.row("log", "check", self.evidence(here))["evidence"] == "log-forked"
        stranger = Terminal(tmp_path / "stranger")
        policy = tmp_path / "policy"
        policy.write_bytes(simulator.log.policy().render())
        assert (
            stranger.row("log", "check", self.evidence(here), "--policy", policy)["evidence"] == "log-forked"
        )

    def test_a_record_withheld_from_one_follower(
        self, here: Terminal, simulator: Simulator, tmp_path: Path
    ) -> None:
        simulator.lines[25] = None
        other = self.member(simulator, tmp_path / "other")
        error = other.error("follow", code=3)
        assert (error["error"], "record 25" in error["what"]) == ("record-missing", True)
        other.run("follow", "--keep-going", code=1)
        assert other.row("log", "verify")["mirror"]["refused"] == 1
        here.run("log", "verify")

    def test_the_newest_record_withheld_from_one_follower(self, here: Terminal, simulator: Simulator) -> None:
        simulator.report("pixel", "newest")
        simulator.lines[300] = None
        assert here.error("follow", code=3)["error"] == "record-missing"
        assert here.row("log", "verify")["mirror"]["ahead"] == 1

    def test_a_record_that_a_follower_lost(self, here: Terminal) -> None:
        import sqlite3

        with sqlite3.connect(next((here.home / "mirrors").glob("*.sqlite3"))) as conn:
            conn.execute("DELETE FROM indicator WHERE seq = 7")
            conn.execute("DELETE FROM statement WHERE seq = 7")
            conn.execute("UPDATE statement SET commitment = zeroblob(32) WHERE seq = 9")
        conn.close()
        result = here.run("log", "verify", "--json", code=3)
        assert json.loads(result.stdout)["mirror"]["failures"] == [
            {"seq": 7, "code": "record-missing"},
            {"seq": 9, "code": "entry-mismatch"},
        ]
        assert "record 7" in result.stderr

    def test_following_stops_before_anything_of_a_forked_log(
        self, here: Terminal, simulator: Simulator
    ) -> None:
        before = here.row("status")
        simulator.relog(17, kind="dispute")
        simulator.report("pixel", "new")
        assert here.error("follow", code=3)["error"] == "log-forked"
        assert here.row("status") == before

    def test_a_copy_of_the_log(self, here: Terminal, simulator: Simulator, tmp_path: Path) -> None:
        copy = self.copy(simulator, tmp_path / "copy", 300)
        simulator.log.forged["checkpoint"] = None
        assert here.row("log", "verify", "--offline", copy)["mirror"]["held"] == 300
        assert here.row("log", "prove", 3, "--offline", copy)["size"] == 300
        (copy / "tile/0/000").write_bytes(bytes(8192))
        assert here.error("log", "verify", "--offline", copy, code=3)["error"] == "log-tile-mismatch"
        stranger = Terminal(tmp_path / "stranger")
        error = stranger.error("log", "verify", "--offline", copy, "--hub", simulator.hub, code=2)
        assert "tocsin log trust" in error["next"]

    def test_an_older_copy_of_the_log(self, here: Terminal, simulator: Simulator, tmp_path: Path) -> None:
        copy = self.copy(simulator, tmp_path / "copy", 290)
        (kept,) = here.home.glob("logs/*/checkpoint")
        before = kept.read_bytes()
        row = here.row("log", "verify", "--offline", copy)
        assert (row["size"], row["entries"], row["older"]) == (290, 290, {"than": 300, "prefix_shown": True})
        assert (row["mirror"]["held"], row["mirror"]["beyond"], row["mirror"]["failures"]) == (290, 10, [])
        text = here.run("log", "verify", "--offline", copy).stdout
        assert "10 entries shorter than the 300 that you saw before, and a prefix" in text
        assert "10 that your mirror accounts for are newer than the copy" in text
        result = here.run("log", "prove", 3, "--offline", copy, "-o", tmp_path / "p")
        assert "An older copy" in result.stderr
        assert here.row("log", "check", tmp_path / "p")["size"] == 290
        simulator.log.forged |= dict.fromkeys(built(tuple(simulator.log.leaves))[1])
        text = here.run("log", "verify", "--offline", copy).stdout
        assert "not shown to be a prefix" in text
        assert kept.read_bytes() == before
        assert here.row("log", "trust")["evidence"] == []

    def test_an_older_copy_that_is_no_prefix(
        self, here: Terminal, simulator: Simulator, tmp_path: Path
    ) -> None:
        honest = list(simulator.log.leaves)
        simulator.relog(17, kind="dispute")
        copy = self.copy(simulator, tmp_path / "copy", 290)
        simulator.log.leaves[:] = honest
        error = self.accused(here, "verify", "--offline", copy)
        assert (error["error"], "do not agree" in error["what"]) == ("log-forked", True)
        assert here.row("log", "check", self.evidence(here))["evidence"] == "log-forked"
        assert here.error("log", "monitor", "--once", "--peer", copy, code=3)["error"] == "log-forked"

    def test_monitor_with_an_older_copy(self, here: Terminal, simulator: Simulator, tmp_path: Path) -> None:
        copy = self.copy(simulator, tmp_path / "copy", 290)
        row = here.row("log", "monitor", "--once", "--peer", copy)
        assert (row["read"], row["new"], row["others"][0]["state"]) == (300, 0, "older, and a prefix")
        text = here.run("log", "monitor", "--once", "--peer", copy).stdout
        assert "300 entries read, 0 of them new." in text
        assert "older, and a prefix, at 290 entries" in text

    def copy(self, simulator: Simulator, folder: Path, size: int) -> Path:
        """The log's first entries, as somebody copied them then."""
        simulator.log.shown = size
        objects = {
            **built(tuple(simulator.log.leaves[:size]))[1],
            "checkpoint": simulator.log.checkpoint(),
        }
        simulator.log.shown = None
        for path, raw in objects.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(raw)
        return folder

    def test_a_witness_is_asked(self, here: Terminal, simulator: Simulator) -> None:
        seen: list[str] = []

        def witness(asked: Any) -> Answer:
            seen.append(asked.path)
            return Answer(200, simulator.log.checkpoint())

        with serving(witness) as web:
            row = here.row("log", "monitor", "--once", "--witness", web.url)
        assert [sight["state"] for sight in row["others"]] == ["agrees"]
        assert seen[0].endswith("/checkpoint")
        assert len(seen[0]) == 1 + 64 + len("/checkpoint")

    def test_a_policy_that_demands_a_witness(
        self, here: Terminal, simulator: Simulator, tmp_path: Path
    ) -> None:
        simulator.log.add_witness("witness.example")
        simulator.log.quorum = "w1"
        demanding = tmp_path / "demanding"
        demanding.write_bytes(simulator.log.policy().render())
        assert "--served" in here.run("log", "trust").stderr
        here.run("log", "trust", "--policy", demanding)
        assert here.row("log", "verify")["cosigned"][0]["name"] == "witness.example"
        assert "cosigned by witness.example" in here.run("log", "verify").stdout
        here.run("log", "prove", 0, "-o", tmp_path / "p")
        assert "cosigned by witness.example" in here.run("log", "check", tmp_path / "p").stdout
        simulator.log.cosigned_at = system_clock() - 7200
        error = here.error("follow", code=3)
        assert (error["error"], "minute" in error["next"]) == ("checkpoint-stale", True)

    def test_a_policy_that_is_none(self, here: Terminal, simulator: Simulator, tmp_path: Path) -> None:
        bad = tmp_path / "bad"
        bad.write_text("quorum nobody\n")
        assert here.error("log", "trust", "--policy", bad, code=1)["error"] == "policy-malformed"
        bad.write_text("quorum none\n")
        assert here.error("log", "trust", "--policy", bad, code=3)["error"] == "policy-malformed"
        simulator.log.forged["policy"] = None
        assert here.row("log", "trust")["served_is_the_same"] is False

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda text: b"nonsense",
            lambda text: text.replace(b"index 3", b"index 4"),
            lambda text: text.replace(b"extra ", b"extra e30"),
            lambda text: b"\n".join(line for line in text.split(b"\n") if not line.startswith(b"extra")),
            lambda text: text.replace(b"\n300\n", b"\n301\n"),
        ],
    )
    def test_a_proof_that_is_none(
        self, here: Terminal, tmp_path: Path, spoil: Callable[[bytes], bytes]
    ) -> None:
        file = tmp_path / "p"
        here.run("log", "prove", 3, "-o", file)
        file.write_bytes(spoil(file.read_bytes()))
        assert here.error("log", "check", file, code=3)["error"] in {
            "proof-malformed", "inclusion-invalid", "signature-invalid"
        }  # fmt: skip

    def test_a_folder_without_evidence(self, here: Terminal, tmp_path: Path) -> None:
        assert here.error("log", "check", tmp_path, code=2)["error"] == "not-ready"

    def evidence(self, terminal: Terminal) -> Path:
        (found,) = terminal.home.glob("logs/*/evidence/*")
        return found
