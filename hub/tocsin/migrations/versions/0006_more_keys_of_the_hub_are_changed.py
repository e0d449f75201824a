"""More keys of the hub are changed with a time in which both hold, one of them RSA."""

from alembic import op

from tocsin.migrations.checks import replace_check

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PURPOSE_BEFORE = "purpose IN ('events', 'token')"
PURPOSE = "purpose IN ('events', 'token', 'delivery', 'ssf_es', 'ssf_rs')"
PUBLIC_BEFORE = "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)"
PUBLIC = f"{PUBLIC_BEFORE} OR (alg = 'RS256' AND length(public) BETWEEN 266 AND 1040)"


def upgrade() -> None:
    """Apply."""
    replace_check("hub_key", "hub_key_purpose", PURPOSE_BEFORE, PURPOSE)
    replace_check("hub_key", "hub_key_public", PUBLIC_BEFORE, PUBLIC)


def downgrade() -> None:
    """Take back."""
    op.execute("DELETE FROM hub_key WHERE purpose NOT IN ('events', 'token')")
    replace_check("hub_key", "hub_key_public", PUBLIC, PUBLIC_BEFORE)
    replace_check("hub_key", "hub_key_purpose", PURPOSE, PURPOSE_BEFORE)
