"""Streams."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "stream_disabled",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column(
            "indicator_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "indicator_id"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("stream_disabled", schema=None) as batch_op:
        batch_op.create_index("stream_disabled_indicator", ["indicator_id"], unique=False)

    op.create_table(
        "stream_removed",
        sa.Column(
            "stream_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name="stream_removed_digest"),
        sa.PrimaryKeyConstraint("stream_id", "digest"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "stream_waiting",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("stream_id", sa.BigInteger(), nullable=False),
        sa.Column("word", sa.String(length=24), nullable=False),
        sa.Column("jti", sa.LargeBinary(), nullable=False),
        sa.Column("txn", sa.LargeBinary(), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("indicator_id", sa.BigInteger(), nullable=True),
        sa.Column("subject", sa.LargeBinary(), nullable=True),
        sa.Column("standing", sa.String(length=24), nullable=True),
        sa.Column("policy", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=True),
        sa.Column("reason", sa.String(length=13), nullable=True),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.Column("queued", sa.Boolean(), nullable=False),
        sa.Column("caused_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('receiver', 'inactivity', 'undeliverable')", name="stream_waiting_reason"
        ),
        sa.CheckConstraint(
            "standing IN ('quarantined', 'candidate', 'corroborated', 'human_confirmed', 'disputed', 'expired', 'provisional', 'active', 'restricted', 'emergency_suspended', 'suspended', 'withdrawing', 'withdrawn', 'expelled')",
            name="stream_waiting_standing",
        ),
        sa.CheckConstraint("status IN ('enabled', 'paused', 'disabled')", name="stream_waiting_status"),
        sa.CheckConstraint(
            "word IN ('verification', 'stream-updated', 'account-disabled', 'account-enabled', 'signal.recorded', 'signal.retracted', 'signal.expired', 'indicator.corroborated', 'indicator.disputed', 'member.state_changed', 'key.rotating', 'key.revoked', 'appeal.decided', 'decision.recorded')",
            name="stream_waiting_word",
        ),
        sa.CheckConstraint("length(jti) = 16 AND length(txn) = 16", name="stream_waiting_ids"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("stream_id", "jti", name="stream_waiting_jti"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("stream_waiting", schema=None) as batch_op:
        batch_op.create_index("stream_waiting_age", ["created_at"], unique=False)
        batch_op.create_index("stream_waiting_order", ["stream_id", "id"], unique=False)
        batch_op.create_index(
            "stream_waiting_unqueued",
            ["stream_id", "id"],
            unique=False,
            postgresql_where=sa.text("NOT queued"),
            sqlite_where=sa.text("NOT queued"),
        )

    op.create_table(
        "stream",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("receiver_id", sa.BigInteger(), nullable=True),
        sa.Column("method", sa.String(length=4), nullable=False),
        sa.Column("target", sa.String(length=2000), nullable=True),
        sa.Column("credential", sa.LargeBinary(), nullable=True),
        sa.Column("events", sa.String(length=1000), nullable=False),
        sa.Column("alg", sa.String(length=5), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=13), nullable=True),
        sa.Column("status_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("active_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=True),
        sa.Column("verified_at", sa.BigInteger(), nullable=True),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.Column("refusal", sa.String(length=24), nullable=True),
        sa.CheckConstraint("(method = 'push') = (target IS NOT NULL)", name="stream_target"),
        sa.CheckConstraint("alg IN ('ES256', 'RS256')", name="stream_alg"),
        sa.CheckConstraint("method = 'poll' OR receiver_id IS NOT NULL", name="stream_delivery"),
        sa.CheckConstraint("method = 'push' OR credential IS NULL", name="stream_credential"),
        sa.CheckConstraint("method IN ('push', 'poll')", name="stream_method"),
        sa.CheckConstraint("reason IN ('receiver', 'inactivity', 'undeliverable')", name="stream_reason"),
        sa.CheckConstraint(
            "refusal IN ('invalid_request', 'invalid_key', 'invalid_issuer', 'invalid_audience', 'authentication_failed', 'access_denied', 'invalid_state', 'other')",
            name="stream_refusal",
        ),
        sa.CheckConstraint("status IN ('enabled', 'paused', 'disabled')", name="stream_status"),
        sa.CheckConstraint("refused >= 0", name="stream_refused"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id", name="stream_public"),
    )
    with op.batch_alter_table("stream", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stream_organisation_id"), ["organisation_id"], unique=False)
        batch_op.create_index("stream_receiver", ["receiver_id"], unique=True)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("stream", schema=None) as batch_op:
        batch_op.drop_index("stream_receiver")
        batch_op.drop_index(batch_op.f("ix_stream_organisation_id"))

    op.drop_table("stream")
    with op.batch_alter_table("stream_waiting", schema=None) as batch_op:
        batch_op.drop_index(
            "stream_waiting_unqueued",
            postgresql_where=sa.text("NOT queued"),
            sqlite_where=sa.text("NOT queued"),
        )
        batch_op.drop_index("stream_waiting_order")
        batch_op.drop_index("stream_waiting_age")

    op.drop_table("stream_waiting")
    op.drop_table("stream_removed")
    with op.batch_alter_table("stream_disabled", schema=None) as batch_op:
        batch_op.drop_index("stream_disabled_indicator")

    op.drop_table("stream_disabled")
