"""The management API of the framework (SSF 1.0 §8.1.1 to §8.1.3): a receiver's streams, their status, their subjects.

- A stream belongs to the member, whichever of its clients made it; `aud` is the member's issuer.
- A push target is vetted when it is named and whenever it is called. Nothing but verification goes there until one was
  accepted. Its authorization is sealed, never shown again, and never sent to another target.
- A stream that is paused keeps what happens, one that is disabled does not.
- However much waits on a stream, one transaction deletes a part of it.
"""

from collections.abc import Mapping
from secrets import token_bytes
from typing import Any, Final

from tocsin.db import UnitOfWork
from tocsin.delivery import service as delivery
from tocsin.egress import check_header
from tocsin.errors import Refused
from tocsin.streams.rules import asking
from tocsin.streams.rules.asking import Wanted
from tocsin.streams.rules.events import SUPPORTED, URIS, subject_digest
from tocsin.streams.service.context import HANDED_OVER, Transmitter, find, hand_over, new_id
from tocsin.streams.service.handing import let_others_write
from tocsin.streams.store import streams as store
from tocsin.streams.store import waiting
from tocsin.streams.store.streams import Stream
from tocsin.streams.store.waiting import New

POLL_PATH: Final = "/ssf/poll/"
CREDENTIAL: Final = "authorization"
STATE: Final = "state"
_TOUCHED_SECONDS: Final = 600
"""How stale the note of a receiver's last activity may be: reading is not to write each time."""

Body = Mapping[str, Any]


def create(transmitter: Transmitter, org_id: int, body: Body) -> dict[str, Any]:
    """A new stream of a member; its configuration. A push stream is verified at once.

    Raises:
        Refused: `request-invalid` for what cannot be read, or a target that the hub may not call; `conflict` when the
            member has as many streams as it may; `rate-limited` or `unavailable` when too many targets are looked at.
    """
    wanted = _vetted(transmitter, org_id, asking.wanted(body))
    with transmitter.database.transaction() as uow:
        if len(store.of(uow, org_id)) >= asking.STREAMS_PER_MEMBER:
            raise Refused("conflict", "", f"a member has {asking.STREAMS_PER_MEMBER} streams at most")
        public_id = new_id(uow.now)
        receiver = None
        if wanted.method == "push":
            receiver = delivery.open_receiver(uow, "stream", public_id, org_id)
        values = {**_columns(transmitter, public_id, wanted), "receiver_id": receiver, "public_id": public_id}
        store.add(uow, values.pop("public_id"), org_id, values)
        made = find(uow, org_id, public_id)
        if receiver is not None:
            _verify(uow, made)
        return _configuration(transmitter, uow, made)


def listed(transmitter: Transmitter, org_id: int) -> list[dict[str, Any]]:
    """The configuration of every stream of a member."""
    with transmitter.database.snapshot() as uow:
        return [_configuration(transmitter, uow, stream) for stream in store.of(uow, org_id)]


def read(transmitter: Transmitter, org_id: int, stream_id: str) -> dict[str, Any]:
    """The configuration of a stream.

    Raises:
        Refused: `not-found`.
    """
    with transmitter.database.snapshot() as uow:
        stream = find(uow, org_id, stream_id)
        shown = _configuration(transmitter, uow, stream)
        stale = _stale(uow, stream)
    if stale:
        touch(transmitter, stream)
    return shown


def change(transmitter: Transmitter, org_id: int, body: Body, *, whole: bool) -> dict[str, Any]:
    """Change what a request names (PATCH) or, with `whole`, replace all of it (PUT); the new configuration.

    Raises:
        Refused: `not-found`; `request-invalid` also when it names what the transmitter supplies, and otherwise.
    """
    stream_id = asking.stream_id(body)
    with transmitter.database.snapshot() as uow:
        before = find(uow, org_id, stream_id)
        asking.check_supplied(body, _configuration(transmitter, uow, before))
    named = _next(transmitter, before, body, whole=whole)
    vetted = _vetted(transmitter, org_id, named) if "delivery" in body else named
    if before.method == "poll" and named.method == "push":
        _unqueue_most(transmitter, before)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        wanted = _next(transmitter, stream, body, whole=whole)
        if "delivery" in body:
            wanted = wanted._replace(target=vetted.target)
        _apply(transmitter, uow, stream, wanted)
        return _configuration(transmitter, uow, find(uow, org_id, stream_id))


