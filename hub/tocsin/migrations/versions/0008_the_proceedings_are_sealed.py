"""What leads to a decision of the board is held against the log: seals, and the entries that they open."""

import sqlalchemy as sa
from alembic import op

from tocsin.migrations.checks import replace_check

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_KINDS_BEFORE = (
    "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release',"
    " 'decision', 'member-state', 'key-change')"
)
_KINDS = f"{_KINDS_BEFORE[:-1]}, 'proceeding')"
_CHECKS = {"entry": "entry_kind", "entry_day": "entry_day_kind", "statement": "statement_kind"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "board_seal",
        sa.Column("log_seq", _WHOLE, autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("case_id", sa.String(length=35), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("replaces", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("spelled", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("kind IN ('application', 'motion', 'ties', 'acts')", name="board_seal_kind"),
        sa.CheckConstraint("length(state) = 32", name="board_seal_state"),
        sa.CheckConstraint("length(nonce) = 32", name="board_seal_nonce"),
        sa.CheckConstraint("length(salt) = 32", name="board_seal_salt"),
        sa.CheckConstraint("(salt IS NULL) = (spelled IS NULL)", name="board_seal_newest"),
        sa.PrimaryKeyConstraint("log_seq"),
    )
    _index("board_seal_case", "board_seal", ["kind", "case_id"], "spelled IS NOT NULL")
    _index("board_seal_live", "board_seal", ["log_seq"], "live")
    op.create_index("board_seal_replaces", "board_seal", ["replaces"])
    _index("entry_docket", "entry", ["seq"], "community = 'docket'")
    for table, name in _CHECKS.items():
        replace_check(table, name, _KINDS_BEFORE, _KINDS)


def downgrade() -> None:
    """Take back, where nothing was sealed yet: an entry of the log cannot be taken out of it.

    Raises:
        RuntimeError: when the log has entries that the version before cannot read.
    """
    sealed = sa.text("SELECT 1 FROM entry WHERE kind = 'proceeding' LIMIT 1")
    if op.get_bind().execute(sealed).first() is not None:
        raise RuntimeError("the log has entries that the version before cannot read")
    for table, name in _CHECKS.items():
        replace_check(table, name, _KINDS, _KINDS_BEFORE)
    op.drop_index("entry_docket", "entry")
    op.drop_table("board_seal")


def _index(name: str, table: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, postgresql_where=where, sqlite_where=where)
