"""The board over HTTP: what it publishes, and its proceedings."""

from typing import Final

from tocsin.governance.routes import applications, board, published
from tocsin.web.routing import together
from tocsin_schemas.decisions import Ballot
from tocsin_schemas.governance import MemberBody

SCHEMAS: Final = (
    applications.Application,
    applications.ApplicationSecret,
    applications.ApplicationAnswers,
    Ballot,
    MemberBody,
)
"""What stands in bodies that the framework does not see."""
router: Final = together(published.router, board.router, applications.router)
