"""The demonstration tells the truth: it runs whole and ends well, and an expectation that is not met ends it badly."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.hub import command
from tocsin.demo.story import Story


@pytest.mark.slow
def test_the_demo_meets_every_expectation(tmp_path: Path) -> None:
    done = subprocess.run(
        [command(), "demo"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "43 of 43 expectations met" in done.stdout
    assert not list(tmp_path.iterdir()), "it leaves nothing behind"


def test_an_expectation_that_is_not_met_is_counted_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    story = Story()
    story.expect("two and two", 5, 4)
    story.expect("one and one", 2, 2)
    assert story.failures == ["two and two"]
    assert story.checks == 2
    assert "FAIL" in capsys.readouterr().out


def test_the_demo_says_why_a_hub_does_not_start(tmp_path: Path) -> None:
    """With a data directory that cannot be made, the log's place is named."""
    (tmp_path / "hub").write_text("in the way")
    code = (
        "from pathlib import Path; from tocsin.demo.stage import Stage; import sys\n"
        "with Stage(Path(sys.argv[1])).running(): pass"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 1
    assert "the hub did not start; its log is" in done.stderr
