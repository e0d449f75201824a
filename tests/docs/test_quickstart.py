"""The quickstart, command by command as the page has it, with a hub in a process of its own."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.docs.pages import ROOT, fences

PAGE = ROOT / "docs" / "quickstart.md"
BIN = Path(sys.executable).parent
SERVE = "tocsin-hub serve"

pytestmark = pytest.mark.check


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder with a picture and a smaller copy of it."""
    picture = Image.new("RGB", (256, 256))
    picture.putdata(
        [((x + 2 * y) % 256, (x * y // 64) % 256, 255 - x) for y in range(256) for x in range(256)]
    )
    picture.save(tmp_path / "picture.png")
    picture.resize((200, 200)).save(tmp_path / "copy.jpg", quality=85)
    return tmp_path


@pytest.fixture
def environment(folder: Path, port: int) -> dict[str, str]:
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(folder),
        "TOCSIN_PORT": str(port),
        "TOCSIN_SANDBOX": "true",
        "LANG": "C.UTF-8",
    } | {"TOCSIN_ISSUER": f"http://127.0.0.1:{port}"}


@pytest.fixture
def shell(folder: Path, environment: dict[str, str]) -> Iterator["Shell"]:
    shell = Shell(folder, environment)
    yield shell
    shell.close()


class Shell:
    """Runs command lines; the one that serves stays until the end."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.server: subprocess.Popen[str] | None = None

    def run(self, line: str) -> str:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        return done.stdout

    def serve(self) -> None:
        with (self.folder / "serve.log").open("w") as log:
            self.server = subprocess.Popen(
                [BIN / "tocsin-hub", "serve"],
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.server.stdout is not None
        assert "Serving" in self.server.stdout.readline()

    def close(self) -> None:
        if self.server is not None:
            self.server.terminate()
            self.server.communicate(timeout=120)


@pytest.mark.slow
def test_the_quickstart_works_as_written(shell: Shell, port: int) -> None:
    lines = [line for fence in fences(PAGE, "console") for line in fence.code.splitlines()]
    lines = [line for line in lines if line.startswith("tocsin")]
    assert lines.count(SERVE) == 1
    known: dict[str, str] = {}
    said: dict[str, str] = {}
    for line in lines:
        if line == SERVE:
            shell.serve()
            continue
        command = line.replace("127.0.0.1:8000", f"127.0.0.1:{port}")
        for word, value in known.items():
            command = command.replace(word, value)
        said[line] = shell.run(command)
        if found := re.search(r"client_id\s+(\S+)", said[line]):
            known["PIXEL_CLIENT" if "PIXEL_CLIENT" not in known else "WEAVE_CLIENT"] = found[1]
        if found := re.search(r"statement ([0-9a-f]{64})", said[line]):
            known.setdefault("STATEMENT", found[1])
    assert set(known) == {"PIXEL_CLIENT", "WEAVE_CLIENT", "STATEMENT"}
    (matched,) = (text for line, text in said.items() if " match " in line)
    assert "1 hit" in matched
    assert "candidate" in matched
    last = said["tocsin follow --home weave"]
    assert "1 retracted" in last
