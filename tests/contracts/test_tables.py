"""No table has a column that could hold content, a prompt, free text or a raw identifier (hash-only by construction).

A string column is a closed word list (a CHECK names its words), a reference to one, or stands in `SPELLED` with what
it can hold and where that is enforced. Bytes are digests, keys, nonces or signed bytes.
"""

import importlib
import re
from pathlib import Path

import pytest
from sqlalchemy import CheckConstraint, Column, Table
from sqlmodel import SQLModel

HUB = Path(__file__).parents[2] / "hub"

SPELLED = {
    "application.control_group_id": "cg_ and digits derived from an owner's name",
    "application.id": "an id that the hub makes",
    "application.issuer": "an https origin (ISSUER_PATTERN), checked before it is stored",
    "application_answer.origin": "an https origin (ISSUER_PATTERN), checked before it is stored",
    "application_community.community": "the slug of a community of the board",
    "application_key.kid": "an RFC 7638 thumbprint in base64url",
    "board_seal.case_id": "the id of a motion or an application, a handle, or a seat",
    "client.client_id": "an id that the hub makes",
    "community.slug": "lower-case letters, digits and dashes, chosen by the operator",
    "control_group.id": "cg_ and digits derived from an owner's name",
    "delivery_queue.holder": "random hexadecimal digits",
    "delivery_receiver.public_id": "an id that the hub makes",
    "entry.community": "the slug of a community",
    "hub_key.kid": "an RFC 7638 thumbprint in base64url",
    "job_lease.holder": "random hexadecimal digits",
    "job_lease.job": "the name of a job in the code",
    "member_key.kid": "an RFC 7638 thumbprint in base64url",
    "motion.complainant": "an https origin (ISSUER_PATTERN), checked before it is stored",
    "motion.id": "an id that the hub makes",
    "motion.proposer": "a seat of the roster: s or p and a number",
    "motion.subject": "an issuer, a slug, decision: and a number, or a word of the code",
    "motion_ballot.seat": "a seat of the roster: s or p and a number",
    "motion_declaration.seat": "a seat of the roster: s or p and a number",
    "motion_endorsement.seat": "a seat of the roster: s or p and a number",
    "motion_remark.seat": "a seat of the roster: s or p and a number",
    "passkey.alg": "ES256 or Ed25519, which the CHECK on the key names",
    "person.handle": "2 to 32 lower-case letters, digits and dashes: a handle, never a name",
    "person.password": "an argon2id hash",
    "role_grant.issuer": "the issuer of a member, or empty",
    "outbox_event.endpoint": "an id that the hub makes",
    "outbox_event.free_labels": "a JSON list of labels",
    "outbox_event.labels": "a JSON list of labels",
    "outbox_event.rule": "a rule's name in the code",
    "outbox_event.status": "a status, a member's state or a result: a word of the vocabulary",
    "organisation.issuer": "an https origin (ISSUER_PATTERN), registered by the operator",
    "seat_act.seat": "a seat of the roster: s or p and a number",
    "seat_tie.handle": "a handle: lower-case letters, digits and dashes, 32 at most",
    "seat_tie.issuer": "an https origin (ISSUER_PATTERN), checked before it is stored",
    "sponsorship.handle": "a handle: lower-case letters, digits and dashes, 32 at most",
    "sponsorship.issuer": "the issuer of a member",
    "stream.events": "a JSON list of event types, the words of the code",
    "stream.public_id": "st_ and hexadecimal digits, made by the hub",
    "stream.target": "an https URL that egress let pass; only its owner reads it, and what pushes to it",
    "vetting_check.checker": "a handle: lower-case letters, digits and dashes, 32 at most",
    "witnessed_log.origin": "the name of a log's key, registered by the operator",
    "webhook_endpoint.communities": "a JSON list of slugs of communities",
    "webhook_endpoint.labels": "a JSON list of labels",
    "webhook_endpoint.public_id": "an id that the hub makes",
    "webhook_endpoint.target": "an https URL that a member registers for itself, checked by the egress guard",
    "webhook_endpoint.types": "a JSON list of event types",
    "webhook_message.labels": "a JSON list of labels",
    "webhook_message.public_id": "an id that the hub makes",
    "webhook_message.subject": "board, or community: and a slug, or endpoint: and an id that the hub makes",
    "webhook_subject.subject": "board, or community: and a slug, or endpoint: and an id that the hub makes",
    "revoked_token.jti": "32 hexadecimal digits, made by the hub",
}
"""Strings that are spelled by a pattern instead of chosen from a list: column to what it can hold."""

