"""A documentation page for each registered problem, made when the site is built.

The registry is the only place that says what a problem means; the pages cannot drift from it.
"""

from collections.abc import Iterator

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from tocsin_schemas.problems import REGISTRY, Problem

LIST_MARK = "<!-- problems -->"
INDEX = "problems/index.md"


def pages() -> Iterator[tuple[str, str]]:
    """(path below docs/, markdown) of every problem's page."""
    for problem in REGISTRY.values():
        yield f"problems/{problem.code}.md", _page(problem)


def table() -> str:
    """Every problem as one line of a table, in the order of the registry."""
    rows = [f"| [`{p.code}`]({p.code}.md) | {p.status} | {p.title} |" for p in REGISTRY.values()]
    return "\n".join(["| code | status | what it says |", "|---|---|---|", *rows])


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages to the site."""
    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(markdown: str, page: object, **_: object) -> str:
    """Put the table into the index."""
    return markdown.replace(LIST_MARK, table()) if LIST_MARK in markdown else markdown


def _page(problem: Problem) -> str:
    return (
        f"# {problem.code}\n\n**{problem.title}.** {problem.help}\n\n"
        f"| | |\n|---|---|\n| `type` | `{problem.type}` |\n| HTTP status | {problem.status} |\n\n"
        "A problem document names the `field` it is about and a reason (`detail`) where there is one. "
        "It never repeats what was sent. [All problems](index.md)\n"
    )
