"""The routes of streams: discovery and keys, the management API, and polling."""

from typing import Final

from fastapi import APIRouter

from tocsin.streams.routes import discovery, managing, polling

router: Final = APIRouter()
for part in (discovery, managing, polling):
    router.include_router(part.router)
