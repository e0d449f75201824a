"""What the operator is told on every page: that the calendar waits."""

from collections.abc import Iterator
from functools import partial

from fastapi import Request

from tocsin.db import Database
from tocsin.governance.service.chain import Chain
from tocsin.governance.service.dating import calendar_waits
from tocsin.jobs.service.calendar import waits_since
from tocsin.web.console import Notice
from tocsin.web.people import Person
from tocsin_schemas.ledger import rfc3339

_notice = partial(Notice, link="Which clocks run", path="/console#clocks")


def notices(request: Request, who: Person) -> Iterator[Notice]:
    """That no rule of the calendar comes true, and what to do; for operators."""
    if "operator" not in who.roles:
        return
    database: Database = request.app.state.database
    chain: Chain = request.app.state.board
    since = waits_since(database)
    if since is not None:
        yield _notice(
            f"The calendar has not run since {rfc3339(since)}. The hub's clock has leapt ahead, or nothing runs its"
            " jobs. Run tocsin-hub clock."
        )
    with database.snapshot() as uow:
        if chain.founded(uow) and calendar_waits(state := chain.state(uow), uow.now):
            yield _notice(
                f"The newest record of the board is dated {rfc3339(state.at)}, ahead of the hub's clock. No rule of the"
                " calendar comes true before then."
            )
