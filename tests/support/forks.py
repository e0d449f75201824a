"""The installed commands, forked from a process that has imported them: most of a command's start is its imports.

    started("tocsin-hub", ["serve", "--port", "0"], env, stderr)   a process to read from, to kill, to wait for
    run("tocsin-hub", ["run-job", "feed.build"], env)              the same until its end, and what it printed

Each runs the entry point of its script, with its environment, its arguments and its file descriptors; worker processes
that it spawns start as they would. Nothing here is measured for coverage: what must be measured starts the script.

The forking process is a child of the tests' own (one for each, started at the first use). It takes one request at a
time over a socket: a JSON line, with three file descriptors for standard output, standard error and the exit code.
It has one thread and opens nothing, so that its children begin like new ones; it ends, and they do, with the tests.
"""

import atexit
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import IO, Any, Final

ROOT: Final = Path(__file__).parents[2]
COMMANDS: Final = {"tocsin-hub": "tocsin.cli", "tocsin": "tocsin_client.cli"}
"""Each script and the module whose `main` it calls."""
IMPORTED: Final = (
    *COMMANDS.values(),
    *("tocsin.app", "tocsin.cli.check", "tocsin.cli.means", "tocsin.jobs.metronome"),
    *("tocsin_client.client", "tocsin_client.mirror"),
    *("uvicorn.lifespan.on", "uvicorn.loops.uvloop", "uvicorn.protocols.http.httptools_impl"),
    *("psycopg", "sqlalchemy.dialects.postgresql", "sqlalchemy.dialects.sqlite"),
)
MEASURING: Final = ("COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START")
PATIENCE: Final = 120
_one_at_a_time = threading.Lock()


class Forked:
    """A running command: as much of `subprocess.Popen` as the tests use."""

    def __init__(self, pid: int, stdout: IO[str], ended: int) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None
        self._ended = ended

    def send_signal(self, number: int) -> None:
        """Nothing happens when it has ended."""
        if self.returncode is None and not select.select([self._ended], [], [], 0)[0]:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = PATIENCE) -> int:
        """Its exit code, or the number of the signal that ended it, negative.

        Raises:
            subprocess.TimeoutExpired: when it has not ended by then.
        """
        if self.returncode is None:
            if not select.select([self._ended], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            with os.fdopen(self._ended) as ended:
                self.returncode = int(ended.read())
        return self.returncode

    def communicate(self, timeout: float = PATIENCE) -> str:
        """Wait, and everything that it has printed and nobody has read."""
        self.wait(timeout)
        with self.stdout:
            return self.stdout.read()


def started(name: str, arguments: Sequence[str], env: Mapping[str, str], stderr: IO[str]) -> Forked:
    """Start a command, or the `main` of a module, with that environment, in this folder."""
    out, out_there = os.pipe()
    ended, ended_there = os.pipe()
    kept = {key: value for key, value in env.items() if key not in MEASURING}
    request = {"name": name, "arguments": list(arguments), "env": kept, "folder": str(Path.cwd())}
    raw = json.dumps(request).encode()
    with _one_at_a_time:
        there = _forking()
        socket.send_fds(there, [len(raw).to_bytes(4, "big")], [out_there, stderr.fileno(), ended_there])
        there.sendall(raw)
        pid = int.from_bytes(there.recv(4, socket.MSG_WAITALL), "big")
    assert pid, "the forking process has ended"
    os.close(out_there)
    os.close(ended_there)
    return Forked(pid, os.fdopen(out), ended)


def run(name: str, arguments: Sequence[str], env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    with tempfile.TemporaryFile("w+") as stderr:
        process = started(name, arguments, env, stderr)
        with process.stdout:
            stdout = process.stdout.read()
        code = process.wait()
        stderr.seek(0)
        return subprocess.CompletedProcess([name, *arguments], code, stdout, stderr.read())


@cache
def _forking() -> socket.socket:
    """The connection to this process's own forking process."""
    here, there = socket.socketpair()
    with there:
        forking = subprocess.Popen(
            [sys.executable, "-m", __name__, str(there.fileno())],
            cwd=ROOT,
            env={key: value for key, value in os.environ.items() if key not in MEASURING},
            pass_fds=[there.fileno()],
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        here.close()
        forking.wait(PATIENCE)

    atexit.register(end)
    return here


def serve(there: socket.socket) -> None:
    """Fork what is asked for, and say how each ends, until nobody asks any more."""
    for module in IMPORTED:
        import_module(module)
    # What all children share is not walked by each, neither at its collections nor at its end.
    gc.collect()
    gc.freeze()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    heard: list[socket.socket | int] = [there, woken]
    running: dict[int, int] = {}
    while True:
        ready, _, _ = select.select(heard, [], [])
        if woken in ready:
            os.read(woken, 4096)
            _report(running)
        if there in ready:
            length, fds, _, _ = socket.recv_fds(there, 4, 3)
            if not length:
                break
            request = json.loads(there.recv(int.from_bytes(length, "big"), socket.MSG_WAITALL))
            pid = os.fork()
            if not pid:
                for fd in (woken, wake, *running.values()):
                    os.close(fd)
                there.close()
                _become(request, *fds)
            running[pid] = fds.pop()
            for fd in fds:
                os.close(fd)
            there.sendall(pid.to_bytes(4, "big"))
    for pid in running:
        os.kill(pid, signal.SIGKILL)


def _report(running: dict[int, int]) -> None:
    while running:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        fd = running.pop(pid)
        with suppress(BrokenPipeError):  # nobody waits for it any more
            os.write(fd, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(fd)


def _become(request: dict[str, Any], stdout: int, stderr: int, ended: int) -> None:
    """Go on as the script would, and never come back."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    for fd in (stdout, stderr, ended):
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["folder"])
    name = request["name"]
    module = import_module(COMMANDS.get(name, name))
    # Processes that it spawns run the script first, as they do in real life.
    script = ModuleType("__main__")
    script.__file__ = str(Path(sys.executable).with_name(name)) if name in COMMANDS else module.__file__
    sys.modules["__main__"] = script
    sys.argv = [str(script.__file__), *request["arguments"]]
    sys.exit(module.main())


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
