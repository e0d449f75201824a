"""The pages by which a member looks after its endpoints, and what it is told on every page when one was stopped."""

from typing import Final

from tocsin.web.routing import together
from tocsin.webhooks.pages import endpoint, endpoints, messages, settings
from tocsin.webhooks.pages.place import notices

__all__ = ["notices", "router"]

router: Final = together(endpoints.router, endpoint.router, messages.router, settings.router)
