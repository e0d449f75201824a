"""Queries of what members were given: statements, erased ones too, and indicators."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import union

from tocsin.db import UnitOfWork
from tocsin.signals.store.tables import delivery, observation, past_observation, statement, view


class Said(NamedTuple):
    """A statement, live or erased, as far as it decides to whom it was shown."""

    seq: int
    author_id: int | None
    quarantine: str | None
    free: bool | None
    released_at: int | None


def said(uow: UnitOfWork, seqs: Collection[int]) -> list[Said]:
    """The statements at these log indexes."""
    c = statement.c
    chosen = statement.select().with_only_columns(*(c[name] for name in Said._fields))
    return [Said._make(row) for row in uow.conn.execute(chosen.where(uow.among(c.seq, seqs)))] if seqs else []


def about(uow: UnitOfWork, seqs: Collection[int]) -> dict[int, set[int]]:
    """The indicators that the statements at these log indexes are about, or were."""
    found: dict[int, set[int]] = {}
    if seqs:
        both = (
            one.select().with_only_columns(one.c.seq, one.c.indicator_id).where(uow.among(one.c.seq, seqs))
            for one in (observation, past_observation)
        )
        for row in uow.conn.execute(union(*both)):
            found.setdefault(row.seq, set()).add(row.indicator_id)
    return found


def positions(uow: UnitOfWork, org_ids: Collection[int], community_id: int) -> dict[int, int]:
    """How far each of these members was ever given a community's feed."""
    c = delivery.c
    chosen = delivery.select().where(c.community_id == community_id, uow.among(c.organisation_id, org_ids))
    return {row.organisation_id: row.seq for row in uow.conn.execute(chosen)} if org_ids else {}


def views(
    uow: UnitOfWork, org_ids: Collection[int], indicator_ids: Collection[int]
) -> dict[tuple[int, int], int]:
    """(member, indicator) to the log size when it was last shown to that member, where it ever was."""
    if not org_ids or not indicator_ids:
        return {}
    c = view.c
    chosen = view.select().where(
        uow.among(c.organisation_id, org_ids), uow.among(c.indicator_id, indicator_ids)
    )
    return {(row.organisation_id, row.indicator_id): row.seq for row in uow.conn.execute(chosen)}


def forget(uow: UnitOfWork, erased_before: int) -> None:
    """Forget what statements were about that were erased before an instant."""
    uow.conn.execute(past_observation.delete().where(past_observation.c.erased_at < erased_before))
