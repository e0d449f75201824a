"""The form for a new roster: one seat changes, everything else stays.

The keys of whoever takes a seat are those they made themselves at the console; nobody types a key here.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, get_args

from fastapi import Request

from tocsin.accounts.rules import check_handle
from tocsin.accounts.service import Accounts, Passkey
from tocsin.errors import Refused
from tocsin.governance.pages import words
from tocsin.governance.pages.motion_forms import Entry, Option, Proposal, day, kept_day
from tocsin.web.console import Form
from tocsin_schemas.board import BoardState
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.roster import MAX_SEATS, Seat
from tocsin_schemas.vocabulary import SeatClass

SUBJECT: Final = "roster"


Passkeys = Callable[[str], Iterable[Passkey]]


def passkeys(request: Request) -> Passkeys:
    """How to find the passkeys of a person by handle."""
    accounts: Accounts = request.app.state.accounts
    return accounts.passkeys


def entries(state: BoardState, sent: Mapping[str, str] | None = None) -> tuple[Entry, ...]:
    """The fields, with what was already chosen."""
    sent = sent or {}
    taken = [seat.seat for seat in (*state.roster.seats, *state.roster.panel)]
    new = [
        next(f"{letter}{n}" for n in range(1, MAX_SEATS + 1) if f"{letter}{n}" not in taken)
        for letter in "sp"
    ]
    seats = [
        *(Option(seat.seat, _said(seat)) for seat in state.roster.seats),
        Option(new[0], f"{new[0]}: a new seat of the board"),
        *(Option(seat.seat, _said(seat)) for seat in state.roster.panel),
        Option(new[1], f"{new[1]}: a new seat of the panel"),
    ]
    held = {seat.issuer for seat in (*state.roster.seats, *state.roster.panel) if seat.issuer is not None}
    issuers = [Option(issuer, issuer) for issuer in sorted(held | state.members.keys())]
    classes = [Option(name, words.SEATS[name]) for name in get_args(SeatClass)]
    expires = kept_day(sent.get("expires", "")) or rfc3339(state.roster.expires_at)[:10]
    return (
        _chosen("seat", "Seat", "", seats, sent),
        Entry(
            "handle", "handle", "Who takes it", "Their handle; empty leaves the seat vacant", required=False
        ),
        _chosen("seat_class", "Class of the seat", "A panel is independent", classes, sent),
        _chosen("issuer", "Sent by", "Nobody sends an independent", issuers, sent, required=False),
        _check("chair", "Takes the chair", sent),
        _check("duty", "Is a duty officer", sent),
        _chosen(
            "relieves",
            "Instead of",
            "There are three duty officers: a new one takes the place of one",
            [Option(seat.seat, _said(seat)) for seat in state.roster.seats if seat.duty],
            sent,
            required=False,
        ),
        Entry(
            "term_ends",
            "date",
            "Term ends",
            "The first day on which the seat is vacant",
            value=kept_day(sent.get("term_ends", "")),
        ),
        Entry(
            "expires",
            "date",
            "The roster expires",
            "Afterwards only a new roster can be decided",
            value=expires,
        ),
    )


def read(state: BoardState, sent: Form, keys_of: Passkeys) -> Proposal:
    """The next roster: the one in force with one seat as the form says.

    Raises:
        Refused: `request-invalid`, `claim-invalid`; `not-found` for somebody without a passkey.
    """
    name, handle, issuer = sent["seat"], sent.get("handle", "").strip() or None, sent.get("issuer") or None
    sent.one_of("seat", [option.value for option in entries(state)[0].options])
    member = None if issuer is None else state.members.get(issuer)
    day(sent["term_ends"], "term_ends")
    seat: dict[str, Any] = {
        "seat": name,
        "seat_class": sent.one_of("seat_class", get_args(SeatClass)),
        "term_ends": sent["term_ends"],
    }
    if handle is not None:
        seat |= {
            "handle": check_handle(handle),
            "chair": "chair" in sent,
            "duty": "duty" in sent,
            "credentials": _credentials(state, handle, keys_of),
        }
        if issuer is not None:
            group = member.control_group if member is not None else _group(state, issuer)
            seat |= {"issuer": issuer, "control_group": group}
    roster = state.roster.model_dump(mode="json", exclude_none=True)
    where = "seats" if name.startswith("s") else "panel"
    seats = [one for one in roster[where] if one["seat"] != name]
    for other in seats:
        # There is one chair, and three are on duty: who takes it over takes it from somebody.
        if seat.get("chair"):
            other["chair"] = False
        if seat.get("duty") and other["seat"] == sent.get("relieves"):
            other["duty"] = False
    roster |= {
        "version": state.roster.version + 1,
        "expires_at": day(sent["expires"], "expires"),
        where: sorted([*seats, seat], key=lambda one: int(one["seat"][1:])),
    }
    return Proposal(SUBJECT, {"roster": roster})


def _credentials(state: BoardState, handle: str, keys_of: Passkeys) -> list[dict[str, Any]]:
    held = state.seat_of(handle)
    kept = [] if held is None else [key for key in held.credentials if key.kind == "ed25519"]
    found = [
        *({"id": key.id, "kind": "webauthn", "jwk": dict(key.jwk)} for key in keys_of(handle)),
        *(key.model_dump(mode="json") for key in kept),
    ]
    if not found:
        raise Refused("not-found", "handle", "nobody of that handle has made a passkey yet")
    return found


def _group(state: BoardState, issuer: str) -> str | None:
    seats = (*state.roster.seats, *state.roster.panel)
    return next((seat.control_group for seat in seats if seat.issuer == issuer), None)


def _said(seat: Seat) -> str:
    holder = seat.handle or "vacant"
    return f"{seat.seat}: {holder}, {words.SEATS[seat.seat_class].lower()}"


def _chosen(
    name: str, label: str, hint: str, options: list[Option], sent: Mapping[str, str], *, required: bool = True
) -> Entry:
    value = sent.get(name, "")
    kept = value if any(option.value == value for option in options) else ""
    return Entry(name, "choice", label, hint, tuple(options), required, kept)


def _check(name: str, label: str, sent: Mapping[str, str]) -> Entry:
    return Entry(name, "check", label, required=False, value="on" if sent.get(name) == "on" else "")
