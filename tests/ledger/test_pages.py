"""The log for people: what a page says is what was published, and nothing that was sent is ever shown again."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product

import pytest

from tests.signals.material import (
    COMMUNITY,
    DISPUTE,
    OUTCOME,
    RETRACTION,
    SIGHTING,
    Voice,
    assert_refused,
    md5,
    report,
)
from tests.support.hub import Hub
from tests.support.invariants import unchanged
from tests.support.pages import Reader, page
from tocsin.ledger.pages import KINDS, PERIODS, SHAPES, Form
from tocsin.ledger.service import Alarm, entries_at, explore
from tocsin.ledger.service.explore import DAYS_SHOWN, MONTHS_SHOWN, Unit, activity
from tocsin.web import charts
from tocsin_schemas.checkpoint import Checkpoint, cosign, open_checkpoint
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.merkle import TileTree, leaf_hash
from tocsin_schemas.notes import ED25519_COSIGNER, NoteSigner
from tocsin_schemas.policy import DAY
from tocsin_schemas.tlog_policy import Log, LogPolicy, Witness
from tocsin_schemas.tlog_proof import Proof
from tocsin_schemas.vocabulary import ENTRY_KINDS

SECRET = "someone@pasted.example"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def filled(hub: Hub) -> Hub:
    """A hub with entries of several kinds on several days, all of them published."""
    pixel, frame = Voice(hub, "pixel"), Voice(hub, "frame")
    pixel.batch([pixel.report(md5(n)) for n in range(300)])
    hub.clock.advance(DAY)
    for event in (SIGHTING, DISPUTE, OUTCOME):
        frame.say(event, md5(1))
    own = pixel.say(*_report(pixel, 500))
    hub.clock.advance(40 * DAY)
    # The reports have run out; the hub enters it when the day is over.
    hub.run_job("signals.expire")
    hub.clock.advance(DAY)
    hub.run_job("signals.expire")
    own = pixel.say(*_report(pixel, 501))
    pixel.say(RETRACTION, bytes.fromhex(own["statement"]))
    hub.publish()
    return hub


def _report(voice: Voice, n: int):
    return report(voice.now + 30 * DAY), md5(n)


def test_the_page_says_what_the_checkpoint_says(filled: Hub) -> None:
    note = filled.http.get("/log/checkpoint").content
    said = open_checkpoint(note, filled.ledger.signer.verifier).checkpoint
    answer = filled.http.get("/log")
    assert answer.headers["cache-control"] == "public, max-age=1"
    shown = page(answer).text
    origin, size, root = said.text.splitlines()
    assert f"Entries {said.size:,} Root hash {root} " in shown
    assert f"Origin {origin} Key of the log {filled.ledger.signer.verifier.vkey} " in shown
    assert f"From 0 to {said.size - 1:,}." in shown
    assert int(size) == said.size
    assert "Last checkpoint 2027-01-03 12:00:00 UTC (just now)" in shown
    assert "No witness has cosigned this checkpoint." in shown


def test_the_checkpoint_grows_old_on_the_page(filled: Hub) -> None:
    filled.clock.advance(75)
    assert "12:00:00 UTC (1 minute ago)" in page(filled.http.get("/log")).text


def test_what_no_checkpoint_covers_is_on_no_page(filled: Hub) -> None:
    before = filled.http.get("/log").text
    size = explore.size(filled.ledger)
    frame = Voice(filled, "late")
    frame.say(*_report(frame, 900))
    assert filled.http.get("/log").text == before
    shown = page(filled.http.get("/log/entry", params={"number": size}), 404)
    assert "The published log does not reach that far." in shown.text
    filled.publish()
    assert f"Entries {size + 1:,} " in page(filled.http.get("/log")).text
    page(filled.http.get("/log/entry", params={"number": size}))


def test_the_counts_are_those_of_the_published_entries(filled: Hub) -> None:
    size = explore.size(filled.ledger)
    with filled.database.snapshot() as uow:
        rows = uow.conn.exec_driver_sql("SELECT kind, recorded_at FROM entry ORDER BY seq").all()
        counted = uow.conn.exec_driver_sql("SELECT day, kind, entries FROM entry_day").all()
    assert len(rows) == size
    assert {(day, kind): number for day, kind, number in counted} == Counter(
        (at // DAY, kind) for kind, at in rows
    )
    shown = page(filled.http.get("/log")).text
    for kind, count in Counter(kind for kind, _ in rows).items():
        assert f"{kind} {KINDS[kind].meaning} {count:,}" in shown
    # The chart shows days of the last 30, and months of the last 12.
    recent = Counter(
        (rfc3339(at)[:10], kind) for kind, at in rows if at // DAY > filled.clock() // DAY - DAYS_SHOWN
    )
    assert _cells(filled, "day") == recent
    assert _cells(filled, "month") == Counter((rfc3339(at)[:7], kind) for kind, at in rows)


def _cells(hub: Hub, unit: Unit) -> Counter:
    found = activity(hub.ledger, unit)
    assert len(found.labels) == {"day": DAYS_SHOWN, "month": MONTHS_SHOWN}[unit]
    assert list(found.labels) == sorted(set(found.labels))
    assert found.labels[-1] == rfc3339(hub.clock())[: len(found.labels[-1])]
    return +Counter(
        {
            (label, kind): number
            for label, row in zip(found.labels, found.counts, strict=True)
            for kind, number in zip(found.kinds, row, strict=True)
        }
    )


def test_a_clock_that_went_back_leaves_out_what_is_to_come(filled: Hub) -> None:
    filled.clock.advance(-2 * DAY)
    assert _cells(filled, "day").total() == 0
    shown = page(filled.http.get("/log")).text
    assert "2027-01-03 12:00:00 UTC (just now)" in shown
    assert "Nothing was entered in this time." in shown


@pytest.mark.parametrize(
    ("now", "first", "last"),
    [
        ("2026-01-01", "2025-02", "2026-01"),
        ("2026-12-31", "2026-01", "2026-12"),
        ("2028-02-29", "2027-03", "2028-02"),
    ],
)
def test_a_year_is_twelve_months_at_every_turn(hub: Hub, now: str, first: str, last: str) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=UTC)
    hub.clock.advance(int(at.timestamp()) - hub.clock())
    labels = activity(hub.ledger, "month").labels
    assert (labels[0], labels[-1], len(labels)) == (first, last, MONTHS_SHOWN)


def test_the_table_of_the_chart_has_its_numbers(filled: Hub) -> None:
    shown = page(filled.http.get("/log", params={"by": "month"})).text
    found = activity(filled.ledger, "month")
    for label, row in zip(found.labels, found.counts, strict=True):
        cells = " ".join(f"{number:,}" for number in (*row, sum(row)))
        assert f"{label} {cells}" in shown


def test_a_log_that_is_empty_has_a_page(hub: Hub) -> None:
    for wanted in ("None yet.", "just now"):
        shown = page(hub.http.get("/log")).text
        assert "Entries 0 Root hash 47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU= " in shown
        assert wanted in shown
        assert "The log is empty." in shown
        assert "Nothing was entered in this time." in shown
        hub.publish()
    page(hub.http.get("/log/entry", params={"number": 0}), 404)


def test_a_log_of_one_entry_is_said_to_have_one(hub: Hub) -> None:
    pixel = Voice(hub, "pixel")
    pixel.say(*_report(pixel, 1))
    hub.publish()
    assert "The log has one entry, number 0." in page(hub.http.get("/log")).text
    shown = page(hub.http.get("/log/entry", params={"number": 0}))
    assert "in the tree of 1 entry whose checkpoint it holds" in shown.text
    assert not any("number=" in address for address in shown.attributes("a", "href"))


@dataclass(frozen=True)
class Cosigners:
    """Witnesses of whom one has cosigned, another is known and has not."""

    policy: LogPolicy
    signer: NoteSigner
    at: int
    alarm: Alarm | None = None

    def collect(
        self, checkpoint: Checkpoint, note: bytes, tree: TileTree, *, everyone: bool = False
    ) -> list[str]:
        return [cosign(checkpoint, self.signer, self.at)]

    def due(self, note: bytes, now: int) -> bool:
        return True

    def alarms(self) -> Sequence[Alarm]:
        return () if self.alarm is None else (self.alarm,)

    def halted(self) -> bool:
        return bool(self.alarms())


def test_cosignatures_are_shown_when_they_verify(filled: Hub) -> None:
    signers = [
        NoteSigner(f"{name}.example/witness", ED25519_COSIGNER, SigningKey.generate("Ed25519"))
        for name in ("watcher", "silent", "stranger")
    ]
    known = {signer.verifier.name: Witness(signer.verifier) for signer in signers[:2]}
    witnesses = Cosigners(LogPolicy(witnesses=known), signers[0], filled.clock() - 3600)
    filled.app.state.ledger = filled.ledger = replace(filled.ledger, witnesses=witnesses)
    filled.publish()
    filled.ledger = replace(filled.ledger, witnesses=replace(witnesses, signer=signers[2]))
    filled.publish()
    assert b"stranger.example" in filled.http.get("/log/checkpoint").content
    shown = page(filled.http.get("/log")).text
    assert "watcher.example/witness Ed25519 2027-01-03 11:00:00 UTC 1 hour ago" in shown
    assert "silent" not in shown
    assert "stranger" not in shown


def test_a_log_that_is_halted_says_so(filled: Hub) -> None:
    halted = "A witness has seen another log under this name."
    assert halted not in page(filled.http.get("/log")).text
    signer = NoteSigner("watcher.example", ED25519_COSIGNER, SigningKey.generate("Ed25519"))
    alarm = Alarm("watcher", "it has seen more", "restore a newer backup")
    witnesses = Cosigners(LogPolicy(), signer, filled.clock(), alarm)
    filled.app.state.ledger = replace(filled.ledger, witnesses=witnesses)
    shown = page(filled.http.get("/log")).text
    assert halted in shown
    # What the operator is to do is for the operator.
    assert alarm.advice not in shown


def test_an_entry_has_a_page_with_its_bytes(filled: Hub) -> None:
    size = explore.size(filled.ledger)
    for number in (0, 1, 255, 256, size - 1):
        shown = page(filled.http.get("/log/entry", params={"number": number}))
        proof = Proof.decode(filled.http.get(f"/log/proof/{number}").content)
        with filled.database.snapshot() as uow:
            entry = entries_at(uow, [number])[number]
        assert entry.encode().decode() in shown.text
        assert entry.commitment.hex() in shown.text
        assert leaf_hash(entry.encode()).hex() in shown.text
        assert f"Community {COMMUNITY} " in shown.text
        policy = LogPolicy(logs=(Log(filled.ledger.signer.verifier),))
        proof.verify(leaf_hash(entry.encode()), policy, filled.clock())
        beside = {number - 1, number + 1} & set(range(size))
        links = shown.attributes("a", "href")
        assert {int(link.rpartition("=")[2]) for link in links if "number=" in link} == beside
        for link in links:
            assert filled.http.get(link).status_code == 200 or link == "#main", link


def test_a_proof_is_a_file_to_keep(filled: Hub) -> None:
    answer = filled.http.get("/log/proof/7")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="7.tlog-proof"'
    assert answer.headers["cache-control"] == "public, max-age=1"
    assert Proof.decode(answer.content).extra is None


def test_a_proof_is_not_there_before_its_checkpoint(filled: Hub) -> None:
    size = explore.size(filled.ledger)
    frame = Voice(filled, "late")
    with unchanged(filled.database):
        assert_refused(filled.http.get(f"/log/proof/{size}"), "not-found")
    frame.say(*_report(frame, 900))
    with unchanged(filled.database):
        answer = filled.http.get(f"/log/proof/{size}")
        assert_refused(answer, "not-yet-published")
        assert answer.headers["retry-after"] == "1"
        assert_refused(filled.http.get(f"/log/proof/{size + 1}"), "not-found")
    filled.publish()
    assert Proof.decode(filled.http.get(f"/log/proof/{size}").content).index == size


@pytest.mark.parametrize("wrong", ["-1", "1e3", SECRET, str(2**53 + 1), "9" * 400])
def test_what_is_no_number_has_no_proof(hub: Hub, wrong: str) -> None:
    answer = hub.http.get(f"/log/proof/{wrong}")
    assert_refused(answer, "request-invalid")
    # The request's id is random hexadecimal digits, and may hold a short number by chance.
    assert wrong not in answer.text.replace(answer.headers["x-request-id"], "")


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        " ",
        "-1",
        "+1",
        "1.0",
        "1 2",
        "0x1",
        "\u0661\u0662",
        "1_000",
        "9" * 16,
        SECRET,
        "<script>alert(1)</script>",
    ],
)
def test_what_is_no_number_is_answered_with_the_form_and_not_shown(hub: Hub, wrong: str) -> None:
    answer = hub.http.get("/log/entry", params={"number": wrong})
    shown = page(answer, 400)
    assert "Give a whole number, in digits alone." in shown.text
    (field,) = [attrs for tag, attrs in shown.tags if tag == "input"]
    assert field["aria-invalid"] == "true"
    assert field["aria-describedby"] == "wrong hint"
    assert "value" not in field
    assert answer.headers["cache-control"] == "no-store"
    if len(wrong) > 4:
        assert wrong not in answer.text
        assert "alert(1)" not in answer.text


@pytest.mark.parametrize("wrong", ["999999999999999", "00000000099999"])
def test_a_number_beyond_the_log_is_not_shown_again(hub: Hub, wrong: str) -> None:
    answer = hub.http.get("/log/entry", params={"number": wrong})
    assert "The published log does not reach that far." in page(answer, 404).text
    assert wrong not in answer.text


def test_pages_ask_for_nothing_but_what_the_hub_serves(filled: Hub) -> None:
    for path in ("/log", "/log?by=month", "/log/entry?number=3", "/log/entry?number=x"):
        found = Reader(filled.http.get(path).text)
        assert {tag for tag, _ in found.tags} & {"script", "style", "iframe", "object"} == set()
        assert [attrs for _, attrs in found.tags if any(re.match("on|style$", name) for name in attrs)] == []
        asked = [
            *found.attributes("link", "href"),
            *found.attributes("img", "src"),
            *found.attributes("source", "srcset"),
        ]
        assert len(asked) >= 3
        links = {link for link in found.attributes("a", "href") if link != "#main"}
        for address in [*asked, *links]:
            assert address.startswith("/")
            assert filled.http.get(address).status_code == 200, address


def test_the_chart_is_a_picture_and_nothing_else(filled: Hub) -> None:
    for unit, form in product(PERIODS, SHAPES):
        _check_chart(filled, unit, form)


def _check_chart(filled: Hub, unit: Unit, form: Form) -> None:
    answer = filled.http.get("/log/chart.svg", params={"by": unit, "form": form})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["content-security-policy"] == charts.POLICY
    assert answer.headers["cache-control"] == "public, max-age=60"
    root = ET.fromstring(answer.content)
    assert root.attrib["viewBox"] == f"0 0 {SHAPES[form].width} {SHAPES[form].height}"
    bars = [node for node in root.iter(f"{SVG}g") if node.get("class") == "bar"]
    found = activity(filled.ledger, unit)
    assert len(bars) == len(found.labels) * len(found.kinds)
    names = {node.text for node in root.iter(f"{SVG}text")}
    assert set(found.kinds) <= names


@pytest.mark.parametrize("query", [{"by": "year"}, {"form": "tall"}, {"by": SECRET}])
def test_an_unknown_chart_is_refused(hub: Hub, query: dict[str, str]) -> None:
    answer = hub.http.get("/log/chart.svg", params=query)
    assert_refused(answer, "request-invalid")
    assert SECRET not in answer.text


def test_every_kind_of_entry_is_drawn_and_explained() -> None:
    assert KINDS.keys() == set(ENTRY_KINDS)
    assert len({kind.colour for kind in KINDS.values()}) == len(KINDS)


def test_the_colours_of_the_chart_stand_out_from_their_ground() -> None:
    for kind in KINDS.values():
        assert contrast(kind.colour.light, "#ffffff") >= 3
        assert contrast(kind.colour.dark, "#1b2027") >= 3


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: the ratio of two colours' relative luminance."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
