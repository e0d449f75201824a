"""The pages by which a member looks after its endpoints, and what it is told on every page when one was stopped."""

from typing import Final

from fastapi import APIRouter

from tocsin.webhooks.pages import endpoint, endpoints, messages, settings
from tocsin.webhooks.pages.place import notices

__all__ = ["notices", "router"]

router: Final = APIRouter()
for module in (endpoints, endpoint, messages, settings):
    router.include_router(module.router)
