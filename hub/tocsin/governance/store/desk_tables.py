"""The tables of the board's proceedings: applications, checks, motions, endorsements, remarks, declarations, ballots.

They hold what is still open and what led to a decision. Power itself is in none of them: it is in the chain's records
(`tables_chain`). A row that is edited here is not what was sealed, and is put back (`cases`).
"""

import re
from typing import Final, get_args

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
)
from sqlmodel import Field, SQLModel

from tocsin.db import WHOLE, table
from tocsin.governance.rules.applications import CODES, QUESTIONS
from tocsin.governance.rules.motions import MOTION_STATES
from tocsin_schemas.tally import Result, RuleName
from tocsin_schemas.vocabulary import (
    ApplicationState,
    Choice,
    DecisionType,
    MemberClass,
    RemarkStance,
    RemarkTopic,
    VettingItem,
    VettingResult,
)

ID_CHARS: Final = 35
_ID: Final = re.compile(r"[a-z]{2}_[0-9a-f]{32}")


def is_id(text: str) -> bool:
    """Whether a text can be the id of an application or a motion: what cannot is not even asked for, since a database
    need not take it.
    """
    return _ID.fullmatch(text) is not None


def _words(words: tuple[str, ...]) -> str:
    return ", ".join(f"'{word}'" for word in words)


class ApplicationRow(SQLModel, table=True):
    """Somebody who wants to be a member. `secret` is the SHA-256 of what the applicant's later acts must show."""

    __tablename__ = "application"
    __table_args__ = (
        CheckConstraint(f"member_class IN ({_words(get_args(MemberClass))})", name="application_class"),
        CheckConstraint(f"state IN ({_words(get_args(ApplicationState))})", name="application_state"),
        CheckConstraint("issuer LIKE 'https://%'", name="application_issuer"),
        CheckConstraint("length(secret) = 32", name="application_secret"),
        Index("application_open", "state", "lapses_at"),
        Index("application_of", "issuer"),
    )

    id: str = Field(sa_column=Column(String(ID_CHARS), primary_key=True))
    issuer: str = Field(sa_column=Column(String(300), nullable=False))
    member_class: str = Field(sa_column=Column(String(16), nullable=False))
    control_group_id: str = Field(sa_column=Column(String(20), nullable=False))
    state: str = Field(sa_column=Column(String(24), nullable=False))
    state_since: int = Field(sa_column=Column(BigInteger(), nullable=False))
    secret: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    created_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    submitted_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    lapses_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class ApplicationAnswerRow(SQLModel, table=True):
    """One answer of the form: a code, an https origin or a digest; `place` counts the answers to one question."""

    __tablename__ = "application_answer"
    __table_args__ = (
        CheckConstraint(f"question IN ({_words(tuple(QUESTIONS))})", name="application_answer_question"),
        CheckConstraint(f"code IN ({_words(CODES)})", name="application_answer_code"),
        CheckConstraint("origin LIKE 'https://%'", name="application_answer_origin"),
        CheckConstraint("length(digest) = 32", name="application_answer_digest"),
        CheckConstraint(
            "(code IS NULL AND origin IS NULL) OR (code IS NULL AND digest IS NULL)"
            " OR (origin IS NULL AND digest IS NULL)",
            name="application_answer_one",
        ),
    )

    application_id: str = Field(foreign_key="application.id", primary_key=True, max_length=ID_CHARS)
    question: str = Field(sa_column=Column(String(24), primary_key=True))
    place: int = Field(primary_key=True)
    code: str | None = Field(sa_column=Column(String(24), nullable=True))
    origin: str | None = Field(sa_column=Column(String(300), nullable=True))
    digest: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))


class ApplicationKeyRow(SQLModel, table=True):
    """A key the applicant has proved to hold, by its RFC 7638 thumbprint."""

    __tablename__ = "application_key"
    __table_args__ = (
        CheckConstraint(
            "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
            name="application_key_public",
        ),
    )

    application_id: str = Field(foreign_key="application.id", primary_key=True, max_length=ID_CHARS)
    kid: str = Field(sa_column=Column(String(43), primary_key=True))
    alg: str = Field(sa_column=Column(String(8), nullable=False))
    public: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))


