"""Clients prove who they are, and tokens are judged, each time against what the database says now."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, NamedTuple

from tocsin.db import Database, UnitOfWork, View
from tocsin.errors import Refused
from tocsin.members import rules, store
from tocsin.members.service import hub_keys
from tocsin.members.service.records import ClientView, Org, author_key, client_view, org
from tocsin_schemas.envelope import AuthorKey, kid_of, open_token
from tocsin_schemas.membership import permit
from tocsin_schemas.signals import load_object

REMEMBER_SECONDS: Final = 60
"""How long a used assertion is kept after it expired, for clocks that differ between processes."""


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that has proved who it is with the key `kid`."""

    client: ClientView
    kid: str


class Standing(NamedTuple):
    """The member that an access token speaks for, suspended or not, and the scopes that it still carries.

    `reads` is the id of the community that was asked about, if the member may read it.
    """

    org: Org
    scopes: frozenset[str]
    reads: int | None


class Access:
    """The use cases of authentication at the hub whose issuer is `issuer`."""

    def __init__(self, database: Database, issuer: str) -> None:
        self._database = database
        self._issuer = issuer

    def now(self) -> int:
        """The hub's clock."""
        return self._database.clock()

    def authenticate_client(self, token: str) -> Authenticated:
        """Authenticate a client by its assertion (RFC 7523 §2.2), which is then used up.

        Raises:
            Refused: with the code of the first step that fails.
        """
        jws = token.encode()
        # 1. Form, type, algorithm.
        kid = kid_of(jws, rules.ASSERTION_TYP)
        with self._database.snapshot() as uow:
            # 2. Key: known, and in force now.
            row = store.key(uow, kid)
            if row is None:
                raise Refused("key-unknown", "header.kid", "not a key of a member")
            key = author_key(row)
            rules.check_in_force(key, uow.now)
            # 3. Signature; only then the claims: who, for whom, when.
            opened = open_token(jws, {kid: key}, rules.ASSERTION_TYP)
            claims = load_object(opened.payload, "payload")
            assertion = rules.check_assertion(claims, self._issuer, uow.now)
            # 4. The client is in force, its member owns the key, and is in a state in which its keys are good.
            client = store.client_by_id(uow, assertion.client_id)
        if client is None or client.organisation_id != row.organisation_id:
            raise Refused("issuer-mismatch", "sub", "not a client of the member that owns the key")
        if client.revoked_at is not None:
            raise Refused("token-revoked", "sub", "the client is revoked")
        permit(client.state, "authenticate")
        # 5. Once: of two that come at the same time, the database lets one in.
        with self._database.transaction() as uow:
            if not store.use_assertion(uow, client.client_id, assertion.jti, assertion.expires_at):
                raise Refused("jti-reused", "jti", "the assertion was used before")
        return Authenticated(client_view(client), kid)

    def token_keys(self, view: View) -> dict[str, AuthorKey]:
        """The public keys of access tokens that are in force, beside the one the hub has in hand: kid to key."""
        return hub_keys.token_keys(view, self._issuer)

    def state(self) -> AbstractContextManager[UnitOfWork]:
        """One state of the database to judge by."""
        return self._database.snapshot()

    def standing(self, view: View, token: rules.AccessToken, community: str | None = None) -> Standing:
        """What an access token carries at present, and whether its member may read the community of that name.

        Raises:
            Refused: `token-revoked` when the token, its client or the key it was obtained with is.
        """
        found = store.bearer(view, token.client_id, token.key, token.jti, community)
        if found is None or not found.in_force(view.now):
            raise Refused("token-revoked", "", "the token, its client or its key is no longer in force")
        return Standing(org(found.organisation), token.scopes & frozenset(found.scopes.split()), found.reads)

    def revoke_token(self, token: rules.AccessToken) -> None:
        """Revoke an access token before its time; doing so twice changes nothing (RFC 7009 §2.2)."""
        with self._database.transaction() as uow:
            store.revoke_token(uow, token.jti, token.expires_at)


def forget(database: Database) -> int:
    """Delete used assertions and revoked tokens that could not be used again anyway; how many."""
    with database.transaction() as uow:
        return store.forget(uow, uow.now - REMEMBER_SECONDS)
