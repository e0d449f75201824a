"""What every use case of endpoints is given, and who calls."""

from dataclasses import dataclass, field

from tocsin.db import Database
from tocsin.egress import Egress
from tocsin.egress.calls import Calls
from tocsin.members.service import Members
from tocsin.webhooks.service.secrets import Secrets
from tocsin_schemas.jwk import SigningKey


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The database, the members, the one door out, what secrets derive from, and the calls under way."""

    database: Database
    members: Members
    egress: Egress
    secrets: Secrets
    calls: Calls = field(default_factory=Calls)


def open_webhooks(database: Database, members: Members, egress: Egress, key: SigningKey) -> Webhooks:
    """Endpoints of one hub; `key` is its delivery key."""
    return Webhooks(database, members, egress, Secrets(key))
