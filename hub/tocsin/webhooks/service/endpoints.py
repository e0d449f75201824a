"""Endpoints of a member: made, looked at, changed, rotated, removed. Each use case is one transaction.

What a URL stands for is looked up before the transaction, and counted before that: whoever makes endpoints makes the
hub look up names. A member sees its own endpoints; the id of another's is not found, like one that never was.
"""

import secrets
from typing import Any

from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.errors import Refused
from tocsin.webhooks import rules
from tocsin.webhooks.service.context import Webhooks
from tocsin.webhooks.service.records import Endpoint, Revealed, Warned, read
from tocsin.webhooks.store import endpoints as store
from tocsin.webhooks.store import probes
from tocsin.webhooks.store.endpoints import Stored
from tocsin_schemas.endpoints import MAX_URL, EndpointChange, NewEndpoint


def create(webhooks: Webhooks, org_id: int, wanted: NewEndpoint) -> Revealed:
    """Make an endpoint. It is sent nothing until it has answered a challenge (`activation.activate`).

    Raises:
        Refused: `rate-limited`, `egress-refused`, `endpoint-limit`; `request-invalid` for a filter that is not for this
            member; `unavailable` while a change of the hub's key is not complete here.
    """
    url = vetted(webhooks, org_id, wanted.url)
    with webhooks.database.transaction() as uow:
        store.turn(uow, org_id)
        rules.check_room(store.count(uow, org_id))
        given = wanted.model_dump(exclude={"url"})
        values = _checked(webhooks, uow, org_id, given)
        public_id = f"ep_{uow.now & 0xFFFF_FFFF:08x}{secrets.token_hex(12)}"
        receiver_id = delivery.open_receiver(uow, "webhook", public_id, org_id)
        delivery.close(uow, receiver_id)
        store.add(
            uow,
            {
                **values,
                "public_id": public_id,
                "organisation_id": org_id,
                "receiver_id": receiver_id,
                "url": url,
                "state": "pending",
                "generation": 1,
            },
        )
        return _revealed(webhooks, uow, found(uow, org_id, public_id))


def listed(webhooks: Webhooks, org_id: int) -> list[Endpoint]:
    """The endpoints of a member, the oldest first."""
    with webhooks.database.snapshot() as uow:
        return read(webhooks.secrets, uow, store.endpoints(uow, org_id))


def shown(webhooks: Webhooks, org_id: int, public_id: str) -> Endpoint:
    """One endpoint of a member.

    Raises:
        Refused: `not-found`.
    """
    with webhooks.database.snapshot() as uow:
        return show(webhooks, uow, found(uow, org_id, public_id))


def warnings(webhooks: Webhooks, org_id: int) -> list[Warned]:
    """What a member is to be told of its endpoints wherever it looks; nothing here is counted."""
    with webhooks.database.snapshot() as uow:
        lives = webhooks.secrets.lives(uow)
        stored = store.endpoints(uow, org_id)
    found = [
        Warned(
            one.public_id,
            one.state == "disabled",
            one.reason,
            rules.rotate_by(one.rotated_at or one.created_at, lives),
        )
        for one in stored
    ]
    return [one for one in found if one.disabled or one.rotate_by is not None]


def stopped(webhooks: Webhooks, org_id: int) -> list[str]:
    """The public ids of the endpoints of a member that the hub has stopped sending to."""
    with webhooks.database.snapshot() as uow:
        return store.disabled(uow, org_id)


def change(webhooks: Webhooks, org_id: int, public_id: str, wanted: EndpointChange) -> Endpoint:
    """Change an endpoint. At another URL it has to answer a challenge first; what it misses meanwhile is kept.

    Another state is counted like a look-up: what waits is moved from one state to another with it.

    Raises:
        Refused: `not-found`, `endpoint-inactive`, else as `create`.
    """
    given = wanted.model_dump(exclude_none=True, exclude={"url", "state"})
    with webhooks.database.snapshot() as uow:
        standing = found(uow, org_id, public_id).state
    url = None if wanted.url is None else vetted(webhooks, org_id, wanted.url)
    if url is None and wanted.state not in {None, standing}:
        paced(webhooks, org_id)
    with webhooks.database.transaction() as uow:
        before = taken(uow, org_id, public_id)
        moved = url is not None and url != before.url
        values = _checked(webhooks, uow, org_id, given)
        move = rules.changed(
            before.state, wanted.state, moved=moved, activated=before.activated_at is not None
        )
        if moved:
            values["url"] = url
        if move is not None:
            values |= {"state": move.state, "disabled_at": None}
            if move.release:
                delivery.reopen(uow, before.receiver_id)
            else:
                delivery.close(uow, before.receiver_id, keep=move.keep)
        if values:
            store.set_endpoint(uow, before.id, values)
    if move is not None and move.release:
        release(webhooks, org_id, public_id)
    return shown(webhooks, org_id, public_id)


