"""Who calls: the authenticated Actor, as a dependency of each route.

The token is checked by `app.state.authenticate`, which the composition root puts there; this module knows only HTTP:
where the token stands, which scope the route needs, and how to challenge (RFC 6750 §3, RFC 9728 §5.1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from tocsin.errors import Refused
from tocsin.web.problems import Challenged
from tocsin_schemas.vocabulary import Scope

RESOURCE_METADATA_PATH: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller: a client of a member, with the scopes of its token."""

    org_id: int
    issuer: str
    client_id: str
    scopes: frozenset[str]
    state: str
    group: str


Authenticate = Callable[[str], Actor]
"""Turns an access token into an Actor, or raises `Refused` with a `token-…` code."""


def require(scope: Scope | None, *others: Scope, suspended: bool = False) -> Callable[[Request], Actor]:
    """A dependency that gives the Actor, who must hold `scope` or one of the `others`.

    With `scope` None any token will do; `suspended` lets a suspended member in.

    Raises (when used):
        Refused: `unauthenticated` without a token, a `token-…` code for a token that is no good, `forbidden` without
            the scope, `member-suspended`.
    """

    def actor(request: Request) -> Actor:
        state = request.app.state
        metadata = f'resource_metadata="{state.settings.issuer}{RESOURCE_METADATA_PATH}"'
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            # RFC 6750 §3.1: without credentials the challenge carries no error code.
            raise Challenged("unauthenticated", "authorization", "no Bearer token", f"Bearer {metadata}")
        authenticate: Authenticate = state.authenticate
        try:
            caller = authenticate(token)
        except Refused as error:
            challenge = f'Bearer error="invalid_token", error_description="{error.reason}", {metadata}'
            raise Challenged(error.code, "authorization", error.reason, challenge) from None
        request.state.actor = caller
        if caller.state != "active" and not suspended:
            raise Refused("member-suspended")
        if scope is not None and caller.scopes.isdisjoint({scope, *others}):
            challenge = f'Bearer error="insufficient_scope", scope="{scope}", {metadata}'
            wanted = " or ".join((scope, *others))
            raise Challenged("forbidden", "scope", f"the token does not carry {wanted}", challenge)
        return caller

    return actor
