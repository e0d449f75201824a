"""Audit at the console: what the chain says and where it stands in the log, a check of any proof, and the export."""

from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.service import history, reading
from tocsin.ledger.service import explore
from tocsin.web.console import Sent, page, person
from tocsin.web.people import Person
from tocsin_schemas.checkpoint import Checkpoint
from tocsin_schemas.roster import canonical
from tocsin_schemas.tlog_proof import Proof

router: Final = APIRouter(prefix="/console/audit", include_in_schema=False)

SHOWN: Final = 50
EXPORT_TYPE: Final = "application/x-ndjson"


class Proved(NamedTuple):
    """What a proof shows: the entry, and the checkpoint with how many cosignatures."""

    number: int
    kind: str
    checkpoint: Checkpoint
    cosignatures: int


@router.get("")
def audit(
    request: Request,
    who: Annotated[Person, Depends(person("audit.read"))],
    before: Annotated[int | None, Query(ge=0, le=2**53)] = None,
) -> Response:
    """The newest records, or those below a number."""
    return _shown(request, who, before)


@router.post("/proof")
def proof(request: Request, who: Annotated[Person, Depends(person("audit.read"))], sent: Sent) -> Response:
    """Check a C2SP tlog-proof that somebody was given."""
    try:
        return _shown(request, who, proved=_prove(request, sent["proof"]))
    except Refused as error:
        return _shown(request, who, wrong=error)


@router.get("/records.ndjson")
def export(request: Request, _who: Annotated[Person, Depends(person("audit.export"))]) -> Response:
    """Every record with what opens its log entry, as `tocsin board verify` reads it."""
    lines = [canonical(one) + b"\n" for one in history.published(actors.chamber(request))]
    return _file("records.ndjson", b"".join(lines))


@router.get("/docket.ndjson")
def export_docket(request: Request, _who: Annotated[Person, Depends(person("audit.export"))]) -> Response:
    """Every seal of the proceedings, as it is published; none in a hub without a board."""
    at = actors.chamber(request)
    founded = actors.board(request) is not None
    return _file("docket.ndjson", reading.docket(at.chain, at.database) if founded else b"")


def _file(name: str, body: bytes) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=EXPORT_TYPE, headers=headers)


def _prove(request: Request, text: str) -> Proved:
    ledger: Any = request.app.state.ledger
    # Browsers send a line's end as two characters; a proof has one.
    found = Proof.decode(text.replace("\r\n", "\n").encode())
    entry = explore.find(ledger, found.index)
    opened = found.verify(entry.leaf_hash, ledger.witnesses.policy, actors.now(request))
    return Proved(found.index, entry.entry.kind, opened.checkpoint, len(opened.cosignatures))


def _shown(
    request: Request,
    who: Person,
    before: int | None = None,
    *,
    proved: Proved | None = None,
    wrong: Refused | None = None,
) -> Response:
    state = actors.board(request)
    changes = history.recent(actors.chamber(request), SHOWN, before)
    advice = None if wrong is None else words.advice(wrong, {"proof": "Proof"})
    return page(
        request,
        who,
        "governance/audit.html",
        status=200 if advice is None else advice.status,
        state=state,
        changes=changes,
        older=changes[-1].seq if changes and changes[-1].seq > 0 else None,
        proved=proved,
        wrong=advice,
    )
