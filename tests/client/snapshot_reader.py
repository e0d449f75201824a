"""A member that fetches snapshots from a hub in this process, into a home folder of its own."""

from pathlib import Path
from typing import Any

from tests.signals.material import COMMUNITY
from tests.support.hub import Hub
from tests.support.snapshots import check_snapshots, values
from tocsin_client import snapshots
from tocsin_client.client import Client
from tocsin_client.log import Log
from tocsin_client.log_store import LogStore
from tocsin_client.snapshots import Fetched, SnapshotStore
from tocsin_client.trust import Trust


class Reader:
    """A member with a home folder."""

    def __init__(self, hub: Hub, name: str, home: Path) -> None:
        self.hub = hub
        self.home = home
        self.client: Client = hub.party(name).sdk()
        self.log = Log(
            self.client.log, LogStore.of(home, hub.issuer), hub.issuer, clock=hub.clock, pause=lambda _: None
        )

    def store(self, kind: str = "md5") -> SnapshotStore:
        return SnapshotStore.of(self.home, self.hub.issuer, COMMUNITY, kind)

    def get(self, kind: str = "md5", **how: Any) -> Fetched:
        return snapshots.get(self.client, self.log, self.store(kind), **how)

    def verify(self, kind: str = "md5") -> int:
        trust = Trust.of(self.client.directory(COMMUNITY))
        return snapshots.verify(self.store(kind), trust, self.log.policy(), clock=self.hub.clock).version

    def held(self, kind: str = "md5") -> list[bytes]:
        store = self.store(kind)
        return [row.tobytes() for keys in store.keys(store.demand().manifest) for row in keys]

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.store().folder.iterdir()}


def make(hub: Hub) -> None:
    hub.run_job("feed.snapshot")
    hub.publish()


def at_hub(hub: Hub, kind: str = "md5") -> list[bytes]:
    return values(hub.settings, check_snapshots(hub.database, hub.settings)[COMMUNITY, kind])
