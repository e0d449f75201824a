"""The webhooks' side of delivery: what a request says at the moment it is made, and what becomes of an endpoint.

- Rights are asked anew for each request: what a member may not be told any more is not sent, be it the first try, the
  tenth or a replay. Filters were asked when the message was queued, and are not asked again.
- A full body holds the signals as they stand now, and what it shows is written down as shown in the same transaction.
- 410 disables an endpoint at once, five days of nothing but failure too. Its member's other endpoints are told.
"""

import json
from collections.abc import Sequence
from functools import partial
from typing import Final, Literal

from tocsin import outbox
from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.delivery.service import Claim, End, Making
from tocsin.egress import Outbound
from tocsin.outbox import Happening
from tocsin.signals.service.context import Context
from tocsin.signals.service.enclose import Wanted, enclose
from tocsin.webhooks import rules
from tocsin.webhooks.service.readers import notice, readers
from tocsin.webhooks.service.secrets import Secrets
from tocsin.webhooks.store import messages as store
from tocsin.webhooks.store.messages import Listening, Message
from tocsin_schemas.endpoints import DisabledReason
from tocsin_schemas.notifications import numbered
from tocsin_schemas.webhooks import MAX_BODY_BYTES, Signer

MEDIA_TYPE: Final = "application/json"
ANSWER_BYTES: Final = 4096
"""How much of an answer is read: its status counts, and nothing of the rest is kept."""
GONE: Final = 410
NUMBER_BYTES: Final = 64
"""Room for the number, and for the name of the list of records."""


class WebhookSender:
    """Requests of webhooks (`tocsin.delivery.service.Sender`)."""

    kind: Final[Literal["webhook"]] = "webhook"
    final: Final = frozenset({GONE})

    def __init__(self, context: Context, secrets: Secrets) -> None:
        self._context = context
        self._secrets = secrets

    def compose(self, uow: UnitOfWork, claims: Sequence[Claim]) -> Sequence[Making | None]:
        """What makes the request of each claim; None for what may not be told any more, or is gone."""
        endpoints = {
            one.receiver_id: one for one in store.listening(uow, {claim.receiver_id for claim in claims})
        }
        messages = store.messages(uow, {claim.message_id for claim in claims})
        behind = readers(self._context.members, uow)
        found: list[tuple[Claim, Listening, Message] | None] = []
        for claim in claims:
            one, message = endpoints.get(claim.receiver_id), messages.get(claim.message_id)
            if one is None or message is None:
                found.append(None)
            else:
                told = rules.may_be_told(behind[one.organisation_id], notice(message))
                found.append((claim, one, message) if told else None)
        wanted = {
            claim.item_id: Wanted(
                one.organisation_id, message.community_id, message.first_seq, message.last_seq,
                frozenset(json.loads(one.labels)),
            )
            for claim, one, message in filter(None, found)
            if one.detail == "full"
            and rules.may_be_shown(behind[one.organisation_id])
            and message.community_id is not None
            and message.first_seq is not None
            and message.last_seq is not None
        }  # fmt: skip
        sizes = {claim.item_id: len(message.body) for claim, _, message in filter(None, found)}
        room = {item: MAX_BODY_BYTES - NUMBER_BYTES - sizes[item] for item in wanted}
        records = enclose(self._context, uow, wanted, room) if wanted else {}
        return [None if one is None else self._making(*one, records.get(one[0].item_id, ())) for one in found]

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        """Disable endpoints that say that they are gone."""
        self._disable(uow, [end.claim.receiver_id for end in ends if end.status == GONE], "gone")

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        """Disable endpoints that have done nothing but fail for days."""
        self._disable(uow, receiver_ids, "failing")

    def _making(self, claim: Claim, one: Listening, message: Message, records: Sequence[bytes]) -> Making:
        body = numbered(message.body, claim.seq, records)
        return partial(_signed, self._secrets.signer(one, claim.now), one.target, message.public_id, body)

    def _disable(self, uow: UnitOfWork, receiver_ids: Sequence[int], reason: DisabledReason) -> None:
        for one in store.disable(uow, receiver_ids, reason) if receiver_ids else ():
            delivery.close(uow, one.receiver_id, keep=True)
            outbox.publish(
                uow,
                [
                    Happening(
                        "endpoint.disabled", None, None, None, status=reason,
                        organisation_id=one.organisation_id, endpoint=one.public_id,
                    )
                ],
            )  # fmt: skip


def _signed(signer: Signer, target: str, message_id: str, body: bytes, now: int) -> Outbound:
    headers = signer.headers(message_id, now, body)
    return Outbound("POST", target, ANSWER_BYTES, body, MEDIA_TYPE, headers=headers, cut=True)
