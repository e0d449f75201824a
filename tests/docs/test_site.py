"""The site builds without a warning, and its pages load nothing from anybody else's host."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOADS = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']?((?:https?:)?//[^"'\s>]+)""")

pytestmark = pytest.mark.check


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return folder


def test_no_page_loads_from_another_host(site: Path) -> None:
    loads = {
        f"{page.relative_to(site)}: {found}"
        for page in site.rglob("*.html")
        for found in LOADS.findall(page.read_text())
    }
    assert loads == set()


def test_no_style_sheet_loads_from_another_host(site: Path) -> None:
    loads = {
        f"{sheet.name}: {found}"
        for sheet in site.rglob("*.css")
        for found in re.findall(r"(?:url\(|@import )[\"']?((?:https?:)?//[^\"')]+)", sheet.read_text())
    }
    assert loads == set()


def test_every_problem_has_its_page(site: Path) -> None:
    from tocsin_schemas.problems import REGISTRY

    missing = [code for code in REGISTRY if not (site / "problems" / code / "index.html").exists()]
    assert missing == []
