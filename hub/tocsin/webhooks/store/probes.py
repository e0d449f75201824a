"""When members had the hub look up or call an address of their choice: kept for a minute, to see how often."""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, Index, delete, select
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, UnitOfWork, table


class ProbeRow(SQLModel, table=True):
    """One such moment of a member."""

    __tablename__ = "webhook_probe"
    __table_args__ = (Index("webhook_probe_member", "organisation_id", "at"),)

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    organisation_id: int = Field(foreign_key="organisation.id")
    at: int = Field(sa_column=Column(BigInteger(), nullable=False))


_probe = table(ProbeRow)


def probes(uow: UnitOfWork, organisation_id: int, since: int) -> Sequence[int]:
    """When it did so after an instant, the oldest first; what is older is forgotten."""
    mine = _probe.c.organisation_id == organisation_id
    uow.conn.execute(delete(_probe).where(mine, _probe.c.at <= since))
    return uow.conn.scalars(select(_probe.c.at).where(mine).order_by(_probe.c.at)).all()


def add_probe(uow: UnitOfWork, organisation_id: int) -> None:
    """It does so now."""
    uow.conn.execute(_probe.insert().values(organisation_id=organisation_id, at=uow.now))
