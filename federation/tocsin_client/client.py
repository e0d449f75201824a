"""The SDK: one `Client` speaks for one member to one hub.

    author = Author("https://pixel.example", load_key(path))
    with Client("https://hub.example", author, "cl_…") as client:
        receipt = client.report("child-safety", [parse("md5:…")], Report(…))
        for line in client.feed("child-safety"):
            …

Errors are `Refused` for what does not leave this process and `HubError` for what the hub or the network refuses.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from tocsin_client.auth import Tokens
from tocsin_client.http import BrokeOff, Call, HttpClient, HubError, Transport
from tocsin_client.submit import SIGNALS_PATH, Author, Progress, Result, submit
from tocsin_schemas import envelope, ledger
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
from tocsin_schemas.vocabulary import RetractionReason

DEFAULT_PAGE: Final = 1000
PAGE_ATTEMPTS: Final = 4
_SLUG: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_STATEMENT: Final = re.compile(r"(?:statement:)?([0-9a-f]{64})")
_COMMUNITIES: Final = TypeAdapter(list[CommunityView])
_Answer = TypeVar("_Answer", bound=BaseModel)
_Answered = TypeVar("_Answered")


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
        return _read(_COMMUNITIES.validate_json, reply.body)

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

    def send(self, token: bytes) -> Receipt:
        """Submit one signed signal. The same one again gives the same receipt.

        Raises:
            HubError: with the problem's code and field.
        """
        call = self._call("POST", SIGNALS_PATH, body=token, headers={"Content-Type": envelope.MEDIA_TYPE})
        reply = self.transport.request(call)
        return _read(Receipt.model_validate_json, reply.body)

    def submit(
        self, tokens: Iterable[bytes], *, dry_run: bool = False, on_progress: Progress | None = None
    ) -> Iterator[Result]:
        """Submit many signed signals; one result each, in order (`tocsin_client.submit.submit`)."""
        return submit(
            self.transport, self._tokens.authorization, tokens, dry_run=dry_run, on_progress=on_progress
        )

    # Follow.

    def page(self, community: str, after: int | None = None, limit: int = DEFAULT_PAGE) -> list[bytes]:
        """One page of a community's feed as raw lines: at most `limit` records behind `after`."""
        params = {"limit": str(limit)} | ({} if after is None else {"after": str(after)})
        path = f"/v1/communities/{_slug(community)}/feed"
        call = self._call("GET", path, params=params, headers={"Accept": FEED_MEDIA_TYPE})
        for _ in range(PAGE_ATTEMPTS - 1):
            with suppress(BrokeOff):
                return list(self.transport.lines(call))
        return list(self.transport.lines(call))

    def feed(self, community: str, after: int | None = None, limit: int = DEFAULT_PAGE) -> Iterator[FeedLine]:
        """Every record of a community's feed behind `after`, fetched in pages of `limit`.

        This reads the feed and verifies nothing; `tocsin_client.mirror.Mirror` does.

        Raises:
            HubError: `answer-invalid` for a line that is no record, or when the hub repeats itself.
        """
        while True:
            page = self.page(community, after, limit)
            if not page:
                return
            for raw in page:
                record = _read(parse_record, raw)
                if after is not None and record.seq <= after:
                    raise HubError("answer-invalid", "the feed's sequence does not increase")
                after = record.seq
                yield FeedLine(raw, record)

    def entries(self, first: int, last: int) -> Iterator[tuple[int, bytes]]:
        """The log's entries `first` to `last` (leaf indexes, both included), in order, from its public bundles.

        Raises:
            HubError: `answer-invalid` when a bundle has not the entries its path names.
        """
        for index in range(first // ledger.BUNDLE_ENTRIES, last // ledger.BUNDLE_ENTRIES + 1):
            start = index * ledger.BUNDLE_ENTRIES
            width = min(last + 1 - start, ledger.BUNDLE_ENTRIES)
            reply = self.transport.request(Call("GET", f"/log/{ledger.bundle_path(index, width)}"))
            try:
                found = ledger.decode_bundle(reply.body)
            except Refused:
                found = []
            if len(found) != width:
                raise HubError("answer-invalid", "a bundle of the log is not what its path names")
            yield from ((start + place, raw) for place, raw in enumerate(found) if start + place >= first)

    def _say(
        self, community: str, subject: Sequence[Indicator] | bytes, event: Event, observed_at: int | None
    ) -> Receipt:
        token = self.author.sign(event, subject, audience=self.audience(community), observed_at=observed_at)
        return self.send(token)

    def _call(self, method: str, path: str, **more: Any) -> Call:
        return Call(method, path, authorize=self._tokens.authorization, **more)

    def _get(self, path: str, answer: type[_Answer]) -> _Answer:
        reply = self.transport.request(self._call("GET", path))
        return _read(answer.model_validate_json, reply.body)


def _slug(community: str) -> str:
    if not _SLUG.fullmatch(community):
        raise Refused(
            "claim-invalid", "community", "a community's name is lower-case letters, digits and dashes"
        )
    return community


def _read(read: Callable[[bytes], _Answered], raw: bytes) -> _Answered:
    """What the hub's bytes say; bytes of another shape are the hub's fault."""
    try:
        return read(raw)
    except ValidationError:
        raise HubError("answer-invalid", "the hub's answer does not fit this version of the client") from None