def delete(transmitter: Transmitter, org_id: int, stream_id: str) -> None:
    """Delete a stream and all that waits on it. It is disabled first, so whatever comes between, nothing goes out.

    Raises:
        Refused: `not-found`.
    """
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        # Whoever has stopped it already stays who has.
        store.change(uow, stream.id, status="disabled", reason=stream.reason or "receiver", status_at=uow.now)
        last = waiting.newest(uow, stream.id)
    _empty(transmitter, stream, last)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        if stream.receiver_id is not None:
            delivery.remove(uow, stream.receiver_id)
        store.delete(uow, stream.id)


def status(transmitter: Transmitter, org_id: int, stream_id: str) -> dict[str, str]:
    """Where a stream stands (SSF 1.0 §8.1.2.1).

    Raises:
        Refused: `not-found`.
    """
    with transmitter.database.snapshot() as uow:
        stream = find(uow, org_id, stream_id)
        stale = _stale(uow, stream)
    if stale:
        touch(transmitter, stream)
    return _standing(stream)


def set_status(transmitter: Transmitter, org_id: int, body: Body) -> dict[str, str]:
    """Enable, pause or disable a stream as its receiver wants it (SSF 1.0 §8.1.2.2); where it stands then.

    Enabling sends everything that was kept, and what delivery had given up, a part of it at once and the rest soon. To
    ask for what is so already changes nothing: it costs the hub no more than a look.

    Raises:
        Refused: `not-found`, `request-invalid`; `forbidden` when the operator of the hub has stopped it.
    """
    stream_id, wanted = asking.stream_id(body), asking.status(body)
    with transmitter.database.snapshot() as uow:
        stream = find(uow, org_id, stream_id)
        told = wanted == stream.status and stream.reason in (None, "receiver")
        same, stale = told and not _failing(uow, stream), _stale(uow, stream)
        last = waiting.newest(uow, stream.id)
    if same:
        if stale:
            touch(transmitter, stream)
        return _standing(stream)
    if stream.status == "disabled":
        # Left behind where disabling broke off: what happened before is not told.
        _empty(transmitter, stream, last)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        if stream.reason == "operator":
            raise Refused("forbidden", "stream_id", "the operator of the hub has stopped it: ask them")
        if wanted == "enabled" and stream.receiver_id is not None and stream.method == "push":
            delivery.reopen(uow, stream.receiver_id)
        reason = None if wanted == "enabled" else "receiver"
        store.change(uow, stream.id, status=wanted, reason=reason, status_at=uow.now, active_at=uow.now)
        stream = find(uow, org_id, stream_id)
        hand_over(uow, [stream])
        last = waiting.newest(uow, stream.id)
    if wanted == "disabled":
        _empty(transmitter, stream, last)
    return _standing(stream)


def add_subject(transmitter: Transmitter, org_id: int, body: Body) -> None:
    """Tell a stream about a subject again (SSF 1.0 §8.1.3.2). One that nobody has reported is answered just so.

    Raises:
        Refused: `not-found` for an unknown stream, `request-invalid`.
    """
    stream_id, subject = asking.stream_id(body), asking.subject(body)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        if subject is not None:
            store.add_subject(uow, stream.id, subject_digest(subject))
        store.change(uow, stream.id, active_at=uow.now)


