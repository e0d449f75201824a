"""One door to the database, SQLite or PostgreSQL: a write transaction or a read-only snapshot.

`transaction()` is opened in services and nowhere else; `uow.now` is read once, so one use case has one time. On SQLite
a transaction takes the write lock at once (BEGIN IMMEDIATE); on PostgreSQL it runs at READ COMMITTED and the log's head
row orders the writers. A snapshot sees one state of the database and cannot write.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from select import POLLIN, poll
from typing import Any, Final, Protocol, TypeVar

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Engine,
    Integer,
    LargeBinary,
    PoolProxiedConnection,
    Select,
    Table,
    cast,
    create_engine,
    event,
    func,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.types import NullType
from sqlmodel import SQLModel

from tocsin_schemas.problems import Refused

Clock = Callable[[], int]
SQLITE_BUSY_MS: Final = 30_000
SQLITE_CACHE_KIB: Final = 262_144
SQLITE_WAL_PAGES: Final = 16_000
SQLITE_BEGIN: Final = "tocsin_begin"
"""The execution option that says how a transaction begins; `BEGIN` without it."""
POSTGRES_USED: Final = "tocsin_used"
"""What is noted with a connection that has been lent before."""


NOTHING: Final[Mapping[str, Any]] = {}
WHOLE: Final = BigInteger().with_variant(Integer(), "sqlite")
"""The column type of a key that is a number: on SQLite only INTEGER makes it the row's own place."""


