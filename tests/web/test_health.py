"""Alive, ready, counted."""

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.ledger.service import Alarm


def test_alive(hub: Hub) -> None:
    answer = hub.http.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_the_schema_is_current(hub: Hub) -> None:
    answer = hub.http.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})


def test_not_ready_on_another_schema(hub: Hub) -> None:
    with hub.database.transaction() as uow:
        uow.conn.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = hub.http.get("/readyz")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        503,
        "unavailable",
        "migrations",
    )
    assert hub.http.get("/healthz").status_code == 200


def test_not_ready_while_a_witness_has_seen_another_log(hub: Hub) -> None:
    hub.app.state.alarms = lambda: [Alarm("w1", "the witness w1 has seen more", "restore a newer backup")]
    answer = hub.http.get("/readyz")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (503, "log-halted", "log")
    assert answer.json()["detail"] == "the witness w1 has seen more"
    assert hub.http.get("/healthz").status_code == 200


def test_not_ready_without_a_database(settings: Settings, clock: MovableClock) -> None:
    with in_process(settings, clock) as hub:
        hub.database.dispose()
        gone = (
            "postgresql://nobody@127.0.0.1:1/gone"
            if hub.database.dialect == "postgresql"
            else "sqlite:////no/db"
        )
        hub.app.state.at_head.args[0].engine = Database(gone).engine
        answer = hub.http.get("/readyz")
        assert (answer.status_code, answer.json()["field"]) == (503, "database")
        assert answer.headers["Retry-After"] == "1"
        assert "nobody" not in answer.text
        assert hub.http.get("/healthz").status_code == 200


def test_metrics_are_prometheus_text(hub: Hub) -> None:
    hub.http.get("/healthz")
    answer = hub.http.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"tocsin_http_requests", "tocsin_http_request_seconds", "tocsin_refusals", "python_info"} <= names


def test_none_of_them_needs_a_token(hub: Hub) -> None:
    assert isinstance(hub.http, TestClient)
    for path in ("/healthz", "/readyz", "/metrics"):
        assert hub.http.get(path).status_code == 200
