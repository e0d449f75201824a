"""The hub changes a key of its own: recorded in the chain, signed by the key that goes and by the one that comes.

Both hold for a while, so that processes which still have the old one go on until they are started again. In a sandbox
there is no chain; there the rows are written at once. A key from which others are derived is not changed again before
the one before it has ended: two have to be kept then, and never more.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from tocsin.db import Database, UnitOfWork
from tocsin.errors import Refused
from tocsin.governance.service.chain import Chain
from tocsin.members.service import hub_keys
from tocsin.members.service.hub_keys import Succession
from tocsin_schemas.board import KeyStanding
from tocsin_schemas.governance import HubBody, sign_key_proof
from tocsin_schemas.hub_acts import OVERLAP_LEAST, OVERLAP_MOST, HubAct, HubSigning, sign_hub_act
from tocsin_schemas.vocabulary import HubKeyName


@dataclass(frozen=True, slots=True)
class Rotation:
    """A key that was changed: its thumbprint, that of the key before, and until when that one holds (Unix seconds).

    `record` is the number of the chain's record; None in a sandbox.
    """

    kid: str
    before: str
    retires_at: int
    record: int | None


def rotate(
    chain: Chain, database: Database, name: HubKeyName, going: HubSigning, coming: HubSigning, overlap: int
) -> Rotation:
    """Let `coming` take the place of `going`, which holds for `overlap` seconds more. The same again changes nothing.

    Raises:
        Refused: `claim-invalid` when the overlap is shorter than an hour or longer than 30 days; `conflict` when the
            key before `going` still has to be kept; `board-absent` before the board is founded; as
            `tocsin_schemas.hub_acts.act_of_hub`.
    """
    if not OVERLAP_LEAST <= overlap <= OVERLAP_MOST:
        raise Refused("claim-invalid", "overlap", "an hour at least, and 30 days at most")
    with database.transaction() as uow:
        # The log prevails over the rows, where there is one.
        held = () if chain.sandbox else chain.lock(uow).hub_keys.get(name, ())
        last = hub_keys.succession(uow, name) if chain.sandbox else _last(held)
        if last is not None and last.kid == coming.public.kid:
            return Rotation(last.kid, last.before, last.until, None)
        if name in hub_keys.DERIVING and last is not None and uow.now < last.until:
            raise Refused(
                "conflict", "name", "the key before this one still holds; change it when that has ended"
            )
        if chain.sandbox:
            retires_at = uow.now + overlap
            hub_keys.change(uow, name, going.public, coming.public, retires_at)
            return Rotation(coming.public.kid, going.public.kid, retires_at, None)
        return _recorded(chain, uow, name, going, coming, overlap, first=not held)


def _last(held: Sequence[KeyStanding]) -> Succession | None:
    if not held:
        return None
    before, newest = held[-2:]
    return Succession(newest.jwk["kid"], before.jwk["kid"], newest.not_before, before.not_after)


def _recorded(
    chain: Chain,
    uow: UnitOfWork,
    name: HubKeyName,
    going: HubSigning,
    coming: HubSigning,
    overlap: int,
    *,
    first: bool,
) -> Rotation:
    hub, now = chain.issuer, uow.now
    act = HubAct(
        iss=hub,
        iat=now,
        jti=secrets.token_hex(16),
        act="key-rotate",
        name=name,
        jwk=coming.public.jwk(),
        not_before=now,
        retires_at=now + overlap,
        proof=sign_key_proof(iss=hub, aud=hub, iat=now, key=coming),
    )
    body = HubBody(rotation=sign_hub_act(act, going), signer=going.public.jwk() if first else None)
    record = chain.append(uow, body)
    return Rotation(coming.public.kid, going.public.kid, act.retires_at, record.seq)
