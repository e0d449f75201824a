"""`tocsin snapshot` and `tocsin match --snapshot`, against a real hub."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.client.pictures import landscape, save
from tests.client.terminal import REPORT, Terminal
from tests.support.forks import run
from tests.support.hub import LiveHub


@pytest.fixture
def make(town: LiveHub):
    """Make snapshots of what has changed; the hub does so by itself once a minute."""

    def make_them() -> None:
        env = {**town.env, "TOCSIN_ISSUER": town.issuer}
        run("tocsin-hub", ["run-job", "feed.snapshot"], env).check_returncode()

    return make_them


def report(here: Terminal, picture: Path) -> None:
    here.run("report", picture, *REPORT)


def test_get_verify_diff_match(terminal: Any, make: Any, picture: Path, tmp_path: Path) -> None:
    pixel, model = terminal(), terminal()
    report(pixel, picture)
    make()
    md5, pdq = model.rows("snapshot", "get", "md5", "pdq")
    assert (md5["type"], md5["version"], md5["count"], md5["way"]) == ("md5", 1, 1, "whole")
    assert "nothing new, 0 bytes fetched" in model.run("snapshot", "get", "pdq").stdout
    assert [row["type"] for row in model.rows("snapshot", "verify")] == ["md5", "pdq"]
    assert "signed, logged and whole" in model.run("snapshot", "verify", "md5").stdout
    assert Path(pdq["folder"]).is_dir()

    copy = save(landscape(1).resize((256, 192)), tmp_path / "copy.jpg", quality=70)
    other = save(landscape(2), tmp_path / "other.png")
    one, two = model.rows("match", "--snapshot", copy, other)
    ((hit,), nothing) = one["hits"], two["hits"]
    assert (hit["indicator"].partition(":")[0], hit["version"], nothing) == ("pdq", 1, [])
    assert "in version 1 of the snapshot" in model.run("match", "--snapshot", picture).stdout

    assert model.row("snapshot", "diff", "md5")["added"] == 0
    report(pixel, other)
    make()
    head, change = model.rows("snapshot", "diff", "md5", "--list")
    assert (head["since"], head["version"], head["removed"], head["added"]) == (1, 2, 0, 1)
    assert change["change"] == "+"
    assert "0 go, 1 come" in model.run("snapshot", "diff", "md5").stdout
    model.run("snapshot", "get", "md5", "pdq")
    assert len(model.row("match", "--snapshot", other)["hits"]) == 2
    # With a mirror, verifying asks nobody.
    model.run("follow")
    assert model.rows("snapshot", "verify")[0]["version"] == 2


def test_what_is_damaged_is_named(terminal: Any, make: Any, picture: Path) -> None:
    here = terminal()
    report(here, picture)
    make()
    folder = Path(here.row("snapshot", "get", "md5")["folder"])
    (shard,) = (path for path in folder.iterdir() if len(path.name) == 64)
    shard.write_bytes(shard.read_bytes()[:-1] + b"?")
    error = here.error("snapshot", "verify", code=3)
    assert (error["error"], "shard 0" in error["what"]) == ("snapshot-mismatch", True)
    assert "tocsin snapshot get" in error["next"]
    here.run("snapshot", "get", "md5")
    here.run("snapshot", "verify")


def test_there_must_be_a_snapshot(terminal: Any, make: Any) -> None:
    here = terminal()
    assert "snapshot get" in here.error("snapshot", "verify", code=2)["next"]
    assert "snapshot get" in here.error("snapshot", "diff", "md5", code=2)["next"]
    assert "snapshot get" in here.error("match", "--snapshot", "--hash", "md5:" + "0" * 32, code=2)["next"]
    assert here.error("snapshot", "get", "md5", code=3)["error"] == "not-found"
    assert here.error("snapshot", "get", "md6", code=2)["error"] == "usage"


def test_a_snapshot_knows_no_disputed(terminal: Any, make: Any) -> None:
    words = ("match", "--snapshot", "--include-disputed", "--hash", "md5:" + "0" * 32)
    assert terminal().error(*words, code=2)["error"] == "usage"


def test_an_old_snapshot_says_so(terminal: Any, make: Any, picture: Path) -> None:
    here = terminal()
    report(here, picture)
    make()
    newest = Path(here.row("snapshot", "get", "md5")["folder"]) / "newest.json"
    kept = json.loads(newest.read_text())
    kept["view"]["manifest"]["at"] = "2020-01-01T00:00:00Z"
    newest.write_text(json.dumps(kept))
    assert "tocsin snapshot get md5" in here.run("match", "--snapshot", picture).stderr


WITHOUT = "import sys; sys.modules['numpy'] = None; from tocsin_client.cli import main; main()"


@pytest.mark.parametrize(
    "words",
    [
        ("snapshot", "get", "md5"),
        ("snapshot", "verify"),
        ("match", "--snapshot", "--hash", "md5:" + "0" * 32),
    ],
)
def test_without_the_extra_it_names_the_extra(terminal: Any, words: tuple[str, ...]) -> None:
    """A plain `pip install tocsin` has the command and not NumPy."""
    env = {**os.environ, "TOCSIN_HOME": str(terminal().home)}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "tocsin[hash]" in done.stderr