def system_clock() -> int:
    """Unix seconds, now."""
    return int(time.time())


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class UnitOfWork:
    """An open transaction or snapshot: its connection and the one instant it happens at (Unix seconds)."""

    conn: Connection
    now: int

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.conn.dialect.name

    def among(self, column: Column[Any], values: Collection[Any]) -> ColumnElement[bool]:
        """`column` is one of `values`: numbers, or bytes of one length.

        However many they are, they travel as one or two parameters, since thousands cost more than the query: numbers
        as an array or as JSON, bytes packed behind each other and cut apart by the database.
        """
        listed = list(values)
        if listed and isinstance(listed[0], bytes):
            return self._among_packed(column, b"".join(listed), len(listed[0]))
        if self.dialect == "postgresql":
            return column == func.any(cast(literal(listed, NullType()), ARRAY(column.type)))
        return column.in_(select(func.json_each(json.dumps(listed)).table_valued("value").c.value))

    def _among_packed(self, column: Column[Any], packed: bytes, width: int) -> ColumnElement[bool]:
        def cut(start: ColumnElement[Any]) -> Select[Any]:
            return select(func.substr(literal(packed, LargeBinary()), start, width))

        if self.dialect == "postgresql":
            places = func.generate_series(1, len(packed), width).column_valued("start")
            return column == func.any(func.array(cut(places).scalar_subquery()))
        starts = json.dumps(list(range(1, len(packed), width)))
        return column.in_(cut(func.json_each(starts).table_valued("value").c.value))

    def ask(self, question: Select[Any], named: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """The rows of a statement that is asked on nearly every request, with its parameters by name.

        Past SQLAlchemy, whose part of a small statement is several times the database's: the statement is compiled once
        and kept, so it must be one that is made once. Values come as the driver gives them: numbers, text and bytes are
        what they are, a truth value may be 0 or 1.
        """
        return _rows(self.conn, self.conn.dialect, self.conn.connection.driver_connection, question, named)

    def insert_rows(self, into: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows at once: one prepared statement on SQLite, COPY on PostgreSQL."""
        if not rows:
            return
        names = ", ".join(columns)
        if self.dialect == "sqlite":
            places = ", ".join("?" * len(columns))
            insert = f"INSERT INTO {into.name} ({names}) VALUES ({places})"  # noqa: S608  # names of our own tables
            self.conn.exec_driver_sql(insert, list(rows))
            return
        driver: Any = self.conn.connection.driver_connection
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {into.name} ({names}) FROM STDIN (FORMAT BINARY)") as copy,
        ):
            copy.set_types(_copy_types(into, tuple(columns)))
            for row in rows:
                copy.write_row(row)


class View(Protocol):
    """One state of the database that answers questions: a `UnitOfWork`, or a `Glance`."""

    @property
    def now(self) -> int:
        """The one instant it is seen at (Unix seconds)."""

    def ask(self, question: Select[Any], named: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """As `UnitOfWork.ask`."""


class Unforeseen(Exception):
    """A glance was asked for more than one statement can answer."""


@dataclass(slots=True)
class Glance:
    """What one statement sees: the first question asked of it, and each of those foreseen along with it.

    One that is foreseen has no parameters and gives one value. Whoever asks for more is told `Unforeseen`, since a
    second statement could see another state of the database.
    """

    now: int
    _lent: PoolProxiedConnection
    _dialect: Dialect
    _foreseen: tuple[Select[Any], ...]
    _values: tuple[Any, ...] | None = None

    def ask(self, question: Select[Any], named: Mapping[str, Any] = NOTHING) -> list[tuple[Any, ...]]:
        """As `UnitOfWork.ask`.

        Raises:
            Unforeseen: for another question than the first and those that were foreseen.
        """
        if self._values is not None:
            if not self._values or question not in self._foreseen:
                raise Unforeseen
            return [(self._values[self._foreseen.index(question)],)]
        both = _together(question, self._foreseen)
        rows = _rows(self._lent, self._dialect, self._lent.driver_connection, both, named)
        own = len(rows[0]) - len(self._foreseen) if rows else 0
        self._values = tuple(rows[0][own:]) if rows else ()
        return [row[:own] for row in rows]


class Database:
    """The hub's database.

    `url` is `sqlite:///path` or `postgresql://…`. `clock` gives Unix seconds and is the only source of time of every
    use case. With `read_only`, every transaction is refused. `turn` is a lock that processes share which write much to
    one SQLite file: SQLite's own waiting looks again every tenth of a second, a lock wakes at once.
    """

    def __init__(
        self,
        url: str,
        *,
        clock: Clock = system_clock,
        read_only: bool = False,
        turn: AbstractContextManager[Any] | None = None,
    ) -> None:
        self.url = url
        self.clock = clock
        self.read_only = read_only
        self._turn = turn or nullcontext()
        self.engine = _engine(url)
        self.dialect = self.engine.dialect.name
        self._reading = _reading(self.engine)

    @contextmanager
    def transaction(self) -> Iterator[UnitOfWork]:
        """A write transaction, committed when the block ends well and rolled back otherwise.

        Raises:
            Refused: `unavailable` when the hub is read-only.
        """
        if self.read_only:
            raise Refused("unavailable", "", "the hub is read-only")
        begin = {SQLITE_BEGIN: "BEGIN IMMEDIATE"}
        with self._turn, self.engine.connect().execution_options(**begin) as conn, conn.begin():
            yield UnitOfWork(conn, self.clock())

    @contextmanager
    def snapshot(self) -> Iterator[UnitOfWork]:
        """One state of the database to read from; a write fails."""
        with self._reading.connect() as conn, conn.begin() as begun:
            try:
                yield UnitOfWork(conn, self.clock())
            except Refused:
                # There is nothing to undo, and psycopg forgets all prepared statements when it rolls back.
                begun.commit()
                raise

    def at_a_glance(self, work: Callable[[View], _T], *foreseen: Select[Any]) -> _T:
        """What `work` finds out from one state of the database, by one statement if that tells it enough.

        One statement needs no transaction: with PostgreSQL that is one exchange instead of three and more. Of work that
        asks more, and raises `Unforeseen`, all is done again on a snapshot.
        """
        try:
            with closing(self._reading.raw_connection()) as lent, _at_once(lent.driver_connection):
                return work(Glance(self.clock(), lent, self._reading.dialect, foreseen))
        except Unforeseen:
            with self.snapshot() as uow:
                return work(uow)

    def settle(self, *, rewrite: bool = False) -> None:
        """On SQLite, leave what was erased in no file; on PostgreSQL its vacuum does that, and this does nothing.

        Empties the write-ahead log as far as readers allow; the next call does the rest. With `rewrite`, the database
        file is written anew as well: splitting an index page leaves copies of keys in unused space, which nothing else
        overwrites. Writers wait meanwhile.
        """
        if self.dialect == "sqlite":
            # Neither may run in a transaction, so past SQLAlchemy, which begins one.
            with closing(self.engine.raw_connection()) as pooled, closing(pooled.cursor()) as cursor:
                if rewrite:
                    cursor.execute("VACUUM")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._reading.dispose()


def table(row: type[SQLModel]) -> Table:
    """The table behind a row class, for queries in SQLAlchemy Core."""
    return SQLModel.metadata.tables[str(row.__tablename__)]


@contextmanager
def _at_once(driver: Any) -> Iterator[None]:
    """Each statement is a transaction of its own: so it always is on SQLite, where nothing else begins one."""
    if isinstance(driver, sqlite3.Connection):
        yield
        return
    driver.autocommit = True
    try:
        yield
    finally:
        if not driver.closed:
            driver.autocommit = False


def _rows(
    lent: Connection | PoolProxiedConnection,
    dialect: Dialect,
    driver: Any,
    question: Select[Any],
    named: Mapping[str, Any],
) -> list[tuple[Any, ...]]:
    sql, names, constants = _compiled(question, dialect)
    values = {**constants, **named}
    try:
        found = driver.execute(sql, values if names is None else [values[name] for name in names])
        return list(found.fetchall())
    except dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy does: a connection that has broken is not given back, and the error is one of its own.
        gone = dialect.is_disconnect(error, driver, None)
        if gone:
            lent.invalidate(error)
        base = dialect.loaded_dbapi.Error
        raise DBAPIError.instance(
            sql, None, error, base, hide_parameters=True, connection_invalidated=gone, dialect=dialect
        ) from error


@lru_cache(maxsize=64)
def _together(question: Select[Any], foreseen: tuple[Select[Any], ...]) -> Select[Any]:
    """One statement for a question and, behind its columns, the value of each that is foreseen."""
    return question.add_columns(*(one.scalar_subquery() for one in foreseen)) if foreseen else question


@lru_cache(maxsize=256)
def _compiled(question: Select[Any], dialect: Dialect) -> tuple[str, list[str] | None, dict[str, Any]]:
    """A statement as the driver takes it: text, places of parameters if they have no names, constants."""
    made = question.compile(dialect=dialect)
    places = getattr(made, "positiontup", None)
    return str(made), places, {name: value for name, value in made.params.items() if value is not None}


@lru_cache(maxsize=64)
def _copy_types(into: Table, columns: tuple[str, ...]) -> list[str]:
    """PostgreSQL's type names of a table's columns, which binary COPY needs."""
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    return [into.c[name].type.compile(dialect=dialect).split("(")[0].lower() for name in columns]


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        # The connection used last knows the statements that are asked most.
        engine = create_engine(parsed, pool_size=16, pool_use_lifo=True, hide_parameters=True)
        event.listen(engine, "checkout", _postgres_still_there)
        return engine
    return _sqlite_engine(parsed)


def _reading(engine: Engine) -> Engine:
    """What snapshots come from: on PostgreSQL the same connections, on SQLite others, which cannot write."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    reading = _sqlite_engine(engine.url)
    event.listen(reading, "connect", _sqlite_cannot_write)
    return reading


def _postgres_still_there(connection: Any, record: Any, _lent: object) -> None:
    """Have a connection made anew that the server has ended, or all that are as old.

    Something that arrives while nothing was asked is the end, or word of it. To look costs no exchange with the server,
    as a ping before each use does. A new one is not looked at: were it ended as well, its first statement says so.
    """
    if not record.info.get(POSTGRES_USED):
        record.info[POSTGRES_USED] = True
        return
    if not connection.closed:
        arrived = poll()
        arrived.register(connection.fileno(), POLLIN)
        if not arrived.poll(0):
            return
    raise InvalidatePoolError


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"check_same_thread": False}, hide_parameters=True)
    event.listen(engine, "connect", _sqlite_connect)
    event.listen(engine, "begin", _sqlite_begin)
    return engine


def _sqlite_connect(connection: sqlite3.Connection, _record: object) -> None:
    """Durable, concurrent SQLite: WAL, full sync, erased pages overwritten, and no implicit BEGIN of the driver."""
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {SQLITE_BUSY_MS}",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        f"cache_size = {-SQLITE_CACHE_KIB}",
        f"wal_autocheckpoint = {SQLITE_WAL_PAGES}",
        "temp_store = MEMORY",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _sqlite_cannot_write(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA query_only = ON")


def _sqlite_begin(conn: Connection) -> None:
    # Past SQLAlchemy, whose own part of such a statement is ten times SQLite's.
    driver: Any = conn.connection.dbapi_connection
    begin = conn.get_execution_options().get(SQLITE_BEGIN, "BEGIN")
    try:
        driver.execute(begin)
    except sqlite3.OperationalError as error:
        # As SQLAlchemy would say it: whoever waits for the lock in vain is told so, or tries again.
        raise OperationalError(begin, None, error, hide_parameters=True) from error