def remove_subject(transmitter: Transmitter, org_id: int, body: Body) -> None:
    """Tell a stream nothing about a subject any more (SSF 1.0 §8.1.3.3), likewise.

    Raises:
        Refused: `not-found` for an unknown stream, `request-invalid`, `rate-limited` when there are too many of them.
    """
    stream_id, subject = asking.stream_id(body), asking.subject(body)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        if subject is not None:
            if store.removed_count(uow, stream.id) >= asking.SUBJECTS_PER_STREAM:
                raise Refused(
                    "rate-limited", "subject", f"{asking.SUBJECTS_PER_STREAM} removed subjects are the most"
                )
            store.remove_subject(uow, stream.id, subject_digest(subject))
        store.change(uow, stream.id, active_at=uow.now)


def verify(transmitter: Transmitter, org_id: int, body: Body) -> None:
    """Send a verification event on a stream, soon (SSF 1.0 §8.1.4.2).

    Raises:
        Refused: `not-found`; `request-invalid`, also for a disabled stream; `rate-limited` when the last request was
            less than `MIN_VERIFICATION_INTERVAL` seconds ago.
    """
    stream_id, state = asking.stream_id(body), asking.state(body)
    with transmitter.database.transaction() as uow:
        stream = find(uow, org_id, stream_id)
        if stream.status == "disabled":
            raise Refused("request-invalid", "stream_id", "the stream is disabled")
        sealed = None if state is None else transmitter.seal.close(STATE, stream.public_id, state)
        _verify(uow, stream, sealed)
        if not store.ask(uow, stream.id, asking.MIN_VERIFICATION_INTERVAL):
            raise Refused(
                "rate-limited",
                "stream_id",
                f"once in {asking.MIN_VERIFICATION_INTERVAL} seconds",
                retry_after=asking.MIN_VERIFICATION_INTERVAL,
            )
        store.change(uow, stream.id, active_at=uow.now)


def touch(transmitter: Transmitter, stream: Stream) -> None:
    """Note that the receiver of a stream has done something with it."""
    if not transmitter.database.read_only:
        with transmitter.database.transaction() as uow:
            store.change(uow, stream.id, active_at=uow.now)


def _vetted(transmitter: Transmitter, org_id: int, wanted: Wanted) -> Wanted:
    """The same with its target as it is to be kept.

    Raises:
        Refused: `request-invalid`; `rate-limited` or `unavailable` when too many are being looked at, or were.
    """
    if wanted.target is None:
        return wanted
    field = "delivery.endpoint_url"
    transmitter.pace.take(org_id, transmitter.database.clock())
    try:
        with transmitter.calls.one(org_id):
            target = transmitter.vet(wanted.target)
        field = "delivery.authorization_header"
        if wanted.authorization is not None:
            check_header("Authorization", wanted.authorization)
    except Refused as error:
        if error.code != "egress-refused":
            raise
        raise Refused("request-invalid", field, error.reason) from None
    return wanted._replace(target=target)


def _next(transmitter: Transmitter, stream: Stream, body: Body, *, whole: bool) -> Wanted:
    polled_at = poll_url(transmitter, stream)
    if whole:
        return asking.wanted(body, stream.wanted, polled_at)
    return asking.changed(body, stream.wanted, polled_at)


def _apply(transmitter: Transmitter, uow: UnitOfWork, stream: Stream, wanted: Wanted) -> None:
    columns = _columns(transmitter, stream.public_id, wanted)
    moved = (wanted.method, wanted.target) != (stream.method, stream.target)
    if wanted.keeps and not moved:
        columns["credential"] = stream.credential
    receiver = stream.receiver_id
    if moved:
        # Delivery's rows first (`hand_over`). What was queued for the old target is dropped when its turn comes, and
        # handed over again once the new one has answered (`service.sender`).
        if wanted.method == "push" and receiver is None:
            receiver = delivery.open_receiver(uow, "stream", stream.public_id, stream.organisation_id)
        elif wanted.method == "push" and receiver is not None:
            delivery.reopen(uow, receiver)
        elif receiver is not None:
            delivery.close(uow, receiver)
        columns |= {"verified_at": None, "receiver_id": receiver}
    store.change(uow, stream.id, **columns, active_at=uow.now)
    if moved:
        # What the old target still answers to a verification says nothing about the new one.
        waiting.drop(uow, stream.id, "verification")
        if stream.method == "poll":
            _unqueue(uow, stream)
        if wanted.method == "push":
            _verify(uow, find(uow, stream.organisation_id, stream.public_id))


