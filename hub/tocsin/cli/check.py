"""`tocsin-hub check`: each part a hub needs, tried in turn, with what to do where one fails."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tocsin import keys, migrations
from tocsin.cli.console import load_settings
from tocsin.config import Settings
from tocsin.db import Database, system_clock
from tocsin.errors import Misconfigured
from tocsin.governance.service import startup
from tocsin.governance.service.chain import open_chain
from tocsin.governance.service.dating import calendar_waits
from tocsin.ledger import service as ledger
from tocsin.members.service import Members, hub_keys
from tocsin_schemas.ledger import rfc3339

CLOCK_SECONDS: Final = 5
"""How far this machine's clock may be from the database's: signals are accepted 60 s ahead at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One part, whether it is well, and advice where it is not."""

    part: str
    ok: bool
    detail: str
    advice: str = ""


def examine() -> list[Finding]:
    """Look at settings, keys, database, schema, clock, log, board; what depends on a part that failed is left out."""
    try:
        settings = load_settings()
    except Misconfigured as error:
        return [Finding("settings", False, error.what, error.advice)]
    findings = [Finding("settings", True, f"the hub is {settings.issuer}"), _tried("keys", _keys, settings)]
    reached = _tried("database", _database, settings)
    findings.append(reached)
    if reached.ok:
        schema = _tried("schema", _schema, settings)
        findings += [schema, _tried("clock", _clock, settings)]
        if schema.ok and findings[1].ok:
            findings += [_tried("log", _log, settings), _tried("board", _board, settings)]
    return findings


def _tried(part: str, look: Callable[[Settings], str], settings: Settings) -> Finding:
    try:
        return Finding(part, True, look(settings))
    except Misconfigured as error:
        return Finding(part, False, error.what, error.advice)


def _keys(settings: Settings) -> str:
    found = keys.load(settings)
    return (
        f"tokens {found.token.public.kid[:8]}…, events {found.events.public.kid[:8]}…, readable by you alone"
    )


def _database(settings: Settings) -> str:
    database = Database(settings.database())
    if database.dialect == "sqlite" and not Path(database.engine.url.database or "").exists():
        raise Misconfigured("there is no database yet", "run `tocsin-hub migrate`")
    try:
        with database.snapshot() as uow:
            uow.conn.execute(text("SELECT 1"))
    except SQLAlchemyError:
        raise Misconfigured(
            "does not answer", "check TOCSIN_DATABASE_URL, the server, and the rights of its user"
        ) from None
    finally:
        database.dispose()
    return f"{database.dialect} answers"


def _schema(settings: Settings) -> str:
    database = Database(settings.database())
    try:
        if not migrations.at_head(database):
            raise Misconfigured("the schema is not this version's", "run `tocsin-hub migrate`")
        return f"revision {migrations.current(database)}"
    finally:
        database.dispose()


def _log(settings: Settings) -> str:
    """As at a start: nobody has seen a log of this hub that the database does not know; the witnesses are asked."""
    database = Database(settings.database(), read_only=settings.read_only)
    try:
        log = ledger.open_ledger(settings, database, keys.load(settings))
        ledger.start(log)
        for alarm in ledger.alarms(log):
            raise Misconfigured(alarm.what, alarm.advice)
        standing = ledger.published(log)
    finally:
        database.dispose()
    return f"{0 if standing is None else standing.size} entries published"


def _board(settings: Settings) -> str:
    """The rows of members and of the board say what the log says, and the hub's keys are those that it says.

    What differs is named, and left as it is.
    """
    database = Database(settings.database(), read_only=True)
    try:
        chain, held = open_chain(Members(database, settings), settings), keys.load(settings)
        if chain.sandbox:
            hub_keys.demand_fit(database, held)
            return "a sandbox: no board decides here"
        differences = startup.start(chain, ledger.open_ledger(settings, database, held))
        edited = [item for item in differences if item.column != startup.DATED]
        if edited:
            rows = sorted({f"{item.table} {item.key} ({item.column})" for item in edited})
            raise Misconfigured(
                f"changed by another hand: {'; '.join(rows)}",
                "the next start and the job governance.audit repair it; seals that are lost are named for good",
            )
        hub_keys.demand_fit(database, held)
        with database.snapshot() as uow:
            if not chain.founded(uow):
                return "not founded yet"
            state = chain.state(uow)
            if calendar_waits(state, uow.now):
                raise Misconfigured(
                    f"the newest record is of {rfc3339(state.at)}, ahead of this clock: the calendar waits",
                    "see that the clock is right; docs/operator-guide.md, section Clock, says what follows",
                )
        ahead = "".join(f"; record {item.key} is dated by a clock that was ahead" for item in differences)
        return f"{state.size} records replayed{ahead}"
    finally:
        database.dispose()


def _clock(settings: Settings) -> str:
    """A clock that is wrong refuses good signals: compare it with the database's, or with when the file was written."""
    database = Database(settings.database())
    now = system_clock()
    try:
        if database.dialect == "postgresql":
            with database.snapshot() as uow:
                off = abs(
                    now
                    - int(uow.conn.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())
                )
        else:
            off = max(0, int(Path(database.engine.url.database or "").stat().st_mtime) - now)
    finally:
        database.dispose()
    if off > CLOCK_SECONDS:
        raise Misconfigured(f"the clock is {off} s from the database's", "synchronise it (NTP)")
    return f"within {CLOCK_SECONDS} s of the database's"
