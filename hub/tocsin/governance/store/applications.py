"""What the hub remembers of applications: the queries of each use case."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from tocsin.db import UnitOfWork
from tocsin.governance.rules.applications import QUESTIONS, Answer, Wish
from tocsin.governance.rules.vetting import Check
from tocsin.governance.store.desk_tables import (
    application,
    application_answer,
    application_asked,
    application_community,
    application_key,
    is_id,
    sponsorship,
    vetting_check,
)
from tocsin_schemas.jwk import KeyAlg, PublicKey
from tocsin_schemas.vocabulary import ApplicationState, MemberClass, VettingItem


class Application(NamedTuple):
    """An application, as its row says."""

    id: str
    issuer: str
    member_class: MemberClass
    control_group_id: str
    state: ApplicationState
    state_since: int
    secret: bytes
    created_at: int
    submitted_at: int | None
    lapses_at: int


class Sponsorship(NamedTuple):
    """A member that stands up for an applicant; `handle` is None when it signed."""

    issuer: str
    handle: str | None
    given_at: int


_APPLICATIONS: Final = select(*(application.c[name] for name in Application._fields))


def add(uow: UnitOfWork, row: Application) -> None:
    """Add an application."""
    uow.conn.execute(application.insert().values(**row._asdict()))


def get(uow: UnitOfWork, application_id: str, *, lock: bool = False) -> Application | None:
    """One application; with `lock`, nobody else changes it until this transaction ends."""
    if not is_id(application_id):
        return None
    chosen = _APPLICATIONS.where(application.c.id == application_id)
    if lock and uow.dialect == "postgresql":
        chosen = chosen.with_for_update()
    row = uow.conn.execute(chosen).one_or_none()
    return None if row is None else Application._make(row)


def handed_in(uow: UnitOfWork, states: Sequence[str]) -> list[Application]:
    """Applications in these states, or all, that were ever handed in; the one that lapses first comes first."""
    chosen = _APPLICATIONS.where(application.c.submitted_at.is_not(None))
    chosen = chosen.order_by(application.c.lapses_at, application.c.id)
    if states:
        chosen = chosen.where(application.c.state.in_(states))
    return [Application._make(row) for row in uow.conn.execute(chosen)]


def of_issuer(uow: UnitOfWork, issuer: str) -> list[Application]:
    """The applications of one issuer, the newest first."""
    chosen = _APPLICATIONS.where(application.c.issuer == issuer)
    return [
        Application._make(row) for row in uow.conn.execute(chosen.order_by(application.c.created_at.desc()))
    ]


def count(uow: UnitOfWork, states: Sequence[str]) -> int:
    """How many applications are in one of these states."""
    chosen = select(func.count()).select_from(application).where(application.c.state.in_(states))
    return int(uow.conn.execute(chosen).scalar_one())


def overdue(uow: UnitOfWork, states: Sequence[str]) -> list[Application]:
    """Applications in one of these states whose time is over."""
    chosen = _APPLICATIONS.where(application.c.state.in_(states), application.c.lapses_at <= uow.now)
    return [Application._make(row) for row in uow.conn.execute(chosen.order_by(application.c.id))]


def change(uow: UnitOfWork, application_id: str, **values: str | int | None) -> None:
    """Change columns of an application."""
    uow.conn.execute(application.update().where(application.c.id == application_id).values(**values))


def put_answers(uow: UnitOfWork, application_id: str, answers: Mapping[str, Sequence[Answer]]) -> None:
    """Replace the answers to the questions named; others stay."""
    uow.conn.execute(
        delete(application_answer).where(
            application_answer.c.application_id == application_id,
            application_answer.c.question.in_(list(answers)),
        )
    )
    uow.insert_rows(
        application_answer,
        ("application_id", "question", "place", "code", "origin", "digest"),
        [
            (
                application_id,
                question,
                place,
                answer.code,
                answer.origin,
                None if answer.digest is None else bytes.fromhex(answer.digest),
            )
            for question, given in answers.items()
            for place, answer in enumerate(given)
        ],
    )


def answers(uow: UnitOfWork, application_id: str) -> dict[str, tuple[Answer, ...]]:
    """The answers by question, in the form's order."""
    table = application_answer
    rows = uow.conn.execute(
        select(table.c.question, table.c.code, table.c.origin, table.c.digest)
        .where(table.c.application_id == application_id)
        .order_by(table.c.place)
    ).all()
    found: dict[str, tuple[Answer, ...]] = {}
    for name in QUESTIONS:
        given = tuple(
            Answer(row.code, row.origin, None if row.digest is None else bytes(row.digest).hex())
            for row in rows
            if row.question == name
        )
        if given:
            found[name] = given
    return found


def add_keys(uow: UnitOfWork, application_id: str, offered: Sequence[PublicKey]) -> None:
    """Add the keys an applicant has proved to hold."""
    uow.insert_rows(
        application_key,
        ("application_id", "kid", "alg", "public"),
        [(application_id, key.kid, key.alg, key.raw) for key in offered],
    )


