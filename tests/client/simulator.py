"""A hub's log and feed in memory, with real signatures, that can be made to lie.

simulator.publish("pixel", …) logs a signed statement and puts it on the feed; tests then change `lines` or `log`.
It is a `tocsin_client.mirror.Source`.
"""

import hashlib
import json
import secrets
from collections.abc import Sequence
from typing import Any

from tests.client.simulated_log import SimulatedLog
from tests.support.clock import MovableClock
from tocsin_client.feed import FeedPage
from tocsin_client.mirror import Mirror
from tocsin_client.submit import new_jti
from tocsin_client.trust import Trust
from tocsin_schemas import envelope, hub_events, signals
from tocsin_schemas.feed import Directory, DirectoryMember, MemberKey
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import Entry, commit, new_nonce, rfc3339
from tocsin_schemas.policy import Policy
from tocsin_schemas.signals import Dispute, Event, Media, Report, Retraction
from tocsin_schemas.vocabulary import MemberState

DAY = 86_400
FAR = 253402300799


def report(valid_until: int, **more: Any) -> Report:
    fields: dict[str, Any] = {
        "basis": "human_confirmed",
        "labels": ["test@1:benign_a"],
        "tlp": "amber",
        "media": Media(ai_origin="unknown", origin_evidence="none", detection_context="upload"),
    }
    return Report(**{**fields, "valid_until": valid_until, **more})


def sha256(text: str) -> Indicator:
    return Indicator("sha256", hashlib.sha256(text.encode()).digest())


def texts(mirror: Mirror) -> set[str]:
    """The indicators that are stored, of the letters that the tests use."""
    names = {sha256(text).value: text for text in "abcdefgh"}
    return {names[value] for value in mirror.store.values("sha256")}


class Member:
    """A member of the simulated community."""

    def __init__(self, name: str, group: str) -> None:
        self.issuer = f"https://{name}.example"
        self.group = group
        self.key = SigningKey.generate()
        self.state: MemberState = "active"
        self.since = FAR
        self.activated = True
        self.not_before = 0
        self.not_after = FAR
        self.revoked_at: int | None = None

    def listed(self) -> DirectoryMember:
        return DirectoryMember(
            issuer=self.issuer,
            member_class="platform",
            control_group=self.group,
            state=self.state,
            since=rfc3339(self.since),
            activated=self.activated,
            may_write=True,
            keys=[
                MemberKey(
                    jwk=self.key.public.jwk(),
                    not_before=rfc3339(self.not_before),
                    not_after=rfc3339(self.not_after),
                    revoked_at=None if self.revoked_at is None else rfc3339(self.revoked_at),
                )
            ],
        )


