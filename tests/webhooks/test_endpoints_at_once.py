"""Endpoints asked for at the same time: caps hold, and nobody waits for ever."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from tests.support.hub import Hub
from tests.support.parties import Party
from tests.webhooks.receiving import Receiver
from tests.webhooks.test_endpoints import Desk
from tocsin.egress.calls import MOST_OF_ONE
from tocsin.errors import Refused
from tocsin.webhooks import rules
from tocsin.webhooks.service import Webhooks, activation, endpoints, replay
from tocsin_schemas.endpoints import EndpointChange, NewEndpoint

Admit = Callable[..., Party]
AT_ONCE = 4


def tried(act: Callable[[], object]) -> str:
    """`done`, or the code it was refused with."""
    try:
        act()
    except Refused as error:
        return error.code
    return "done"


def test_the_last_room_is_taken_once(calling_hub: Hub, member: Admit, receiver: Receiver) -> None:
    webhooks: Webhooks = calling_hub.app.state.webhooks
    org = Desk(calling_hub, member()).org_id
    wanted = NewEndpoint(url=receiver.url)
    for number in range(rules.MOST_ENDPOINTS - 1):
        if number % rules.MOST_PROBES == 0:
            calling_hub.clock.advance(rules.PROBE_WINDOW)
        endpoints.create(webhooks, org, wanted)
    calling_hub.clock.advance(rules.PROBE_WINDOW)
    with ThreadPoolExecutor(MOST_OF_ONE) as pool:
        ended = list(
            pool.map(
                lambda _: tried(lambda: endpoints.create(webhooks, org, wanted)), range(rules.MOST_PROBES + 2)
            )
        )
    assert sorted(ended) == ["done"] + ["endpoint-limit"] * (rules.MOST_PROBES - 1) + ["rate-limited"] * 2
    assert len(endpoints.listed(webhooks, org)) == rules.MOST_ENDPOINTS


def test_owner_fan_out_and_courier_do_not_block_each_other(
    calling_hub: Hub, member: Admit, receiver: Receiver
) -> None:
    """Whoever takes locks takes them in one order: PostgreSQL ends one of two that wait for each other."""
    calling_hub.clock.advance(rules.PROBE_WINDOW)
    desk = Desk(calling_hub, member())
    made = desk.active(receiver.url)
    webhooks: Webhooks = calling_hub.app.state.webhooks
    org, one, over = desk.org_id, made["id"], Event()

    def sending() -> None:
        while not over.is_set():
            calling_hub.run_job("webhooks.fanout")
            calling_hub.run_job("delivery.send")

    def pausing() -> None:
        for state in ("paused", "active") * 12:
            calling_hub.clock.advance(rules.PROBE_WINDOW)
            endpoints.change(webhooks, org, one, EndpointChange.model_validate({"state": state}))

    def rotating() -> None:
        for _ in range(24):
            endpoints.rotate(webhooks, org, one, again=True)

    def testing() -> None:
        for _ in range(24):
            tried(lambda: replay.send_test(webhooks, org, one))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        courier = pool.submit(sending)
        for work in [pool.submit(act) for act in (pausing, rotating, testing)]:
            work.result(timeout=60)
        over.set()
        courier.result(timeout=60)
    calling_hub.clock.advance(rules.PROBE_WINDOW)
    assert activation.activate(webhooks, org, one).state == "active"
    calling_hub.run_job("delivery.send")
    shown = endpoints.shown(webhooks, org, one)
    assert (shown.standing.backlog, shown.standing.held, shown.generation) == (0, 0, 25)
    numbers = sorted(body["data"]["seq"] for body in receiver.bodies() if body["type"] == "endpoint.test")
    assert set(numbers) == set(range(1, max(numbers, default=0) + 1))
