"""The published log."""

import sqlalchemy as sa
from alembic import op

from tocsin.migrations.checks import replace_check

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    replace_check(
        "entry",
        "entry_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
    )
    replace_check(
        "statement",
        "statement_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
    )
    op.create_table(
        "entry_day",
        sa.Column(
            "day", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
            name="entry_day_kind",
        ),
        sa.CheckConstraint("entries > 0", name="entry_day_entries"),
        sa.PrimaryKeyConstraint("day", "kind"),
    )
    op.create_table(
        "log_witness",
        sa.Column("place", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("cosigned_at", sa.BigInteger(), nullable=True),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("conflict", sa.String(length=8), nullable=True),
        sa.Column("conflict_size", sa.BigInteger(), nullable=True),
        sa.Column("shown", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("conflict IN ('ahead', 'other', 'claimed')", name="log_witness_conflict"),
        sa.CheckConstraint("length(place) = 32", name="log_witness_place"),
        sa.PrimaryKeyConstraint("place"),
    )
    op.create_table(
        "publication",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("edge", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="publication_single"),
        sa.CheckConstraint("length(root) = 32", name="publication_root"),
        sa.CheckConstraint("size >= 0", name="publication_size"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "witnessed_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("origin", sa.String(length=255), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("checkpoint", sa.LargeBinary(), nullable=True),
        sa.Column("cosigned_at", sa.BigInteger(), nullable=True),
        sa.Column("added_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name="witnessed_log_digest"),
        sa.CheckConstraint("length(root) = 32", name="witnessed_log_root"),
        sa.CheckConstraint("size >= 0", name="witnessed_log_size"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("digest"),
        sa.UniqueConstraint("origin"),
    )
    op.create_table(
        "feed_segment",
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("stale", sa.Boolean(), nullable=False),
        sa.Column("records", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("crc", sa.BigInteger(), nullable=False),
        sa.Column("zstd", sa.BigInteger(), nullable=False),
        sa.Column("deflate", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("stale OR length(digest) = 32", name="feed_segment_built"),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.PrimaryKeyConstraint("community_id", "number"),
    )
    with op.batch_alter_table("feed_segment", schema=None) as batch_op:
        batch_op.create_index("feed_segment_number", ["number"], unique=False)
        batch_op.create_index(
            "feed_segment_stale",
            ["community_id", "number"],
            unique=False,
            postgresql_where=sa.text("stale"),
            sqlite_where=sa.text("stale"),
        )

    op.create_table(
        "snapshot",
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("claim", sa.BigInteger(), nullable=False),
        sa.Column("swept", sa.Boolean(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=True),
        sa.Column("manifest", sa.LargeBinary(), nullable=True),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.Column("checked_size", sa.BigInteger(), nullable=False),
        sa.Column("withheld", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "type IN ('md5', 'sha1', 'sha256', 'pdq', 'photodna', 'file-sha256', 'weights-sha256', 'email', 'phone', 'handle', 'device', 'payment')",
            name="snapshot_type",
        ),
        sa.CheckConstraint("(version = 0) = (manifest IS NULL)", name="snapshot_made"),
        sa.CheckConstraint("(version = 0) = (seq IS NULL)", name="snapshot_entered"),
        sa.CheckConstraint("length(manifest) = 32", name="snapshot_manifest"),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.PrimaryKeyConstraint("community_id", "type"),
    )
    op.create_table(
        "witness_evidence",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("log_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("held", sa.LargeBinary(), nullable=True),
        sa.Column("kept_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind IN ('fork', 'unproven')", name="witness_evidence_kind"),
        sa.ForeignKeyConstraint(
            ["log_id"],
            ["witnessed_log.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("log_id", "kind", "size", "root", name="witness_evidence_once"),
    )
    op.create_table(
        "witnessed_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("log_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("kind IN (1, 4, 6)", name="witnessed_key_kind"),
        sa.ForeignKeyConstraint(
            ["log_id"],
            ["witnessed_log.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("log_id", "kind", "public", name="witnessed_key_once"),
    )
    with op.batch_alter_table("witnessed_key", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_witnessed_key_log_id"), ["log_id"], unique=False)

    op.create_table(
        "feed_author",
        sa.Column("community_id", sa.Integer(), nullable=False),
        sa.Column(
            "number",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"],
            ["community.id"],
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("community_id", "number", "organisation_id"),
    )
    with op.batch_alter_table("feed_author", schema=None) as batch_op:
        batch_op.create_index("feed_author_withheld", ["withheld", "organisation_id"], unique=False)

    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("statement_gone_day"), sqlite_where=sa.text("gone IS NOT NULL"))
        batch_op.create_index(
            "statement_expired_day",
            ["community_id", "expires_at"],
            unique=False,
            postgresql_where=sa.text("gone IS NOT NULL"),
            sqlite_where=sa.text("gone IS NOT NULL"),
        )


def downgrade() -> None:
    """Undo."""
    replace_check(
        "entry",
        "entry_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry')",
    )
    replace_check(
        "statement",
        "statement_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry')",
    )
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.drop_index(
            "statement_expired_day",
            postgresql_where=sa.text("gone IS NOT NULL"),
            sqlite_where=sa.text("gone IS NOT NULL"),
        )
        batch_op.create_index(
            batch_op.f("statement_gone_day"),
            ["community_id", "gone_at"],
            unique=False,
            sqlite_where=sa.text("gone IS NOT NULL"),
        )

    with op.batch_alter_table("feed_author", schema=None) as batch_op:
        batch_op.drop_index("feed_author_withheld")

    op.drop_table("feed_author")
    with op.batch_alter_table("witnessed_key", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_witnessed_key_log_id"))

    op.drop_table("witnessed_key")
    op.drop_table("witness_evidence")
    op.drop_table("snapshot")
    with op.batch_alter_table("feed_segment", schema=None) as batch_op:
        batch_op.drop_index(
            "feed_segment_stale", postgresql_where=sa.text("stale"), sqlite_where=sa.text("stale")
        )
        batch_op.drop_index("feed_segment_number")

    op.drop_table("feed_segment")
    op.drop_table("witnessed_log")
    op.drop_table("publication")
    op.drop_table("log_witness")
    op.drop_table("entry_day")
