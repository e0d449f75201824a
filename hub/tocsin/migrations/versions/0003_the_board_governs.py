"""The board governs."""

import sqlalchemy as sa
from alembic import op

from tocsin.migrations.checks import replace_check

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "application",
        sa.Column("id", sa.String(length=35), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("member_class", sa.String(length=16), nullable=False),
        sa.Column("control_group_id", sa.String(length=20), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("state_since", sa.BigInteger(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("submitted_at", sa.BigInteger(), nullable=True),
        sa.Column("lapses_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("issuer LIKE 'https://%'", name="application_issuer"),
        sa.CheckConstraint(
            "member_class IN ('platform', 'model_vendor', 'model_host', 'hotline', 'partner', 'observer', 'peer_hub')",
            name="application_class",
        ),
        sa.CheckConstraint(
            "state IN ('draft', 'submitted', 'vetting', 'info_requested', 'discussion', 'ballot', 'approved_pending_keys', 'rejected', 'lapsed')",
            name="application_state",
        ),
        sa.CheckConstraint("length(secret) = 32", name="application_secret"),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.create_index("application_of", ["issuer"], unique=False)
        batch_op.create_index("application_open", ["state", "lapses_at"], unique=False)

    op.create_table(
        "board_founding",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="board_founding_single"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "board_policy",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name="board_policy_single"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "board_record",
        sa.Column(
            "seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("log_seq", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.Boolean(), nullable=False),
        sa.CheckConstraint("length(digest) = 32", name="board_record_digest"),
        sa.CheckConstraint("length(nonce) = 32", name="board_record_nonce"),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("log_seq", name="board_record_entry"),
    )
    op.create_table(
        "hub_key",
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("purpose", sa.String(length=8), nullable=False),
        sa.Column("alg", sa.String(length=8), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
            name="hub_key_public",
        ),
        sa.CheckConstraint("purpose IN ('events', 'token')", name="hub_key_purpose"),
        sa.CheckConstraint("not_before < not_after", name="hub_key_life"),
        sa.PrimaryKeyConstraint("kid"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handle", sa.String(length=32), nullable=False),
        sa.Column("passkey_user", sa.LargeBinary(), nullable=False),
        sa.Column("password", sa.String(length=160), nullable=True),
        sa.Column("totp", sa.LargeBinary(), nullable=True),
        sa.Column("totp_step", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("locked_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("length(passkey_user) = 32", name="person_passkey_user"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("handle", name="person_handle_once"),
    )
    op.create_table(
        "release_state",
        sa.Column(
            "id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("id = 1", name="release_state_once"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "seat_act",
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("jti", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("length(jti) = 16", name="seat_act_jti"),
        sa.PrimaryKeyConstraint("seat", "jti"),
    )
    op.create_table(
        "seat_tie",
        sa.Column("handle", sa.String(length=32), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handle", "issuer"),
    )
    op.create_table(
        "session_purpose",
        sa.Column("session", sa.LargeBinary(), nullable=False),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "action IN ('application.read', 'scorecard.read', 'signal.read')", name="session_purpose_action"
        ),
        sa.CheckConstraint(
            "purpose IN ('vetting', 'ballot', 'audit', 'investigation', 'appeal', 'own-signals')",
            name="session_purpose_purpose",
        ),
        sa.PrimaryKeyConstraint("session", "action"),
    )
    op.create_table(
        "sign_in_try",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("sign_in_try", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sign_in_try_began_at"), ["began_at"], unique=False)

    op.create_table(
        "used_challenge",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("used_challenge", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_used_challenge_expires_at"), ["expires_at"], unique=False)

    op.create_table(
        "application_answer",
        sa.Column("application_id", sa.String(length=35), nullable=False),
        sa.Column("question", sa.String(length=24), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=24), nullable=True),
        sa.Column("origin", sa.String(length=300), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint(
            "code IN ('accepted', 'around_the_clock', 'au', 'br', 'business_hours', 'ca', 'eea', 'eu', 'file_hosting', 'hotline', 'image_generation', 'in', 'iso27001', 'jp', 'kr', 'marketplace', 'messaging', 'model_hosting', 'no', 'none', 'nz', 'on_demand', 'other', 'questionnaire', 'search', 'soc2', 'social', 'some', 'text_generation', 'uk', 'us', 'video', 'voice_generation')",
            name="application_answer_code",
        ),
        sa.CheckConstraint("origin LIKE 'https://%'", name="application_answer_origin"),
        sa.CheckConstraint(
            "question IN ('registration', 'ownership', 'governmental', 'domain', 'service', 'jurisdiction', 'abuse_policy', 'appeals', 'transparency', 'government_requests', 'human_review', 'contacts', 'security', 'security_evidence', 'lawful_basis', 'retention', 'sanctions', 'sanctions_evidence', 'antitrust', 'conduct')",
            name="application_answer_question",
        ),
        sa.CheckConstraint(
            "(code IS NULL AND origin IS NULL) OR (code IS NULL AND digest IS NULL) OR (origin IS NULL AND digest IS NULL)",
            name="application_answer_one",
        ),
        sa.CheckConstraint("length(digest) = 32", name="application_answer_digest"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("application_id", "question", "place"),
    )
    op.create_table(
        "application_asked",
        sa.Column("application_id", sa.String(length=35), nullable=False),
        sa.Column("question", sa.String(length=24), nullable=False),
        sa.CheckConstraint(
            "question IN ('registration', 'ownership', 'governmental', 'domain', 'service', 'jurisdiction', 'abuse_policy', 'appeals', 'transparency', 'government_requests', 'human_review', 'contacts', 'security', 'security_evidence', 'lawful_basis', 'retention', 'sanctions', 'sanctions_evidence', 'antitrust', 'conduct')",
            name="application_asked_question",
        ),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("application_id", "question"),
    )
    op.create_table(
        "application_community",
        sa.Column("application_id", sa.String(length=35), nullable=False),
        sa.Column("community", sa.String(length=63), nullable=False),
        sa.Column("may_read", sa.Boolean(), nullable=False),
        sa.Column("may_write", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("application_id", "community"),
    )
    op.create_table(
        "application_key",
        sa.Column("application_id", sa.String(length=35), nullable=False),
        sa.Column("kid", sa.String(length=43), nullable=False),
        sa.Column("alg", sa.String(length=8), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
            name="application_key_public",
        ),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("application_id", "kid"),
    )
    op.create_table(
        "console_session",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("seen_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("method IN ('passkey', 'code', 'oidc')", name="console_session_method"),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("console_session", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_console_session_person_id"), ["person_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_console_session_seen_at"), ["seen_at"], unique=False)

    op.create_table(
        "enrolment",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
        sa.UniqueConstraint("person_id", name="enrolment_person_once"),
    )
    op.create_table(
        "motion",
        sa.Column("id", sa.String(length=35), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("params", sa.LargeBinary(), nullable=False),
        sa.Column("threshold", sa.String(length=24), nullable=False),
        sa.Column("proposer", sa.String(length=4), nullable=True),
        sa.Column("complainant", sa.String(length=300), nullable=True),
        sa.Column("application_id", sa.String(length=35), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.Column("proposed_at", sa.BigInteger(), nullable=False),
        sa.Column("discussed_at", sa.BigInteger(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("decision_seq", sa.BigInteger(), nullable=True),
        sa.Column("decision", sa.LargeBinary(), nullable=True),
        sa.Column("result", sa.String(length=16), nullable=True),
        sa.Column("record_seq", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("(state = 'closed') = (result IS NOT NULL)", name="motion_closed"),
        sa.CheckConstraint("result IN ('passes', 'fails', 'inquorate', 'panel')", name="motion_result"),
        sa.CheckConstraint(
            "state IN ('proposed', 'discussion', 'ballot', 'closed', 'lapsed', 'withdrawn')",
            name="motion_state",
        ),
        sa.CheckConstraint(
            "threshold IN ('admit', 'majority', 'two_thirds_eligible', 'roster', 'panel', 'duty', 'single')",
            name="motion_threshold",
        ),
        sa.CheckConstraint(
            "type IN ('member.admit', 'member.object', 'member.activate', 'member.extend', 'member.refuse', 'member.emergency_suspend', 'member.suspend', 'member.sanction', 'member.reinstate', 'member.expel', 'key.enrol', 'key.revoke', 'community.open', 'community.grant', 'policy.set', 'roster.set', 'peering.set', 'appeal.uphold', 'appeal.dismiss', 'agreement.record')",
            name="motion_type",
        ),
        sa.CheckConstraint("(decision IS NULL) = (decision_seq IS NULL)", name="motion_decision"),
        sa.CheckConstraint("(result IS NULL) = (record_seq IS NULL)", name="motion_record"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("decision_seq", name="motion_decision_once"),
    )
    with op.batch_alter_table("motion", schema=None) as batch_op:
        batch_op.create_index("motion_open", ["state", "until"], unique=False)

    op.create_table(
        "oidc_identity",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("oidc_identity", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_oidc_identity_person_id"), ["person_id"], unique=False)

    op.create_table(
        "passkey",
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("alg", sa.String(length=8), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        sa.Column("cloned_at", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(alg = 'Ed25519' AND length(public) = 32) OR (alg = 'ES256' AND length(public) = 65)",
            name="passkey_public",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("credential"),
    )
    with op.batch_alter_table("passkey", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_passkey_person_id"), ["person_id"], unique=False)

    op.create_table(
        "read_log",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=True),
        sa.Column("action", sa.String(length=24), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "action IN ('application.read', 'scorecard.read', 'signal.read')", name="read_log_action"
        ),
        sa.CheckConstraint(
            "purpose IN ('vetting', 'ballot', 'audit', 'investigation', 'appeal', 'own-signals')",
            name="read_log_purpose",
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("read_log", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_read_log_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_read_log_person_id"), ["person_id"], unique=False)

    op.create_table(
        "recovery_code",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("digest"),
    )
    with op.batch_alter_table("recovery_code", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_recovery_code_person_id"), ["person_id"], unique=False)

    op.create_table(
        "role_grant",
        sa.Column("person_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(role IN ('org_admin', 'org_analyst')) = (issuer <> '')", name="role_grant_issuer"
        ),
        sa.CheckConstraint(
            "role IN ('vetter', 'operator', 'auditor', 'org_admin', 'org_analyst')", name="role_grant_role"
        ),
        sa.ForeignKeyConstraint(
            ["person_id"],
            ["person.id"],
        ),
        sa.PrimaryKeyConstraint("person_id", "role", "issuer"),
    )
    op.create_table(
        "sponsorship",
        sa.Column("application_id", sa.String(length=35), nullable=False),
        sa.Column("issuer", sa.String(length=300), nullable=False),
        sa.Column("handle", sa.String(length=32), nullable=True),
        sa.Column("jws", sa.LargeBinary(), nullable=True),
        sa.Column("given_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("(handle IS NULL) <> (jws IS NULL)", name="sponsorship_by"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("application_id", "issuer"),
    )
    op.create_table(
        "vetting_check",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("application_id", sa.String(length=35), nullable=False),
        sa.Column("item", sa.String(length=32), nullable=False),
        sa.Column("checker", sa.String(length=32), nullable=False),
        sa.Column("result", sa.String(length=8), nullable=False),
        sa.Column("evidence", sa.LargeBinary(), nullable=False),
        sa.Column("checked_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "item IN ('identity', 'domain_control', 'control_group', 'abuse_policy_public', 'appeal_works', 'human_review', 'security', 'sanctions_screening', 'government_independence', 'conformance', 'legal_agreement', 'sponsor_letters', 'rights_screen')",
            name="vetting_check_item",
        ),
        sa.CheckConstraint("result IN ('pass', 'fail')", name="vetting_check_result"),
        sa.CheckConstraint("length(evidence) = 32", name="vetting_check_evidence"),
        sa.ForeignKeyConstraint(
            ["application_id"],
            ["application.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("vetting_check", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_vetting_check_application_id"), ["application_id"], unique=False)

    op.create_table(
        "departure",
        sa.Column("organisation_id", sa.Integer(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"],
            ["organisation.id"],
        ),
        sa.PrimaryKeyConstraint("organisation_id"),
    )
    op.create_table(
        "motion_ballot",
        sa.Column("motion_id", sa.String(length=35), nullable=False),
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("choice", sa.String(length=8), nullable=False),
        sa.Column("ballot", sa.LargeBinary(), nullable=False),
        sa.Column("cast_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("choice IN ('yes', 'no', 'abstain')", name="motion_ballot_choice"),
        sa.CheckConstraint("length(credential) = 32", name="motion_ballot_credential"),
        sa.ForeignKeyConstraint(
            ["motion_id"],
            ["motion.id"],
        ),
        sa.PrimaryKeyConstraint("motion_id", "seat", "credential"),
    )
    op.create_table(
        "motion_declaration",
        sa.Column("motion_id", sa.String(length=35), nullable=False),
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("conflict", sa.Boolean(), nullable=False),
        sa.Column("declared_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["motion_id"],
            ["motion.id"],
        ),
        sa.PrimaryKeyConstraint("motion_id", "seat"),
    )
    op.create_table(
        "motion_endorsement",
        sa.Column("motion_id", sa.String(length=35), nullable=False),
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("endorsed_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["motion_id"],
            ["motion.id"],
        ),
        sa.PrimaryKeyConstraint("motion_id", "seat"),
    )
    op.create_table(
        "motion_remark",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("motion_id", sa.String(length=35), nullable=False),
        sa.Column("seat", sa.String(length=4), nullable=False),
        sa.Column("stance", sa.String(length=16), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("remarked_at", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "stance IN ('support', 'concern', 'question', 'answer')", name="motion_remark_stance"
        ),
        sa.CheckConstraint(
            "topic IN ('identity', 'control_group', 'sponsors', 'abuse_policy', 'appeals', 'human_review', 'security', 'sanctions_screening', 'government_influence', 'conformance', 'agreement', 'rights', 'data_protection', 'evidence', 'proportionality', 'urgency', 'key_compromise', 'scope', 'procedure')",
            name="motion_remark_topic",
        ),
        sa.CheckConstraint("length(document) = 32", name="motion_remark_document"),
        sa.ForeignKeyConstraint(
            ["motion_id"],
            ["motion.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("motion_remark", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_motion_remark_motion_id"), ["motion_id"], unique=False)

    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.create_index(
            "entry_board",
            ["seq"],
            unique=False,
            sqlite_where=sa.text("community = 'board'"),
            postgresql_where=sa.text("community = 'board'"),
        )

    with op.batch_alter_table("feed_author", schema=None) as batch_op:
        batch_op.add_column(sa.Column("latest", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("withheld_from", sa.BigInteger(), nullable=True))

    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.add_column(sa.Column("trial_since", sa.BigInteger(), nullable=True))
        batch_op.alter_column(
            "state", existing_type=sa.VARCHAR(length=16), type_=sa.String(length=24), existing_nullable=False
        )

    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("free", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("released_at", sa.BigInteger(), nullable=True))
    replace_check(
        "entry",
        "entry_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release', 'decision', 'member-state', 'key-change')",
    )
    replace_check(
        "entry_day",
        "entry_day_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release', 'decision', 'member-state', 'key-change')",
    )
    replace_check(
        "organisation",
        "organisation_state",
        "state IN ('active', 'suspended')",
        "state IN ('provisional', 'active', 'restricted', 'emergency_suspended', 'suspended', 'withdrawing', 'withdrawn', 'expelled')",
    )
    replace_check(
        "statement",
        "statement_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release', 'decision', 'member-state', 'key-change')",
    )


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("statement", schema=None) as batch_op:
        batch_op.drop_column("released_at")
        batch_op.drop_column("free")

    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.alter_column(
            "state", existing_type=sa.String(length=24), type_=sa.VARCHAR(length=16), existing_nullable=False
        )
        batch_op.drop_column("trial_since")

    with op.batch_alter_table("feed_author", schema=None) as batch_op:
        batch_op.drop_column("withheld_from")
        batch_op.drop_column("latest")

    with op.batch_alter_table("entry", schema=None) as batch_op:
        batch_op.drop_index(
            "entry_board",
            sqlite_where=sa.text("community = 'board'"),
            postgresql_where=sa.text("community = 'board'"),
        )

    with op.batch_alter_table("motion_remark", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_motion_remark_motion_id"))

    op.drop_table("motion_remark")
    op.drop_table("motion_endorsement")
    op.drop_table("motion_declaration")
    op.drop_table("motion_ballot")
    op.drop_table("departure")
    with op.batch_alter_table("vetting_check", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_vetting_check_application_id"))

    op.drop_table("vetting_check")
    op.drop_table("sponsorship")
    op.drop_table("role_grant")
    with op.batch_alter_table("recovery_code", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_recovery_code_person_id"))

    op.drop_table("recovery_code")
    with op.batch_alter_table("read_log", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_read_log_person_id"))
        batch_op.drop_index(batch_op.f("ix_read_log_at"))

    op.drop_table("read_log")
    with op.batch_alter_table("passkey", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_passkey_person_id"))

    op.drop_table("passkey")
    with op.batch_alter_table("oidc_identity", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_oidc_identity_person_id"))

    op.drop_table("oidc_identity")
    with op.batch_alter_table("motion", schema=None) as batch_op:
        batch_op.drop_index("motion_open")

    op.drop_table("motion")
    op.drop_table("enrolment")
    with op.batch_alter_table("console_session", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_console_session_seen_at"))
        batch_op.drop_index(batch_op.f("ix_console_session_person_id"))

    op.drop_table("console_session")
    op.drop_table("application_key")
    op.drop_table("application_community")
    op.drop_table("application_asked")
    op.drop_table("application_answer")
    with op.batch_alter_table("used_challenge", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_used_challenge_expires_at"))

    op.drop_table("used_challenge")
    with op.batch_alter_table("sign_in_try", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sign_in_try_began_at"))

    op.drop_table("sign_in_try")
    op.drop_table("session_purpose")
    op.drop_table("seat_tie")
    op.drop_table("seat_act")
    op.drop_table("release_state")
    op.drop_table("person")
    op.drop_table("hub_key")
    op.drop_table("board_record")
    op.drop_table("board_policy")
    op.drop_table("board_founding")
    with op.batch_alter_table("application", schema=None) as batch_op:
        batch_op.drop_index("application_open")
        batch_op.drop_index("application_of")

    op.drop_table("application")
    replace_check(
        "entry",
        "entry_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release', 'decision', 'member-state', 'key-change')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
    )
    replace_check(
        "entry_day",
        "entry_day_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release', 'decision', 'member-state', 'key-change')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
    )
    replace_check(
        "organisation",
        "organisation_state",
        "state IN ('provisional', 'active', 'restricted', 'emergency_suspended', 'suspended', 'withdrawing', 'withdrawn', 'expelled')",
        "state IN ('active', 'suspended')",
    )
    replace_check(
        "statement",
        "statement_kind",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot', 'release', 'decision', 'member-state', 'key-change')",
        "kind IN ('report', 'sighting', 'dispute', 'retraction', 'outcome', 'expiry', 'snapshot')",
    )
