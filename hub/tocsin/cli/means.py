"""What the commands that run jobs are given, the same as the serving process has."""

from tocsin.config import Settings
from tocsin.db import Clock, system_clock
from tocsin.egress import open_egress
from tocsin.errors import Misconfigured
from tocsin.governance.service import startup as governance
from tocsin.governance.service.context import open_chamber
from tocsin.jobs.carrying import open_courier
from tocsin.jobs.service import Means
from tocsin.keys import HubKeys
from tocsin.ledger import service as ledger
from tocsin.members.service import hub_keys
from tocsin.signals.service.context import open_context
from tocsin.streams.service.context import open_transmitter
from tocsin.webhooks.service import open_webhooks


def open_means(settings: Settings, keys: HubKeys, clock: Clock = system_clock) -> Means:
    """The means of the jobs, opened.

    Raises:
        Misconfigured: as `ledger.start`, `governance.start` and `hub_keys.demand_fit`; nothing is open then.
    """
    context = open_context(settings, clock)
    log = ledger.open_ledger(settings, context.database, keys)
    try:
        ledger.start(log)
        governance.start(context.board, log)
        hub_keys.demand_fit(context.database, keys)
    except Misconfigured:
        context.database.dispose()
        raise
    chamber = open_chamber(context.database, context.board, settings.issuer, log)
    egress = open_egress(settings)
    transmitter = open_transmitter(context, keys, egress)
    webhooks = open_webhooks(context.database, context.members, egress, keys)
    courier = open_courier(context, webhooks, transmitter)
    return Means(context, chamber, log, keys, courier, transmitter, webhooks)
