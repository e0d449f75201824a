"""Who may manage endpoints over HTTP, and what the routes work with."""

from typing import Annotated, Final

from fastapi import Depends, Path, Request, Response

from tocsin.web import problems
from tocsin.web.auth import Actor, Demand
from tocsin.web.body import Body, body
from tocsin.web.documents import JSON
from tocsin.webhooks.service import Webhooks
from tocsin_schemas.endpoints import ENDPOINT_ID_PATTERN

MAX_BODY_BYTES: Final = 64 * 1024
REFUSED: Final = problems.documented(
    "unauthenticated", "token-expired", "forbidden", "not-found", "unavailable"
)
ASKED: Final = problems.documented("request-invalid", "payload-too-large", "unsupported-media-type")
CALLED: Final = problems.documented("rate-limited")


async def _webhooks(request: Request) -> Webhooks:
    webhooks: Webhooks = request.app.state.webhooks
    return webhooks


Manager = Annotated[Actor, Depends(Demand("webhooks:manage"))]
Service = Annotated[Webhooks, Depends(_webhooks)]
JsonBody = Annotated[Body, Depends(body({JSON: MAX_BODY_BYTES}))]
EndpointId = Annotated[str, Path(max_length=40, json_schema_extra={"pattern": ENDPOINT_ID_PATTERN})]


def once(response: Response) -> None:
    """What is shown once is kept by nobody on the way."""
    response.headers["Cache-Control"] = "no-store"
