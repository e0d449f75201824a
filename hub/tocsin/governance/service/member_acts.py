"""What a member does by itself with a signed act: prove keys, change them, revoke one, attest, withdraw.

The act is a record of the chain as it was signed; the hub can neither make one nor alter it. Revoking a key is one
call, and the key is dead with its answer.
"""

from typing import Final

from tocsin.governance.service.context import Chamber
from tocsin.governance.service.views import KeyReminder
from tocsin.governance.store import applications as store
from tocsin.governance.store import records
from tocsin_schemas.envelope import kid_of
from tocsin_schemas.governance import ACT_TYP, MemberBody, PublishedRecord
from tocsin_schemas.policy import DAY

REMIND_SECONDS: Final = 30 * DAY


def act(chamber: Chamber, token: str, key: dict[str, str] | None = None) -> PublishedRecord:
    """Record a member's act, a compact JWS; the record it became.

    `key` is the signer's public JWK, for a member that proves one it did not apply with.

    Raises:
        Refused: as `tocsin_schemas.acts.act_of_member`.
    """
    kid = kid_of(token.encode(), ACT_TYP)
    with chamber.database.transaction() as uow:
        state = chamber.chain.lock(uow)
        if key is None and any(kid in member.awaiting for member in state.members.values()):
            offered = store.offered_key(uow, kid)
            key = None if offered is None else offered.jwk()
        record = chamber.chain.append(uow, MemberBody(jws=token, key=key))
        kept = records.one(uow, record.seq)
        assert kept is not None  # noqa: S101  # written in this transaction
        return PublishedRecord(log_seq=kept.log_seq, r=kept.nonce.hex(), record=record)


def reminders(chamber: Chamber, issuer: str | None = None) -> list[KeyReminder]:
    """Keys that expire within 30 days and have no successor, of one member or of all; the first to expire first."""
    with chamber.database.snapshot() as uow:
        state, now = chamber.chain.state(uow), uow.now
    found = []
    for member in state.members.values():
        if issuer is not None and member.issuer != issuer:
            continue
        live = {
            kid: key for kid, key in member.keys.items() if key.revoked_at is None and key.not_after > now
        }
        if any(key.not_after > now + REMIND_SECONDS for key in live.values()):
            continue
        found += [
            KeyReminder(member.issuer, kid, key.not_after, (key.not_after - now) // DAY)
            for kid, key in live.items()
        ]
    return sorted(found, key=lambda reminder: (reminder.not_after, reminder.kid))
