"""What routes of signals ask for: the caller with a scope, and the context of the use cases."""

from typing import Annotated

from fastapi import Depends, Request

from tocsin.signals.service.context import Context
from tocsin.web.auth import Actor, Demand

reader = Demand("signals:read")

Submitter = Annotated[Actor, Depends(Demand("signals:submit"))]
Reader = Annotated[Actor, Depends(reader)]


async def _context(request: Request) -> Context:
    # Not a `def`: what only looks something up needs no thread, and a thread costs more than all else in a request.
    context: Context = request.app.state.signals
    return context


Signals = Annotated[Context, Depends(_context)]
