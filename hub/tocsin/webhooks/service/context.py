"""What every use case of endpoints is given, and who calls."""

from dataclasses import dataclass, field

from tocsin.db import Database
from tocsin.egress import Egress
from tocsin.egress.calls import Calls
from tocsin.keys import HubKeys
from tocsin.members.service import Members
from tocsin.webhooks.service.secrets import Secrets


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The database, the members, the one door out, what secrets derive from, and the calls under way."""

    database: Database
    members: Members
    egress: Egress
    secrets: Secrets
    calls: Calls = field(default_factory=Calls)


def open_webhooks(database: Database, members: Members, egress: Egress, keys: HubKeys) -> Webhooks:
    """Endpoints of the hub that has these keys."""
    before = None if keys.delivery_before is None else keys.delivery_before.key
    return Webhooks(database, members, egress, Secrets(keys.delivery, before))
