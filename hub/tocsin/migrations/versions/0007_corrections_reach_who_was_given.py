"""What erased statements were about is remembered for a while, and large rows of the outbox are taken in parts."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tocsin.migrations.checks import replace_check

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_REASONS = "reason IN ('receiver', 'inactivity', 'undeliverable')"
_MORE_REASONS = "reason IN ('receiver', 'inactivity', 'undeliverable', 'operator')"
_STOPPED = "reason IN ('gone', 'failing', 'owner', 'operator')"
_STOPPED_NOW = "reason IN ('gone', 'failing', 'operator')"


def _where(condition: str) -> dict[str, Any]:
    return {"postgresql_where": sa.text(condition), "sqlite_where": sa.text(condition)}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "past_observation",
        sa.Column("seq", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("indicator_id", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", "indicator_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("past_observation_age", "past_observation", ["erased_at"])
    op.add_column("outbox_event", sa.Column("streams_at", sa.BigInteger(), nullable=True))
    op.drop_index("outbox_streams", "outbox_event")
    op.create_index("outbox_streams", "outbox_event", ["lane", "id"], **_where("NOT streams"))
    op.add_column("stream_waiting", sa.Column("target_seq", sa.BigInteger(), nullable=True))
    replace_check("stream_waiting", "stream_waiting_reason", _REASONS, _MORE_REASONS)
    replace_check("stream", "stream_reason", _REASONS, _MORE_REASONS)
    replace_check("webhook_endpoint", "webhook_endpoint_reason", _STOPPED, _STOPPED_NOW)
    op.drop_index("delivery_item_held", "delivery_item")
    for state in ("held", "dead"):
        op.create_index(
            f"delivery_item_{state}",
            "delivery_item",
            ["receiver_id", "message_id"],
            **_where(f"state = '{state}'"),
        )


def downgrade() -> None:
    """Take back."""
    op.drop_index("delivery_item_dead", "delivery_item")
    op.drop_index("delivery_item_held", "delivery_item")
    op.create_index("delivery_item_held", "delivery_item", ["receiver_id"], **_where("state = 'held'"))
    replace_check("webhook_endpoint", "webhook_endpoint_reason", _STOPPED_NOW, _STOPPED)
    for table, name in (("stream", "stream_reason"), ("stream_waiting", "stream_waiting_reason")):
        rows = sa.table(table, sa.column("reason"))
        op.execute(sa.update(rows).where(rows.c.reason == "operator").values(reason="receiver"))
        replace_check(table, name, _MORE_REASONS, _REASONS)
    op.drop_column("stream_waiting", "target_seq")
    op.drop_index("outbox_streams", "outbox_event")
    op.create_index("outbox_streams", "outbox_event", ["id"], **_where("NOT streams"))
    op.drop_column("outbox_event", "streams_at")
    op.drop_index("past_observation_age", "past_observation")
    op.drop_table("past_observation")
