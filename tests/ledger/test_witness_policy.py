"""The operator's witness policy: what is taken, what is refused, and what the hub serves of it."""

from pathlib import Path

import pytest

from tests.ledger.logs import append
from tests.support.clock import MovableClock
from tests.support.hub import Hub, in_process
from tocsin import keys
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.errors import Misconfigured
from tocsin.ledger.service import open_ledger
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519, ED25519_COSIGNER, NoteSigner
from tocsin_schemas.tlog_policy import parse_policy

W1, W2 = (
    NoteSigner(f"{name}.example/witness", ED25519_COSIGNER, SigningKey.generate()).verifier.vkey
    for name in ("one", "two")
)
ELSEWHERE = NoteSigner("hub.example/sandbox/log", ED25519, SigningKey.generate()).verifier.vkey


def test_without_a_file_the_policy_names_the_log_alone(hub: Hub) -> None:
    answer = hub.http.get("/log/policy")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    policy = parse_policy(answer.content)
    (log,) = policy.logs
    assert (log.verifier, log.url) == (hub.ledger.signer.verifier, "https://hub.example/log")
    assert (dict(policy.witnesses), policy.quorum) == ({}, None)
    append(hub.database, 3)
    hub.publish()
    assert policy.open(hub.http.get("/log/checkpoint").content, hub.clock()).checkpoint.size == 3


def test_the_policy_in_force_is_served_with_the_hubs_own_log(
    settings: Settings, clock: MovableClock, tmp_path: Path
) -> None:
    own = NoteSigner("hub.example/sandbox/log", ED25519, keys.ensure(settings).log).verifier.vkey
    file = tmp_path / "policy"
    for log_line in ("", f"log {own}\n", f"log {own} https://cdn.example/log\n"):
        file.write_text(
            f"# ours\n{log_line}witness one {W1} https://one.example/witness\n"
            f"witness two {W2} https://two.example/w/\ngroup both all one two\nquorum both\n"
        )
        with in_process(settings.model_copy(update={"witness_policy_file": file}), clock) as hub:
            policy = parse_policy(hub.http.get("/log/policy").content)
        assert [(log.verifier.vkey, log.url) for log in policy.logs] == [(own, "https://hub.example/log")]
        assert {name: witness.verifier.vkey for name, witness in policy.witnesses.items()} == {
            "one": W1,
            "two": W2,
        }
        assert policy.quorum == "both"
        assert not policy.satisfied(["one"])


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (None, "cannot be read"),
        ("", "there must be one quorum line"),
        ("quorum one\n", "policy.line.1"),
        (f"witness one {W1} https://one.example\nquorum two\n", "policy.line.2"),
        (f"witness one {W1} http://one.example\nquorum one\n", "url: must be https"),
        (f"witness one {W1} https://user@one.example\nquorum one\n", "url: must be https"),
        (f"witness one {W1}\nquorum one\n", "cannot be met by witnesses that have an address"),
        (
            f"witness one {W1} https://one.example\nwitness two {W2}\ngroup all all one two\nquorum all\n",
            "cannot be met by witnesses that have an address",
        ),
        (f"log {ELSEWHERE}\nquorum none\n", "a log that is not this hub's"),
    ],
    ids=[
        "absent", "empty", "undefined", "misnamed", "plain-http", "with-a-user", "no-address", "too-few-addresses",
        "other-log",
    ],
)  # fmt: skip
def test_a_policy_that_does_not_fit_is_refused_with_what_to_do(
    settings: Settings, tmp_path: Path, content: str | None, what: str
) -> None:
    file = tmp_path / "policy"
    if content is not None:
        file.write_text(content)
    hub_keys = keys.ensure(settings)
    database = Database(settings.database())
    with pytest.raises(Misconfigured, match=what) as caught:
        open_ledger(settings.model_copy(update={"witness_policy_file": file}), database, hub_keys)
    assert caught.value.advice
    assert "example" not in str(caught.value)
    database.dispose()


def test_a_witness_without_an_address_may_stand_beside_a_quorum_without_it(
    settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "policy"
    file.write_text(
        f"witness one {W1} https://one.example\nwitness two {W2}\ngroup any any one two\nquorum any\n"
    )
    database = Database(settings.database())
    ledger = open_ledger(
        settings.model_copy(update={"witness_policy_file": file}), database, keys.ensure(settings)
    )
    assert ledger.witnesses is not None
    assert len(ledger.witnesses.policy.witnesses) == 2
    database.dispose()
