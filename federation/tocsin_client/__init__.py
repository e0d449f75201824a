"""What a member installs: the SDK that talks to a hub, and the `tocsin` command.

`Author` signs, `Client` talks to one hub, `Log` accepts the checkpoints of its log and proves what they cover, `Mirror`
follows a community and verifies what it is given. Matching and
hashing are in `tocsin_client.match` and `tocsin_client.hashing`.
"""

from tocsin_client.client import Client, FeedLine
from tocsin_client.http import HubError, HubUnreachable
from tocsin_client.log import Log, LogUnverified, View
from tocsin_client.log_store import LogStore
from tocsin_client.mirror import Mirror, Step, VerificationFailed
from tocsin_client.submit import Author, Rejection, Result, new_jti

__all__ = [
    "Author",
    "Client",
    "FeedLine",
    "HubError",
    "HubUnreachable",
    "Log",
    "LogStore",
    "LogUnverified",
    "Mirror",
    "Rejection",
    "Result",
    "Step",
    "VerificationFailed",
    "View",
    "new_jti",
]
