"""Results of a submission as JSON, one line each."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from tocsin.signals.service.desk import Recorded
from tocsin.signals.service.submit import Accepted, Result, WouldAccept
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.problems import REGISTRY, Refused, document

_RECEIPT: Final = re.compile(rb'\{"seq":([0-9]+),')


def count(body: bytes) -> int:
    """How many tokens a batch holds."""
    return body.count(b"\n") + (not body.endswith(b"\n"))


def lines(body: bytes) -> list[bytes]:
    """The tokens of a batch: one a line, a newline at the very end being optional."""
    tokens = body.split(b"\n")
    if tokens[-1] == b"":
        tokens.pop()
    return tokens


def ndjson(results: Iterable[Result]) -> bytes:
    """One line a result, in order."""
    return b"".join(line(result) + b"\n" for result in results)


def tally(results: Iterable[Result]) -> dict[str, int]:
    """How many signals came to which end, in the words of the metric `tocsin_signals`."""
    return Counter(map(_end_of, results))


def _end_of(result: Result) -> str:
    if isinstance(result, Refused):
        return result.code
    if isinstance(result, WouldAccept):
        return "dry-run"
    return "again" if result.again else "recorded"


def line(result: Result) -> bytes:
    """A `Receipt`, a `DryRun` (tocsin_schemas.feed) or a problem document, as compact JSON."""
    if isinstance(result, Accepted):
        return _receipt(result.statement)
    if isinstance(result, WouldAccept):
        answer = {
            "dry_run": True,
            "would": result.would,
            "status": result.status,
            "statement": result.digest.hex(),
        }
        return json.dumps(answer, separators=(",", ":")).encode()
    problem = document(result.code, result.field, result.reason) | {"help": REGISTRY[result.code].help}
    return json.dumps(problem, separators=(",", ":")).encode()


def seq_of(answer: bytes) -> int | None:
    """The log index in a line that is a `Receipt`; None for any other."""
    match = _RECEIPT.match(answer)
    return None if match is None else int(match[1])


def with_proof(receipt: bytes, proof: bytes) -> bytes:
    """The line of a `Receipt` with its proof added."""
    return b'%s,"proof":%s}' % (receipt.removesuffix(b"}"), json.dumps(proof.decode()).encode())


def _receipt(statement: Recorded) -> bytes:
    """Written by hand for speed: every part is a number, a date, hexadecimal or a word of ours, save the entry."""
    return (
        b'{"seq":%d,"entry":"%s","recorded_at":"%s","expires_at":"%s","status":"%s",'
        b'"statement":"%s","jws_digest":"%s"}'
    ) % (
        statement.seq,
        statement.entry.encode().replace(b'"', b'\\"'),
        rfc3339(statement.entry.recorded_at).encode(),
        rfc3339(statement.expires_at).encode(),
        statement.status.encode(),
        statement.digest.hex().encode(),
        hashlib.sha256(statement.token).hexdigest().encode(),
    )
