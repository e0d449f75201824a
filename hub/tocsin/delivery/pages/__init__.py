"""The operator's page of deliveries, and the words that the pages of endpoints and streams share with it."""

from tocsin.delivery.pages.overview import Acts, router

__all__ = ["Acts", "router"]
