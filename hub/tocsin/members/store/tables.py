"""The tables of members. No column holds a word that somebody chose freely: an organisation's name is its issuer, an
owner's is an opaque id, and a used assertion is remembered by the digest of its jti.
"""

from itertools import combinations
from typing import Final

from sqlalchemy import BigInteger, Boolean, CheckConstraint, Column, LargeBinary, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from tocsin.db import table
from tocsin.members.rules import GROUP_CHARS, GROUP_PREFIX, MEMBER_CLASSES, MEMBER_STATES
from tocsin_schemas.vocabulary import HUB_KEY_NAMES, SCOPES


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_SCOPE_SETS: Final = tuple(
    " ".join(chosen) for size in range(1, len(SCOPES) + 1) for chosen in combinations(sorted(SCOPES), size)
)


class ControlGroupRow(SQLModel, table=True):
    """An ultimate owner, by its opaque id. Members of one group are one voice."""

    __tablename__ = "control_group"
    __table_args__ = (
        CheckConstraint(
            f"id LIKE '{GROUP_PREFIX}%' AND length(id) = {len(GROUP_PREFIX) + GROUP_CHARS}",
            name="control_group_id",
        ),
    )

    id: str = Field(sa_column=Column(String(20), primary_key=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class OrganisationRow(SQLModel, table=True):
    """A member. `signals_per_hour` is its own cap, where it has one.

    `trial_since` is since when it has been a member without ever having been active; NULL once it was.
    """

    __tablename__ = "organisation"
    __table_args__ = (
        CheckConstraint("issuer LIKE 'https://%'", name="organisation_issuer"),
        CheckConstraint(f"member_class IN ({_words(MEMBER_CLASSES)})", name="organisation_class"),
        CheckConstraint(f"state IN ({_words(MEMBER_STATES)})", name="organisation_state"),
        CheckConstraint("signals_per_hour >= 0", name="organisation_cap"),
        UniqueConstraint("issuer", name="organisation_issuer_once"),
    )

    id: int | None = Field(default=None, primary_key=True)
    issuer: str = Field(sa_column=Column(String(300), nullable=False))
    member_class: str = Field(sa_column=Column(String(16), nullable=False))
    control_group_id: str = Field(foreign_key="control_group.id", max_length=20, index=True)
    state: str = Field(sa_column=Column(String(24), nullable=False))
    state_since: int = Field(sa_column=Column(BigInteger(), nullable=False))
    trial_since: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    signals_per_hour: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MemberKeyRow(SQLModel, table=True):
    """A member's public key, by its RFC 7638 thumbprint; it belongs to one member for good."""

    __tablename__ = "member_key"
    __table_args__ = (
        CheckConstraint("(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
                        name="member_key_public"),
        CheckConstraint("not_before < not_after", name="member_key_life"),
    )  # fmt: skip

    kid: str = Field(sa_column=Column(String(43), primary_key=True))
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    alg: str = Field(sa_column=Column(String(8), nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    not_before: int = Field(sa_column=Column(BigInteger(), nullable=False))
    not_after: int = Field(sa_column=Column(BigInteger(), nullable=False))
    revoked_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class CommunityRow(SQLModel, table=True):
    """A sharing group."""

    __tablename__ = "community"
    __table_args__ = (UniqueConstraint("slug", name="community_slug_once"),)

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(sa_column=Column(String(63), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class CommunityMemberRow(SQLModel, table=True):
    """What a member may do in a community."""

    __tablename__ = "community_member"

    community_id: int = Field(foreign_key="community.id", primary_key=True)
    organisation_id: int = Field(foreign_key="organisation.id", primary_key=True, index=True)
    may_write: bool = Field(sa_column=Column(Boolean(), nullable=False))
    may_read: bool = Field(sa_column=Column(Boolean(), nullable=False))


class ClientRow(SQLModel, table=True):
    """An OAuth client of a member. `scopes` are sorted and parted by a space."""

    __tablename__ = "client"
    __table_args__ = (CheckConstraint(f"scopes IN ({_words(_SCOPE_SETS)})", name="client_scopes"),)

    client_id: str = Field(sa_column=Column(String(40), primary_key=True))
    organisation_id: int = Field(foreign_key="organisation.id", index=True)
    scopes: str = Field(sa_column=Column(String(200), nullable=False))
    revoked_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class AssertionRow(SQLModel, table=True):
    """A client assertion that was used. The key is what makes each usable once, whatever runs side by side."""

    __tablename__ = "assertion"
    __table_args__ = (CheckConstraint("length(jti) = 32", name="assertion_jti"),)

    client_id: str = Field(foreign_key="client.client_id", primary_key=True, max_length=40)
    jti: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))


class HubKeyRow(SQLModel, table=True):
    """A key of the hub itself that was changed for another, or has taken the place of one; by its thumbprint.

    A purpose without rows has one key, the one that the hub was given.
    """

    __tablename__ = "hub_key"
    __table_args__ = (
        CheckConstraint(f"purpose IN ({_words(HUB_KEY_NAMES)})", name="hub_key_purpose"),
        CheckConstraint("(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)"
                        " OR (alg = 'RS256' AND length(public) BETWEEN 266 AND 1040)",
                        name="hub_key_public"),
        CheckConstraint("not_before < not_after", name="hub_key_life"),
    )  # fmt: skip

    kid: str = Field(sa_column=Column(String(43), primary_key=True))
    purpose: str = Field(sa_column=Column(String(8), nullable=False))
    alg: str = Field(sa_column=Column(String(8), nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    not_before: int = Field(sa_column=Column(BigInteger(), nullable=False))
    not_after: int = Field(sa_column=Column(BigInteger(), nullable=False))


class RevokedTokenRow(SQLModel, table=True):
    """An access token that was revoked before its time."""

    __tablename__ = "revoked_token"

    jti: str = Field(sa_column=Column(String(32), primary_key=True))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))


control_group: Final = table(ControlGroupRow)
organisation: Final = table(OrganisationRow)
member_key: Final = table(MemberKeyRow)
community: Final = table(CommunityRow)
community_member: Final = table(CommunityMemberRow)
client: Final = table(ClientRow)
assertion: Final = table(AssertionRow)
revoked_token: Final = table(RevokedTokenRow)
hub_key: Final = table(HubKeyRow)
