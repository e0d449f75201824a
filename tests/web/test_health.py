"""Alive, ready, counted."""

from tests.support.hub import Hub


def test_alive(hub: Hub) -> None:
    answer = hub.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_the_schema_is_current(hub: Hub) -> None:
    answer = hub.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
