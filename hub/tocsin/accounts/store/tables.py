"""The tables of accounts. A person is a handle: no name and no address of anybody is kept.

Secrets that only have to be recognised are kept as SHA-256 (they have 80 random bits or more), passwords as argon2id.
The seed of one-time codes must be read again and is sealed with a key that is not in the database.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from tocsin.accounts.rules import GRANTED, OF_A_MEMBER, REASONS
from tocsin.db import WHOLE, table
from tocsin.web.people import METHODS, PURPOSES


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


def _person(*, nullable: bool = False, primary_key: bool = False, index: bool = True) -> Column[int]:
    return Column(Integer(), ForeignKey("person.id"), nullable=nullable, primary_key=primary_key, index=index)


class PersonRow(SQLModel, table=True):
    """Somebody. `locked_at`: may not sign in. `totp_step` is the last step whose code was used."""

    __tablename__ = "person"
    __table_args__ = (
        UniqueConstraint("handle", name="person_handle_once"),
        CheckConstraint("length(passkey_user) = 32", name="person_passkey_user"),
    )

    id: int | None = Field(default=None, primary_key=True)
    handle: str = Field(sa_column=Column(String(32), nullable=False))
    passkey_user: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    password: str | None = Field(sa_column=Column(String(160), nullable=True))
    totp: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    totp_step: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    locked_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class RoleGrantRow(SQLModel, table=True):
    """A role somebody was given; `issuer` is the member it is for, empty for the hub."""

    __tablename__ = "role_grant"
    __table_args__ = (
        CheckConstraint(f"role IN ({_words(GRANTED)})", name="role_grant_role"),
        CheckConstraint(f"(role IN ({_words(OF_A_MEMBER)})) = (issuer <> '')", name="role_grant_issuer"),
    )

    person_id: int = Field(sa_column=_person(primary_key=True, index=False))
    role: str = Field(sa_column=Column(String(16), primary_key=True))
    issuer: str = Field(sa_column=Column(String(300), primary_key=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class PasskeyRow(SQLModel, table=True):
    """A passkey's public key. `cloned_at`: its counter went back, so somebody may have a copy, and it is dead."""

    __tablename__ = "passkey"
    __table_args__ = (
        CheckConstraint(
            "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
            name="passkey_public",
        ),
    )

    credential: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    person_id: int = Field(sa_column=_person())
    alg: str = Field(sa_column=Column(String(8), nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    counter: int = Field(sa_column=Column(BigInteger(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    used_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    cloned_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class EnrolmentRow(SQLModel, table=True):
    """An open enrolment link, by its digest: at most one a person; it goes when it is used."""

    __tablename__ = "enrolment"
    __table_args__ = (UniqueConstraint("person_id", name="enrolment_person_once"),)

    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    person_id: int = Field(sa_column=_person(index=False))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class RecoveryCodeRow(SQLModel, table=True):
    """A recovery code that was not used yet, by its digest."""

    __tablename__ = "recovery_code"

    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    person_id: int = Field(sa_column=_person())


class OidcIdentityRow(SQLModel, table=True):
    """Who somebody is at the operator's OpenID provider: SHA-256 over its `iss` and `sub`, which alone identify."""

    __tablename__ = "oidc_identity"

    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    person_id: int = Field(sa_column=_person())
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class SessionRow(SQLModel, table=True):
    """A session, by the digest of its id. `credential` is the passkey that opened it."""

    __tablename__ = "console_session"
    __table_args__ = (CheckConstraint(f"method IN ({_words(METHODS)})", name="console_session_method"),)

    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    person_id: int = Field(sa_column=_person())
    method: str = Field(sa_column=Column(String(8), nullable=False))
    credential: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    seen_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))


class SessionPurposeRow(SQLModel, table=True):
    """Why somebody reads what an action shows, for the rest of a session."""

    __tablename__ = "session_purpose"
    __table_args__ = (
        CheckConstraint(f"action IN ({_words(tuple(REASONS))})", name="session_purpose_action"),
        CheckConstraint(f"purpose IN ({_words(PURPOSES)})", name="session_purpose_purpose"),
    )

    session: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    action: str = Field(sa_column=Column(String(24), primary_key=True))
    purpose: str = Field(sa_column=Column(String(16), nullable=False))


class UsedChallengeRow(SQLModel, table=True):
    """A challenge that was answered. The key is what makes each usable once, whatever runs side by side."""

    __tablename__ = "used_challenge"

    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))


class SignInTryRow(SQLModel, table=True):
    """How often a password or a code was tried since `began_at`: for a handle, by its SHA-256, or for all."""

    __tablename__ = "sign_in_try"

    digest: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    began_at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))
    tries: int = Field(sa_column=Column(BigInteger(), nullable=False))


class ReadRow(SQLModel, table=True):
    """Somebody read something sensitive: what, as the SHA-256 of the page's path, and why."""

    __tablename__ = "read_log"
    __table_args__ = (
        CheckConstraint(f"action IN ({_words(tuple(REASONS))})", name="read_log_action"),
        CheckConstraint(f"purpose IN ({_words(PURPOSES)})", name="read_log_purpose"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    at: int = Field(sa_column=Column(BigInteger(), nullable=False, index=True))
    person_id: int | None = Field(sa_column=_person(nullable=True))
    action: str = Field(sa_column=Column(String(24), nullable=False))
    purpose: str = Field(sa_column=Column(String(16), nullable=False))
    subject: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


person: Final = table(PersonRow)
role_grant: Final = table(RoleGrantRow)
passkey: Final = table(PasskeyRow)
enrolment: Final = table(EnrolmentRow)
recovery_code: Final = table(RecoveryCodeRow)
oidc_identity: Final = table(OidcIdentityRow)
session: Final = table(SessionRow)
session_purpose: Final = table(SessionPurposeRow)
used_challenge: Final = table(UsedChallengeRow)
sign_in_try: Final = table(SignInTryRow)
read_log: Final = table(ReadRow)
