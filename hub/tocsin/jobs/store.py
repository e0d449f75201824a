"""Who runs which job, and until when it may be taken for alive; and when the calendar last ran."""

from typing import Final

from sqlalchemy import BigInteger, Column, String, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Field, SQLModel

from tocsin.db import UnitOfWork, table


class LeaseRow(SQLModel, table=True):
    """The one process that runs a job now."""

    __tablename__ = "job_lease"

    job: str = Field(sa_column=Column(String(32), primary_key=True))
    holder: str = Field(sa_column=Column(String(32), nullable=False))
    until: int = Field(sa_column=Column(BigInteger(), nullable=False))


_lease: Final = table(LeaseRow)
CALENDAR: Final = "calendar"
"""Not a job's name: the row whose `until` is when the calendar last ran, by a clock that was believed."""


def take(uow: UnitOfWork, job: str, holder: str, seconds: int) -> bool:
    """Take or keep the lease of a job; False while somebody else's runs."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    values = {"holder": holder, "until": uow.now + seconds}
    taken = uow.conn.execute(
        insert(_lease)
        .values(job=job, **values)
        .on_conflict_do_update(
            index_elements=[_lease.c.job],
            set_=values,
            where=or_(_lease.c.holder == holder, _lease.c.until <= uow.now),
        ),
        execution_options={"preserve_rowcount": True},
    )
    return bool(taken.rowcount)


def give_back(uow: UnitOfWork, job: str, holder: str) -> None:
    """End the lease, if it is still this holder's."""
    uow.conn.execute(_lease.delete().where(_lease.c.job == job, _lease.c.holder == holder))


def calendar_ran(uow: UnitOfWork) -> int | None:
    """When the calendar last ran (Unix seconds); None when it never has."""
    found = uow.conn.execute(select(_lease.c.until).where(_lease.c.job == CALENDAR)).scalar()
    return None if found is None else int(found)


def note_calendar(uow: UnitOfWork, at: int) -> None:
    """Remember that the calendar ran at `at` (Unix seconds)."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    uow.conn.execute(
        insert(_lease)
        .values(job=CALENDAR, holder="", until=at)
        .on_conflict_do_update(index_elements=[_lease.c.job], set_={"until": at})
    )
