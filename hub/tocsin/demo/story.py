"""The story: three members, one hub, and everything that can go right or wrong with a signal.

Two platforms report pictures; a model vendor follows, verifies and matches. Every figure that is printed was measured
in this run, and every expectation that fails is counted: the demo then ends with exit code 1.
"""

import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import click

from tocsin.demo.hearing import Ear, hearing
from tocsin.demo.pictures import copy_of, flat, picture
from tocsin.demo.stage import COMMUNITY, Member, Stage
from tocsin_client.hashing import Hashed, hash_files
from tocsin_client.log import Log, LogUnverified
from tocsin_client.log_audit import audit_log
from tocsin_client.log_source import FolderLog
from tocsin_client.log_store import LogStore
from tocsin_client.match import Hit, Matcher
from tocsin_client.mirror import Mirror
from tocsin_client.submit import Rejection, Result, new_jti
from tocsin_schemas import envelope, signals
from tocsin_schemas.feed import Receipt
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.ledger import Entry, rfc3339
from tocsin_schemas.merkle import leaf_hash
from tocsin_schemas.policy import DAY
from tocsin_schemas.signals import Dispute, Media, Report, Sighting
from tocsin_schemas.tlog_policy import parse_policy
from tocsin_schemas.tlog_proof import Proof
from tocsin_schemas.vocabulary import Basis

PICTURES: Final = 24
COPIES: Final = 12
LIFE: Final = 30 * DAY
PASTED: Final = "someone@mail.example"


@dataclass(slots=True)
class Story:
    """What is told, and what went wrong."""

    started: float = field(default_factory=time.perf_counter)
    checks: int = 0
    failures: list[str] = field(default_factory=list)

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        click.secho(f"\n{title}", bold=True)

    def say(self, text: str) -> None:
        """Tell something."""
        click.echo(f"  {text}")

    def expect(self, what: str, found: object, wanted: object) -> None:
        """Tell a figure, and count it as a failure when it is not the one expected."""
        self.checks += 1
        right = found == wanted
        mark = click.style("ok", fg="green") if right else click.style("FAIL", fg="red")
        click.echo(f"  [{mark}] {what}: {_plain(found)}" + ("" if right else f" (expected {_plain(wanted)})"))
        if not right:
            self.failures.append(what)


def main(keep: bool = False) -> int:
    """Tell the story; 0 when everything was as it should be, else 1. `keep` leaves the hub running at the end."""
    story = Story()
    folder = Path(tempfile.mkdtemp(prefix="tocsin-demo-"))
    stage = Stage(folder)
    with stage.running():
        _tell(story, stage)
        if keep:
            click.echo(f"\nThe hub goes on at {stage.issuer} (its log: {stage.log}); Ctrl-C ends it.")
            click.echo(f"Try: curl {stage.issuer}/log/checkpoint")
            with suppress(KeyboardInterrupt):
                signal.pause()
    if not keep and not story.failures:
        shutil.rmtree(folder)
    return 1 if story.failures else 0


def _tell(story: Story, stage: Stage) -> None:
    story.chapter("1. A hub, a community, three members with keys of their own")
    story.say("it is a sandbox: no board decides here, the operator admits members")
    stage.operator("community", "add", COMMUNITY)
    pixel = stage.admit("https://pixel.example", "platform")
    harbor = stage.admit("https://harbor.example", "platform")
    muse = stage.admit("https://muse.example", "model_vendor")
    for member in (pixel, harbor, muse):
        me = member.client.me()
        story.say(
            f"{me.issuer} signs with {member.author.key.public.alg}, may submit {me.signals_per_hour:,} an hour"
        )

    hashed, copies = _pictures(story, stage.folder)
    tokens = _reports(story, stage, pixel, hashed)
    with hearing(muse) as ear:
        _second_member(story, pixel, harbor, hashed, ear)
    _vendor(story, muse, hashed, copies)
    retracted = _change_of_mind(story, pixel, harbor, muse, hashed, tokens)
    _proofs(story, stage, pixel, muse, hashed)
    _expiry(story, stage, muse, hashed, retracted)

    seconds = time.perf_counter() - story.started
    story.chapter("Summary")
    story.say(f"{pixel.client.me().log_size} entries in the log, {seconds:.1f} s from the first to the last")
    story.say(f"{story.checks - len(story.failures)} of {story.checks} expectations met")
    for failure in story.failures:
        story.say(f"not met: {failure}")


