"""Who calls: the authenticated Actor, as a dependency of each route.

The token is checked by `app.state.authenticate`, which the composition root puts there; this module knows only HTTP:
where the token stands, which scope the route needs, and how to challenge (RFC 6750 §3, RFC 9728 §5.1). What a member
may do in its state is one table, `tocsin_schemas.membership.EFFECTS`, asked at every request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fastapi import Request

from tocsin.errors import Refused
from tocsin.web.problems import Challenged
from tocsin_schemas.membership import permit
from tocsin_schemas.vocabulary import MemberState, Scope

RESOURCE_METADATA_PATH: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller: a client of a member, with the scopes of its token."""

    org_id: int
    issuer: str
    client_id: str
    scopes: frozenset[str]
    state: MemberState
    group: str


Authenticate = Callable[[str], Actor]
"""Turns an access token into an Actor, or raises `Refused` with a `token-…` code."""


def require(scope: Scope | None, *others: Scope, whatever_state: bool = False) -> Callable[[Request], Actor]:
    """A dependency that gives the Actor, who must hold `scope` or one of the `others`.

    With `scope` None any token will do. A route of `signals:submit` needs a member whose state lets it submit, any
    other one that may read; with `whatever_state` none is turned away.

    Raises (when used):
        Refused: `unauthenticated` without a token, a `token-…` code for a token that is no good, `forbidden` without
            the scope; as `membership.permit`.
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
        if not whatever_state:
            permit(caller.state, "submit" if scope == "signals:submit" else "read")
        if scope is not None and caller.scopes.isdisjoint({scope, *others}):
            challenge = f'Bearer error="insufficient_scope", scope="{scope}", {metadata}'
            wanted = " or ".join((scope, *others))
            raise Challenged("forbidden", "scope", f"the token does not carry {wanted}", challenge)
        return caller

    return actor
