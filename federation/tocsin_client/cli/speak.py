"""`tocsin report`, `retract`, `dispute`, `sighting` and `outcome`: say one thing."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_args

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.cli.hashes import FILES, hash_all, jobs_option
from tocsin_client.cli.options import report_fields, report_options
from tocsin_client.client import Client
from tocsin_client.hashing import NOTES, Hashed
from tocsin_client.rows import Fields, draft
from tocsin_client.submit import Rejection
from tocsin_schemas import indicators, vocabulary
from tocsin_schemas.feed import DryRun, Receipt
from tocsin_schemas.indicators import Indicator
from tocsin_schemas.policy import Policy
from tocsin_schemas.problems import Refused
from tocsin_schemas.signals import Dispute, Outcome, Sighting

Said = Receipt | DryRun | Rejection | Refused


def show_result(console: Console, name: dict[str, Any], said: Said) -> None:
    """One item's outcome: `name` says which item it is."""
    label = " ".join(str(value) for value in name.values())
    if isinstance(said, Receipt):
        body = {
            "statement": said.statement,
            "seq": said.seq,
            "status": said.status,
            "expires_at": said.expires_at,
        }
        console.result(name | body, f"{label}: {said.status}, entry {said.seq}, statement {said.statement}")
    elif isinstance(said, DryRun):
        body = {"would": said.would, "status": said.status, "statement": said.statement}
        console.result(name | {"dry_run": True} | body, f"{label}: would {said.would}, {said.status}")
    else:
        rejected = said if isinstance(said, Rejection) else Rejection(
            code=said.code, status=0, field=said.field, detail=said.reason
        )  # fmt: skip
        console.refused += 1
        refused = {
            "code": rejected.code,
            "field": rejected.field,
            "detail": rejected.detail,
            "next": rejected.next,
        }
        where = f" {rejected.field}:" if rejected.field else ""
        console.result(
            name | {"refused": refused},
            f"{label}: refused:{where} {rejected.detail or rejected.title}. {rejected.next}",
        )


@command("report")
@click.argument("files", nargs=-1, type=FILES)
@click.option(
    "--indicator",
    "texts",
    multiple=True,
    metavar="TYPE:VALUE",
    help="A hash of the thing; repeat for its other hashes.",
)
@report_options
@community_option
@click.option("--dry-run", is_flag=True, help="Have the hub check everything and store nothing.")
@jobs_option
def report(
    console: Console,
    files: Sequence[Path],
    texts: Sequence[str],
    community: str | None,
    dry_run: bool,
    jobs: int,
    **values: Any,
) -> None:
    r"""Report files (hashed here, never sent), or one thing by its hashes.

    \b
    Examples:
      tocsin report found.jpg --label tc-ics@1:A1 --basis human_confirmed --detection-context upload
      tocsin report --indicator sha256:… --label ncii@1:intimate_image --basis user_report \
          --detection-context hosting --valid-for 365d --dry-run
      tocsin report lora.safetensors --artefact-kind lora --label artefact@1:csae_specialised --basis human_reviewed
    """
    fields = report_fields(values)
    if bool(files) == bool(texts):
        raise click.UsageError("files or --indicator")
    profile = console.home.load()
    with console.client(profile) as client:
        audience = client.audience(community or profile.community)
        if texts:
            token = _sign(client, audience, {**fields, "indicators": " ".join(texts)})
            for result in client.submit([token], dry_run=dry_run):
                show_result(console, {}, result)
            return
        policy = client.policy()
        names: list[str] = []
        tokens = _file_tokens(
            console, client, audience, hash_all(console, files, jobs), fields, policy, names
        )
        for place, result in enumerate(client.submit(tokens, dry_run=dry_run)):
            show_result(console, {"file": names[place]}, result)


def _file_tokens(
    console: Console,
    client: Client,
    audience: str,
    files: Iterator[Hashed],
    fields: Fields,
    policy: Policy,
    names: list[str],
) -> Iterator[bytes]:
    """Sign a report for each file that could be hashed, and put its name on `names`."""
    for hashed in files:
        name = {"file": str(hashed.path)}
        if hashed.note is not None:
            console.note(f"{hashed.path}: {NOTES[hashed.note]}")
        found, own = _file_fields(console, hashed, fields, policy)
        if not found:
            show_result(
                console, name, Refused("request-invalid", "", NOTES[hashed.note or "file-unreadable"])
            )
            continue
        try:
            token = _sign(client, audience, {**fields, **own, "indicators": " ".join(map(str, found))})
        except Refused as refused:
            show_result(console, name, refused)
            continue
        names.append(name["file"])
        yield token


