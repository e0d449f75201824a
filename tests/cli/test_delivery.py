"""`tocsin-hub delivery`: stopping what the hub sends to, and allowing it again."""

import json

from tests.cli.running import Run
from tests.delivery.carrying import organisation
from tocsin.cli.console import load_settings
from tocsin.db import Database
from tocsin.delivery import service as delivery
from tocsin.streams.store import streams
from tocsin.webhooks.store import endpoints

ENDPOINT, STREAM = f"ep_{'a' * 32}", f"st_{'b' * 32}"
ISSUER = "https://member-1.example"


def seed() -> None:
    """A member with an endpoint that was never active, and a stream that is polled."""
    database = Database(load_settings().database())
    with database.transaction() as uow:
        org = organisation(uow)
        endpoints.add(
            uow,
            {
                "public_id": ENDPOINT, "organisation_id": org, "url": "https://member-1.example/hook",
                "receiver_id": delivery.open_receiver(uow, "webhook", ENDPOINT, org), "state": "pending",
                "generation": 1, "detail": "thin", "severity": "info", "types": [], "communities": [], "labels": [],
            },
        )  # fmt: skip
        streams.add(uow, STREAM, org, {"method": "poll", "events": [], "alg": "ES256"})
    database.dispose()


def test_stopped_and_allowed(run: Run) -> None:
    run("migrate")
    seed()
    for receiver in (ENDPOINT, STREAM):
        said = json.loads(run("delivery", "stop", receiver, "--json").stdout)
        assert said == {"receiver": receiver, "issuer": ISSUER, "stopped": True}
        error = json.loads(run("delivery", "stop", receiver, "--json", code=1).stderr)["error"]
        assert (error["code"], error["detail"]) == ("conflict", "the operator has stopped it already")
        assert run("delivery", "allow", receiver).stdout == f"Allowed {receiver} of {ISSUER}\n"
        assert run("delivery", "allow", receiver, code=1).stderr.startswith("Error: ")
    for receiver in ("ep_zX9", "st_zX9", "zX9"):
        error = run("delivery", "stop", receiver, code=1)
        assert "no such" in error.stderr
        assert "zX9" not in error.stderr
