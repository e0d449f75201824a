"""The hub's own events about signals: signed with its key, entered in the log, and given to everybody in the feed."""

from tocsin.db import UnitOfWork
from tocsin.ledger import service as ledger
from tocsin.members.service import Community
from tocsin.signals.store import admission
from tocsin_schemas import envelope
from tocsin_schemas import ledger as log
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.vocabulary import HubKind


def enter(uow: UnitOfWork, key: SigningKey, community: Community, kind: HubKind, payload: bytes) -> int:
    """Sign an event of this payload and enter it in the log and the feed; its log index."""
    seq = ledger.locked_size(uow)
    token, nonce = envelope.sign(payload, key), log.new_nonce()
    ledger.append(uow, seq, [log.Entry(community.slug, kind, uow.now, log.commit(nonce, token))])
    statement = (
        seq, community.id, None, kind, None, None, token, nonce, None,
        uow.now, uow.now, uow.now, None, "expired", None, None, None, None,
    )  # fmt: skip
    admission.record(uow, [statement], [], [])
    return seq
