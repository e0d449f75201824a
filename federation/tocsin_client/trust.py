"""Whom a follower believes: the keys that a community's directory lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import Directory, MemberKey
from tocsin_schemas.ledger import instant
from tocsin_schemas.problems import Refused


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a follower of one community believes: the keys of its directory (kid to key).

    `revoked` holds the instants of revocation apart, because step 8 compares them with the hub's time of recording too.
    """

    community: str
    audience: str
    hub: str
    members: Mapping[str, AuthorKey]
    hub_keys: Mapping[str, AuthorKey]
    revoked: Mapping[str, int]

    @classmethod
    def of(cls, directory: Directory) -> Self:
        """The keys of a directory.

        Raises:
            Refused: when a key in it is none.
        """
        members = [(key, member.issuer) for member in directory.members for key in member.keys]
        owned = [(_key(key, issuer), key.revoked_at) for key, issuer in members]
        hubs = [_key(key, directory.hub) for key in directory.hub_keys]
        return cls(
            community=directory.community,
            audience=directory.audience,
            hub=directory.hub,
            members={key.public.kid: key for key, _ in owned},
            hub_keys={key.public.kid: key for key in hubs},
            revoked={key.public.kid: _instant(at) for key, at in owned if at is not None},
        )


def _key(key: MemberKey, issuer: str) -> AuthorKey:
    return AuthorKey(key.public(), issuer, _instant(key.not_before), _instant(key.not_after))


def _instant(text: str) -> int:
    try:
        return instant(text)
    except ValueError:
        raise Refused("claim-invalid", "directory", "not a point in time") from None
