"""Two hubs that witness each other, each a process of its own, set up by their operators' commands."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.signals.material import COMMUNITY, report, sha256
from tests.support.databases import Databases
from tests.support.forks import run
from tests.support.hub import PATIENCE, LiveHub, in_own_process
from tests.witnessing.logs import Log
from tocsin.ledger.service.feeding import HALTED_SECONDS
from tocsin_client.http import HubError
from tocsin_schemas.checkpoint import Opened
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.notes import ED25519, NoteSigner
from tocsin_schemas.policy import DAY
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import LogPolicy, parse_policy


@pytest.fixture
def hubs(databases: Databases, tmp_path: Path) -> Iterator[tuple[LiveHub, LiveHub]]:
    with ExitStack() as stack:
        made = []
        for name in ("one", "two"):
            folder = tmp_path / name
            folder.mkdir(mode=0o700)
            url = stack.enter_context(databases.migrated("sqlite", folder))
            made.append(stack.enter_context(in_own_process(url, folder)))
        yield made[0], made[1]


def operator(hub: LiveHub, *arguments: str) -> str:
    """What the hub's operator types, and what it prints."""
    done = run("tocsin-hub", arguments, environment(hub))
    assert done.returncode == 0, done.stderr
    return done.stdout


def environment(hub: LiveHub) -> dict[str, str]:
    return {**os.environ, **hub.env, "TOCSIN_ISSUER": hub.issuer}


def policy_of(hub: LiveHub) -> LogPolicy:
    return parse_policy(hub.http.get("/log/policy").content)


def witness_by(one: LiveHub, two: LiveHub, folder: Path) -> None:
    """`two` is told of the log of `one`, which is told of the witness."""
    (log,) = policy_of(one).logs
    operator(two, "witness", "add-log", log.verifier.vkey)
    lines = operator(two, "witness", "key")
    group = lines.splitlines()[-1].split()[1]
    file = folder / "policy"
    file.write_text(f"{lines}quorum {group}\n")
    one.env["TOCSIN_WITNESS_POLICY_FILE"] = str(file)
    one.stop()
    one.start()


def believed(hub: LiveHub, size: int) -> Opened:
    """The hub's checkpoint of at least that size, as a follower takes it: under the served policy, within an hour."""
    policy, until = policy_of(hub), time.monotonic() + PATIENCE
    while True:
        try:
            opened = policy.open(hub.http.get("/log/checkpoint").content, int(time.time()), 3600)
            if opened.checkpoint.size >= size:
                return opened
        except Refused:
            pass
        assert time.monotonic() < until, "not published, or not cosigned"
        time.sleep(0.1)


def report_one(hub: LiveHub, number: int) -> None:
    with_until = report(hub.clock() + 30 * DAY)
    hub.party(f"member{number}").sdk().report(COMMUNITY, [sha256(number)], with_until)


def leaves(hub: LiveHub, size: int) -> list[bytes]:
    """The entries of the published log."""
    bundle, found = hub.http.get(f"/log/tile/entries/000.p/{size}").content, []
    while bundle:
        length = int.from_bytes(bundle[:2])
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


def test_two_hubs_witness_each_other_and_notice_who_was_robbed_of_its_past(
    hubs: tuple[LiveHub, LiveHub], tmp_path: Path
) -> None:
    one, two = hubs
    for hub, witness, name in ((one, two, "one"), (two, one, "two")):
        witness_by(hub, witness, tmp_path / name)
    for hub in hubs:
        report_one(hub, 1)
    for hub, other in ((one, two), (two, one)):
        opened = believed(hub, 1)
        assert len(opened.cosignatures) == 2
        assert {item.name for item in opened.cosignatures} == {
            other.issuer.removeprefix("http://") + "/witness"
        }
        (seen,) = json.loads(operator(other, "witness", "list", "--json"))
        assert (seen["origin"], seen["size"]) == (opened.checkpoint.origin, opened.checkpoint.size)
        assert "ok    log" in operator(hub, "check")

    # The second hub has seen more of the first one's log than its database has, as after a backup was restored.
    standing = believed(one, 1).checkpoint
    past = Log(standing.origin, [*leaves(one, standing.size), b"a", b"b", b"c"])
    key = SigningKey.from_jwk(json.loads((tmp_path / "one" / "keys" / "log.jwk").read_text()))
    past.signer = NoteSigner(standing.origin, ED25519, key)
    submitted = two.http.post(
        "/witness/add-checkpoint", content=past.request(standing.size, standing.size + 3)
    )
    assert submitted.status_code == 200, submitted.text
    report_one(one, 2)
    until = time.monotonic() + PATIENCE
    while one.http.get("/readyz").status_code == 200:
        assert time.monotonic() < until, "nobody noticed"
        time.sleep(0.1)
    assert f"with {standing.size + 3} entries" in one.http.get("/readyz").json()["detail"]
    # What was signed stays; nothing new is, and a restart is refused with what to do. Submissions hear of it soon.
    time.sleep(HALTED_SECONDS)
    size = one.http.get("/log/checkpoint").text.splitlines()[1]
    with pytest.raises(HubError, match="log-halted"):
        report_one(one, 3)
    time.sleep(1.5)
    assert one.http.get("/log/checkpoint").text.splitlines()[1] == size
    assert two.http.get("/readyz").status_code == 200
    one.stop()
    refused = run("tocsin-hub", ["check"], environment(one))
    assert refused.returncode == 1
    assert "FAIL  log" in refused.stdout
    assert "restore a newer backup" in refused.stdout
