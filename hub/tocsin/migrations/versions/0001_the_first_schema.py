"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "community",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(length=63), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("slug", name="community_slug_once"),
    )
    op.create_table(
        "control_group",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id LIKE 'cg_%' AND length(id) = 19", name="control_group_id"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "entry",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("community", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry')", name="entry_kind"
        ),
        sa.CheckConstraint("length(commitment) = 32", name="entry_commitment"),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "indicator",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "type IN ('md5', 'sha1', 'sha256', 'pdq', 'photodna', 'file-sha256', 'weights-sha256', 'email', 'phone', 'handle', 'device', 'payment')",
            name="indicator_type",
        ),
        sa.CheckConstraint("length(value) BETWEEN 16 AND 144", name="indicator_length"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("community_id", "type", "value", name="indicator_value"),
    )
    op.create_table(
        "job_lease",
        sa.Column("job", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job"),
    )
    op.create_table(
        "ledger_head",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="ledger_head_single"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "observation",
        sa.Column(
            "indicator_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("decides", sa.Boolean(), nullable=False),
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.PrimaryKeyConstraint("indicator_id", "decides", "seq"),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.create_index("observation_seq", ["seq"], unique=False)

    op.create_table(
        "revoked_token",
        sa.Column("jti", sa.String(length=32), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("jti"),
    )
    with op.batch_alter_table("revoked_token", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_revoked_token_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "statement",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("community_id", sa.BigInteger(), nullable=False),
        sa.Column("author_id", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("jti", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("jws", sa.LargeBinary(), nullable=True),
        sa.Column("nonce", sa.LargeBinary(), nullable=True),
        sa.Column("basis", sa.String(length=20), nullable=True),
        sa.Column("iat", sa.BigInteger(), nullable=False),
        sa.Column("toe", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("quarantine", sa.String(length=16), nullable=True),
        sa.Column("gone", sa.String(length=10), nullable=True),
        sa.Column("gone_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "basis IN ('human_confirmed', 'human_reviewed', 'classifier', 'hash_match_unviewed', 'user_report')",
            name="statement_basis",
        ),
        sa.CheckConstraint("gone IN ('expired', 'retracted', 'recalled', 'erased')", name="statement_gone"),
        sa.CheckConstraint(
            "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry')",
            name="statement_kind",
        ),
        sa.CheckConstraint(
            "quarantine IN ('pdq-degenerate', 'pdq-low-quality', 'benign', 'minor-suspected')",
            name="statement_quarantine",
        ),
        sa.CheckConstraint(
            "status IN ('quarantined', 'candidate', 'corroborated', 'human_confirmed', 'disputed', 'expired')",
            name="statement_status",
        ),
        sa.CheckConstraint("(gone IS NULL) = (gone_at IS NULL)", name="statement_gone_at"),
        sa.CheckConstraint("(jws IS NULL) = (gone IS NOT NULL)", name="statement_erased"),
        sa.CheckConstraint("(nonce IS NULL) = (jws IS NULL)", name="statement_nonce"),
        sa.CheckConstraint("length(jti) = 16 AND length(digest) = 32", name="statement_digests"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("author_id", "jti", name="statement_identity"),
    )
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.create_index("statement_digest", ["digest"], unique=False)
        batch_op.create_index(
            "statement_expiry",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("gone IS NULL"),
            sqlite_where=sa.text("gone IS NULL"),
        )
        batch_op.create_index("statement_feed", ["community_id", "seq"], unique=False)
        batch_op.create_index(
            "statement_gone_day",
            ["community_id", "gone_at"],
            unique=False,
            postgresql_where=sa.text("gone IS NOT NULL"),
            sqlite_where=sa.text("gone IS NOT NULL"),
        )
        batch_op.create_index(
            "statement_replay",
            ["iat"],
            unique=False,
            postgresql_where=sa.text("gone IS NOT NULL AND jti IS NOT NULL"),
            sqlite_where=sa.text("gone IS NOT NULL AND jti IS NOT NULL"),
        )

    op.create_table(
        "expiry_day",
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column(
            "day", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.PrimaryKeyConstraint("community_id", "day"),
    )
    op.create_table(
        "organisation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("member_class", sa.String(length=16), nullable=False),
        sa.Column("control_group_id", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("signals_per_hour", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("issuer LIKE 'https://%'", name="organisation_issuer"),
        sa.CheckConstraint(
            "member_class IN ('platform', 'model_vendor', 'model_host', 'hotline', 'partner', 'observer', 'peer_hub')",
            name="organisation_class",
        ),
        sa.CheckConstraint("state IN ('active', 'suspended')", name="organisation_state"),
        sa.CheckConstraint("signals_per_hour >= 0", name="organisation_cap"),
        sa.ForeignKeyConstraint(
            ["control_group_id"],
            ["control_group.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("issuer", name="organisation_issuer_once"),
    )
    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_organisation_control_group_id"), ["control_group_id"], unique=False
        )

    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "type IN ('signal.recorded', 'signal.expired', 'signal.retracted', 'indicator.corroborated', 'indicator.disputed')",
            name="outbox_type",
        ),
        sa.CheckConstraint("first_seq <= last_seq", name="outbox_range"),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "client",
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("scopes", sa.String(length=200), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "scopes IN ('signals:read', 'signals:submit', 'signals:read signals:submit')",
            name="client_scopes",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("client_id"),
    )
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_client_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "community_member",
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.Column("may_read", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("community_id", "organisation_id"),
    )
    with op.batch_alter_table("community_member", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_community_member_organisation_id"), ["organisation_id"], unique=False
        )

    op.create_table(
        "delivery",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("organisation_id", "community_id"),
    )
    op.create_table(
        "indicator_view",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column(
            "indicator_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("organisation_id", "indicator_id"),
    )
    op.create_table(
        "member_key",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("alg", sa.String(length=8), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
            name="member_key_public",
        ),
        sa.CheckConstraint("not_before < not_after", name="member_key_life"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("kid"),
    )
    with op.batch_alter_table("member_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_member_key_organisation_id"), ["organisation_id"], unique=False)

    op.create_table(
        "quota",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("hour", sa.BigInteger(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("used >= 0", name="quota_used"),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    op.create_table(
        "assertion",
        sa.Column("client_id", sa.String(length=40), nullable=False),
        sa.Column("jti", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(jti) = 32", name="assertion_jti"),
        sa.ForeignKeyConstraint(
            ["client_id"],
            ["client.client_id"],
        ),
        sa.PrimaryKeyConstraint("client_id", "jti"),
    )
    with op.batch_alter_table("assertion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_assertion_expires_at"), ["expires_at"], unique=False)
    op.execute("INSERT INTO ledger_head (id, size) VALUES (1, 0)")


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("assertion", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_assertion_expires_at"))

    op.drop_table("assertion")
    op.drop_table("quota")
    with op.batch_alter_table("member_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_member_key_organisation_id"))

    op.drop_table("member_key")
    op.drop_table("indicator_view")
    op.drop_table("delivery")
    with op.batch_alter_table("community_member", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_community_member_organisation_id"))

    op.drop_table("community_member")
    with op.batch_alter_table("client", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_client_organisation_id"))

    op.drop_table("client")
    op.drop_table("outbox")
    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_organisation_control_group_id"))

    op.drop_table("organisation")
    op.drop_table("expiry_day")
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.drop_index(
            "statement_replay",
            postgresql_where=sa.text("gone IS NOT NULL AND jti IS NOT NULL"),
            sqlite_where=sa.text("gone IS NOT NULL AND jti IS NOT NULL"),
        )
        batch_op.drop_index(
            "statement_gone_day",
            postgresql_where=sa.text("gone IS NOT NULL"),
            sqlite_where=sa.text("gone IS NOT NULL"),
        )
        batch_op.drop_index("statement_feed")
        batch_op.drop_index(
            "statement_expiry", postgresql_where=sa.text("gone IS NULL"), sqlite_where=sa.text("gone IS NULL")
        )
        batch_op.drop_index("statement_digest")

    op.drop_table("statement")
    with op.batch_alter_table("revoked_token", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_revoked_token_expires_at"))

    op.drop_table("revoked_token")
    with op.batch_alter_table("observation", schema=None) as batch_op:
        batch_op.drop_index("observation_seq")

    op.drop_table("observation")
    op.drop_table("ledger_head")
    op.drop_table("job_lease")
    op.drop_table("indicator")
    op.drop_table("entry")
    op.drop_table("control_group")
    op.drop_table("community")
