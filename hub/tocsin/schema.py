"""Every table of the hub, loaded into one metadata: what migrations are compared with."""

from sqlmodel import SQLModel

from tocsin import outbox
from tocsin.accounts.store import tables as accounts
from tocsin.governance.store import desk_tables, tables_chain
from tocsin.jobs import store as jobs
from tocsin.ledger.store import tables as ledger
from tocsin.members import store as members
from tocsin.signals.store import tables as signals
from tocsin.witnessing import store as witnessing

MODULES = (outbox, accounts, desk_tables, tables_chain, jobs, ledger, members, signals, witnessing)
METADATA = SQLModel.metadata
