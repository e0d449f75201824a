"""Routes are put together flat, and the first that fits answers."""

from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from starlette.routing import Route

from tests.support.hub import Hub
from tocsin.web.routing import together


def test_the_first_that_fits_answers() -> None:
    one, other = APIRouter(prefix="/at"), APIRouter(prefix="/at")

    @one.get("/new")
    async def new() -> str:
        return "new"

    @other.get("/{name}")
    async def named(name: str) -> str:
        return f"named {name}"

    app = FastAPI()
    app.router.routes.extend(together(one, other).routes)
    with TestClient(app) as http:
        assert http.get("/at/new").json() == "new"
        assert http.get("/at/other").json() == "named other"


def test_no_router_of_the_hub_stands_inside_another(hub: Hub) -> None:
    nested = [route for route in hub.app.routes if not isinstance(route, Route)]
    assert not nested
    assert len(hub.app.routes) > 150
