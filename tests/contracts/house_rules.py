"""The house rules as code: each looks at one module and says where it is broken.

A rule takes a `Module` and yields `line: what is wrong`. `test_house_rules.py` runs every rule over the packages, and
over a snippet that it must catch.
"""

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

MAX_LINES = 400
# Words that say a thing is not finished; put together so that this file passes its own rule.
UNFINISHED = re.compile(
    "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "NotImplemented" + "Error", "for " + "now"])
)
SUPPRESSION = re.compile(
    r"#\s*(type:\s*ignore|noqa)(?P<code>\[[\w, -]+\]|:\s*[A-Z0-9, ]+)?(?P<reason>\s+#?\s*\S.*)?$"
)
SECOND_DOORS = {"http.client", "smtplib", "ftplib", "telnetlib", "urllib.request", "xmlrpc.client"}


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, its path below the repository and its text."""

    name: str
    path: Path
    source: str

    @property
    def tree(self) -> ast.Module:
        return ast.parse(self.source)


Rule = Callable[[Module], Iterator[str]]


def _calls(module: Module) -> Iterator[tuple[ast.Call, str]]:
    """Every call with the dotted name of what it calls (`datetime.now`), as far as it is a plain name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield node, _dotted(node.func)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return ""


def no_naive_datetime(module: Module) -> Iterator[str]:
    """Instants are aware, in UTC; inside the code they are Unix seconds."""
    for call, name in _calls(module):
        method = name.rpartition(".")[2]
        if "datetime" not in name and "date." not in name:
            continue
        aware = len(call.args) + len(call.keywords)
        if method in {"utcnow", "utcfromtimestamp", "today"}:
            yield f"{call.lineno}: {method}() knows no time zone"
        elif (method == "now" and aware == 0) or (method == "fromtimestamp" and aware < 2):
            yield f"{call.lineno}: {method}() without a time zone"


def no_sleep(module: Module) -> Iterator[str]:
    """Nothing waits by the clock: jobs have a metronome, followers a long poll, retries a due time."""
    for call, name in _calls(module):
        if name in {"time.sleep", "sleep"}:
            yield f"{call.lineno}: sleeps"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (f"{node.lineno}: imports sleep" for alias in node.names if alias.name == "sleep")


def no_print(module: Module) -> Iterator[str]:
    """Commands speak through click; everything else logs, and one handler writes the log."""
    if module.name == "tocsin.telemetry":
        return
    for call, name in _calls(module):
        if name in {"print", "pprint", "pprint.pprint", "sys.stdout.write", "sys.stderr.write"}:
            yield f"{call.lineno}: {name}()"


def transactions_only_in_services(module: Module) -> Iterator[str]:
    """One use case is one transaction, and use cases live in `service`."""
    if module.name == "tocsin.db" or re.fullmatch(r"tocsin\.\w+\.service(\.\w+)?", module.name):
        return
    for call, name in _calls(module):
        if name.endswith(".transaction"):
            yield f"{call.lineno}: opens a transaction outside a service"


def no_commit_by_hand(module: Module) -> Iterator[str]:
    """Leaving the transaction commits; nothing else does. Migrations bring their own."""
    if module.name in {"tocsin.db", "tocsin.migrations"}:
        return
    for call, name in _calls(module):
        if name.endswith((".commit", ".rollback")) and not call.args and not call.keywords:
            yield f"{call.lineno}: {name}()"


def no_second_door_out(module: Module) -> Iterator[str]:
    """What import-linter cannot see: the standard library's own ways out."""
    for node in ast.walk(module.tree):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        for name in sorted(SECOND_DOORS.intersection(names)):
            yield f"{getattr(node, 'lineno', 0)}: imports {name}"


def no_long_file(module: Module) -> Iterator[str]:
    """Split by use case, not by helper. A migration is one step, however long."""
    lines = module.source.count("\n")
    if lines > MAX_LINES and ".migrations.versions." not in module.name:
        yield f"1: {lines} lines, {MAX_LINES} are the limit"


def no_unfinished_words(module: Module) -> Iterator[str]:
    """What is not built is not there."""
    for number, line in enumerate(module.source.splitlines(), start=1):
        if found := UNFINISHED.search(line):
            yield f"{number}: {found[0]}"


def suppressions_have_reasons(module: Module) -> Iterator[str]:
    """A silenced check names its code and says why."""
    for number, line in enumerate(module.source.splitlines(), start=1):
        found = SUPPRESSION.search(line)
        if found and not (found["code"] and found["reason"]):
            yield f"{number}: {found[1]} without a code and a reason"


def opens_with_its_purpose(module: Module) -> Iterator[str]:
    """A module says in its first sentence what it is for."""
    purpose = ast.get_docstring(module.tree)
    if not purpose or "." not in purpose:
        yield "1: no docstring that is a sentence"


RULES: list[tuple[Rule, str, str]] = [
    (no_naive_datetime, "tocsin.seeded", "from datetime import datetime\nnow = datetime.now()\n"),
    (no_naive_datetime, "tocsin.seeded", "import datetime\nnow = datetime.datetime.utcnow()\n"),
    (no_naive_datetime, "tocsin.seeded", "from datetime import datetime\nat = datetime.fromtimestamp(0)\n"),
    (no_sleep, "tocsin_client.seeded", "import time\ntime.sleep(1)\n"),
    (no_sleep, "tocsin_client.seeded", "from time import sleep as pause\n"),
    (no_print, "tocsin.seeded", "print(1)\n"),
    (
        transactions_only_in_services,
        "tocsin.members.routes",
        "def f(db):\n    with db.transaction() as uow: ...\n",
    ),
    (no_commit_by_hand, "tocsin.members.service", "def f(uow):\n    uow.conn.commit()\n"),
    (no_second_door_out, "tocsin.seeded", "from urllib.request import urlopen\n"),
    (no_second_door_out, "tocsin.seeded", "from urllib import request\n"),
    (no_long_file, "tocsin.seeded", "x = 1\n" * (MAX_LINES + 1)),
    (no_unfinished_words, "tocsin.seeded", "# TO" + "DO later\n"),
    (suppressions_have_reasons, "tocsin.seeded", "x = f()  # type: " + "ignore\n"),
    (suppressions_have_reasons, "tocsin.seeded", "x = f()  # type: " + "ignore[arg-type]\n"),
    (suppressions_have_reasons, "tocsin.seeded", "x = f()  # no" + "qa: S101\n"),
    (opens_with_its_purpose, "tocsin.seeded", "x = 1\n"),
]
"""Every rule with the name and the text of a module that breaks it."""
