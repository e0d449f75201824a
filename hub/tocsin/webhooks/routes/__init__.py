"""Endpoints over HTTP."""

from typing import Final

from fastapi import APIRouter

from tocsin.webhooks.routes import endpoints, messages
from tocsin_schemas.endpoints import EndpointChange, NewEndpoint, Replay

router: Final = APIRouter()
router.include_router(endpoints.router)
router.include_router(messages.router)

SCHEMAS: Final = (NewEndpoint, EndpointChange, Replay)
"""What stands in bodies that the framework does not see."""
