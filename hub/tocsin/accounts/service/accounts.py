"""Accounts as the rest of the hub uses them: who calls, approvals, enrolment links, and the passkeys of a seat."""

from collections.abc import Iterable, Mapping

from tocsin.accounts import rules
from tocsin.accounts.service import enrolling, entering, signing_in
from tocsin.accounts.service.context import Context, Named, Seats, nobody_named, nobody_seated
from tocsin.accounts.service.enrolling import Link, Passkey
from tocsin.accounts.service.openid import Provider
from tocsin.accounts.service.secrets import Secrets
from tocsin.config import Settings
from tocsin.db import Database, UnitOfWork
from tocsin.egress import Egress
from tocsin.keys import HubKeys
from tocsin.members.service import Members
from tocsin.web.people import Action, Person, RelyingParty, relying_party


class Accounts:
    """The people of one hub: `context` is what its pages work with, `provider` the OpenID provider, if any."""

    def __init__(self, context: Context, provider: Provider | None) -> None:
        self.context = context
        self.provider = provider

    @property
    def party(self) -> RelyingParty:
        """What passkeys are bound to."""
        return self.context.party

    def identify(self, secret: str) -> Person:
        """As `entering.identify`."""
        return entering.identify(self.context, secret)

    def admit(self, person: Person, secret: str, action: Action, subject: str) -> Person:
        """As `entering.admit`."""
        return entering.admit(self.context, person, secret, action, subject)

    def may(self, person: Person, action: Action) -> bool:
        """Whether somebody may do it, as they and their members stand now."""
        return rules.may(person, action)

    def approves(self, action: Action) -> bool:
        """Whether doing it is approved with a passkey each time."""
        return rules.PERMISSIONS[action].approves

    def approval(self, person: Person, action: Action, subject: str) -> tuple[str, tuple[str, ...]]:
        """As `signing_in.approval`."""
        return signing_in.approval(self.context, person, action, subject)

    def approve(self, person: Person, action: Action, subject: str, fields: Mapping[str, str]) -> str:
        """As `signing_in.approve`."""
        return signing_in.approve(self.context, person, action, subject, fields)

    def invite(
        self, handle: str, roles: Iterable[str] = (), issuer: str | None = None, by: Person | None = None
    ) -> Link:
        """As `enrolling.invite_in`, in a transaction of its own."""
        with self.context.database.transaction() as uow:
            return enrolling.invite_in(self.context, uow, handle, roles, issuer, by)

    def invite_in(
        self, uow: UnitOfWork, handle: str, roles: Iterable[str] = (), issuer: str | None = None
    ) -> Link:
        """As `enrolling.invite_in`, by the operator's command."""
        return enrolling.invite_in(self.context, uow, handle, roles, issuer)

    def passkeys(self, handle: str) -> tuple[Passkey, ...]:
        """As `passkeys_in`, in a snapshot of its own."""
        with self.context.database.snapshot() as uow:
            return enrolling.passkeys_in(uow, handle)

    def passkeys_in(self, uow: UnitOfWork, handle: str) -> tuple[Passkey, ...]:
        """The passkeys of somebody: what a seat of the roster carries.

        Raises:
            Refused: `not-found`.
        """
        return enrolling.passkeys_in(uow, handle)


def open_accounts(
    settings: Settings,
    database: Database,
    keys: HubKeys,
    *,
    seats: Seats = nobody_seated,
    named: Named = nobody_named,
) -> Accounts:
    """The accounts of a hub. `seats` tells the seat of a handle in the roster in force, `named` whether the board knows
    a handle at all.
    """
    party = relying_party(settings.issuer)
    context = Context(database, Members(database, settings), party, Secrets(keys.console), seats, named)
    provider = None
    if settings.oidc_issuer is not None:
        provider = Provider(
            settings.oidc_issuer,
            str(settings.oidc_client_id),
            settings.oidc_secret(),
            party.origin,
            Egress(settings.outbound_ca_file),
        )
    return Accounts(context, provider)
