"""A member's webhook endpoints at a hub: made, proved, changed, and what they were sent.

    made = client.endpoints.add("https://pixel.example/hook", types=["signal.retracted"])
    keep(made.secret)                     # shown this once
    client.endpoints.activate(made.id)    # once the receiver answers challenges

What is not idempotent is said once: where no answer comes, look at what there is before you say it again.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from tocsin_client.answers import read
from tocsin_client.http import Call, Transport
from tocsin_schemas.endpoints import (
    ENDPOINT_ID_PATTERN,
    AttemptPage,
    AttemptView,
    DeliveryPage,
    DeliveryState,
    DeliveryView,
    EndpointChange,
    EndpointRevealed,
    EndpointView,
    NewEndpoint,
    Replay,
    ReplayedView,
    TestedView,
)
from tocsin_schemas.problems import Refused

PATH: Final = "/v1/webhooks/endpoints"
PAGE: Final = 100
_ID: Final = re.compile(ENDPOINT_ID_PATTERN)
_LIST: Final = TypeAdapter(list[EndpointView])
_Answer = TypeVar("_Answer", bound=BaseModel)
_Asked = TypeVar("_Asked", bound=BaseModel)


class Endpoints:
    """The endpoints of one member; `tocsin_client.client.Client.endpoints` makes it.

    Every method raises `HubError` with the problem's code, and `Refused` for what does not leave this process.
    """

    def __init__(self, transport: Transport, authorize: Callable[[bool], str]) -> None:
        self._transport = transport
        self._authorize = authorize

    def list(self) -> list[EndpointView]:
        """All of them, the oldest first."""
        return read(_LIST.validate_json, self._ask("GET", ""))

    def show(self, endpoint: str) -> EndpointView:
        """One endpoint, and how sending to it goes."""
        return self._one(EndpointView, "GET", _path(endpoint))

    def add(self, url: str, **wanted: Any) -> EndpointRevealed:
        """Make an endpoint; its `secret` and `public_key` are shown this once. `wanted` are fields of `NewEndpoint`."""
        said = _said(NewEndpoint, {"url": url, **wanted})
        return self._one(EndpointRevealed, "POST", "", said, once=True)

    def change(self, endpoint: str, **wanted: Any) -> EndpointView:
        """Change what `wanted` names, fields of `EndpointChange`; what is left out stays."""
        return self._one(EndpointView, "PATCH", _path(endpoint), _said(EndpointChange, wanted))

    def activate(self, endpoint: str) -> EndpointView:
        """Have it answer a challenge, now: its receiver must be there."""
        return self._one(EndpointView, "POST", _path(endpoint, "activation"))

    def rotate(self, endpoint: str, *, again: bool = False) -> EndpointRevealed:
        """New secrets, shown this once; those before sign too for a day. `again`: also within that day."""
        params = {"again": "true"} if again else {}
        path = _path(endpoint, "rotation")
        return self._one(EndpointRevealed, "POST", path, once=True, params=params)

    def remove(self, endpoint: str) -> None:
        """Remove it with its log."""
        self._ask("DELETE", _path(endpoint))

    def test(self, endpoint: str) -> str:
        """Queue a test message; its id."""
        return self._one(TestedView, "POST", _path(endpoint, "test"), once=True).message

    def replay(self, endpoint: str, **wanted: Any) -> ReplayedView:
        """Send messages again: `message`, `first` (and `last`), `since` or `since_disabled`, as `Replay` has it."""
        return self._one(ReplayedView, "POST", _path(endpoint, "replay"), _said(Replay, wanted))

    def deliveries(self, endpoint: str, *, state: DeliveryState | None = None) -> Iterator[DeliveryView]:
        """What it was sent, the newest first; dead letters are in the state `dead`."""
        path = _path(endpoint, "deliveries")
        chosen = {"limit": str(PAGE)} | ({} if state is None else {"state": state})
        before: dict[str, str] | None = {}
        while before is not None:
            page = self._one(DeliveryPage, "GET", path, params=chosen | before)
            yield from page.deliveries
            before = None if page.before is None else {"before": page.before}

    def attempts(self, endpoint: str, *, message: str | None = None) -> Iterator[AttemptView]:
        """Every try of it, or of one of its messages, the newest first."""
        path = _path(endpoint, "attempts")
        chosen = {"limit": str(PAGE)} | ({} if message is None else {"message": message})
        before: dict[str, str] | None = {}
        while before is not None:
            page = self._one(AttemptPage, "GET", path, params=chosen | before)
            yield from page.attempts
            before = None if page.before is None else {"before": str(page.before)}

    def _one(
        self,
        answer: type[_Answer],
        method: str,
        path: str,
        said: Mapping[str, Any] | None = None,
        *,
        once: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> _Answer:
        return read(answer.model_validate_json, self._ask(method, path, said, once=once, params=params))

    def _ask(
        self,
        method: str,
        path: str,
        said: Mapping[str, Any] | None = None,
        *,
        once: bool = False,
        params: Mapping[str, str] | None = None,
    ) -> bytes:
        call = Call(
            method,
            f"{PATH}{path}",
            headers={} if said is None else {"Content-Type": "application/json"},
            params=params or {},
            body=None if said is None else json.dumps(said).encode(),
            authorize=self._authorize,
            once=once,
        )
        return self._transport.request(call).body


def _path(endpoint: str, action: str = "") -> str:
    if not _ID.fullmatch(endpoint):
        raise Refused("request-invalid", "endpoint", "an endpoint's id is ep_ and 32 hexadecimal digits")
    return f"/{endpoint}/{action}" if action else f"/{endpoint}"


def _said(model: type[_Asked], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is wanted, if it has the right shape; what a hub is to judge it judges itself."""
    try:
        return model.model_validate(dict(wanted)).model_dump(exclude_none=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        field = str(first["loc"][0]) if first["loc"] and first["loc"][0] in model.model_fields else ""
        raise Refused("request-invalid", field, f"not acceptable here ({first['type']})") from None
