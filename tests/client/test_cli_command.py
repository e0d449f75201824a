"""What holds for every command: help, errors, completion, progress."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tests.client.terminal import SECRET, Terminal
from tocsin_client.cli import cli
from tocsin_client.cli.options import report_options
from tocsin_client.rows import COLUMNS, PRIVATE


class TestCommand:
    def test_every_command_has_help_with_json_and_home(self) -> None:
        def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
            if isinstance(command, click.Group):
                for name, inner in command.commands.items():
                    yield from walk(inner, (*path, name))
            else:
                yield path

        paths = list(walk(cli, ()))
        assert len(paths) == 62
        for path in paths:
            text = CliRunner().invoke(cli, [*path, "--help"]).output
            assert "Usage:" in text
            assert "\\b" not in text, path
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
