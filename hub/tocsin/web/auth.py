"""Who calls: the authenticated Actor, as a dependency of each route.

The token is checked by `app.state.authenticate`, which the composition root puts there; this module knows only HTTP:
where the token stands, which scope the route needs, and how to challenge (RFC 6750 §3, RFC 9728 §5.1). What a member
may do in its state is one table, `tocsin_schemas.membership.EFFECTS`, asked at every request.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from fastapi import Request

from tocsin.db import Database, View
from tocsin.errors import Refused
from tocsin.web.problems import Challenged
from tocsin_schemas.membership import permit
from tocsin_schemas.vocabulary import MemberState, Scope

RESOURCE_METADATA_PATH: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Actor:
    """An authenticated caller: a client of a member, with the scopes of its token.

    `reads` is the id of the community that it was recognised for, if it may read that.
    """

    org_id: int
    issuer: str
    client_id: str
    scopes: frozenset[str]
    state: MemberState
    group: str
    reads: int | None = None


Authenticate = Callable[[View, str, str | None], Actor]
"""Turns an access token, and the community it is to read, into an Actor; or raises `Refused` with a `token-…` code."""


class Demand:
    """What a route demands of its caller, as a dependency that gives the Actor.

    It must hold `scope` or one of the `others`; with `scope` None any token will do. A route of `signals:submit` needs
    a member whose state lets it submit, any other one that may read; with `whatever_state` none is turned away.
    """

    def __init__(self, scope: Scope | None, *others: Scope, whatever_state: bool = False) -> None:
        self._scope = scope
        self._scopes = frozenset({scope, *others})
        self._wanted = " or ".join(map(str, (scope, *others)))
        self._use: Literal["submit", "read"] | None = "submit" if scope == "signals:submit" else "read"
        if whatever_state:
            self._use = None

    def __call__(self, request: Request) -> Actor:
        """The caller, as the database knows it now. Raises as `on`."""
        database: Database = request.app.state.database
        return database.at_a_glance(lambda view: self.on(view, request))

    def on(self, view: View, request: Request, community: str | None = None) -> Actor:
        """The caller, on a state of the database that is read for its request anyway, to read a community if any.

        Raises:
            Refused: `unauthenticated` without a token, a `token-…` code for a token that is no good, `forbidden`
                without the scope; as `membership.permit`.
        """
        state = request.app.state
        metadata = f'resource_metadata="{state.settings.issuer}{RESOURCE_METADATA_PATH}"'
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            # RFC 6750 §3.1: without credentials the challenge carries no error code.
            raise Challenged("unauthenticated", "authorization", "no Bearer token", f"Bearer {metadata}")
        authenticate: Authenticate = state.authenticate
        try:
            caller = authenticate(view, token, community)
        except Refused as error:
            challenge = f'Bearer error="invalid_token", error_description="{error.reason}", {metadata}'
            raise Challenged(error.code, "authorization", error.reason, challenge) from None
        request.state.actor = caller
        if self._use is not None:
            permit(caller.state, self._use)
        if self._scope is not None and caller.scopes.isdisjoint(self._scopes):
            challenge = f'Bearer error="insufficient_scope", scope="{self._scope}", {metadata}'
            raise Challenged("forbidden", "scope", f"the token does not carry {self._wanted}", challenge)
        return caller
