"""`tocsin-hub`: run a hub and look after its members.

Settings come from the environment (`TOCSIN_…`, docs/operator-guide.md). Every command takes `--json`; an error says
what to do next and ends with exit code 1.
"""

import gc
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Final

import click
import uvicorn

from tocsin.cli import board, clock, delivery, hub_keys, log, members, people, witness
from tocsin.cli.console import Commands, Failed, Instant, emit, examples, json_option, load_settings, opened
from tocsin.config import LOOPBACK, Settings
from tocsin.errors import Misconfigured

GRACE_SECONDS: Final = 30
"""How long requests in hand may take when the server is asked to end."""
BACKLOG: Final = 2048


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples(
        "tocsin-hub serve",
        "tocsin-hub board bootstrap seats.json",
        "TOCSIN_SANDBOX=true tocsin-hub community add child-safety",
    ),
)
@click.version_option(package_name="tocsin", prog_name="tocsin-hub")
def main() -> None:
    """Run a Tocsin hub and look after its members."""


main.add_command(board.board)
main.add_command(board.policy)
main.add_command(members.member)
main.add_command(members.key)
main.add_command(members.client)
main.add_command(members.community)
main.add_command(hub_keys.hub_key)
main.add_command(log.log)
main.add_command(delivery.delivery)
main.add_command(witness.witness)
main.add_command(people.console)
main.add_command(clock.clock)


@main.command(
    epilog=examples(
        "tocsin-hub serve",
        "TOCSIN_ISSUER=https://hub.example tocsin-hub serve --host 0.0.0.0 --port 8000",
    )
)
@click.option("--host", help="Address to listen on (TOCSIN_HOST).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on; 0 takes a free one (TOCSIN_PORT)."
)
@json_option
def serve(host: str | None, port: int | None) -> None:
    """Serve the hub, and print its address once it answers.

    An empty SQLite database gets its schema at once; on PostgreSQL run `tocsin-hub migrate` first. Without
    TOCSIN_ISSUER the hub's public address is the loopback address it listens on.
    """
    settings = load_settings()
    given = {name: value for name, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update=given)
    with _listen(settings) as listener:
        _serve(_addressed(settings, listener.getsockname()[1]), listener)


@main.command()
@json_option
def work() -> None:
    """Run the periodic jobs, and nothing else, until told to end.

    For a hub whose serving processes have TOCSIN_RUN_JOBS=false. Two workers side by side are safe.
    """
    # Before the imports: a thread that one of them starts would take the signal, and die of it.
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)
    try:
        _work_until(ends)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work_until(ends: set[signal.Signals]) -> None:
    from tocsin import keys, telemetry
    from tocsin.cli.means import open_means
    from tocsin.jobs import metronome

    settings = load_settings()
    telemetry.setup_logging(settings.log_level)
    with opened(settings):
        means = open_means(settings, keys.load(settings))
    scheduler = metronome.start(means)
    emit({"working": True}, "Working (Ctrl-C ends it)")
    signal.sigwait(ends)
    means.courier.stop()
    scheduler.shutdown()
    means.context.database.dispose()


@main.command()
@json_option
def migrate() -> None:
    """Make the hub's keys if it has none, and bring the database to this version's schema."""
    from alembic.util import CommandError

    from tocsin import keys, migrations
    from tocsin.db import Database

    settings = load_settings()
    keys.ensure(settings)
    database = Database(settings.database())
    try:
        before = migrations.current(database)
        migrations.upgrade(database)
        after = migrations.current(database)
    except CommandError:
        raise Misconfigured(
            "the database has the schema of another version", "install that version, or restore a backup"
        ) from None
    finally:
        database.dispose()
    done = "was current already" if before == after else "is now current"
    emit({"before": before, "after": after}, f"The schema {done} (revision {after})")


@main.command()
@json_option
def check() -> None:
    """See whether the hub could work: settings, keys, database, schema, clock, log. Exit code 1 if it could not."""
    from tocsin.cli.check import examine

    findings = examine()
    emit(
        [{"part": item.part, "ok": item.ok, "detail": item.detail, "help": item.advice} for item in findings],
        *(
            f"{'ok  ' if item.ok else 'FAIL'}  {item.part:<9} {item.detail}"
            + (f"\n      Next: {item.advice}" if item.advice else "")
            for item in findings
        ),
    )
    if not all(item.ok for item in findings):
        raise SystemExit(1)


