"""An endpoint proves that whoever named its URL also answers there: a challenge goes out signed, and has to come back.

Between the two transactions, in which the endpoint is read and changed, nothing is held: the answer may take its time.
The answer's body is compared and dropped; of what else it said, its status alone is told.
"""

import secrets
from typing import Final

from tocsin.delivery import service as delivery
from tocsin.egress import Answer, Outbound, Unanswered
from tocsin.errors import Refused
from tocsin.webhooks import rules
from tocsin.webhooks.service.context import Webhooks
from tocsin.webhooks.service.endpoints import found, paced, release, shown, taken
from tocsin.webhooks.service.records import Endpoint
from tocsin.webhooks.store import endpoints as store
from tocsin_schemas.ledger import rfc3339

MEDIA_TYPE: Final = "application/json"


def activate(webhooks: Webhooks, org_id: int, public_id: str) -> Endpoint:
    """Send an endpoint its challenge; it is active when that comes back in time. Takes as long as the answer does.

    What was kept back because its URL changed goes out then. What a disabled endpoint missed waits until it is asked
    for (`replay.replay`). One that is active already is sent to at once again, whatever had failed.

    Raises:
        Refused: `not-found`, `rate-limited`; `endpoint-inactive` when the operator has stopped it; `unavailable` when
            too many calls are under way; `endpoint-unverified` with what came instead; `conflict` when the endpoint was
            changed meanwhile.
    """
    with webhooks.database.snapshot() as uow:
        asked, at = found(uow, org_id, public_id), uow.now
        rules.check_allowed(asked.reason)
        keys = webhooks.secrets.keys(uow)
    paced(webhooks, org_id)
    challenge = secrets.token_urlsafe(rules.CHALLENGE_BYTES)
    body = rules.verification(f"endpoint:{public_id}", challenge, rfc3339(at))
    headers = webhooks.secrets.signer(asked, at, keys).headers(f"msg_{secrets.token_hex(16)}", at, body)
    answer = _call(
        webhooks,
        org_id,
        Outbound(
            "POST",
            asked.url,
            rules.ANSWER_BYTES,
            body,
            MEDIA_TYPE,
            headers=headers,
            seconds=rules.CHALLENGE_SECONDS,
        ),
    )
    if (why := rules.met(challenge, answer.status, answer.body)) is not None:
        raise Refused("endpoint-unverified", "", why)
    with webhooks.database.transaction() as uow:
        now = taken(uow, org_id, public_id)
        rules.check_allowed(now.reason)
        if now.url != asked.url:
            raise Refused("conflict", "url", "it was changed while the challenge was under way")
        if now.state != "paused":
            # One that is active has shown that it can be sent to: what failed before is forgotten.
            delivery.reopen(uow, now.receiver_id)
            store.set_endpoint(
                uow,
                now.id,
                {
                    "state": "active",
                    "reason": None,
                    "disabled_at": None,
                    "activated_at": uow.now if now.activated_at is None else now.activated_at,
                },
            )
    if now.state == "pending" and now.reason is None:
        release(webhooks, org_id, public_id)
    return shown(webhooks, org_id, public_id)


def _call(webhooks: Webhooks, org_id: int, request: Outbound) -> Answer:
    try:
        with webhooks.calls.one(org_id):
            return webhooks.egress.run(webhooks.egress.send(request))
    except Unanswered as error:
        raise Refused("endpoint-unverified", "", rules.UNANSWERED[error.why]) from None