def _empty(transmitter: Transmitter, stream: Stream, last: int) -> None:
    """Delete what waits on a disabled stream, up to its `last` token: what comes when it goes on again stays."""
    while True:
        with transmitter.database.transaction() as uow:
            done = waiting.clear(uow, stream.id, last, HANDED_OVER)
        if done < HANDED_OVER:
            return
        let_others_write(transmitter)


def _unqueue_most(transmitter: Transmitter, stream: Stream) -> None:
    """What delivery was given of a stream before it was polled is to be given again: most of it before the change.

    A part at a time, for there may be much. While a stream is polled nobody hands it over.
    """
    done = HANDED_OVER
    while done == HANDED_OVER:
        with transmitter.database.transaction() as uow:
            done = waiting.unqueue_some(uow, stream.id, HANDED_OVER)


def _unqueue(uow: UnitOfWork, stream: Stream) -> None:
    while waiting.unqueue_some(uow, stream.id, HANDED_OVER) == HANDED_OVER:
        pass


def _verify(uow: UnitOfWork, stream: Stream, state: bytes | None = None) -> None:
    txn = token_bytes(16)
    waiting.add(uow, [New(stream.id, "verification", token_bytes(16), txn, uow.now, state=state)])
    hand_over(uow, [stream])


def _columns(transmitter: Transmitter, public_id: str, wanted: Wanted) -> dict[str, Any]:
    sealed = None
    if wanted.authorization is not None:
        sealed = transmitter.seal.close(CREDENTIAL, public_id, wanted.authorization)
    return {
        "method": wanted.method,
        "target": wanted.target,
        "credential": sealed,
        "events": wanted.events,
        "alg": wanted.alg,
    }


def poll_url(transmitter: Transmitter, stream: Stream) -> str:
    """Where a stream is polled."""
    return transmitter.issuer + POLL_PATH + stream.public_id


def _configuration(transmitter: Transmitter, uow: UnitOfWork, stream: Stream) -> dict[str, Any]:
    """A stream as its receiver sees it (SSF 1.0 §8.1.1); the authorization is not shown."""
    delivered = [URIS[word] for word in stream.events]
    address = stream.target if stream.target is not None else poll_url(transmitter, stream)
    shown: dict[str, Any] = {
        "stream_id": stream.public_id,
        "iss": transmitter.issuer,
        "aud": transmitter.context.members.orgs(uow)[stream.organisation_id].issuer,
        "events_supported": [URIS[word] for word in SUPPORTED],
        "events_requested": delivered,
        "events_delivered": delivered,
        "delivery": {"method": asking.METHOD_URIS[stream.method], "endpoint_url": address},
        "min_verification_interval": asking.MIN_VERIFICATION_INTERVAL,
        asking.ALG_MEMBER: stream.alg,
    }
    if stream.method == "poll":
        shown["inactivity_timeout"] = asking.INACTIVITY_TIMEOUT
    return shown


def _standing(stream: Stream) -> dict[str, str]:
    shown = {"stream_id": stream.public_id, "status": stream.status}
    if stream.reason is not None and stream.reason != "receiver":
        shown["reason"] = stream.reason
    return shown


def _failing(uow: UnitOfWork, stream: Stream) -> bool:
    """Whether a push stream goes out, and its target does not take it."""
    if stream.status != "enabled" or stream.method != "push" or stream.receiver_id is None:
        return False
    return delivery.standings(uow, [stream.receiver_id])[stream.receiver_id].failures > 0


def _stale(uow: UnitOfWork, stream: Stream) -> bool:
    return stream.active_at + _TOUCHED_SECONDS < uow.now
