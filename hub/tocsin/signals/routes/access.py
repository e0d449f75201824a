"""What routes of signals ask for: the caller with a scope, and the context of the use cases."""

from typing import Annotated

from fastapi import Depends, Request

from tocsin.signals.service.context import Context
from tocsin.web.auth import Actor, require

reader = require("signals:read")

Submitter = Annotated[Actor, Depends(require("signals:submit"))]
Reader = Annotated[Actor, Depends(reader)]


def _context(request: Request) -> Context:
    context: Context = request.app.state.signals
    return context


Signals = Annotated[Context, Depends(_context)]
