"""The board over HTTP: what it publishes, and its proceedings."""

from typing import Final

from fastapi import APIRouter

from tocsin.governance.routes import applications, board, published
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
# Each part names its whole paths: the access log shows the template of the innermost router.
router = APIRouter()
for part in (published, board, applications):
    router.include_router(part.router)
