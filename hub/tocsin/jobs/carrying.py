"""The courier of a hub, with everybody whose messages it carries."""

from tocsin.delivery.service import Courier, Sender
from tocsin.signals.service.context import Context
from tocsin.streams.service.context import Transmitter
from tocsin.streams.service.sender import StreamSender
from tocsin.webhooks.service import Webhooks
from tocsin.webhooks.service.sender import WebhookSender


def open_courier(context: Context, webhooks: Webhooks, transmitter: Transmitter) -> Courier:
    """The courier; it sends nothing before `send_due`."""
    senders: list[Sender] = [WebhookSender(context, webhooks.secrets), StreamSender(transmitter)]
    return Courier(context.database, webhooks.egress, senders)
