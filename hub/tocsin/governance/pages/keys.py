"""Keys at the console: the hub's own, which of members' run out, and all of them with what became of them."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from tocsin.governance.pages import actors
from tocsin.governance.pages.standing import host
from tocsin.governance.service import member_acts
from tocsin.keys import KEYS
from tocsin.web.console import page, person
from tocsin.web.people import Person

router: Final = APIRouter(prefix="/console/keys", include_in_schema=False)

PURPOSES: Final = {
    "token": "Access tokens",
    "events": "What the hub says itself",
    "log": "The log's checkpoints",
    "witness": "Cosignatures for other logs",
    "witness_pq": "The same, after quantum computers",
    "console": "What the console seals for itself",
    "delivery": "Secrets of endpoints",
    "ssf_es": "Streams of security events",
    "ssf_rs": "The same, for receivers that know RSA alone",
}


@router.get("")
def keys(request: Request, who: Annotated[Person, Depends(person("key.read"))]) -> Response:
    """All of them."""
    state = actors.board(request)
    members = [] if state is None else sorted(state.members.values(), key=lambda one: one.issuer)
    return page(
        request,
        who,
        "governance/keys.html",
        governed=state is not None,
        own=[(PURPOSES[name], alg, name) for name, alg in KEYS.items()],
        changed={} if state is None else state.hub_keys,
        reminders=[] if state is None else member_acts.reminders(actors.chamber(request)),
        rows=[(host(one.issuer), one.issuer, kid, key) for one in members for kid, key in one.keys.items()],
    )