def release(webhooks: Webhooks, org_id: int, public_id: str) -> None:
    """Queue anew what was kept back for an endpoint, in parts, each a transaction.

    What a crash leaves stays kept back, until the owner asks for it (`replay.replay`).

    Raises:
        Refused: `not-found`.
    """
    more: int | None = 0
    while more is not None:
        with webhooks.database.transaction() as uow:
            stored = taken(uow, org_id, public_id)
            more = delivery.release(uow, stored.receiver_id)[1] if stored.state == "active" else None


def rotate(webhooks: Webhooks, org_id: int, public_id: str, *, again: bool = False) -> Revealed:
    """Give an endpoint new secrets; those before sign too for a day. `again`: also within that day.

    Raises:
        Refused: `not-found`, `endpoint-rotating`; `unavailable` as `create`.
    """
    with webhooks.database.transaction() as uow:
        before = taken(uow, org_id, public_id)
        rules.check_rotation(before.rotated_at, uow.now, again=again)
        store.set_endpoint(uow, before.id, {"generation": before.generation + 1, "rotated_at": uow.now})
        return _revealed(webhooks, uow, found(uow, org_id, public_id))


def remove(webhooks: Webhooks, org_id: int, public_id: str) -> None:
    """Remove an endpoint with all that waits for it.

    Raises:
        Refused: `not-found`.
    """
    with webhooks.database.transaction() as uow:
        before = found(uow, org_id, public_id)
        # In the order in which whoever counts subjects, queues and settles takes their locks.
        store.forget_subjects(uow, before.id)
        delivery.remove(uow, before.receiver_id)
        store.remove(uow, before.id)


def found(uow: UnitOfWork, org_id: int, public_id: str, *, locked: bool = False) -> Stored:
    """An endpoint of a member.

    Raises:
        Refused: `not-found`.
    """
    stored = store.by_public_id(uow, org_id, public_id, locked=locked)
    if stored is None:
        raise Refused("not-found", "endpoint", "no such endpoint")
    return stored


def taken(uow: UnitOfWork, org_id: int, public_id: str) -> Stored:
    """The same, kept from everybody else until the transaction ends: its queues first, as the courier does.

    Raises:
        Refused: `not-found`.
    """
    delivery.lock(uow, [found(uow, org_id, public_id).receiver_id])
    return found(uow, org_id, public_id, locked=True)


def paced(webhooks: Webhooks, org_id: int) -> None:
    """Count that a member has the hub look up or call an address of its choice.

    Raises:
        Refused: `rate-limited`.
    """
    with webhooks.database.transaction() as uow:
        store.turn(uow, org_id)
        rules.check_pace(probes.probes(uow, org_id, uow.now - rules.PROBE_WINDOW), uow.now)
        probes.add_probe(uow, org_id)


def vetted(webhooks: Webhooks, org_id: int, url: str) -> str:
    """A URL that may be called, as it is written from here on.

    Raises:
        Refused: `rate-limited`, `unavailable`, `egress-refused`.
    """
    webhooks.egress.guard.check_url(url)
    paced(webhooks, org_id)
    with webhooks.calls.one(org_id):
        checked = webhooks.egress.vet(url)
    if len(checked) > MAX_URL:
        raise Refused("egress-refused", "url", f"at most {MAX_URL} characters, its host written in ASCII")
    return checked


def show(webhooks: Webhooks, uow: UnitOfWork, stored: Stored) -> Endpoint:
    """An endpoint with how sending to it goes."""
    (one,) = read(webhooks.secrets, uow, [stored])
    return one


def _revealed(webhooks: Webhooks, uow: UnitOfWork, stored: Stored) -> Revealed:
    webhooks.secrets.demand_newest(uow)
    made = webhooks.secrets.shown(stored.public_id, stored.generation)
    return Revealed(show(webhooks, uow, stored), made.secret, made.public_key)


def _checked(webhooks: Webhooks, uow: UnitOfWork, org_id: int, given: dict[str, Any]) -> dict[str, Any]:
    """What is given, each filter in order and once, if it is for this member."""
    values = dict(given)
    if "types" in values:
        values["types"] = rules.chosen_types(values["types"])
    if "labels" in values:
        values["labels"] = rules.chosen_labels(values["labels"])
    if "communities" in values:
        grants = webhooks.members.grants(uow, org_id)
        readable = [
            slug
            for slug, community in webhooks.members.communities(uow).items()
            if grants.get(community.id, (False, False))[1]
        ]
        values["communities"] = rules.chosen_communities(values["communities"], readable)
    if "detail" in values:
        rules.check_detail(values["detail"], webhooks.members.orgs(uow)[org_id].member_class)
    return values
