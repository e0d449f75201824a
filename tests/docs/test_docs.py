"""The documentation is true: its code runs, its commands, links, settings and problems exist."""

import re

import pytest

from tests.docs.pages import LINK, PAGES, ROOT, Fence, commands, fences, wrong_in_command
from tests.support.problem_pages import pages as problem_pages
from tests.support.problem_pages import table as problem_table
from tocsin.cli import main as hub
from tocsin.config import Settings
from tocsin_client.cli import cli as client
from tocsin_schemas.problems import REGISTRY

pytestmark = pytest.mark.check

PYTHON = {page: fences(page, "python") for page in PAGES}
LINES = [(page.relative_to(ROOT), line) for page in PAGES for line in commands(page)]


@pytest.mark.parametrize(
    "blocks", [found for found in PYTHON.values() if found], ids=lambda found: str(found[0])
)
def test_python_on_a_page_runs_from_top_to_bottom(blocks: list[Fence]) -> None:
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block.code, str(block), "exec"), scope)


@pytest.mark.parametrize("program", ["tocsin", "tocsin-hub"])
def test_every_command_shown_exists_with_its_options(program: str) -> None:
    root = {"tocsin": client, "tocsin-hub": hub}[program]
    shown = [(page, line) for page, line in LINES if line.split()[0] == program]
    assert shown
    wrong = [(str(page), line, wrong_in_command(root, line)) for page, line in shown]
    assert [found for found in wrong if found[2]] == []


def test_every_make_target_shown_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    shown = {
        word for _, line in LINES if line.startswith("make ") for word in line.split()[1:] if word.islower()
    }
    assert shown - targets == set()


def test_every_relative_link_outside_the_site_leads_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in (found["target"].partition("#")[0] for found in LINK.finditer(page.read_text()))
        if target and not re.match(r"[a-z]+:", target)
        if not (page.parent / target).exists()
        if page.parent.name != "problems"  # one page a problem, made when the site is built
    ]
    assert broken == []


def test_every_setting_is_in_the_operator_guide() -> None:
    guide = (ROOT / "docs" / "operator-guide.md").read_text()
    documented = set(re.findall(r"^\| `TOCSIN_([A-Z0-9_]+)` \|", guide, flags=re.MULTILINE))
    assert {name.upper() for name in Settings.model_fields} == documented


def test_every_problem_has_a_page_that_helps() -> None:
    made = dict(problem_pages())
    assert set(made) == {f"problems/{code}.md" for code in REGISTRY}
    for code, problem in REGISTRY.items():
        page = made[f"problems/{code}.md"]
        assert problem.title in page
        assert problem.help in page
        assert f"({code}.md)" in problem_table()


def test_the_index_of_decisions_lists_every_record() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text()
    records = {path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md")}
    assert set(re.findall(r"\((\d{4}-[a-z0-9-]+\.md)\)", index)) == records


def test_every_code_fence_names_no_problem_that_does_not_exist() -> None:
    named = {
        (page.name, code)
        for page in PAGES
        for code in re.findall(r'"code": ?"([a-z0-9-]+)"', page.read_text())
    }
    assert {(page, code) for page, code in named if code not in REGISTRY} == set()
