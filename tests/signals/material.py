"""Signals for tests, and a member's voice at a hub: raw HTTP where a test is about the answer's very bytes."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import httpx2

from tests.support.hub import Hub, LiveHub
from tests.support.parties import Party
from tocsin_client.submit import new_jti
from tocsin_schemas import envelope, signals
from tocsin_schemas.envelope import BATCH_MEDIA_TYPE, MEDIA_TYPE
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import MEDIA_TYPE as PROBLEM_TYPE
from tocsin_schemas.problems import REGISTRY
from tocsin_schemas.signals import (
    Account,
    Artefact,
    Dispute,
    Event,
    Media,
    Outcome,
    Report,
    Retraction,
    Sighting,
)
from tocsin_schemas.vocabulary import Basis

COMMUNITY = "child-safety"
TOKEN_SECONDS = 240


def md5(n: int) -> Indicator:
    """The n-th MD5."""
    return Indicator("md5", hashlib.md5(b"%d" % n).digest())


def sha256(n: int) -> Indicator:
    """The n-th SHA-256."""
    return Indicator("sha256", hashlib.sha256(b"%d" % n).digest())


def pdq(bits: int, first: int = 0) -> Indicator:
    """A PDQ hash with so many bits set, one after another from bit `first` on."""
    return Indicator("pdq", (((1 << bits) - 1) << first).to_bytes(32))


def evidence(n: int) -> str:
    """The n-th salted digest of evidence."""
    return hashlib.sha256(b"evidence %d" % n).hexdigest()


def report(
    until: int, basis: Basis = "human_confirmed", *, quality: int | None = None, **more: Any
) -> Report:
    """A report of media that ends at `until` (Unix seconds)."""
    media = Media(
        ai_origin="unknown", origin_evidence="none", detection_context="upload", pdq_quality=quality
    )
    return Report(
        basis=basis, labels=["test@1:benign_a"], tlp="amber", valid_until=until, media=media, **more
    )


def account_report(until: int, *, minor: bool = False) -> Report:
    """A report of an account."""
    account = Account(
        reviewers=1, conduct="ban_evasion", relevance="child_safety", action="frozen", minor_suspected=minor
    )
    return Report(
        basis="human_confirmed",
        labels=["behaviour@1:ban_evasion"],
        tlp="amber",
        valid_until=until,
        account=account,
    )


def artefact_report(until: int) -> Report:
    """A report of a model file."""
    return Report(
        basis="human_reviewed",
        labels=["artefact@1:safety_removed"],
        tlp="green",
        valid_until=until,
        artefact=Artefact(kind="lora"),
    )


SIGHTING = Sighting(detection_context="upload", count="1")
DISPUTE = Dispute(reason="false_positive", basis="human_reviewed")
OUTCOME = Outcome(result="actioned", decision_mode="human")
RETRACTION = Retraction(reason="error")


class Voice:
    """One member at one hub: what it signs and what it gets, with its access token kept for a while."""

    def __init__(self, hub: Hub | LiveHub, name: str, **wanted: Any) -> None:
        self.hub = hub
        self.party: Party = hub.party(name, **wanted)
        self._fetched_at = -TOKEN_SECONDS
        self._headers: dict[str, str] = {}

    @property
    def issuer(self) -> str:
        return self.party.issuer

    @property
    def now(self) -> int:
        return self.hub.clock()

    def headers(self) -> dict[str, str]:
        """An authenticated request's."""
        if abs(self.now - self._fetched_at) >= TOKEN_SECONDS:
            self._headers, self._fetched_at = self.party.bearer(), self.now
        return self._headers

    def sign(
        self,
        event: Event,
        subject: Sequence[Indicator] | Indicator | bytes,
        *,
        community: str = COMMUNITY,
        key: SigningKey | None = None,
        **claims: Any,
    ) -> bytes:
        """A signed signal; `claims` replace `iss`, `aud`, `iat`, `toe` and `jti`."""
        about = [subject] if isinstance(subject, Indicator) else subject
        stated = {
            "iss": self.issuer,
            "aud": f"{self.hub.issuer}/communities/{community}",
            "iat": self.now,
            "jti": new_jti(),
            **claims,
        }
        return envelope.sign(signals.compose(event, about, **stated), key or self.party.key)

    def report(self, subject: Sequence[Indicator] | Indicator, *, days: int = 30, **claims: Any) -> bytes:
        """A signed report that is to live so many days."""
        return self.sign(report(self.now + days * DAY), subject, **claims)

    def post(self, token: bytes, **params: str) -> httpx2.Response:
        """Submit one token."""
        headers = {**self.headers(), "Content-Type": MEDIA_TYPE}
        return self.hub.http.post("/v1/signals", content=token, headers=headers, params=params)

    def post_lines(self, tokens: Sequence[bytes], **params: str) -> httpx2.Response:
        """Submit a batch."""
        headers = {**self.headers(), "Content-Type": BATCH_MEDIA_TYPE}
        return self.hub.http.post("/v1/signals", content=b"\n".join(tokens), headers=headers, params=params)

    def batch(self, tokens: Sequence[bytes], **params: str) -> list[dict[str, Any]]:
        """Submit a batch that is answered line by line."""
        answer = self.post_lines(tokens, **params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/x-ndjson"
        results = [json.loads(line) for line in answer.content.splitlines()]
        assert len(results) == len(tokens)
        return results

    def say(self, *signed: Any, **claims: Any) -> dict[str, Any]:
        """Sign one event about a subject, submit it, and expect its first receipt."""
        answer = self.post(self.sign(*signed, **claims))
        assert answer.status_code == 201, answer.text
        return answer.json()

    def get(self, path: str, **params: Any) -> httpx2.Response:
        """Ask."""
        return self.hub.http.get(path, headers=self.headers(), params=params)

    def feed(self, community: str = COMMUNITY, **params: Any) -> list[dict[str, Any]]:
        """One page of a feed."""
        answer = self.get(f"/v1/communities/{community}/feed", **params)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.content.splitlines()]

    def view(self, indicator: Indicator, community: str = COMMUNITY) -> httpx2.Response:
        """One indicator's view."""
        return self.get(f"/v1/communities/{community}/indicators/{indicator}")


def assert_refused(answer: httpx2.Response, code: str) -> dict[str, Any]:
    """That it is the problem document of this code, whole (RFC 9457)."""
    problem = answer.json()
    assert problem.get("code") == code, problem
    registered = REGISTRY[code]
    assert answer.status_code == problem["status"] == registered.status
    assert answer.headers["content-type"] == PROBLEM_TYPE
    assert (problem["type"], problem["title"]) == (registered.type, registered.title)
    assert problem["instance"] == f"urn:tocsin:request:{answer.headers['x-request-id']}"
    return problem