def _pictures(story: Story, folder: Path) -> tuple[list[Hashed], list[Hashed]]:
    story.chapter("2. Pictures, hashed where they lie")
    originals, copies = [], []
    for seed in range(PICTURES):
        image = picture(seed)
        originals.append(folder / f"picture-{seed:02}.png")
        image.save(originals[-1])
        if seed < COPIES:
            path = folder / f"copy-{seed:02}.jpg"
            copies.append(copy_of(image, path, quality=60, scale=0.75))
    flat().save(folder / "flat.png")
    begun = time.perf_counter()
    hashed = list(hash_files([*originals, folder / "flat.png"]))
    seconds = time.perf_counter() - begun
    story.say(f"{len(hashed)} invented pictures in {seconds:.1f} s: PDQ with quality, MD5, SHA-1, SHA-256")
    near = list(hash_files(copies))
    distances = [_distance(a, b) for a, b in zip(hashed, near, strict=False)]
    story.expect("copies, resized and recompressed, with the MD5 of their original", _same(hashed, near), 0)
    story.expect("copies within 31 bits of their original's PDQ", sum(d <= 31 for d in distances), COPIES)
    story.say(
        f"largest distance of a copy {max(distances)} bits, of different pictures {_closest(hashed)} at least"
    )
    return hashed, near


def _reports(story: Story, stage: Stage, pixel: Member, hashed: list[Hashed]) -> list[bytes]:
    story.chapter("3. pixel.example reports them in one batch, with four bad lines among them")
    good = [_report(pixel, item) for item in hashed]
    valid = _report(pixel, hashed[0])
    forged = valid[:-8] + (b"AAAAAAAA" if valid[-8:] != b"AAAAAAAA" else b"BBBBBBBB")
    payload = envelope.payload_of(valid)
    corrupt = payload.replace(b'"pdq:', b'"pdq:zz', 1)
    pasted = payload.replace(b"test@1:benign_a", PASTED.encode(), 1)
    bad = [
        forged,
        envelope.sign(corrupt, pixel.author.key),
        envelope.sign(pasted, pixel.author.key),
        b"hello",
    ]
    results = list(pixel.client.submit([*good[:5], *bad, *good[5:], good[0]]))
    receipts = [item for item in results if isinstance(item, Receipt)]
    story.expect("accepted", len({item.seq for item in receipts}), len(hashed))
    story.expect("refused, and why", _codes(results), {
        "signature-invalid": 1, "indicator-invalid": 1, "label-unknown": 1, "envelope-malformed": 1,
    })  # fmt: skip
    story.expect(
        "the same line twice in the batch, entries in the log", [receipts[0].seq, receipts[-1].seq], [0, 0]
    )
    story.expect("quarantined (the picture with nothing on it)", _statuses(receipts[:-1])["quarantined"], 1)
    story.expect(
        "the pasted address anywhere in the hub's database", PASTED.encode() in stage.database_bytes(), False
    )
    story.expect("the pasted address anywhere in the hub's log lines", PASTED in stage.log.read_text(), False)
    again = [item for item in pixel.client.submit(good) if isinstance(item, Receipt)]
    story.expect("a replay of the whole batch gets the first receipts", again == receipts[:-1], True)
    story.expect("entries in the log after the replay", pixel.client.me().log_size, len(hashed))
    return good


def _second_member(story: Story, pixel: Member, harbor: Member, hashed: list[Hashed], ear: Ear) -> None:
    story.chapter("4. harbor.example found six of them on its own, and muse.example is told")
    story.expect("muse.example's endpoint, once it has answered the challenge", ear.state, "active")
    sent = time.monotonic()
    results = list(harbor.client.submit([_report(harbor, item) for item in hashed[:6]]))
    receipts = [item for item in results if isinstance(item, Receipt)]
    story.expect("status after two independent control groups", _statuses(receipts), {"human_confirmed": 6})
    told = ear.wait("indicator.corroborated", 6)
    story.expect("escalations told to muse.example, each signed", len(told), 6)
    story.expect("all of them within five seconds", all(at - sent <= 5 for at, _ in told), True)
    story.say(
        f"the last one {max((at for at, _ in told), default=sent) - sent:.1f} s after the reports were sent"
    )
    story.expect("hashes in them", sum("records" in event.data for _, event in told), 0)
    story.expect("messages missed, by their numbers", sum(event.gap is not None for _, event in ear.heard), 0)
    story.expect("a message by somebody without the key", ear.forged(), "webhook-signature-invalid")
    renewal = list(pixel.client.submit([_report(pixel, hashed[1])]))
    story.expect("pixel.example repeating itself", _codes(renewal), {"renewal-without-evidence": 1})


