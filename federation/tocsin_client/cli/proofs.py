"""`tocsin log prove` and `tocsin log check`: proofs and evidence that travel."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from tocsin_client.cli.console import Console, command, community_option
from tocsin_client.cli.log_access import age_of_copy, believed, hub_option, offline_option, opened
from tocsin_client.clock import system_clock
from tocsin_client.config import NotReady
from tocsin_client.evidence import FINDING, judge
from tocsin_client.log import LogUnverified
from tocsin_schemas import merkle
from tocsin_schemas.ledger import Entry, opens, rfc3339
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_policy import LogPolicy
from tocsin_schemas.tlog_proof import Proof

_FILE: Final = click.Path(path_type=Path, dir_okay=False, exists=True)
_EITHER: Final = click.Path(path_type=Path, exists=True)


@command("prove")
@click.argument("seq", type=click.IntRange(0))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the proof to this file."
)
@click.option(
    "--open", "opening", is_flag=True,
    help="Add the random number from your mirror, so that who has the signed signal can see that it is this entry.",
)  # fmt: skip
@offline_option
@hub_option
@community_option
def prove(
    console: Console,
    seq: int,
    out: Path | None,
    opening: bool,
    offline: str | None,
    hub: str | None,
    community: str | None,
) -> None:
    r"""Prove to somebody else that entry SEQ is in the log (a C2SP tlog-proof, which needs no network to check).

    \b
    Examples:
      tocsin log prove 812 -o 812.tlog-proof
      tocsin log check 812.tlog-proof
    """
    with opened(console, hub, offline) as found:
        view = found.latest(at_least=seq + 1)
        proof = view.proof(seq)
        ((_, entry),) = view.entries(seq, seq)
        extra = {"entry": entry.decode()}
    if (age := age_of_copy(view)) is not None:
        console.note(age)
    if opening:
        extra["r"] = _nonce(console, seq, community).hex()
    said = json.dumps(extra, sort_keys=True, separators=(",", ":")).encode()
    text = replace(proof, extra=said).encode()
    if out is not None:
        out.write_bytes(text)
        console.note(f"The proof of entry {seq} is in {out}. Check it: tocsin log check {out}")
    data = {"seq": seq, "size": view.size, "file": None if out is None else str(out)}
    if out is None or console.as_json:
        console.result(data | {"proof": text.decode()}, text.decode().rstrip("\n"))


def _nonce(console: Console, seq: int, community: str | None) -> bytes:
    profile = console.home.load()
    with console.mirror(profile, community or profile.community) as mirror:
        nonce = mirror.store.nonce(seq)
    if nonce is None:
        raise NotReady("Your mirror holds no such record", "Leave --open out, or run `tocsin follow` first.")
    return nonce


@command("check")
@click.argument("path", type=_EITHER)
@click.option(
    "--signal", type=_FILE, help="A signed signal: is this entry its record? Needs a proof made with --open."
)
@click.option("--policy", type=_FILE, help="Believe this tlog-policy instead of the pinned one.")
@hub_option
def check(console: Console, path: Path, signal: Path | None, policy: Path | None, hub: str | None) -> None:
    r"""Check a proof (a file), or evidence against a log (a folder), without any network.

    \b
    Examples:
      tocsin log check 812.tlog-proof
      tocsin log check 812.tlog-proof --policy their-hub.policy
      tocsin log check 812.tlog-proof --signal report.jws
    """
    whom = believed(console, policy, hub)
    try:
        if path.is_dir():
            _check_evidence(console, path, whom)
        else:
            _check_proof(console, path, signal, whom)
    except Refused as refused:
        raise LogUnverified(refused.code, refused.reason) from None


def _check_evidence(console: Console, folder: Path, policy: LogPolicy) -> None:
    if not (folder / FINDING).exists():
        raise NotReady(
            "That folder holds no evidence", "Name a folder that `tocsin log monitor` told you of."
        )
    code = judge(folder, policy)
    proves = {
        "log-forked": "The log signed two checkpoints that cannot both be true: it has shown different people"
        " different logs.",
        "log-rolled-back": "The log signed both checkpoints. Which was shown first cannot be proved; if it was the"
        " larger one, entries have been taken back.",
    }
    console.result({"evidence": code}, f"{code}: {proves[code]}")


def _check_proof(console: Console, path: Path, signal: Path | None, policy: LogPolicy) -> None:
    proof = Proof.decode(path.read_bytes())
    extra = _extra(proof)
    raw = extra.get("entry", "").encode()
    entry = Entry.decode(raw)
    shown = proof.verify(merkle.leaf_hash(raw), policy, system_clock())
    data: dict[str, Any] = {
        "seq": proof.index,
        "community": entry.community,
        "kind": entry.kind,
        "recorded_at": rfc3339(entry.recorded_at),
        "origin": shown.checkpoint.origin,
        "size": shown.checkpoint.size,
        "cosigned": [{"name": item.name, "at": rfc3339(item.time)} for item in shown.cosignatures],
    }
    origin, when = shown.checkpoint.origin, data["recorded_at"]
    lines = [f"Entry {proof.index} is in {origin}: a {entry.kind} in {entry.community}, recorded {when}."]
    lines += [f"  cosigned by {item['name']} at {item['at']}" for item in data["cosigned"]]
    if signal is not None:
        nonce = bytes.fromhex(extra.get("r", ""))
        if not nonce:
            raise Refused("proof-malformed", "proof.extra", "the proof was made without --open")
        if not opens(entry.commitment, nonce, signal.read_bytes().strip()):
            raise Refused("commitment-mismatch", "proof.extra", "the entry is not the record of that signal")
        data["signal"] = "recorded"
        lines.append("It is the record of that signal.")
    console.result(data, "\n".join(lines))


def _extra(proof: Proof) -> dict[str, str]:
    """What a proof says about its entry. Nothing of it is believed before it has been hashed."""
    try:
        said = json.loads(proof.extra or b"")
    except ValueError:
        said = None
    if not isinstance(said, dict) or not isinstance(said.get("entry"), str):
        raise Refused("proof-malformed", "proof.extra", "does not say which entry it is for")
    nonce = said.get("r", "")
    if not isinstance(nonce, str) or len(nonce) not in {0, 64} or not set(nonce) <= set("0123456789abcdef"):
        raise Refused("proof-malformed", "proof.extra", "its random number is not 32 bytes in hexadecimal")
    return {"entry": said["entry"], "r": nonce}
