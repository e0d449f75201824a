"""`tocsin keys`, `login` and `hash`."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.terminal import SECRET, STRANGER, Terminal, log_in, login_words, write_key
from tests.support.hub import LiveHub


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