def _vendor(story: Story, muse: Member, hashed: list[Hashed], copies: list[Hashed]) -> None:
    story.chapter("5. muse.example follows, verifies every signature and commitment, and matches")
    begun = time.perf_counter()
    step = muse.follow()
    seconds = time.perf_counter() - begun
    story.expect("statements verified and stored", step.stored, len(hashed) - 1 + 6)
    story.expect("withheld from it, openly", step.absent, 1)
    story.say(f"{step.stored} statements in {seconds * 1000:.0f} ms")
    hits = _match(muse.mirror, copies)
    story.expect("altered copies recognised", len(hits), COPIES)
    unknown = [Indicator("pdq", bytes(a ^ 0x55 for a in item.pdq or b"")) for item in hashed[:COPIES]]
    story.expect(
        "hits among as many unknown hashes", sum(bool(Matcher(muse.mirror).find([u])) for u in unknown), 0
    )
    story.expect(
        "status of what was matched", _hit_statuses(hits), {"human_confirmed": 6, "candidate": COPIES - 6}
    )
    blind = list(muse.client.submit([_report(muse, hashed[8])]))
    view = muse.client.view(COMMUNITY, hashed[8].media[0])
    kinds = Counter(item.kind for item in view.statements) if view is not None else Counter()
    story.expect(
        "muse.example reporting what the hub had shown it counts as", kinds, {"report": 1, "sighting": 1}
    )
    story.expect(
        "so its status stays",
        _statuses(item for item in blind if isinstance(item, Receipt)),
        {"candidate": 1},
    )
    context = Sighting(detection_context="generation_attempt", count="2-4")
    seen = muse.client.sighting(COMMUNITY, [hashed[2].media[0]], context)
    story.expect("a sighting is recorded, and changes no status", seen.status, "human_confirmed")


def _change_of_mind(
    story: Story, pixel: Member, harbor: Member, muse: Member, hashed: list[Hashed], tokens: list[bytes]
) -> Indicator:
    story.chapter("6. A retraction, and a dispute")
    wrong, disputed = hashed[10].media[0], hashed[11].media[0]
    (receipt,) = pixel.client.submit([tokens[10]])
    pixel.client.retract(COMMUNITY, receipt.statement if isinstance(receipt, Receipt) else "", "error")
    muse.follow()
    story.expect("hits for the retracted picture at muse.example", len(Matcher(muse.mirror).find([wrong])), 0)
    story.expect("the hub's view of it", muse.client.view(COMMUNITY, wrong), None)
    (replay,) = pixel.client.submit([tokens[10]])
    story.expect("replaying the retracted report", _codes([replay]), {"statement-gone": 1})
    reason = Dispute(reason="benign_content", basis="human_reviewed")
    first = muse.client.dispute(COMMUNITY, [disputed], reason)
    second = harbor.client.dispute(COMMUNITY, [disputed], reason)
    story.expect(
        "status after one dispute, and after two", [first.status, second.status], ["candidate", "disputed"]
    )
    muse.follow()
    story.expect("hits for the disputed picture", len(Matcher(muse.mirror).find([disputed])), 0)
    return wrong