class ApplicationCommunityRow(SQLModel, table=True):
    """A community the applicant wants to take part in."""

    __tablename__ = "application_community"

    application_id: str = Field(foreign_key="application.id", primary_key=True, max_length=ID_CHARS)
    community: str = Field(sa_column=Column(String(63), primary_key=True))
    may_read: bool = Field(sa_column=Column(Boolean(), nullable=False))
    may_write: bool = Field(sa_column=Column(Boolean(), nullable=False))


class ApplicationAskedRow(SQLModel, table=True):
    """A question that a checker has put again and that waits for its answer."""

    __tablename__ = "application_asked"
    __table_args__ = (
        CheckConstraint(f"question IN ({_words(tuple(QUESTIONS))})", name="application_asked_question"),
    )

    application_id: str = Field(foreign_key="application.id", primary_key=True, max_length=ID_CHARS)
    question: str = Field(sa_column=Column(String(24), primary_key=True))


class SponsorshipRow(SQLModel, table=True):
    """A member stands up for an applicant: through a person of its own (`handle`), or by a signed act (`jws`)."""

    __tablename__ = "sponsorship"
    __table_args__ = (CheckConstraint("(handle IS NULL) <> (jws IS NULL)", name="sponsorship_by"),)

    application_id: str = Field(foreign_key="application.id", primary_key=True, max_length=ID_CHARS)
    issuer: str = Field(sa_column=Column(String(300), primary_key=True))
    handle: str | None = Field(sa_column=Column(String(32), nullable=True))
    jws: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    given_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class VettingCheckRow(SQLModel, table=True):
    """What one checker found of one item, and the digest of the evidence. Rows are added, never changed."""

    __tablename__ = "vetting_check"
    __table_args__ = (
        CheckConstraint(f"item IN ({_words(get_args(VettingItem))})", name="vetting_check_item"),
        CheckConstraint(f"result IN ({_words(get_args(VettingResult))})", name="vetting_check_result"),
        CheckConstraint("length(evidence) = 32", name="vetting_check_evidence"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    application_id: str = Field(foreign_key="application.id", index=True, max_length=ID_CHARS)
    item: str = Field(sa_column=Column(String(32), nullable=False))
    checker: str = Field(sa_column=Column(String(32), nullable=False))
    result: str = Field(sa_column=Column(String(8), nullable=False))
    evidence: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    checked_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MotionRow(SQLModel, table=True):
    """Something the board is asked to decide.

    `params` is the canonical JSON of the type's closed model; `decision` that of the decision once its ballot has
    opened, and `record_seq` the chain's record once it has closed.
    """

    __tablename__ = "motion"
    __table_args__ = (
        CheckConstraint(f"type IN ({_words(get_args(DecisionType))})", name="motion_type"),
        CheckConstraint(f"state IN ({_words(MOTION_STATES)})", name="motion_state"),
        CheckConstraint(f"threshold IN ({_words(get_args(RuleName))})", name="motion_threshold"),
        CheckConstraint(f"result IN ({_words(get_args(Result))})", name="motion_result"),
        CheckConstraint("(state = 'closed') = (result IS NOT NULL)", name="motion_closed"),
        CheckConstraint("(decision IS NULL) = (decision_seq IS NULL)", name="motion_decision"),
        CheckConstraint("(result IS NULL) = (record_seq IS NULL)", name="motion_record"),
        UniqueConstraint("decision_seq", name="motion_decision_once"),
        Index("motion_open", "state", "until"),
    )

    id: str = Field(sa_column=Column(String(ID_CHARS), primary_key=True))
    type: str = Field(sa_column=Column(String(32), nullable=False))
    subject: str = Field(sa_column=Column(String(300), nullable=False))
    params: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    threshold: str = Field(sa_column=Column(String(24), nullable=False))
    proposer: str | None = Field(sa_column=Column(String(4), nullable=True))
    complainant: str | None = Field(sa_column=Column(String(300), nullable=True))
    application_id: str | None = Field(default=None, foreign_key="application.id", max_length=ID_CHARS)
    state: str = Field(sa_column=Column(String(16), nullable=False))
    until: int = Field(sa_column=Column(BigInteger(), nullable=False))
    """When the state ends by itself: a draft lapses, the discussion or the ballot is over."""
    proposed_at: int = Field(sa_column=Column(BigInteger(), nullable=False))
    discussed_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    opened_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    closed_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    decision_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    decision: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    result: str | None = Field(sa_column=Column(String(16), nullable=True))
    record_seq: int | None = Field(sa_column=Column(BigInteger(), nullable=True))


class MotionEndorsementRow(SQLModel, table=True):
    """A seat that wants the motion to be discussed."""

    __tablename__ = "motion_endorsement"

    motion_id: str = Field(foreign_key="motion.id", primary_key=True, max_length=ID_CHARS)
    seat: str = Field(sa_column=Column(String(4), primary_key=True))
    endorsed_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MotionRemarkRow(SQLModel, table=True):
    """A coded remark of a seat, with the digest of a document kept elsewhere, where there is one."""

    __tablename__ = "motion_remark"
    __table_args__ = (
        CheckConstraint(f"stance IN ({_words(get_args(RemarkStance))})", name="motion_remark_stance"),
        CheckConstraint(f"topic IN ({_words(get_args(RemarkTopic))})", name="motion_remark_topic"),
        CheckConstraint("length(document) = 32", name="motion_remark_document"),
    )

    id: int | None = Field(default=None, sa_column=Column(WHOLE, primary_key=True))
    motion_id: str = Field(foreign_key="motion.id", index=True, max_length=ID_CHARS)
    seat: str = Field(sa_column=Column(String(4), nullable=False))
    stance: str = Field(sa_column=Column(String(16), nullable=False))
    topic: str = Field(sa_column=Column(String(32), nullable=False))
    document: bytes | None = Field(sa_column=Column(LargeBinary(), nullable=True))
    remarked_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MotionDeclarationRow(SQLModel, table=True):
    """What a seat has declared before it saw the motion: a conflict of interest, or none."""

    __tablename__ = "motion_declaration"

    motion_id: str = Field(foreign_key="motion.id", primary_key=True, max_length=ID_CHARS)
    seat: str = Field(sa_column=Column(String(4), primary_key=True))
    conflict: bool = Field(sa_column=Column(Boolean(), nullable=False))
    declared_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class MotionBallotRow(SQLModel, table=True):
    """A ballot as it was cast: canonical JSON of the signed paper, one for each key that a seat has signed with.

    A seat has one vote in each roster that is asked; that it casts none twice is checked under the chain's lock.
    """

    __tablename__ = "motion_ballot"
    __table_args__ = (
        CheckConstraint("length(credential) = 32", name="motion_ballot_credential"),
        CheckConstraint(f"choice IN ({_words(get_args(Choice))})", name="motion_ballot_choice"),
    )

    motion_id: str = Field(foreign_key="motion.id", primary_key=True, max_length=ID_CHARS)
    seat: str = Field(sa_column=Column(String(4), primary_key=True))
    credential: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    choice: str = Field(sa_column=Column(String(8), nullable=False))
    ballot: bytes = Field(sa_column=Column(LargeBinary(), nullable=False))
    cast_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class SeatTieRow(SQLModel, table=True):
    """A tie of a person to an organisation, as declared; without an end it still holds."""

    __tablename__ = "seat_tie"

    handle: str = Field(sa_column=Column(String(32), primary_key=True))
    issuer: str = Field(sa_column=Column(String(300), primary_key=True))
    ended_at: int | None = Field(sa_column=Column(BigInteger(), nullable=True))
    declared_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


class SeatActRow(SQLModel, table=True):
    """The jti of a seat's signed act that was used, until it is too old to be taken anyway."""

    __tablename__ = "seat_act"
    __table_args__ = (CheckConstraint("length(jti) = 16", name="seat_act_jti"),)

    seat: str = Field(sa_column=Column(String(4), primary_key=True))
    jti: bytes = Field(sa_column=Column(LargeBinary(), primary_key=True))
    expires_at: int = Field(sa_column=Column(BigInteger(), nullable=False))


application: Final = table(ApplicationRow)
application_answer: Final = table(ApplicationAnswerRow)
application_key: Final = table(ApplicationKeyRow)
application_community: Final = table(ApplicationCommunityRow)
application_asked: Final = table(ApplicationAskedRow)
sponsorship: Final = table(SponsorshipRow)
vetting_check: Final = table(VettingCheckRow)
motion: Final = table(MotionRow)
motion_endorsement: Final = table(MotionEndorsementRow)
motion_remark: Final = table(MotionRemarkRow)
motion_declaration: Final = table(MotionDeclarationRow)
motion_ballot: Final = table(MotionBallotRow)
seat_tie: Final = table(SeatTieRow)
seat_act: Final = table(SeatActRow)
