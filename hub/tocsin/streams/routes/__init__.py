"""The routes of streams: discovery and keys, the management API, and polling."""

from typing import Final

from tocsin.streams.routes import discovery, managing, polling
from tocsin.web.routing import together

router: Final = together(polling.router, managing.router, discovery.router)
