"""`tocsin member`: what an organisation does about its own membership, signed with its key."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.board import applying
from tocsin_client.board.acts import Acts
from tocsin_client.cli.console import Console, command
from tocsin_client.cli.log_access import NAME_BOTH
from tocsin_client.cli.rotation import life_option
from tocsin_client.cli.seat import an_id
from tocsin_client.clock import system_clock
from tocsin_client.config import NotReady, load_key
from tocsin_client.http import Transport, base_url
from tocsin_client.submit import Author
from tocsin_schemas.governance import PublishedRecord
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.policy import DAY

_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_FORM: Final = click.Path(path_type=Path, dir_okay=False, exists=True)


def _stranger_options(function: Any) -> Any:
    """Who speaks to whom, for one that cannot log in yet."""
    for option in (
        click.option("--hub", metavar="URL", help="The hub; by default your profile's."),
        click.option("--issuer", metavar="URL", help="Your organisation; by default your profile's."),
        click.option(
            "--key",
            "keys",
            type=_FILE,
            multiple=True,
            help="A private key; by default your profile's, or the only one in your keys folder. Repeatable.",
        ),
        click.option("--ca", type=_FILE, help="The certificate of a private CA that the hub uses."),
    ):
        function = option(function)
    return function


@click.group("member")
def member() -> None:
    r"""Join, stay and leave: your organisation's own acts, each a signature and a record of the board's chain.

    \b
      tocsin member apply FORM     ask to be admitted
      tocsin member prove-keys     once admitted: show that you hold the keys you named
      tocsin member sponsor ID     stand up for another applicant
      tocsin member attest         once a year: what you were admitted on still is so
      tocsin member appeal NUMBER  ask an independent panel to look at a decision
      tocsin member withdraw       leave, after winding down
    """


@command("apply")
@click.argument("form", type=_FORM)
@_stranger_options
def apply(
    console: Console,
    form: Path,
    hub: str | None,
    issuer: str | None,
    keys: tuple[Path, ...],
    ca: Path | None,
) -> None:
    r"""Apply for membership with the answers in FORM, a JSON file; each key signs that you hold it.

    The answer has the application's number and a secret, shown once: with both you follow and complete it.

    \b
    Example:
      tocsin member apply answers.json --hub https://hub.example --issuer https://pixel.example --key member.jwk
    """
    try:
        said = json.loads(form.read_bytes())
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise NotReady("The form is not a JSON object", "See docs/member-guide.md for one to begin with.")
    with _spoken(console, hub, issuer, keys, ca) as (transport, authors):
        answer = applying.apply(transport, authors, said)
    console.result(answer, "\n".join(f"{name:<8} {value}" for name, value in answer.items()))


@command("prove-keys")
@life_option
@_stranger_options
def prove_keys(
    console: Console,
    days: int,
    hub: str | None,
    issuer: str | None,
    keys: tuple[Path, ...],
    ca: Path | None,
) -> None:
    r"""Show that your organisation holds the keys that its admission names: each signs, and holds from now on.

    \b
    Example:
      tocsin member prove-keys --hub https://hub.example --issuer https://pixel.example --key member.jwk
    """
    with _spoken(console, hub, issuer, keys, ca) as (transport, authors):
        for author in authors:
            item = Acts(transport, author).prove_key(days * DAY)
            kid = author.key.public.kid
            _say(console, item, {"kid": kid}, f"{kid} is proved")


@command("attest")
@click.option("--year", type=click.IntRange(2000, 9999), help="By default this one.")
def attest(console: Console, year: int | None) -> None:
    r"""Attest that what your organisation was admitted on still is so.

    \b
    Example:
      tocsin member attest
    """
    chosen = year or datetime.fromtimestamp(system_clock(), UTC).year
    with _spoken(console) as (transport, (author, *_)):
        item = Acts(transport, author).attest(chosen)
    _say(console, item, {"year": chosen}, f"Attested for {chosen}")


@command("sponsor")
@click.argument("application", callback=an_id)
def sponsor(console: Console, application: str) -> None:
    r"""Stand up for an applicant, by its application's id. Two members that are unrelated to it have to.

    \b
    Example:
      tocsin member sponsor APPLICATION
    """
    with _spoken(console) as (transport, (author, *_)):
        standing = applying.sponsor(transport, author, application)
    data = {name: standing.get(name) for name in ("id", "issuer", "state")}
    console.result(
        data, f"{author.issuer} sponsors {data['issuer']}, whose application is in {data['state']}."
    )


@command("appeal")
@click.argument("decision", type=click.IntRange(1))
def appeal(console: Console, decision: int) -> None:
    r"""Appeal a decision about your organisation, by its number. An independent panel hears it.

    A decision can be appealed for 30 days, unless the policy says otherwise.

    \b
    Example:
      tocsin member appeal 12
    """
    with _spoken(console) as (transport, (author, *_)):
        motion = applying.appeal(transport, author, decision).get("motion")
    console.result(
        {"decision": decision, "motion": motion}, f"Decision {decision} is appealed: motion {motion}."
    )


@command("withdraw")
@click.option("--yes", is_flag=True, help="Do not ask.")
def withdraw(console: Console, yes: bool) -> None:
    r"""Leave the hub. When winding down is over, your organisation is out, and what only it has said runs out.

    Winding down takes 30 days, unless the policy says otherwise.

    \b
    Example:
      tocsin member withdraw
    """
    with _spoken(console) as (transport, (author, *_)):
        if not yes:
            click.confirm(f"{author.issuer} leaves {transport.hub}", abort=True, err=True)
        item = Acts(transport, author).withdraw()
    _say(console, item, {"issuer": author.issuer}, f"{author.issuer} is leaving")


@contextmanager
def _spoken(
    console: Console,
    hub: str | None = None,
    issuer: str | None = None,
    keys: tuple[Path, ...] = (),
    ca: Path | None = None,
) -> Iterator[tuple[Transport, list[Author]]]:
    """A connection to the hub, and who speaks: once for each key."""
    profile = console.home.load(NAME_BOTH) if hub is None or issuer is None else None
    address = base_url(hub) if hub is not None else profile.hub if profile is not None else ""
    who = issuer if issuer is not None else profile.issuer if profile is not None else ""
    files = keys or (profile.key if profile is not None else console.home.only_key(),)
    with Transport(address, ca_file=ca or (profile.ca if profile is not None else None)) as transport:
        yield transport, [Author(who, load_key(file)) for file in files]


def _say(console: Console, item: PublishedRecord, data: dict[str, Any], text: str) -> None:
    record = item.record
    console.result(
        data | {"record": record.seq, "log_seq": item.log_seq, "at": rfc3339(record.at)},
        f"{text}: record {record.seq}, entry {item.log_seq} of the log.",
    )


for _command in (apply, prove_keys, sponsor, attest, appeal, withdraw):
    member.add_command(_command)

COMMANDS: Final = (member,)
