"""The SDK: one `Client` speaks for one member to one hub.

    author = Author("https://pixel.example", load_key(path))
    with Client("https://hub.example", author, "cl_…") as client:
        receipt = client.report("child-safety", [parse("md5:…")], Report(…))
        for line in client.feed("child-safety"):
            …

Errors are `Refused` for what does not leave this process and `HubError` for what the hub or the network refuses.
"""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel, TypeAdapter

from tocsin_client.answers import read
from tocsin_client.auth import Tokens
from tocsin_client.endpoints import Endpoints
from tocsin_client.feed import FeedPage
from tocsin_client.http import BrokeOff, Call, HttpClient, HubError, Transport
from tocsin_client.log_source import HttpLog
from tocsin_client.submit import SIGNALS_PATH, Author, Progress, Result, Wait, submit
from tocsin_schemas import envelope
from tocsin_schemas.feed import (
    FEED_MEDIA_TYPE,
    CommunityView,
    Directory,
    IndicatorView,
    Me,
    Receipt,
    Record,
    parse_record,
)
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Dispute, Event, Outcome, Report, Retraction, Sighting
from tocsin_schemas.snapshots import SnapshotView
from tocsin_schemas.tlog_proof import Proof
from tocsin_schemas.vocabulary import RetractionReason

DEFAULT_PAGE: Final = 1000
PAGE_ATTEMPTS: Final = 4
LONGEST_WAIT: Final = 25
"""Seconds that a hub lets a request wait."""
_NOTHING: Final[Mapping[str, str]] = {}
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_STATEMENT: Final = re.compile(r"(?:statement:)?([0-9a-f]{64})")
_COMMUNITIES: Final = TypeAdapter(list[CommunityView])
_Answer = TypeVar("_Answer", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class FeedLine:
    """One record of a feed: the bytes received, and what they say."""

    raw: bytes
    record: Record


class Client:
    """A member's connection to a hub.

    `client_id` is the OAuth client that the hub registered for the member. `http` hands in an `httpx2.Client` (a test
    client of the hub's app, say); `ca_file` names a private CA; `scope` asks for less than all the client may do.
    """

    def __init__(
        self,
        hub: str,
        author: Author,
        client_id: str,
        http: HttpClient | None = None,
        *,
        ca_file: Path | None = None,
        scope: str | None = None,
        transport: Transport | None = None,
    ) -> None:
        self.transport = transport or Transport(hub, http=http, ca_file=ca_file)
        self.hub = self.transport.hub
        self.author = author
        self._tokens = Tokens(self.transport, client_id, author.key, scope=scope, clock=author.clock)

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def log(self) -> HttpLog:
        """The hub's public log, for `tocsin_client.log`."""
        return HttpLog(self.transport)

    @property
    def endpoints(self) -> Endpoints:
        """This member's webhook endpoints."""
        return Endpoints(self.transport, self._tokens.authorization)

    def audience(self, community: str) -> str:
        """The URL that names a community in a signal's `aud`."""
        return f"{self.hub}/communities/{_slug(community)}"

    # Who am I, and who else is here.

    def me(self) -> Me:
        """Who this client is to the hub, its communities, and what is left of its cap."""
        return self._get("/v1/me", Me)

    def communities(self) -> list[CommunityView]:
        """The communities this member may read or write in."""
        reply = self.transport.request(self._call("GET", "/v1/communities"))
        return read(_COMMUNITIES.validate_json, reply.body)

    def directory(self, community: str) -> Directory:
        """The members of a community with their keys, and the hub's keys."""
        return self._get(f"/v1/communities/{_slug(community)}/members", Directory)

    def policy(self) -> Policy:
        """The numbers in force: windows, thresholds, lifetimes, caps."""
        return self._get("/v1/policy", Policy)

    def view(self, community: str, indicator: Indicator) -> IndicatorView | None:
        """One indicator's standing with its statements; None when nothing about it is live."""
        try:
            return self._get(f"/v1/communities/{_slug(community)}/indicators/{indicator}", IndicatorView)
        except HubError as error:
            if error.status == 404:
                return None
            raise

    def snapshot(self, community: str, kind: str) -> SnapshotView:
        """The newest snapshot of a type; `tocsin_client.snapshots` verifies it and fetches its files."""
        return self._get(f"/v1/communities/{_slug(community)}/snapshot/{kind}", SnapshotView)

    def snapshot_shard(self, community: str, kind: str, version: int, number: int) -> bytes:
        """Shard `number` (from 0) of a snapshot."""
        return self._snapshot_file(community, f"{kind}/{version}/shards/{number}")

    def snapshot_delta(self, community: str, kind: str, version: int, since: int) -> bytes:
        """What leads from version `since` of a snapshot to this one."""
        return self._snapshot_file(community, f"{kind}/{version}/delta/{since}")

    # Say something.

    def report(
        self,
        community: str,
        indicators: Sequence[Indicator],
        event: Report,
        *,
        observed_at: int | None = None,
    ) -> Receipt:
        """Report 1-16 hashes of one thing."""
        return self._say(community, indicators, event, observed_at)

    def sighting(
        self,
        community: str,
        indicators: Sequence[Indicator],
        event: Sighting,
        *,
        observed_at: int | None = None,
    ) -> Receipt:
        """Say that a reported indicator was met here."""
        return self._say(community, indicators, event, observed_at)

    def dispute(self, community: str, indicators: Sequence[Indicator], event: Dispute) -> Receipt:
        """Say that a reported indicator is wrong."""
        return self._say(community, indicators, event, None)

    def outcome(self, community: str, indicators: Sequence[Indicator], event: Outcome) -> Receipt:
        """Say what was done about an indicator."""
        return self._say(community, indicators, event, None)

    def retract(self, community: str, statement: str, reason: RetractionReason) -> Receipt:
        """Withdraw one of this member's own statements, named by the `statement` of its receipt.

        Raises:
            Refused: `claim-invalid` when that is not a statement's id.
        """
        match = _STATEMENT.fullmatch(statement)
        if match is None:
            raise Refused(
                "claim-invalid", "statement", "a statement's id is 64 lower-case hexadecimal digits"
            )
        return self._say(community, bytes.fromhex(match[1]), Retraction(reason=reason), None)

    def send(self, token: bytes, *, wait: Wait | None = None) -> Receipt:
        """Submit one signed signal. The same one again gives the same receipt.

        With `wait` "proof" the answer comes when a checkpoint covers it, and the receipt has its `proof`; it comes
        without one when that takes too long.

        Raises:
            HubError: with the problem's code and field.
        """
        params = {} if wait is None else {"wait": wait}
        headers = {"Content-Type": envelope.MEDIA_TYPE}
        call = self._call("POST", SIGNALS_PATH, body=token, headers=headers, params=params)
        reply = self.transport.request(call)
        return read(Receipt.model_validate_json, reply.body)

    def submit(
        self,
        tokens: Iterable[bytes],
        *,
        dry_run: bool = False,
        wait: Wait | None = None,
        on_progress: Progress | None = None,
    ) -> Iterator[Result]:
        """Submit many signed signals; one result each, in order (`tocsin_client.submit.submit`)."""
        return submit(
            self.transport,
            self._tokens.authorization,
            tokens,
            dry_run=dry_run,
            wait=wait,
            on_progress=on_progress,
        )

    def receipt(self, seq: int) -> Proof:
        """The proof that the log has the entry at `seq`, in the hub's newest checkpoint; verify it before you keep it.

        Its `extra` is JSON: `entry`, and `r` that opens the entry's commitment, if this member may have it. A hub that
        has not published the entry yet is asked again.

        Raises:
            HubError: with the problem's code: `not-found` beyond the log.
        """
        reply = self.transport.request(self._call("GET", f"/v1/receipts/{seq}"))
        try:
            return Proof.decode(reply.body)
        except Refused:
            raise HubError(
                "answer-invalid", "the hub's receipt is not a proof", status=reply.status
            ) from None

    # Follow.

    def page(self, community: str, after: int | None = None, limit: int = DEFAULT_PAGE) -> FeedPage:
        """One page of a community's feed as raw lines: at most `limit` records behind `after`, none when up to date.

        With a limit of `SEGMENT` or more, the hub answers with what it has stored where it can.

        Raises:
            HubError: `answer-invalid` for more records than were asked for.
        """
        return self._page(community, after, limit)[0]

    def await_record(self, community: str, after: int | None, seconds: float) -> bool:
        """Wait until a community's feed has a record behind `after`, at most so many seconds; whether it has one."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            wait = {"Prefer": f"wait={min(math.ceil(left), LONGEST_WAIT)}"}
            page, headers = self._page(community, after, 1, wait)
            if page.lines:
                return True
            if "preference-applied" not in headers:
                # This hub does not let anybody wait.
                self.transport.pause(until - time.monotonic())
        return False

    def feed(self, community: str, after: int | None = None, limit: int = DEFAULT_PAGE) -> Iterator[FeedLine]:
        """Every record of a community's feed behind `after`, fetched in pages of `limit`.

        This reads the feed and verifies nothing; `tocsin_client.mirror.Mirror` does.

        Raises:
            HubError: `answer-invalid` for a line that is no record, or when the hub repeats itself.
        """
        while True:
            page = self.page(community, after, limit)
            if not page.lines:
                return
            for raw in page.lines:
                record = read(parse_record, raw)
                if after is not None and record.seq <= after:
                    raise HubError("answer-invalid", "the feed's sequence does not increase")
                after = record.seq
                yield FeedLine(raw, record)
            after = max(after or 0, page.covered or 0)

    def _page(
        self, community: str, after: int | None, limit: int, headers: Mapping[str, str] = _NOTHING
    ) -> tuple[FeedPage, Mapping[str, str]]:
        params = {"limit": str(limit)} | ({} if after is None else {"after": str(after)})
        asked = {"Accept": FEED_MEDIA_TYPE, "Accept-Encoding": "zstd, gzip", **headers}
        path = f"/v1/communities/{_slug(community)}/feed"
        call = self._call("GET", path, params=params, headers=asked)
        for _ in range(PAGE_ATTEMPTS - 1):
            with suppress(BrokeOff):
                return self._read_page(call, limit)
        return self._read_page(call, limit)

    def _read_page(self, call: Call, limit: int) -> tuple[FeedPage, Mapping[str, str]]:
        answer = self.transport.stream(call)
        lines = list(islice(answer, limit + 1))
        if len(lines) > limit:
            raise HubError("answer-invalid", "the hub sent more records than were asked for")
        return FeedPage(lines, answer.next_page("after")), answer.headers

    def _say(
        self, community: str, subject: Sequence[Indicator] | bytes, event: Event, observed_at: int | None
    ) -> Receipt:
        token = self.author.sign(event, subject, audience=self.audience(community), observed_at=observed_at)
        return self.send(token)

    def _snapshot_file(self, community: str, path: str) -> bytes:
        call = self._call("GET", f"/v1/communities/{_slug(community)}/snapshot/{path}")
        return self.transport.request(call).body

    def _call(self, method: str, path: str, **more: Any) -> Call:
        return Call(method, path, authorize=self._tokens.authorization, **more)

    def _get(self, path: str, answer: type[_Answer]) -> _Answer:
        reply = self.transport.request(self._call("GET", path))
        return read(answer.model_validate_json, reply.body)


def _slug(community: str) -> str:
    if not _SLUG.fullmatch(community):
        raise Refused(
            "claim-invalid", "community", "a community's name is lower-case letters, digits and dashes"
        )
    return community
