"""Audit at the console: what the chain says and where it stands in the log, a search of both, a check of any proof, and
the export of all records and of what a search finds.

A search is a GET form, so that its address can be kept, and its pages keep it.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final, NamedTuple

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from tocsin.errors import Refused
from tocsin.governance.pages import actors, words
from tocsin.governance.pages.audit_forms import read_entries, read_records
from tocsin.governance.service import history, reading, searching
from tocsin.ledger.service import explore
from tocsin.ledger.service import searching as log_searching
from tocsin.ledger.service.context import Ledger
from tocsin.ledger.service.searching import Wanted as WantedEntries
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


Before = Annotated[int | None, Query(ge=0, le=2**53)]
"""Below which number to go on."""
Reader = Annotated[Person, Depends(person("audit.read"))]
Exporter = Annotated[Person, Depends(person("audit.export"))]


@router.get("")
def audit(request: Request, who: Reader, before: Before = None) -> Response:
    """The newest records that are what is looked for, or those of them below a number."""
    return _shown(request, who, before)


@router.get("/entries")
def entries(request: Request, who: Reader, before: Before = None) -> Response:
    """The newest entries of the published log that are what is looked for, or those of them below a number."""
    read = read_entries(request)
    matches = None
    if not read.wrongs:
        matches = log_searching.search(request.app.state.ledger, read.wanted, SHOWN, before)
    return page(
        request,
        who,
        "governance/audit_entries.html",
        status=400 if read.wrongs else 200,
        form=read,
        matches=matches,
    )


@router.get("/entries.ndjson")
def export_entries(request: Request, _who: Exporter) -> Response:
    """Every entry that is what is looked for, the newest first: its number, and what stands in the log."""
    read = read_entries(request)
    read.demand()
    return _file("entries.ndjson", _entry_lines(request.app.state.ledger, read.wanted))


@router.post("/proof")
def proof(request: Request, who: Reader, sent: Sent) -> Response:
    """Check a C2SP tlog-proof that somebody was given."""
    try:
        return _shown(request, who, proved=_prove(request, sent["proof"]))
    except Refused as error:
        return _shown(request, who, wrong=error)


@router.get("/records.ndjson")
def export(request: Request, _who: Exporter) -> Response:
    """Every record with what opens its log entry, as `tocsin board verify` reads it; of a search, what it finds."""
    read = read_records(request)
    read.demand()
    at = actors.chamber(request)
    found = searching.every(at, read.wanted) if read.active else history.published(at)
    return _file("records.ndjson", b"".join(canonical(one) + b"\n" for one in found))


@router.get("/docket.ndjson")
def export_docket(request: Request, _who: Exporter) -> Response:
    """Every seal of the proceedings, as it is published; none in a hub without a board."""
    at = actors.chamber(request)
    founded = actors.board(request) is not None
    return _file("docket.ndjson", reading.docket(at.chain, at.database) if founded else b"")


def _entry_lines(ledger: Ledger, wanted: WantedEntries) -> Iterator[bytes]:
    found = log_searching.every(ledger, wanted)
    while part := list(islice(found, log_searching.AT_ONCE)):
        yield b"".join(b'{"entry":%b,"seq":%d}\n' % (entry.encode(), number) for number, entry in part)


def _file(name: str, body: bytes | Iterator[bytes]) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    if isinstance(body, bytes):
        return Response(body, media_type=EXPORT_TYPE, headers=headers)
    return StreamingResponse(body, media_type=EXPORT_TYPE, headers=headers)


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
    read = read_records(request)
    matches = None if read.wrongs else searching.search(actors.chamber(request), read.wanted, SHOWN, before)
    advice = None if wrong is None else words.advice(wrong, {"proof": "Proof"})
    status = 400 if read.wrongs else 200
    return page(
        request,
        who,
        "governance/audit.html",
        status=status if advice is None else advice.status,
        state=state,
        form=read,
        entries_form=read_entries(request, blank=True),
        matches=matches,
        proved=proved,
        wrong=advice,
    )
