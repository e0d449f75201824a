"""The webhooks' side of delivery: what a request says at the moment it is made, and what becomes of an endpoint.

- Rights are asked anew for each request: what a member may not be told any more is not sent, be it the first try, the
  tenth or a replay. Filters were asked when the message was queued, and are not asked again.
- A full body holds the signals as they stand now, and what it shows is written down as shown in the same transaction.
- 410 disables an endpoint at once, five days of nothing but failure too. Its member's other endpoints are told.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, Literal, NamedTuple

from tocsin.db import UnitOfWork
from tocsin.delivery.service import Claim, End, Making
from tocsin.egress import Outbound
from tocsin.signals.service.context import Context
from tocsin.signals.service.enclose import Wanted, enclose
from tocsin.signing import Call
from tocsin.webhooks import rules
from tocsin.webhooks.service.readers import notice, readers
from tocsin.webhooks.service.secrets import Secrets
from tocsin.webhooks.service.stopping import disable
from tocsin.webhooks.store import messages as store
from tocsin.webhooks.store.messages import Listening, Message
from tocsin_schemas.notifications import numbered
from tocsin_schemas.webhooks import MAX_BODY_BYTES, Signer

MEDIA_TYPE: Final = "application/json"
ANSWER_BYTES: Final = 4096
"""How much of an answer is read: its status counts, and nothing of the rest is kept."""
GONE: Final = 410
NUMBER_BYTES: Final = 64
"""Room for the number, and for the name of the list of records."""


class _Making(NamedTuple):
    """What makes one request (`tocsin.delivery.service.Making`)."""

    signer: Signer
    target: str
    message_id: str
    body: bytes

    def call(self, now: int) -> Call:
        return Signer.headers, (self.signer, self.message_id, now, self.body)

    def request(self, signed: Mapping[str, str]) -> Outbound:
        return Outbound("POST", self.target, ANSWER_BYTES, self.body, MEDIA_TYPE, headers=signed, cut=True)


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
        notices = {message_id: notice(message) for message_id, message in messages.items()}
        # A member has many endpoints, and a message goes to many: each pair is asked about once.
        told: dict[tuple[int, int], bool] = {}
        found: list[tuple[Claim, Listening, Message] | None] = []
        for claim in claims:
            one, message = endpoints.get(claim.receiver_id), messages.get(claim.message_id)
            if one is None or message is None:
                found.append(None)
                continue
            pair = one.organisation_id, message.id
            if pair not in told:
                told[pair] = rules.may_be_told(behind[one.organisation_id], notices[message.id])
            found.append((claim, one, message) if told[pair] else None)
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
        keys = self._secrets.keys(uow)
        return [
            None if one is None else self._making(*one, records.get(one[0].item_id, ()), keys)
            for one in found
        ]

    def settle(self, uow: UnitOfWork, ends: Sequence[End]) -> None:
        """Disable endpoints that say that they are gone."""
        gone = [end.claim.receiver_id for end in ends if end.status == GONE]
        if gone:
            disable(uow, gone, "gone")

    def exhausted(self, uow: UnitOfWork, receiver_ids: Sequence[int]) -> None:
        """Disable endpoints that have done nothing but fail for days."""
        disable(uow, receiver_ids, "failing")

    def _making(
        self, claim: Claim, one: Listening, message: Message, records: Sequence[bytes], keys: int
    ) -> Making:
        body = numbered(message.body, claim.seq, records)
        return _Making(self._secrets.signer(one, claim.now, keys), one.target, message.public_id, body)
