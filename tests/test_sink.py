"""The receiver of webhooks that the tests have (tests/support/sink.py): it ends without leaving anything open."""

import gc
import socket
import warnings
from contextlib import ExitStack

from tests.support.sink import sink


def test_whoever_connects_while_it_stops_is_let_go_of() -> None:
    with ExitStack() as clients, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(10):
            with sink() as there:
                for _ in range(50):
                    client = clients.enter_context(socket.socket())
                    client.setblocking(False)
                    client.connect_ex(("127.0.0.1", there.port))
        gc.collect()
    left = [str(each.message) for each in warned]
    assert not [each for each in left if "transport" in each]
