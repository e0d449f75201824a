"""Reading: one indicator's view, and what a member can do here.

Whatever is delivered is remembered before it leaves: it decides later whether a report is independent, and whom a
recall must reach.
"""

from collections.abc import Iterable

from tocsin.ledger import service as ledger
from tocsin.signals import rules
from tocsin.signals.service.context import Context, readable
from tocsin.signals.service.sight import folded, sight
from tocsin.signals.service.submit import cap_of
from tocsin.signals.store import admission, reading
from tocsin_schemas.feed import IndicatorView, Me, ReasonView, StatementView
from tocsin_schemas.indicators import parse
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused


def indicator_view(
    context: Context, reader_id: int, slug: str, text: str, *, delivered: bool = True
) -> IndicatorView:
    """One indicator in one community: its standing, the reasons, and the statements the member may see.

    `delivered` is false when somebody else looks at what the member would see: then the member was told nothing.

    Raises:
        Refused: `not-found` when there is nothing the member may see; `indicator-invalid` or `indicator-type-unknown`
            when `text` is not an indicator.
    """
    indicator = parse(text)
    with context.database.snapshot() as uow:
        community = readable(context, uow, reader_id, slug)
        indicator_id = reading.find_indicator(uow, community.id, indicator.type, indicator.value)
        rows = reading.statements_of(uow, indicator_id, uow.now) if indicator_id is not None else []
        orgs = context.members.orgs(uow)
        seen = sight(orgs, reader_id)
        # Whoever is given what travels freely is told what follows from that, and no more.
        rows = [row for row in rows if row.author_id == reader_id or seen.hides(row) != "tlp"]
        facts = [folded(row, orgs[row.author_id]) for row in rows]
        policy = context.policy(uow)
        standing = rules.standing(facts, uow.now, policy)
        size = ledger.size(uow)
        marked = admission.viewed_up_to(uow, [reader_id], [] if indicator_id is None else [indicator_id])
    # What is quarantined or withheld is nobody's business but its author's.
    shown = [
        (row, fact)
        for row, fact in zip(rows, facts, strict=True)
        if row.author_id == reader_id or (row.quarantine is None and seen.hides(row) is None)
    ]
    if indicator_id is None or not shown:
        raise Refused("not-found", "", "no live statement about it that you may see")
    visible = {row.digest for row, _ in shown}
    if delivered and marked.get(indicator_id, 0) <= shown[-1][0].seq:
        with context.database.transaction() as uow:
            reading.mark_viewed(uow, reader_id, indicator_id, size)
    return IndicatorView(
        indicator=str(indicator),
        community=slug,
        status=standing.status,
        reasons=[
            ReasonView(rule=r.rule, statements=[i.hex() for i in r.statements if i in visible])
            for r in standing.reasons
        ],
        reporters=standing.reporters,
        disputes=standing.disputes,
        first_seen=rfc3339(min(row.toe for row, _ in shown)),
        last_seen=rfc3339(max(row.toe for row, _ in shown)),
        policy_version=policy.version,
        statements=[
            StatementView(
                seq=row.seq,
                kind=row.kind,
                author=fact.author,
                statement=row.digest.hex(),
                recorded_at=rfc3339(row.recorded_at),
                expires_at=rfc3339(row.expires_at),
                counts=fact.counts,
                r=row.nonce.hex(),
                jws=row.jws.decode(),
            )
            for row, fact in shown
        ],
    )


def policy_in_force(context: Context) -> Policy:
    """The policy that the board has set."""
    with context.database.snapshot() as uow:
        return context.policy(uow)


def me(context: Context, reader_id: int, client_id: str, scopes: Iterable[str]) -> Me:
    """Who the caller is to this hub, what it may do, and what is left of its cap."""
    with context.database.snapshot() as uow:
        org = context.members.orgs(uow)[reader_id]
        cap, left = cap_of(context, uow, reader_id)
        return Me(
            issuer=org.issuer,
            client_id=client_id,
            state=org.state,
            since=rfc3339(org.state_since),
            scopes=sorted(scopes),
            communities=context.members.community_views(uow, reader_id),
            signals_per_hour=cap,
            signals_left=left,
            log_size=ledger.size(uow),
        )


def log_size(context: Context) -> int:
    """How many entries the log has."""
    with context.database.snapshot() as uow:
        return ledger.size(uow)
