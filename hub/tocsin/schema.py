"""Every table of the hub, loaded into one metadata: what migrations are compared with."""

from sqlmodel import SQLModel

from tocsin import outbox
from tocsin.accounts.store import tables as accounts
from tocsin.delivery.store import tables as delivery
from tocsin.governance.store import desk_tables, tables_chain
from tocsin.jobs import store as jobs
from tocsin.ledger.store import tables as ledger
from tocsin.members import store as members
from tocsin.signals.store import tables as signals
from tocsin.streams.store import tables as streams
from tocsin.webhooks.store import probes
from tocsin.webhooks.store import tables as webhooks
from tocsin.witnessing import store as witnessing

MODULES = (
    outbox,
    accounts,
    delivery,
    desk_tables,
    tables_chain,
    jobs,
    ledger,
    members,
    probes,
    signals,
    streams,
    webhooks,
    witnessing,
)
METADATA = SQLModel.metadata
