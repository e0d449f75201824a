"""Endpoints over HTTP."""

from typing import Final

from tocsin.web.routing import together
from tocsin.webhooks.routes import endpoints, messages
from tocsin_schemas.endpoints import EndpointChange, NewEndpoint, Replay

router: Final = together(endpoints.router, messages.router)

SCHEMAS: Final = (NewEndpoint, EndpointChange, Replay)
"""What stands in bodies that the framework does not see."""
