"""`tocsin report`, `submit` and what else a member says, against a real hub in a process of its own."""

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.client.pictures import flat, landscape, save
from tests.client.terminal import REPORT, SECRET, Terminal
from tocsin_schemas.problems import REGISTRY


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
