"""Whom a follower believes: the keys that a community's directory lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from tocsin_schemas.envelope import AuthorKey
from tocsin_schemas.feed import Directory, DirectoryMember, MemberKey
from tocsin_schemas.ledger import instant
from tocsin_schemas.membership import EFFECTS
from tocsin_schemas.problems import Refused


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom a follower of one community believes: the keys of its directory (kid to key).

    `revoked` holds the instants of revocation apart, because step 8 compares them with the hub's time of recording too.
    The keys of a member are dead from the day on which it came into a state that kills them.
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
        owned = [
            (_key(key, member.issuer), _ended(key, member))
            for member in directory.members
            for key in member.keys
        ]
        hubs = [_key(key, directory.hub) for key in directory.hub_keys]
        return cls(
            community=directory.community,
            audience=directory.audience,
            hub=directory.hub,
            members={key.public.kid: key for key, _ in owned},
            hub_keys={key.public.kid: key for key in hubs},
            revoked={key.public.kid: at for key, at in owned if at is not None},
        )


def _key(key: MemberKey, issuer: str) -> AuthorKey:
    return AuthorKey(key.public(), issuer, _instant(key.not_before), _instant(key.not_after))


def _ended(key: MemberKey, member: DirectoryMember) -> int | None:
    """From when on nothing can have been signed with a key: its revocation, or its member's state."""
    ends = [] if key.revoked_at is None else [_instant(key.revoked_at)]
    if EFFECTS[member.state].keys != "live":
        ends.append(_instant(member.since))
    return min(ends, default=None)


def _instant(text: str) -> int:
    try:
        return instant(text)
    except ValueError:
        raise Refused("claim-invalid", "directory", "not a point in time") from None
