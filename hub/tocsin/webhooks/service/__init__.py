"""The use cases of webhooks."""

from tocsin.webhooks.service.context import Webhooks, open_webhooks

__all__ = ["Webhooks", "open_webhooks"]
