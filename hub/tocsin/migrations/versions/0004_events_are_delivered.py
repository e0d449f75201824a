"""Events are delivered."""

import sqlalchemy as sa
from alembic import op

from tocsin.migrations.checks import replace_check

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "delivery_attempt",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item_id", sa.BigInteger(), nullable=False),
        sa.Column("receiver_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("failure", sa.String(length=11), nullable=True),
        sa.CheckConstraint(
            "failure IN ('timeout', 'tls', 'unreachable', 'too-large', 'encoded', 'refused', 'dns')",
            name="delivery_attempt_failure",
        ),
        sa.CheckConstraint("(status IS NULL) = (failure IS NOT NULL)", name="delivery_attempt_end"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("delivery_attempt", schema=None) as batch_op:
        batch_op.create_index("delivery_attempt_item", ["item_id"], unique=False)
        batch_op.create_index("delivery_attempt_receiver", ["receiver_id", "id"], unique=False)

    op.create_table(
        "delivery_item",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("receiver_id", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=9), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("next_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("failure", sa.String(length=11), nullable=True),
        sa.CheckConstraint("(ended_at IS NULL) = (state IN ('pending', 'held'))", name="delivery_item_ended"),
        sa.CheckConstraint(
            "failure IN ('timeout', 'tls', 'unreachable', 'too-large', 'encoded', 'refused', 'dns')",
            name="delivery_item_failure",
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'dead', 'held', 'dropped')", name="delivery_item_state"
        ),
        sa.CheckConstraint("lane IN (0, 1)", name="delivery_item_lane"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("receiver_id", "message_id", name="delivery_item_message"),
        postgresql_with={"fillfactor": 60},
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("delivery_item", schema=None) as batch_op:
        batch_op.create_index(
            "delivery_item_held",
            ["receiver_id"],
            unique=False,
            postgresql_where=sa.text("state = 'held'"),
            sqlite_where=sa.text("state = 'held'"),
        )
        batch_op.create_index(
            "delivery_item_pending",
            ["receiver_id", "lane", "next_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )

    op.create_table(
        "delivery_minute",
        sa.Column(
            "minute",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("delivered", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("minute"),
    )
    op.create_table(
        "delivery_queue",
        sa.Column(
            "receiver_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("lane", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("holder", sa.String(length=16), nullable=True),
        sa.CheckConstraint("(holder IS NULL) = (lease_until IS NULL)", name="delivery_queue_lease"),
        sa.CheckConstraint("lane IN (0, 1)", name="delivery_queue_lane"),
        sa.CheckConstraint("lease_until IS NULL OR due_at = lease_until", name="delivery_queue_leased"),
        sa.PrimaryKeyConstraint("receiver_id", "lane"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("delivery_queue", schema=None) as batch_op:
        batch_op.create_index(
            "delivery_queue_due",
            ["lane", "due_at"],
            unique=False,
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        )

    op.create_table(
        "outbox_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("first_seq", sa.BigInteger(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("free_count", sa.BigInteger(), nullable=False),
        sa.Column("labels", sa.String(length=2000), nullable=False),
        sa.Column("free_labels", sa.String(length=2000), nullable=False),
        sa.Column("status", sa.String(length=24), nullable=True),
        sa.Column("rule", sa.String(length=24), nullable=True),
        sa.Column("policy", sa.BigInteger(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("cursor", sa.BigInteger(), nullable=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=True),
        sa.Column("about_id", sa.BigInteger(), nullable=True),
        sa.Column("endpoint", sa.String(length=40), nullable=True),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("webhooks", sa.Boolean(), nullable=False),
        sa.Column("streams", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "type IN ('signal.recorded', 'signal.expired', 'signal.retracted', 'signal.recalled', 'indicator.corroborated', 'indicator.disputed', 'subject.escalated', 'subject.reappeared', 'subject.cleared', 'cluster.novel', 'notice.upstream', 'notice.overdue', 'incident.declared', 'incident.closed', 'member.state_changed', 'key.rotating', 'key.revoked', 'appeal.opened', 'appeal.decided', 'decision.recorded', 'endpoint.disabled')",
            name="outbox_type",
        ),
        sa.CheckConstraint("(first_seq IS NULL) = (last_seq IS NULL)", name="outbox_places"),
        sa.CheckConstraint("0 <= free_count AND free_count <= count", name="outbox_count"),
        sa.CheckConstraint("first_seq <= last_seq", name="outbox_range"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("outbox_event", schema=None) as batch_op:
        batch_op.create_index(
            "outbox_streams",
            ["id"],
            unique=False,
            postgresql_where=sa.text("NOT streams"),
            sqlite_where=sa.text("NOT streams"),
        )
        batch_op.create_index(
            "outbox_taken",
            ["created_at"],
            unique=False,
            postgresql_where=sa.text("webhooks AND streams"),
            sqlite_where=sa.text("webhooks AND streams"),
        )
        batch_op.create_index(
            "outbox_webhooks",
            ["lane", "id"],
            unique=False,
            postgresql_where=sa.text("NOT webhooks"),
            sqlite_where=sa.text("NOT webhooks"),
        )

    op.create_table(
        "webhook_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("community_id", sa.BigInteger(), nullable=True),
        sa.Column("organisation_id", sa.BigInteger(), nullable=True),
        sa.Column("audience", sa.String(length=4), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=True),
        sa.Column("last_seq", sa.BigInteger(), nullable=True),
        sa.Column("labels", sa.String(length=2000), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("caused_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("audience IN ('any', 'full', 'free')", name="webhook_message_audience"),
        sa.CheckConstraint("severity IN ('info', 'notice', 'urgent')", name="webhook_message_severity"),
        sa.CheckConstraint(
            "type IN ('signal.recorded', 'signal.expired', 'signal.retracted', 'signal.recalled', 'indicator.corroborated', 'indicator.disputed', 'subject.escalated', 'subject.reappeared', 'subject.cleared', 'cluster.novel', 'notice.upstream', 'notice.overdue', 'incident.declared', 'incident.closed', 'member.state_changed', 'key.rotating', 'key.revoked', 'appeal.opened', 'appeal.decided', 'decision.recorded', 'endpoint.verification', 'endpoint.test', 'endpoint.disabled')",
            name="webhook_message_type",
        ),
        sa.CheckConstraint("(first_seq IS NULL) = (last_seq IS NULL)", name="webhook_message_places"),
        sa.CheckConstraint("first_seq <= last_seq", name="webhook_message_range"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id", name="webhook_message_public"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("webhook_message", schema=None) as batch_op:
        batch_op.create_index("webhook_message_created", ["created_at"], unique=False)

    op.create_table(
        "webhook_subject",
        sa.Column(
            "endpoint_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("seq >= 1", name="webhook_subject_seq"),
        sa.PrimaryKeyConstraint("endpoint_id", "subject"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "delivery_receiver",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", sa.BigInteger(), nullable=True),
        sa.Column("failed_at", sa.BigInteger(), nullable=True),
        sa.Column("succeeded_at", sa.BigInteger(), nullable=True),
        sa.Column("breaker_until", sa.BigInteger(), nullable=True),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('webhook', 'stream')", name="delivery_receiver_kind"),
        sa.CheckConstraint(
            "state IN ('open', 'holding', 'closed', 'removed')", name="delivery_receiver_state"
        ),
        sa.CheckConstraint("(failures = 0) = (failing_since IS NULL)", name="delivery_receiver_failures"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id", name="delivery_receiver_public_id"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "webhook_endpoint",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("public_id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("receiver_id", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.String(length=2000), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=8), nullable=True),
        sa.Column("detail", sa.String(length=4), nullable=False),
        sa.Column("types", sa.String(length=1000), nullable=False),
        sa.Column("communities", sa.String(length=4000), nullable=False),
        sa.Column("labels", sa.String(length=2000), nullable=False),
        sa.Column("severity", sa.String(length=8), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("rotated_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("activated_at", sa.BigInteger(), nullable=True),
        sa.Column("disabled_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(state = 'disabled') = (disabled_at IS NOT NULL)", name="webhook_endpoint_disabled"
        ),
        sa.CheckConstraint("detail IN ('thin', 'full')", name="webhook_endpoint_detail"),
        sa.CheckConstraint(
            "reason IN ('gone', 'failing', 'owner', 'operator')", name="webhook_endpoint_reason"
        ),
        sa.CheckConstraint("severity IN ('info', 'notice', 'urgent')", name="webhook_endpoint_severity"),
        sa.CheckConstraint(
            "state IN ('pending', 'active', 'paused', 'disabled')", name="webhook_endpoint_state"
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'disabled') OR activated_at IS NOT NULL", name="webhook_endpoint_activated"
        ),
        sa.CheckConstraint("generation >= 1", name="webhook_endpoint_generation"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("public_id", name="webhook_endpoint_public"),
        sa.UniqueConstraint("receiver_id", name="webhook_endpoint_receiver"),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("webhook_endpoint", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_webhook_endpoint_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "webhook_probe",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("webhook_probe", schema=None) as batch_op:
        batch_op.create_index("webhook_probe_member", ["organisation_id", "at"], unique=False)

    op.drop_table("outbox")
    replace_check(
        "client",
        "client_scopes",
        "scopes IN ('signals:read', 'signals:submit', 'signals:read signals:submit')",
        "scopes IN ('signals:read', 'signals:submit', 'ssf.manage', 'ssf.read', 'webhooks:manage', 'signals:read signals:submit', 'signals:read ssf.manage', 'signals:read ssf.read', 'signals:read webhooks:manage', 'signals:submit ssf.manage', 'signals:submit ssf.read', 'signals:submit webhooks:manage', 'ssf.manage ssf.read', 'ssf.manage webhooks:manage', 'ssf.read webhooks:manage', 'signals:read signals:submit ssf.manage', 'signals:read signals:submit ssf.read', 'signals:read signals:submit webhooks:manage', 'signals:read ssf.manage ssf.read', 'signals:read ssf.manage webhooks:manage', 'signals:read ssf.read webhooks:manage', 'signals:submit ssf.manage ssf.read', 'signals:submit ssf.manage webhooks:manage', 'signals:submit ssf.read webhooks:manage', 'ssf.manage ssf.read webhooks:manage', 'signals:read signals:submit ssf.manage ssf.read', 'signals:read signals:submit ssf.manage webhooks:manage', 'signals:read signals:submit ssf.read webhooks:manage', 'signals:read ssf.manage ssf.read webhooks:manage', 'signals:submit ssf.manage ssf.read webhooks:manage', 'signals:read signals:submit ssf.manage ssf.read webhooks:manage')",
    )


def downgrade() -> None:
    """Undo."""
    op.create_table(
        "outbox",
        sa.Column("id", sa.INTEGER(), nullable=False),
        sa.Column("type", sa.VARCHAR(length=32), nullable=False),
        sa.Column("community_id", sa.INTEGER(), nullable=False),
        sa.Column("first_seq", sa.BIGINT(), nullable=False),
        sa.Column("last_seq", sa.BIGINT(), nullable=False),
        sa.Column("created_at", sa.BIGINT(), nullable=False),
        sa.CheckConstraint(
            "type IN ('signal.recorded', 'signal.expired', 'signal.retracted', 'indicator.corroborated', 'indicator.disputed')",
            name=op.f("outbox_type"),
        ),
        sa.CheckConstraint("first_seq <= last_seq", name=op.f("outbox_range")),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("webhook_probe", schema=None) as batch_op:
        batch_op.drop_index("webhook_probe_member")

    op.drop_table("webhook_probe")
    with op.batch_alter_table("webhook_endpoint", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_webhook_endpoint_organisation_id"))

    op.drop_table("webhook_endpoint")
    op.drop_table("delivery_receiver")
    op.drop_table("webhook_subject")
    with op.batch_alter_table("webhook_message", schema=None) as batch_op:
        batch_op.drop_index("webhook_message_created")

    op.drop_table("webhook_message")
    with op.batch_alter_table("outbox_event", schema=None) as batch_op:
        batch_op.drop_index(
            "outbox_webhooks", postgresql_where=sa.text("NOT webhooks"), sqlite_where=sa.text("NOT webhooks")
        )
        batch_op.drop_index(
            "outbox_taken",
            postgresql_where=sa.text("webhooks AND streams"),
            sqlite_where=sa.text("webhooks AND streams"),
        )
        batch_op.drop_index(
            "outbox_streams", postgresql_where=sa.text("NOT streams"), sqlite_where=sa.text("NOT streams")
        )

    op.drop_table("outbox_event")
    with op.batch_alter_table("delivery_queue", schema=None) as batch_op:
        batch_op.drop_index(
            "delivery_queue_due",
            postgresql_where=sa.text("due_at IS NOT NULL"),
            sqlite_where=sa.text("due_at IS NOT NULL"),
        )

    op.drop_table("delivery_queue")
    op.drop_table("delivery_minute")
    with op.batch_alter_table("delivery_item", schema=None) as batch_op:
        batch_op.drop_index(
            "delivery_item_pending",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(
            "delivery_item_held",
            postgresql_where=sa.text("state = 'held'"),
            sqlite_where=sa.text("state = 'held'"),
        )

    op.drop_table("delivery_item")
    with op.batch_alter_table("delivery_attempt", schema=None) as batch_op:
        batch_op.drop_index("delivery_attempt_receiver")
        batch_op.drop_index("delivery_attempt_item")

    op.drop_table("delivery_attempt")
    replace_check(
        "client",
        "client_scopes",
        "scopes IN ('signals:read', 'signals:submit', 'ssf.manage', 'ssf.read', 'webhooks:manage', 'signals:read signals:submit', 'signals:read ssf.manage', 'signals:read ssf.read', 'signals:read webhooks:manage', 'signals:submit ssf.manage', 'signals:submit ssf.read', 'signals:submit webhooks:manage', 'ssf.manage ssf.read', 'ssf.manage webhooks:manage', 'ssf.read webhooks:manage', 'signals:read signals:submit ssf.manage', 'signals:read signals:submit ssf.read', 'signals:read signals:submit webhooks:manage', 'signals:read ssf.manage ssf.read', 'signals:read ssf.manage webhooks:manage', 'signals:read ssf.read webhooks:manage', 'signals:submit ssf.manage ssf.read', 'signals:submit ssf.manage webhooks:manage', 'signals:submit ssf.read webhooks:manage', 'ssf.manage ssf.read webhooks:manage', 'signals:read signals:submit ssf.manage ssf.read', 'signals:read signals:submit ssf.manage webhooks:manage', 'signals:read signals:submit ssf.read webhooks:manage', 'signals:read ssf.manage ssf.read webhooks:manage', 'signals:submit ssf.manage ssf.read webhooks:manage', 'signals:read signals:submit ssf.manage ssf.read webhooks:manage')",
        "scopes IN ('signals:read', 'signals:submit', 'signals:read signals:submit')",
    )
