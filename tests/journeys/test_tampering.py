"""A real hub's published log and feed, tampered with behind its back: each time a follower finds it, and says what."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.signals.material import COMMUNITY, Voice, md5
from tests.support.hub import Hub
from tocsin.ledger.service import published
from tocsin_client.client import Client
from tocsin_client.evidence import judge
from tocsin_client.feed import Failure, FeedPage
from tocsin_client.log import Log, LogUnverified, View
from tocsin_client.log_audit import audit_log
from tocsin_client.log_source import FolderLog
from tocsin_client.mirror import Mirror, VerificationFailed
from tocsin_client.monitor import Vantage, look
from tocsin_schemas import ledger
from tocsin_schemas.checkpoint import sign_checkpoint
from tocsin_schemas.ledger import Entry
from tocsin_schemas.merkle import Edge, leaf_hash

RECORDS = 600


class Follower:
    """A member that follows, and checks what it is shown."""

    def __init__(self, hub: Hub, name: str, folder: Path) -> None:
        self.client = hub.party(name).sdk()
        self.mirror = Mirror.open(folder / f"{name}.db", hub.issuer, COMMUNITY, clock=hub.clock)
        self.log = Log(self.client.log, self.mirror.log, hub.issuer, clock=hub.clock, pause=lambda _: None)

    def verify(self) -> list[Failure]:
        """`tocsin log verify`."""
        return audit_log(self.log.latest(), self.mirror.store).failures

    def monitor(self, *others: Vantage) -> None:
        """`tocsin log monitor --once`."""
        look(self.log, others, 0)


@pytest.fixture
def follower(hub: Hub, tmp_path: Path) -> Follower:
    """It holds 600 reports and finds everything right."""
    pixel = Voice(hub, "pixel")
    pixel.batch([pixel.report(md5(number)) for number in range(RECORDS)])
    hub.publish()
    made = Follower(hub, "vendor", tmp_path)
    made.mirror.follow(made.client)
    assert made.verify() == []
    made.monitor()
    return made


@pytest.fixture
def public(hub: Hub) -> Path:
    """The folder of the published log."""
    return Path(hub.settings.log_location())


def alarm(*looks: Callable[[], object]) -> LogUnverified:
    """Every look raises the same alarm."""
    found = []
    for each in looks:
        with pytest.raises(LogUnverified) as caught:
            each()
        found.append(caught.value)
    assert len({error.code for error in found}) == 1
    return found[-1]


def rewrite(path: Path, change: Callable[[list[bytes]], object]) -> None:
    entries = ledger.decode_bundle(path.read_bytes())
    change(entries)
    path.write_bytes(ledger.encode_bundle(entries))


def test_a_stored_entry_is_edited(follower: Follower, public: Path) -> None:
    def edit(entries: list[bytes]) -> None:
        entries[44] = Entry.decode(entries[44])._replace(kind="dispute").encode()

    rewrite(public / "tile/entries/001", edit)
    error = alarm(follower.verify, follower.monitor)
    assert (error.code, "entry 300 " in error.reason) == ("log-entry-mismatch", True)


def test_a_leaf_is_dropped(follower: Follower, public: Path) -> None:
    rewrite(public / "tile/entries/002.p/88", lambda entries: entries.pop(3))
    error = alarm(follower.verify, follower.monitor)
    assert (error.code, "entry 515 " in error.reason) == ("log-entry-mismatch", True)


def test_tiles_are_swapped(follower: Follower, public: Path) -> None:
    one, two = (public / "tile/0/000"), (public / "tile/0/001")
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)
    error = alarm(follower.verify, follower.monitor)
    assert (error.code, "tile/0/000" in error.reason) == ("log-tile-mismatch", True)


def test_the_checkpoint_is_rolled_back(hub: Hub, follower: Follower, public: Path) -> None:
    old = (public / "checkpoint").read_bytes()
    pixel = Voice(hub, "harbor")
    pixel.batch([pixel.report(md5(5_000))])
    hub.publish()
    follower.mirror.follow(follower.client)
    (public / "checkpoint").write_bytes(old)
    error = alarm(follower.verify, follower.monitor, lambda: follower.mirror.follow(follower.client))
    assert (error.code, "600" in error.reason, "601" in error.reason) == ("log-rolled-back", True, True)
    assert error.evidence is not None
    assert judge(error.evidence, follower.log.policy()) == "log-rolled-back"


def forged(hub: Hub, view: View, folder: Path, seq: int) -> FolderLog:
    """The hub's log with one entry replaced, signed with the hub's own key: what it might show to somebody else."""
    entries = [raw for _, raw in view.entries(0, view.size - 1)]
    entries[seq] = Entry.decode(entries[seq])._replace(kind="dispute").encode()
    edge = Edge.empty()
    edge.extend(map(leaf_hash, entries))
    folder.mkdir()
    note = sign_checkpoint(hub.ledger.origin, view.size, edge.root(), hub.ledger.signer)
    (folder / "checkpoint").write_bytes(note)
    return FolderLog(folder)


def test_two_followers_are_shown_different_logs(hub: Hub, follower: Follower, tmp_path: Path) -> None:
    other = forged(hub, follower.log.latest(), tmp_path / "other", 300)
    error = alarm(lambda: follower.monitor(Vantage(other)))
    assert (error.code, other.name in error.reason) == ("log-forked", True)
    assert error.evidence is not None
    carried = tmp_path / "carried"
    shutil.copytree(error.evidence, carried)
    assert judge(carried, follower.log.policy()) == "log-forked"


def test_the_hub_turns_to_another_log(hub: Hub, follower: Follower, public: Path, tmp_path: Path) -> None:
    before = (follower.mirror.store.cursor, follower.mirror.store.counts(), follower.mirror.store.checkpoint)
    forged(hub, follower.log.latest(), tmp_path / "other", 300)
    shutil.copy(tmp_path / "other" / "checkpoint", public / "checkpoint")
    error = alarm(follower.verify, follower.monitor, lambda: follower.mirror.follow(follower.client))
    # The tiles still are the honest ones; that the hub signed two roots for one size needs none.
    assert error.code == "log-forked"
    assert error.evidence is not None
    assert judge(error.evidence, follower.log.policy()) == "log-forked"
    assert before == (
        follower.mirror.store.cursor, follower.mirror.store.counts(), follower.mirror.store.checkpoint
    )  # fmt: skip


def test_one_record_is_withheld_from_one_follower(
    hub: Hub, follower: Follower, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Follower(hub, "frame", tmp_path)
    honest = Client.page

    def page(self: Client, community: str, after: int | None = None, limit: int = 1000) -> FeedPage:
        answer = honest(self, community, after, limit)
        if self is not other.client:
            return answer
        return answer._replace(lines=[line for line in answer.lines if b'"seq":300,' not in line])

    monkeypatch.setattr(Client, "page", page)
    with pytest.raises(VerificationFailed) as caught:
        other.mirror.follow(other.client)
    assert (caught.value.failure.seq, caught.value.failure.code) == (300, "record-missing")
    assert other.mirror.store.cursor == 299
    follower.mirror.follow(follower.client)
    assert follower.verify() == []


def test_a_record_is_taken_out_of_a_mirror(follower: Follower) -> None:
    conn = follower.mirror.store._conn
    conn.execute("DELETE FROM indicator WHERE seq = 300")
    conn.execute("DELETE FROM statement WHERE seq = 300")
    assert [(item.seq, item.code) for item in follower.verify()] == [(300, "record-missing")]


def test_a_signed_record_is_changed_in_the_hubs_database(
    hub: Hub, follower: Follower, tmp_path: Path
) -> None:
    with hub.database.engine.begin() as conn:
        conn.exec_driver_sql(
            "UPDATE statement SET jws = (SELECT s.jws FROM statement s WHERE s.seq = 7) WHERE seq = 300"
        )
    other = Follower(hub, "frame", tmp_path)
    with pytest.raises(VerificationFailed) as caught:
        other.mirror.follow(other.client)
    assert (caught.value.failure.seq, caught.value.failure.code) == (300, "commitment-mismatch")


def test_what_is_recorded_and_not_published_waits(hub: Hub, follower: Follower) -> None:
    harbor = Voice(hub, "harbor")
    harbor.batch([harbor.report(md5(5_000))])
    assert follower.mirror.follow(follower.client).stored == 0
    publication = published(hub.ledger)
    assert publication is not None
    assert follower.mirror.store.cursor == publication.size - 1 == RECORDS - 1
    hub.publish()
    assert follower.mirror.follow(follower.client).stored == 1
