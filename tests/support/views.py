"""A hub's log, as somebody sees it who looks for the first time."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from tocsin_client.client import Client
from tocsin_client.log import Log, View
from tocsin_client.log_store import LogStore


def newest_view(client: Client, clock: Callable[[], int]) -> View:
    """The newest checkpoint, accepted by the policy that the hub serves; its entries are read verified."""
    with TemporaryDirectory() as folder:
        return Log(client.log, LogStore(Path(folder)), client.hub, clock=clock).latest()