@main.command(
    "run-job",
    epilog=examples(
        "tocsin-hub run-job signals.expire", "tocsin-hub run-job members.forget --now 2027-01-01T00:00:00Z"
    ),
)
@click.argument("name")
@click.option("--now", type=Instant(), help="Run it as if it were this time, like 2026-11-22T12:00:00Z.")
@json_option
def run_job(name: str, now: int | None) -> None:
    """Run one job once: everything that is due."""
    from tocsin import keys, telemetry
    from tocsin.cli.means import open_means
    from tocsin.db import system_clock
    from tocsin.jobs.service import JOBS, run

    if name not in JOBS:
        known = "; ".join(f"{job.name} ({job.summary})" for job in JOBS.values())
        raise Failed("there is no such job", f"the jobs are: {known}", "not-found", "name")
    settings = load_settings()
    telemetry.setup_logging(settings.log_level)
    with opened(settings):
        means = open_means(settings, keys.ensure(settings), system_clock if now is None else lambda: now)
    try:
        done = run(means, name)
    finally:
        means.context.database.dispose()
    emit(
        {"job": name, "done": done},
        f"{name}: another process is at it" if done is None else f"{name}: {done} done",
    )


@main.command()
@click.option("--keep", is_flag=True, help="Leave the hub running at the end, for a look around.")
def demo(keep: bool) -> None:
    """Three members and one hub, end to end, on this machine. Exit code 1 if anything is not as it should be."""
    from tocsin import demo as story

    raise SystemExit(story.main(keep))


class _Server(uvicorn.Server):
    """The HTTP server; calls `ready` once it answers, and `ending` before it waits for requests in hand."""

    def __init__(
        self, config: uvicorn.Config, ready: Callable[[], None], ending: Callable[[], Awaitable[None]]
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._ending = ending

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._ending()
        await super().shutdown(sockets)


def _serve(settings: Settings, listener: socket.socket) -> None:
    from tocsin import keys, telemetry
    from tocsin.app import create_app
    from tocsin.governance.service import startup as governance
    from tocsin.jobs import metronome
    from tocsin.ledger import service as ledger

    telemetry.setup_logging(settings.log_level)
    keys.ensure(settings)
    with opened(settings):
        app = create_app(settings)
    # The application refuses as well, but without words for a person, and the jobs begin before it does.
    try:
        ledger.start(app.state.ledger)
        governance.start(app.state.board, app.state.ledger)
    except Misconfigured:
        app.state.database.dispose()
        raise
    address = _url(settings.host, settings.port)
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="on",
            timeout_graceful_shutdown=GRACE_SECONDS,
        ),
        lambda: emit(
            {"issuer": settings.issuer, "address": address},
            f"Serving {settings.issuer} on {address} (Ctrl-C ends it)",
        ),
        app.state.watch.close,
    )
    # The server hands a signal on when it has ended; by then there is nothing left to interrupt.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    scheduler = None
    if settings.run_jobs and not settings.read_only:
        scheduler = metronome.start(app.state.means)
    # What was imported stays: it need not be walked at every collection, and once more for half a second at the end.
    gc.freeze()
    try:
        server.run(sockets=[listener])
    finally:
        if scheduler is not None:
            scheduler.shutdown()
    if not server.started:
        raise Failed("the hub did not start", "the log lines above say why")


def _listen(settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise Misconfigured(
            f"cannot listen on port {settings.port}: {error.strerror}",
            "choose another with --port or TOCSIN_PORT; 0 takes a free one",
        ) from None
    return listener


def _addressed(settings: Settings, port: int) -> Settings:
    """The settings with the port that was taken and, where the operator named none, the public address."""
    update: dict[str, Any] = {"port": port}
    if "issuer" not in settings.model_fields_set:
        if settings.host not in LOOPBACK:
            raise Misconfigured(
                "the hub would listen beyond this machine without a public address",
                "set TOCSIN_ISSUER to the https URL under which others reach it",
            )
        update["issuer"] = _url(settings.host, port)
    return settings.model_copy(update=update)


def _url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