BYTES = {
    "console_session.credential": "the id of a passkey, which its authenticator drew",
    "console_session.digest": "a SHA-256",
    "enrolment.digest": "a SHA-256",
    "oidc_identity.digest": "a SHA-256",
    "passkey.credential": "the id of a passkey, which its authenticator drew",
    "passkey.public": "a public key",
    "person.passkey_user": "32 random bytes",
    "person.totp": "a seed of one-time codes, sealed with a key that is not in the database",
    "read_log.subject": "a SHA-256",
    "recovery_code.digest": "a SHA-256",
    "session_purpose.session": "a SHA-256",
    "sign_in_try.digest": "a SHA-256",
    "used_challenge.digest": "a SHA-256",
    "application.secret": "a SHA-256",
    "application_answer.digest": "a SHA-256",
    "application_key.public": "a public key",
    "assertion.jti": "a SHA-256",
    "board_founding.document": "seats in canonical JSON: closed words, handles, issuers, days, public keys",
    "board_policy.document": "a policy in canonical JSON: numbers and closed words",
    "board_record.digest": "a SHA-256",
    "board_record.nonce": "32 random bytes",
    "board_record.raw": "a record in canonical JSON: closed words, handles, issuers, digests, public keys, signatures",
    "board_seal.nonce": "32 random bytes",
    "board_seal.salt": "32 random bytes",
    "board_seal.spelled": "rows of the proceedings in canonical JSON, which hold what their columns may",
    "board_seal.state": "a salted SHA-256",
    "entry.commitment": "an HMAC-SHA256",
    "feed_segment.digest": "a SHA-256",
    "hub_key.public": "a public key",
    "indicator.value": "the canonical bytes of an indicator",
    "member_key.public": "a public key",
    "motion.decision": "a decision in canonical JSON: closed words, issuers, seats, digests, numbers",
    "motion.params": "what a kind of decision says, in canonical JSON: closed words, issuers, digests, numbers",
    "motion_ballot.ballot": "a ballot in canonical JSON: closed words, a signature",
    "motion_ballot.credential": "a SHA-256",
    "motion_remark.document": "a SHA-256",
    "publication.checkpoint": "a checkpoint: the log's name, size and root, signatures with the names of keys",
    "publication.edge": "SHA-256 hashes, one behind another",
    "publication.root": "a SHA-256",
    "seat_act.jti": "16 bytes",
    "snapshot.manifest": "a SHA-256",
    "snapshot.withheld": "a SHA-256",
    "webhook_message.body": "a thin body: closed words, numbers, instants, slugs, ids and links that the hub makes",
    "statement.digest": "a SHA-256",
    "statement.jti": "16 bytes",
    "statement.jws": "a signal byte for byte: closed objects of closed words, checked before it is stored",
    "sponsorship.jws": "a signed claim of closed members, checked before it is stored",
    "stream.credential": "an Authorization header, sealed with a key that is not in the database",
    "stream_disabled.subject": "an indicator, for as long as the report of it lives",
    "stream_removed.digest": "a SHA-256",
    "stream_waiting.jti": "16 random bytes",
    "stream_waiting.state": "what a verification carries back, sealed with a key that is not in the database",
    "stream_waiting.subject": "an indicator, entry: and a number, member: and an issuer, or the word board",
    "stream_waiting.txn": "16 bytes",
    "vetting_check.evidence": "a SHA-256",
    "log_witness.place": "a SHA-256",
    "log_witness.shown": "a checkpoint that this hub's log key has signed",
    "witness_evidence.held": "a checkpoint: origin, size, root, and verified signatures",
    "witness_evidence.request": "a size, hashes, and a checkpoint with verified signatures, without extension lines",
    "witness_evidence.root": "a SHA-256",
    "witnessed_key.public": "a public key",
    "witnessed_log.checkpoint": "a checkpoint: origin, size, root, and verified signatures",
    "witnessed_log.digest": "a SHA-256",
    "witnessed_log.root": "a SHA-256",
    "statement.nonce": "32 random bytes",
}
"""Byte columns: what they hold."""


def tables() -> dict[str, Table]:
    for path in [
        *HUB.glob("tocsin/*/store.py"),
        *HUB.glob("tocsin/*/store/*.py"),
        HUB / "tocsin" / "outbox.py",
    ]:
        importlib.import_module(".".join(path.relative_to(HUB).with_suffix("").parts))
    return dict(SQLModel.metadata.tables)


def columns(kind: type) -> list[tuple[Table, Column]]:
    """Every column whose values are of the Python type `kind`."""
    return [
        (table, column)
        for table in tables().values()
        for column in table.columns
        if issubclass(column.type.python_type, kind)
    ]


def is_closed_list(table: Table, column: Column) -> bool:
    """Whether a CHECK names every word the column may hold."""
    closed = re.compile(rf"\b{column.name} (IN \(|= )'")
    return any(
        isinstance(constraint, CheckConstraint) and closed.search(str(constraint.sqltext))
        for constraint in table.constraints
    )


def test_every_string_column_is_bounded() -> None:
    unbounded = [
        f"{table.name}.{column.name}"
        for table, column in columns(str)
        if getattr(column.type, "length", None) is None
    ]
    assert unbounded == []


def test_every_string_column_is_a_closed_list_or_is_spelled_by_a_known_pattern() -> None:
    open_columns = {
        f"{table.name}.{column.name}"
        for table, column in columns(str)
        if not column.foreign_keys and not is_closed_list(table, column)
    }
    assert open_columns - SPELLED.keys() == set()


def test_the_lists_of_spelled_and_byte_columns_name_only_what_exists() -> None:
    names = {f"{table.name}.{column.name}" for kind in (str, bytes) for table, column in columns(kind)}
    assert (SPELLED.keys() | BYTES.keys()) - names == set()


def test_every_byte_column_is_known() -> None:
    assert {f"{table.name}.{column.name}" for table, column in columns(bytes)} == BYTES.keys()


def test_no_column_holds_documents() -> None:
    assert [*columns(dict), *columns(list)] == []


@pytest.mark.parametrize(
    "suspicious", ["name", "email", "phone", "note", "comment", "text", "url", "title", "prompt"]
)
def test_no_column_is_named_for_what_the_hub_must_not_hold(suspicious: str) -> None:
    found = [
        f"{table.name}.{column.name}"
        for table in tables().values()
        for column in table.columns
        if suspicious in column.name.split("_")
    ]
    assert found == []