def _file_fields(
    console: Console, hashed: Hashed, fields: Fields, policy: Policy
) -> tuple[list[Indicator], dict[str, str]]:
    """The indicators of a file, and the columns that go with them."""
    if "artefact_kind" in fields:
        return hashed.artefact, {}
    if hashed.quality is None:
        return hashed.media, {}
    if hashed.quality < policy.min_pdq_quality:
        console.note(
            f"{hashed.path}: PDQ quality {hashed.quality} says too little: only exact digests are reported."
        )
        return [item for item in hashed.media if item.type != "pdq"], {}
    return hashed.media, {"pdq_quality": str(hashed.quality)}


def _sign(client: Client, audience: str, fields: Fields) -> bytes:
    made = draft(fields, client.author.clock())
    return client.author.sign(made.report, made.indicators, audience=audience, observed_at=made.observed_at)


@command("retract")
@click.argument("statement")
@click.option(
    "--reason", type=click.Choice(get_args(vocabulary.RetractionReason)), default="error", show_default=True
)
@community_option
def retract(
    console: Console, statement: str, reason: vocabulary.RetractionReason, community: str | None
) -> None:
    """Withdraw one of your own statements, by the id in its receipt (or in `tocsin status INDICATOR`)."""
    profile = console.home.load()
    with console.client(profile) as client:
        show_result(console, {}, client.retract(community or profile.community, statement, reason))


@command("dispute")
@click.argument("indicator")
@click.option("--reason", type=click.Choice(get_args(vocabulary.DisputeReason)), required=True)
@click.option("--basis", type=click.Choice(get_args(vocabulary.Basis)), required=True)
@community_option
def dispute(
    console: Console,
    indicator: str,
    reason: vocabulary.DisputeReason,
    basis: vocabulary.Basis,
    community: str | None,
) -> None:
    r"""Say that a reported indicator is wrong. Two independent disputes take it out of matches.

    \b
    Example:
      tocsin dispute pdq:… --reason false_positive --basis human_confirmed
    """
    profile = console.home.load()
    subject = [indicators.parse(indicator)]
    with console.client(profile) as client:
        event = Dispute(reason=reason, basis=basis)
        show_result(console, {}, client.dispute(community or profile.community, subject, event))


@command("sighting")
@click.argument("indicator")
@click.option("--detection-context", type=click.Choice(get_args(vocabulary.DetectionContext)), required=True)
@click.option("--count", type=click.Choice(get_args(vocabulary.CountBucket)), default="1", show_default=True)
@community_option
def sighting(
    console: Console,
    indicator: str,
    detection_context: vocabulary.DetectionContext,
    count: vocabulary.CountBucket,
    community: str | None,
) -> None:
    r"""Say that you met what somebody reported.

    \b
    Example:
      tocsin sighting md5:… --detection-context upload --count 2-4
    """
    profile = console.home.load()
    subject = [indicators.parse(indicator)]
    with console.client(profile) as client:
        event = Sighting(detection_context=detection_context, count=count)
        show_result(console, {}, client.sighting(community or profile.community, subject, event))


@command("outcome")
@click.argument("indicator")
@click.option("--result", type=click.Choice(get_args(vocabulary.OutcomeResult)), required=True)
@click.option("--decision-mode", type=click.Choice(get_args(vocabulary.DecisionMode)), required=True)
@community_option
def outcome(
    console: Console,
    indicator: str,
    result: vocabulary.OutcomeResult,
    decision_mode: vocabulary.DecisionMode,
    community: str | None,
) -> None:
    r"""Say what you did about an indicator.

    \b
    Example:
      tocsin outcome sha256:… --result actioned --decision-mode human
    """
    profile = console.home.load()
    subject = [indicators.parse(indicator)]
    with console.client(profile) as client:
        event = Outcome(result=result, decision_mode=decision_mode)
        show_result(console, {}, client.outcome(community or profile.community, subject, event))


COMMANDS: Final = (report, retract, dispute, sighting, outcome)
