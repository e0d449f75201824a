"""Doors for the tests of egress: through one, loopback may be called; names come from the test's own name server."""

from collections.abc import Iterator
from functools import partial
from ipaddress import ip_network
from typing import Any

import pytest

from tests.egress.servers import Names, names
from tocsin.egress import Answer, Egress, Guard, Outbound, Unanswered
from tocsin.egress.names import Nameservers

LOOPBACK = Guard(allow_subnets=[ip_network("127.0.0.0/8")])


@pytest.fixture
def door() -> Egress:
    return Egress(guard=LOOPBACK)


@pytest.fixture
def zone() -> Iterator[Names]:
    with names() as found:
        yield found


def through(zone: Names, guard: Guard | None = None, **given: Any) -> Egress:
    """A door that asks the test's name server."""
    return Egress(guard=guard, resolver=partial(Nameservers, ["127.0.0.1"], zone.port), **given)


def post(url: str, **given: Any) -> Outbound:
    """A request such as a webhook is."""
    fields: dict[str, Any] = {
        "limit": 4096,
        "body": b"{}",
        "media_type": "application/json",
        "cut": True,
        "seconds": 5.0,
    }
    return Outbound("POST", url, **(fields | given))


def said(egress: Egress, request: Outbound) -> Answer | str:
    """The answer, or why there is none."""
    try:
        return egress.run(egress.send(request))
    except Unanswered as error:
        return error.why
