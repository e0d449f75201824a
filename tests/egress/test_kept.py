"""Connections that are kept: by whom they may be used, for how long, how many, and what happens when one breaks."""

import asyncio
import gc
import socket
import threading
import time

import pytest

from tests.egress.conftest import LOOPBACK, post, said
from tests.egress.servers import raw, saying
from tocsin.egress import Answer, Egress, Unanswered

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ANSWER = Answer(200, "", b"ok")


class Breaking:
    """Answers the first request on a connection, and hangs up at the second without a word."""

    def __init__(self, answered: int = 1) -> None:
        self.seen: list[int] = []
        self._answered = answered

    def __call__(self, connection: socket.socket, _request: bytes, _ended: threading.Event) -> None:
        self.seen.append(id(connection))
        if self.seen.count(id(connection)) > self._answered:
            connection.shutdown(socket.SHUT_RDWR)
        else:
            connection.sendall(OK)


def test_a_connection_is_kept_for_the_next_request(door: Egress) -> None:
    with raw(saying(OK)) as served:
        for _ in range(5):
            assert said(door, post(served.url)) == ANSWER
        assert served.accepted == 1


def test_a_kept_connection_that_breaks_is_no_failure_of_the_receiver(door: Egress) -> None:
    with raw(Breaking()) as served:
        for _ in range(4):
            assert said(door, post(served.url, headers={"webhook-id": "msg_1"})) == ANSWER
        # One connection for each answer; each but the last also saw the request that it did not answer.
        assert served.accepted == 4
        assert len(served.received) == 7
        assert all(b"webhook-id: msg_1" in request for request in served.received)


def test_a_new_connection_that_breaks_is_one(door: Egress) -> None:
    with raw(Breaking(answered=0)) as served:
        assert said(door, post(served.url)) == "unreachable"
        assert served.accepted == 1


def test_an_operators_request_is_not_sent_twice(door: Egress) -> None:
    with raw(Breaking()) as served:
        assert said(door, post(served.url, to="operator")) == ANSWER
        assert said(door, post(served.url, to="operator")) == "unreachable"
        assert len(served.received) == 2


def test_an_idle_connection_is_closed_before_the_receiver_does(
    door: Egress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tocsin.egress.door.MEMBER_KEPT_SECONDS", 0.1)
    with raw(saying(OK)) as served:
        assert said(door, post(served.url)) == ANSWER
        time.sleep(0.25)
        assert said(door, post(served.url)) == ANSWER
        assert served.accepted == 2


def test_what_was_opened_on_the_operators_word_serves_no_member(door: Egress) -> None:
    with raw(saying(OK)) as served:
        for to in ("operator", "member", "operator", "member"):
            assert said(door, post(served.url, to=to)) == ANSWER
        assert served.accepted == 2
        # And behind a guard that lets nobody in here, the kept one is no way in either.
        strict = Egress()
        assert said(strict, post(served.url, to="operator")) == ANSWER
        assert said(strict, post(served.url)) == "refused"
        assert served.accepted == 3


def test_many_hosts_do_not_use_up_the_descriptors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.egress.door.MOST_KEPT", 2)
    door = Egress(guard=LOOPBACK)
    with raw(saying(OK), "127.0.0.2") as one, raw(saying(OK), "127.0.0.3") as two, raw(saying(OK)) as three:
        for _ in range(3):
            for host, served in (("127.0.0.2", one), ("127.0.0.3", two), ("127.0.0.1", three)):
                assert said(door, post(f"http://{host}:{served.port}/")) == ANSWER
        # Two are kept, and used; the third host is connected to each time.
        assert [served.accepted for served in (one, two, three)] == [1, 1, 3]


def test_work_on_the_doors_loop_returns_and_raises() -> None:
    door = Egress()

    async def works() -> str:
        return threading.current_thread().name

    async def fails() -> None:
        raise ZeroDivisionError

    assert door.run(works()) == "egress"
    with pytest.raises(ZeroDivisionError):
        door.run(fails())


def test_a_door_may_end_in_its_own_thread() -> None:
    """Where the last who knows it is work on its loop, nobody may wait for the thread."""
    door = Egress()

    async def works() -> threading.Thread:
        return threading.current_thread()

    thread = door.run(works())
    held = [door]
    del door

    async def drops() -> None:
        held.clear()
        gc.collect()

    running = held[0]._open()
    running.wait(drops())
    thread.join(5)
    assert not thread.is_alive()


def test_an_answer_comes_to_who_asked(door: Egress) -> None:
    def echo(connection: socket.socket, request: bytes, _ended: threading.Event) -> None:
        body = request.partition(b"\r\n\r\n")[2]
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with raw(echo) as served:

        async def one(number: int) -> bytes:
            try:
                return (await door.send(post(served.url, body=b"%d" % number))).body
            except Unanswered as error:
                return error.why.encode()

        async def many() -> list[bytes]:
            return [
                each
                for first in range(0, 200, 20)
                for each in await asyncio.gather(*map(one, range(first, first + 20)))
            ]

        assert door.run(many()) == [b"%d" % number for number in range(200)]
        assert served.accepted == 20