def _proofs(story: Story, stage: Stage, pixel: Member, muse: Member, hashed: list[Hashed]) -> None:
    story.chapter("7. Nobody has to take the hub's word")
    view = muse.view()
    story.say(f"checkpoint: {view.size} entries, signed by {view.checkpoint.origin}")
    found = audit_log(view, muse.mirror.store)
    story.expect("entries that lead to its root", found.entries, view.size)
    story.expect(
        "entries of its community that muse.example was given, or openly denied", found.ours, view.size
    )
    story.expect("what does not fit", len(found.failures), 0)
    (sent,) = pixel.client.submit([_report(pixel, hashed[10], "human_reviewed")], wait="proof")
    proof = Proof.decode((sent.proof or "").encode()) if isinstance(sent, Receipt) else None
    memory = LogStore(stage.folder / "stranger")
    policy = parse_policy(stage.policy())
    memory.pin(policy)
    if isinstance(sent, Receipt) and proof is not None:
        size = proof.verify(leaf_hash(sent.entry.encode()), policy, int(time.time())).checkpoint.size
        story.expect("a new report's proof holds, without asking the hub again", size > sent.seq, True)
    copy = stage.folder / "copy-of-the-log"
    shutil.copytree(stage.data / "log", copy)
    stranger = Log(FolderLog(copy), memory, stage.issuer)
    story.expect(
        "what does not fit for a stranger with a copy", len(audit_log(stranger.latest()).failures), 0
    )
    for bundle in (copy / "tile" / "entries").rglob("*/*"):
        bundle.write_bytes(bundle.read_bytes().replace(b'"kind":"report"', b'"kind":"expiry"', 1))
    try:
        audit_log(stranger.latest())
        caught = "nothing"
    except LogUnverified as unverified:
        caught = unverified.code
    story.expect("and what it says once one entry in the copy is changed", caught, "log-entry-mismatch")


def _expiry(story: Story, stage: Stage, muse: Member, hashed: list[Hashed], retracted: Indicator) -> None:
    story.chapter("8. Everything expires")
    kept = hashed[0].media[0]
    later = int(time.time()) + LIFE + 3600
    held = muse.mirror.tally()
    story.say(f"muse.example holds, by status: {_plain(held)}")
    moved = Mirror(muse.mirror.store, muse.mirror.log, clock=lambda: later)
    story.expect(
        "hits after thirty days, before the hub has said a word", len(Matcher(moved).find([kept])), 0
    )
    done = stage.operator("run-job", "signals.expire", "--now", rfc3339(later))
    story.say(f"the hub's job, its clock moved by thirty days, expired {done['done']} statements")
    story.expect("the hub's view of an expired picture", muse.client.view(COMMUNITY, kept), None)
    lines = [line.record for line in muse.client.feed(COMMUNITY)]
    gone = Counter(item.gone for item in lines if hasattr(item, "gone"))
    story.expect("tombstones of retractions in the feed", gone["retracted"], 1)
    story.expect("tombstones of expiry in the feed", gone["expired"], done["done"])
    stage.operator("run-job", "signals.expire", "--now", rfc3339(later + DAY))
    with_values = [value for value in (kept.value, retracted.value) if value in stage.database_bytes()]
    story.expect("expired and retracted values left in the database file", len(with_values), 0)
    view = muse.view()
    kinds = {Entry.decode(raw).kind for _, raw in view.entries(0, view.size - 1)}
    story.expect("the day's expiries are in the log", "expiry" in kinds, True)


def _report(member: Member, item: Hashed, basis: Basis = "human_confirmed") -> bytes:
    media = Media(
        ai_origin="unknown", origin_evidence="none", detection_context="upload", pdq_quality=item.quality
    )
    now = int(time.time())
    event = Report(basis=basis, labels=["test@1:benign_a"], tlp="amber", valid_until=now + LIFE, media=media)
    audience = member.client.audience(COMMUNITY)
    payload = signals.compose(event, item.media, iss=member.issuer, aud=audience, iat=now, jti=new_jti())
    return envelope.sign(payload, member.author.key)


def _match(mirror: Mirror, found: Iterable[Hashed]) -> list[Hit]:
    matcher = Matcher(mirror)
    return [hits[0] for item in found if (hits := matcher.find(item.media))]


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return {"True": "yes", "False": "no", "None": "nothing"}.get(str(value), str(value))


def _codes(results: Iterable[Result]) -> Counter[str]:
    return Counter(item.code for item in results if isinstance(item, Rejection))


def _statuses(receipts: Iterable[Receipt]) -> Counter[str]:
    return Counter(item.status for item in receipts)


def _hit_statuses(hits: Iterable[Hit]) -> Counter[str]:
    return Counter(hit.status for hit in hits)


def _distance(one: Hashed, other: Hashed) -> int:
    return (int.from_bytes(one.pdq or b"") ^ int.from_bytes(other.pdq or b"")).bit_count()


def _closest(hashed: list[Hashed]) -> int:
    real = hashed[:PICTURES]
    return min(_distance(a, b) for at, a in enumerate(real) for b in real[at + 1 :])


def _same(hashed: list[Hashed], copies: list[Hashed]) -> int:
    return sum(a.md5 == b.md5 for a, b in zip(hashed, copies, strict=False))
