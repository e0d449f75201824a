"""Witnesses at an address on loopback: another hub of ours, or a server that answers by a script."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import SecretStr

from tests.client.webserver import Answer, Asked, Web, serving
from tests.ledger.logs import KEY, ORIGIN
from tests.support.clock import MovableClock
from tests.support.databases import Databases
from tests.support.hub import Hub, in_process
from tocsin.config import Settings
from tocsin.db import Database
from tocsin.egress import Egress
from tocsin.ledger.service import Ledger
from tocsin.ledger.service.feeding import WitnessSet
from tocsin.witnessing.service import Witness
from tocsin_schemas.checkpoint import Opened, open_checkpoint, sign_checkpoint
from tocsin_schemas.notes import ED25519, NoteSigner, NoteVerifier
from tocsin_schemas.tlog_policy import Log, parse_policy
from tocsin_schemas.tlog_witness import Submission, parse_submission

LOG = NoteSigner(ORIGIN, ED25519, KEY)
PREFIX = "/witness"


@dataclass
class Other:
    """Another hub as a witness, at `url`. `answers` may be set to answer in its stead; None passes the request on."""

    hub: Hub
    answers: Callable[[Asked], Answer | None] = lambda _asked: None
    url: str = ""
    web: Web | None = None
    submitted: list[Submission] = field(default_factory=list)

    @property
    def witness(self) -> Witness:
        found: Witness = self.hub.app.state.witness
        return found

    @property
    def keys(self) -> tuple[NoteVerifier, ...]:
        return self.witness.keys

    def script(self, asked: Asked) -> Answer:
        if asked.method == "POST":
            self.submitted.append(parse_submission(asked.body))
        if (given := self.answers(asked)) is not None:
            return given
        content = asked.body if asked.method == "POST" else None
        answer = self.hub.http.request(asked.method, asked.path, content=content)
        return Answer(answer.status_code, answer.content, {"Content-Type": answer.headers["content-type"]})

    def has_seen(self, size: int, root: bytes, old: int = 0) -> None:
        """Let it have cosigned a checkpoint of our log that we never made."""
        note = sign_checkpoint(ORIGIN, size, root, LOG)
        assert (
            self.hub.http.post(f"{PREFIX}/add-checkpoint", content=b"old %d\n\n" % old + note).status_code
            == 200
        )


@contextmanager
def other_hub(
    databases: Databases, folder: Path, clock: MovableClock, name: str = "witness.example"
) -> Iterator[Other]:
    """A hub that watches our log."""
    folder.mkdir()
    with databases.migrated("sqlite", folder) as url:
        settings = Settings(
            issuer=f"https://{name}",
            data_dir=folder / "data",
            database_url=SecretStr(url),
            ingest_processes=0,
            run_jobs=False,
            sandbox=True,
        )
        with in_process(settings, clock) as hub:
            other = Other(hub)
            other.witness.add_log(LOG.verifier)
            with serving(other.script) as web:
                other.url, other.web = web.url + PREFIX, web
                yield other


def policy(*others: Other, url: str | None = None) -> bytes:
    """All keys of all of them, each hub a group, all of them the quorum."""
    lines, groups = [], []
    for number, other in enumerate(others):
        names = [f"w{number}-{key.kind}" for key in other.keys]
        for name, key in zip(names, other.keys, strict=True):
            lines.append(f"witness {name} {key.vkey} {url or other.url}")
        lines.append(f"group w{number} any {' '.join(names)}")
        groups.append(f"w{number}")
    lines += [f"group all all {' '.join(groups)}", "quorum all", ""]
    return "\n".join(lines).encode()


def witness_set(database: Database, file: bytes, seconds: float = 5.0) -> WitnessSet:
    """What a log is given to be witnessed by."""
    return WitnessSet(database, parse_policy(file), LOG.verifier, Egress(), seconds)


def witnesses(ledger: Ledger) -> WitnessSet:
    found = ledger.witnesses
    assert isinstance(found, WitnessSet)
    return found


def shown(ledger: Ledger) -> Opened:
    """What the store shows, under the policy with its quorum."""
    note = ledger.objects.read("checkpoint")
    assert note is not None
    believed = replace(witnesses(ledger).policy, logs=(Log(LOG.verifier),))
    return believed.open(note, ledger.database.clock(), 3600)


def cosigners(ledger: Ledger) -> list[int]:
    """The kinds of the witness's keys below what the store shows."""
    note = ledger.objects.read("checkpoint")
    assert note is not None
    keys = [witness.verifier for witness in witnesses(ledger).policy.witnesses.values()]
    opened = open_checkpoint(note, LOG.verifier, keys)
    return [key.kind for key in keys if key.key_id in {item.key_id for item in opened.cosignatures}]


def late(answer: Answer) -> Answer:
    time.sleep(2.0)
    return answer