def drop_keys(uow: UnitOfWork, application_id: str) -> None:
    """Forget the keys of an application."""
    uow.conn.execute(delete(application_key).where(application_key.c.application_id == application_id))


def keys(uow: UnitOfWork, application_id: str) -> list[PublicKey]:
    """The keys of an application, by kid."""
    rows = uow.conn.execute(
        select(application_key.c.alg, application_key.c.public, application_key.c.kid)
        .where(application_key.c.application_id == application_id)
        .order_by(application_key.c.kid)
    )
    return [PublicKey(_alg(row.alg), bytes(row.public), row.kid) for row in rows]


def offered_key(uow: UnitOfWork, kid: str) -> PublicKey | None:
    """The key of that thumbprint, as an applicant has proved it."""
    row = uow.conn.execute(
        select(application_key.c.alg, application_key.c.public).where(application_key.c.kid == kid).limit(1)
    ).first()
    return None if row is None else PublicKey(_alg(row.alg), bytes(row.public), kid)


def add_wishes(uow: UnitOfWork, application_id: str, wishes: Sequence[Wish]) -> None:
    """Add the communities an applicant wants to take part in."""
    uow.insert_rows(
        application_community,
        ("application_id", "community", "may_read", "may_write"),
        [(application_id, wish.community, wish.read, wish.write) for wish in wishes],
    )


def drop_wishes(uow: UnitOfWork, application_id: str) -> None:
    """Forget the communities an applicant wanted to take part in."""
    named = application_community.c.application_id == application_id
    uow.conn.execute(delete(application_community).where(named))


def wishes(uow: UnitOfWork, application_id: str) -> list[Wish]:
    """The communities an applicant wants to take part in, by name."""
    rows = uow.conn.execute(
        select(
            application_community.c.community,
            application_community.c.may_read,
            application_community.c.may_write,
        )
        .where(application_community.c.application_id == application_id)
        .order_by(application_community.c.community)
    )
    return [Wish(community=row.community, read=row.may_read, write=row.may_write) for row in rows]


def ask(uow: UnitOfWork, application_id: str, questions: Sequence[str]) -> None:
    """Remember the questions that were put again."""
    uow.insert_rows(
        application_asked, ("application_id", "question"), [(application_id, name) for name in questions]
    )


def asked(uow: UnitOfWork, application_id: str) -> tuple[str, ...]:
    """The questions that wait for an answer, in the form's order."""
    chosen = select(application_asked.c.question).where(application_asked.c.application_id == application_id)
    found = {row.question for row in uow.conn.execute(chosen)}
    return tuple(name for name in QUESTIONS if name in found)


def answered(uow: UnitOfWork, application_id: str) -> None:
    """Nothing waits for an answer any more."""
    uow.conn.execute(delete(application_asked).where(application_asked.c.application_id == application_id))


def add_sponsorship(
    uow: UnitOfWork, application_id: str, issuer: str, *, handle: str | None, jws: bytes | None
) -> bool:
    """Remember a sponsor; False when it is one already."""
    insert = postgresql.insert if uow.dialect == "postgresql" else sqlite.insert
    statement = insert(sponsorship).values(
        application_id=application_id, issuer=issuer, handle=handle, jws=jws, given_at=uow.now
    )
    done = uow.conn.execute(statement.on_conflict_do_nothing(), execution_options={"preserve_rowcount": True})
    return done.rowcount == 1


def sponsors(uow: UnitOfWork, application_id: str) -> list[Sponsorship]:
    """Who stands up for an applicant, the first first."""
    rows = uow.conn.execute(
        select(sponsorship.c.issuer, sponsorship.c.handle, sponsorship.c.given_at)
        .where(sponsorship.c.application_id == application_id)
        .order_by(sponsorship.c.given_at, sponsorship.c.issuer)
    )
    return [Sponsorship._make(row) for row in rows]


def add_check(uow: UnitOfWork, application_id: str, check: Check) -> None:
    """Record a finding."""
    uow.conn.execute(vetting_check.insert().values(application_id=application_id, **check._asdict()))


def drop_checks(uow: UnitOfWork, application_id: str, items: Collection[VettingItem]) -> None:
    """Forget the findings of these items."""
    chosen = (vetting_check.c.application_id == application_id, vetting_check.c.item.in_(sorted(items)))
    uow.conn.execute(delete(vetting_check).where(*chosen))


def checks(uow: UnitOfWork, application_id: str) -> list[Check]:
    """The findings, in the order in which they were made."""
    rows = uow.conn.execute(
        select(*(vetting_check.c[name] for name in Check._fields))
        .where(vetting_check.c.application_id == application_id)
        .order_by(vetting_check.c.id)
    )
    return [Check(row.item, row.checker, row.result, bytes(row.evidence), row.checked_at) for row in rows]


def _alg(word: str) -> KeyAlg:
    return "Ed25519" if word == "Ed25519" else "ES256"