class Simulator:
    """One hub with one community; `lines[seq]` is None for entries of other communities."""

    hub = "https://hub.example"
    community = "child-safety"

    def __init__(self, clock: MovableClock) -> None:
        self.clock = clock
        self.members = {name: Member(name, f"cg_{name}") for name in ("pixel", "forum", "model")}
        self.key = SigningKey.generate()
        self.log = SimulatedLog(lambda: self.hub, clock)
        self.lines: list[bytes | None] = []
        self.asked: list[str] = []
        self.hub_policy = Policy()

    def audience(self, community: str) -> str:
        return f"{self.hub}/communities/{community}"

    def directory(self, community: str) -> Directory:
        self.asked.append("directory")
        return Directory(
            community=self.community,
            audience=self.audience(self.community),
            hub=self.hub,
            members=[member.listed() for member in self.members.values()],
            hub_keys=[MemberKey(jwk=self.key.public.jwk(), not_before=rfc3339(0), not_after=rfc3339(FAR))],
        )

    def trust(self) -> Trust:
        return Trust.of(self.directory(self.community))

    def policy(self) -> Policy:
        return self.hub_policy

    def page(self, community: str, after: int | None, limit: int) -> FeedPage:
        self.asked.append(f"page {after}")
        start = 0 if after is None else after + 1
        found = [(seq, line) for seq, line in enumerate(self.lines) if seq >= start and line is not None]
        covered = found[limit - 1][0] if len(found) >= limit else len(self.lines) - 1
        return FeedPage([line for _, line in found[:limit]], covered if found else None)

    # Publishing.

    def publish(
        self,
        name: str,
        event: Event,
        subject: Sequence[Indicator] | bytes,
        *,
        expires_at: int | None = None,
        kind: str | None = None,
        audience: str | None = None,
        iat: int | None = None,
        iss: str | None = None,
    ) -> tuple[int, bytes]:
        """Sign, log and feed a statement; its sequence number and its id."""
        member = self.members[name]
        payload = signals.compose(
            event,
            subject,
            iss=iss or member.issuer,
            aud=audience or self.audience(self.community),
            iat=self.clock() if iat is None else iat,
            jti=new_jti(),
        )
        end = expires_at if expires_at is not None else getattr(event, "valid_until", self.clock() + 30 * DAY)
        said = next(name for name, model in signals.EVENTS.items() if isinstance(event, model))
        seq = self.enter(envelope.sign(payload, member.key), kind or said, end)
        return seq, hashlib.sha256(payload).digest()

    def report(self, name: str, *texts: str, days: float = 30, **more: Any) -> tuple[int, bytes]:
        """A report of the SHA-256 of some texts."""
        found = [sha256(text) for text in texts]
        return self.publish(name, report(self.clock() + int(days * DAY), **more), found)

    def retract(self, name: str, statement: bytes) -> tuple[int, bytes]:
        return self.publish(name, Retraction(reason="error"), statement)

    def dispute(self, name: str, text: str) -> tuple[int, bytes]:
        event = Dispute(reason="false_positive", basis="human_confirmed")
        return self.publish(name, event, [sha256(text)])

    def expiry(
        self,
        *seqs: int,
        key: SigningKey | None = None,
        audience: str | None = None,
        day: str = "2026-11-22",
    ) -> int:
        """The hub's own daily event."""
        payload = hub_events.compose_expiry(
            iss=self.hub,
            aud=audience or self.audience(self.community),
            iat=self.clock(),
            day=day,
            seqs=seqs,
        )
        return self.enter(envelope.sign(payload, key or self.key), "expiry", None)

    def release(self, *seqs: int) -> int:
        """The hub shows these from now on."""
        payload = hub_events.compose_release(
            iss=self.hub, aud=self.audience(self.community), iat=self.clock(), seqs=seqs
        )
        return self.enter(envelope.sign(payload, self.key), "release", None)

    def gone(self, name: str = "forum", reason: str = "expired") -> int:
        """A tombstone in the place of a report."""
        seq, _ = self.report(name, "gone")
        self.replace(seq, gone=reason)
        return seq

    def enter(self, jws: bytes, kind: str, expires_at: int | None) -> int:
        """Log and feed any bytes."""
        seq, nonce, now = len(self.log.leaves), new_nonce(), self.clock()
        self.log.leaves.append(Entry(self.community, kind, now, commit(nonce, jws)).encode())
        record: dict[str, Any] = {"seq": seq, "recorded_at": rfc3339(now)}
        if expires_at is not None:
            record["expires_at"] = rfc3339(expires_at)
        self.lines.append(json.dumps({**record, "r": nonce.hex(), "jws": jws.decode()}).encode())
        return seq

    def elsewhere(self, count: int = 1) -> None:
        """Entries of another community."""
        for _ in range(count):
            self.log.leaves.append(Entry("ncii", "report", self.clock(), secrets.token_bytes(32)).encode())
            self.lines.append(None)

    def amend(self, seq: int, **members: Any) -> None:
        """Change members of a record on the feed; None takes one out."""
        line = self.lines[seq]
        assert line is not None
        record = {**json.loads(line), **members}
        self.lines[seq] = json.dumps({k: v for k, v in record.items() if v is not None}).encode()

    def replace(self, seq: int, **record: Any) -> None:
        """Put another record in the place of one."""
        self.lines[seq] = json.dumps({"seq": seq, **record}).encode()

    def relog(self, seq: int, **members: Any) -> None:
        """Change the log entry under a record."""
        entry = Entry.decode(self.log.leaves[seq])
        fields = {name: getattr(entry, name) for name in ("community", "kind", "recorded_at", "commitment")}
        self.log.leaves[seq] = Entry(**{**fields, **members}).encode()
