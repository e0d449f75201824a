"""A simulated hub over real HTTP: enough of one for the command to log in and follow, and to be lied to."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

from tests.client.simulator import Simulator
from tests.client.webserver import Answer, Asked, serving
from tocsin_schemas.feed import CommunityView, Me


@contextmanager
def over_http(simulator: Simulator) -> Iterator[Simulator]:
    """Serve a simulator; its address becomes the hub's."""

    def answer(asked: Asked) -> Answer:
        url = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        community = simulator.community
        if url.path == "/.well-known/oauth-authorization-server":
            return _json({"issuer": simulator.hub, "token_endpoint": f"{simulator.hub}/oauth/token"})
        if url.path == "/oauth/token":
            return _json({"access_token": "t", "token_type": "Bearer", "expires_in": 300})
        if url.path == "/v1/me":
            return Answer(200, _me(simulator).model_dump_json().encode())
        if url.path == "/v1/policy":
            return Answer(200, simulator.policy().model_dump_json().encode())
        if url.path == f"/v1/communities/{community}/members":
            return Answer(200, simulator.directory(community).model_dump_json().encode())
        if url.path == f"/v1/communities/{community}/feed":
            after = int(query["after"]) if "after" in query else None
            page = simulator.page(community, after, int(query["limit"]))
            more = {"after": page.covered, "limit": query["limit"]}
            link = {} if page.covered is None else {"Link": f'<{url.path}?{urlencode(more)}>; rel="next"'}
            return Answer(200, b"".join(line + b"\n" for line in page.lines), link)
        if url.path.startswith("/log/"):
            found = simulator.log.read(url.path.removeprefix("/log/"))
            return Answer(404) if found is None else Answer(200, found)
        return Answer(404)

    with serving(answer) as web:
        simulator.hub = web.url
        yield simulator


def _me(simulator: Simulator) -> Me:
    community = simulator.community
    view = CommunityView(
        community=community, audience=simulator.audience(community), may_read=True, may_write=True
    )
    return Me(
        issuer="https://pixel.example",
        client_id="cl_1",
        state="active",
        since="2026-01-01T00:00:00Z",
        scopes=["signals:read"],
        communities=[view],
        signals_per_hour=100,
        signals_left=100,
        log_size=simulator.log.size,
    )


def _json(body: object) -> Answer:
    return Answer(200, json.dumps(body).encode())
