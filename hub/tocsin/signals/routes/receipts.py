"""Receipts that prove: one by its log index, or with the answer to a submission that waits for them."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from tocsin.ledger.service import Ledger
from tocsin.ledger.watch import Watch
from tocsin.signals import render
from tocsin.signals.routes.access import Signals
from tocsin.signals.service.context import Context
from tocsin.signals.service.receipts import receipts
from tocsin.web import problems
from tocsin.web.auth import Actor, Demand
from tocsin_schemas.problems import Refused
from tocsin_schemas.tlog_proof import MEDIA_TYPE

router = APIRouter(prefix="/v1", tags=["signals"])

WAIT_SECONDS: Final = 10
"""How long a submission waits for its proof; the log is published every second."""
LINES_AT_ONCE: Final = 128

Member = Annotated[Actor, Depends(Demand("signals:read", "signals:submit"))]


@router.get(
    "/receipts/{seq}",
    summary="The proof of one statement",
    response_class=Response,
    responses={
        200: {"description": "A C2SP tlog-proof.", "content": {"text/plain": {"schema": {"type": "string"}}}},
        **problems.documented("not-found", "not-yet-published"),
    },
)
def receipt(
    request: Request, actor: Member, context: Signals, seq: Annotated[int, Path(ge=0, le=2**53)]
) -> Response:
    """A proof that the entry is in the log, which verifies offline (C2SP tlog-proof).

    Its `extra` is JSON: `entry`, and `r`, which opens the entry's commitment, for the author and for those who read
    the statement in the feed, as long as it lives. A second after a submission at the latest, it can be had.
    """
    (proof,) = receipts(context, request.app.state.ledger, actor.org_id, [seq])
    return Response(proof, media_type=MEDIA_TYPE)


async def with_proofs(
    request: Request, context: Context, actor: Actor, answers: Sequence[bytes]
) -> Iterator[bytes] | None:
    """The lines of an answer with the proof of each receipt among them, as soon as a checkpoint covers all of them.

    None when none does in time. Nobody's thread or connection is held meanwhile.
    """
    seqs = [seq for seq in map(render.seq_of, answers) if seq is not None]
    if not seqs:
        return iter(answers)
    watch: Watch = request.app.state.watch
    if not await watch.published(max(seqs), WAIT_SECONDS):
        return None
    ledger: Ledger = request.app.state.ledger
    proofs = await run_in_threadpool(receipts, context, ledger, actor.org_id, seqs)
    return _proved(answers, proofs)


def _proved(answers: Sequence[bytes], proofs: Iterator[bytes]) -> Iterator[bytes]:
    broken = False
    for line in answers:
        proof = None
        if not broken and render.seq_of(line) is not None:
            try:
                proof = next(proofs)
            except Refused:
                # It is recorded, and says so: receipts are not withheld for want of a tile.
                broken = True
        yield line if proof is None else render.with_proof(line, proof)


def streamed(lines: Iterator[bytes], media_type: str, headers: dict[str, str]) -> Response:
    """An answer of many lines, made while it is sent."""

    def parts() -> Iterator[bytes]:
        while part := list(islice(lines, LINES_AT_ONCE)):
            yield b"\n".join(part) + b"\n"

    return StreamingResponse(parts(), media_type=media_type, headers=headers)
