"""The form for a new roster: one seat changes, everything else stays.

Whoever stays keeps the keys that the roster names, whatever passkeys their account has come to have since. Another
key signs only once it was chosen here, by the thumbprint that its owner reads out; nobody types a key.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple, get_args

from fastapi import Request

from tocsin.accounts.rules import HANDLE, check_handle
from tocsin.accounts.service import Accounts, Passkey
from tocsin.errors import Refused
from tocsin.governance.pages import words
from tocsin.governance.pages.fields import Entry, Option, day, kept
from tocsin.governance.pages.motion_forms import Proposal
from tocsin.web.console import Form
from tocsin_schemas.board import BoardState
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.roster import MAX_SEATS, Seat
from tocsin_schemas.vocabulary import SeatClass

SUBJECT: Final = "roster"
KEY: Final = "key-"
"""What the field of a key is called, before its thumbprint."""
REKEY: Final = "rekey"
Passkeys = Callable[[str], Iterable[Passkey]]


def passkeys(request: Request) -> Passkeys:
    """How to find the passkeys of a person by handle."""
    accounts: Accounts = request.app.state.accounts
    return accounts.passkeys


def entries(
    state: BoardState, sent: Mapping[str, str] | None = None, keys_of: Passkeys | None = None
) -> tuple[Entry, ...]:
    """The fields, with what was already chosen; with the keys to choose from once it is known who takes the seat."""
    sent = sent or {}
    keys = () if keys_of is None else tuple(_keys(state, sent, keys_of))
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
    expires = "" if sent else rfc3339(state.roster.expires_at)[:10]
    handle = sent.get("handle", "").strip()
    found = (
        Entry("seat", "choice", "Seat", "", tuple(seats)),
        Entry(
            "handle",
            "handle",
            "Who takes it",
            "Their handle; empty leaves the seat vacant",
            required=False,
        ),
        Entry("seat_class", "choice", "Class of the seat", "A panel is independent", tuple(classes)),
        Entry("issuer", "choice", "Sent by", "Nobody sends an independent", tuple(issuers), required=False),
        _check(
            REKEY,
            "Other keys than the roster names",
            "You choose them next. Whoever is new to the roster is always asked about",
        ),
        _check("chair", "Takes the chair"),
        _check("duty", "Is a duty officer"),
        Entry(
            "relieves",
            "choice",
            "Instead of",
            "There are three duty officers: a new one takes the place of one",
            tuple(Option(seat.seat, _said(seat)) for seat in state.roster.seats if seat.duty),
            required=False,
        ),
        Entry("term_ends", "date", "Term ends", "The first day on which the seat is vacant"),
        Entry(
            "expires",
            "date",
            "The roster expires",
            "Afterwards only a new roster can be decided",
            value=expires,
        ),
    )
    if not sent:
        return found
    # A handle comes back once it is somebody's.
    known = keys or (HANDLE.fullmatch(handle) and state.seat_of(handle) is not None)
    shown = {**sent, "handle": handle if known else ""}
    return (*(kept(entry, shown) for entry in found), *keys)


def read(state: BoardState, sent: Form, keys_of: Passkeys) -> Proposal:
    """The next roster: the one in force with one seat as the form says.

    Raises:
        Refused: `claim-invalid`; `not-found` for somebody without a passkey; `request-invalid`, also until the keys of
            somebody new are chosen.
    """
    name, handle, issuer = sent["seat"], sent.get("handle", "").strip() or None, sent.get("issuer") or None
    for entry in entries(state):
        if entry.kind == "check":
            sent.ticked(entry.name)
        elif entry.kind == "choice" and (entry.required or sent.get(entry.name)):
            sent.one_of(entry.name, [option.value for option in entry.options])
    for box in sent:
        if box.startswith(KEY):
            sent.ticked(box)
    member = None if issuer is None else state.members.get(issuer)
    day(sent["term_ends"], "term_ends")
    seat: dict[str, Any] = {
        "seat": name,
        "seat_class": sent.one_of("seat_class", get_args(SeatClass)),
        "term_ends": sent["term_ends"],
    }
    if handle is None and _picked(sent):
        raise Refused("request-invalid", "handle", "say whose the keys are that you have chosen")
    if handle is not None:
        seat |= {
            "handle": check_handle(handle),
            "chair": sent.ticked("chair"),
            "duty": sent.ticked("duty"),
            "credentials": _credentials(state, sent, handle, keys_of),
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


class Offered(NamedTuple):
    """A key that can be chosen; `known`: the roster names it for its owner."""

    credential: dict[str, Any]
    said: str
    known: bool


def _credentials(state: BoardState, sent: Form, handle: str, keys_of: Passkeys) -> list[dict[str, Any]]:
    held = state.seat_of(handle)
    picked = _picked(sent)
    if held is not None and REKEY not in sent and not picked:
        return [key.model_dump(mode="json") for key in held.credentials]
    offered = _offered(state, handle, keys_of)
    if not offered:
        raise Refused("not-found", "handle", "nobody of that handle has made a passkey yet")
    if not picked:
        raise Refused(
            "request-invalid", "keys", "choose them below, by the thumbprints that their owner reads to you"
        )
    if picked - offered.keys():
        raise Refused("claim-invalid", "keys", "not a key of whoever takes the seat; choose again")
    return [offered[kid].credential for kid in offered if kid in picked]


def _keys(state: BoardState, sent: Mapping[str, str], keys_of: Passkeys) -> Iterator[Entry]:
    """The keys to choose from: of somebody new, or where other keys were asked for."""
    handle, picked = sent.get("handle", "").strip(), _picked(sent)
    if not HANDLE.fullmatch(handle) or (
        state.seat_of(handle) is not None and not picked and REKEY not in sent
    ):
        return
    for kid, key in _offered(state, handle, keys_of).items():
        ticked = kid in picked if picked else key.known
        yield Entry(KEY + kid, "key", kid, key.said, required=False, value="on" if ticked else "")


def _offered(state: BoardState, handle: str, keys_of: Passkeys) -> dict[str, Offered]:
    """Thumbprint to key: those that the roster names for somebody, then the passkeys of their account.

    One that may have been copied is none of them.
    """
    held = state.seat_of(handle)
    try:
        made = list(keys_of(handle))
    except Refused:
        made = []  # somebody with a key kept offline and no account
    dead = {key.id for key in made if key.cloned}
    found = {}
    for known in [] if held is None else held.credentials:
        said = "in the roster, kept offline" if known.kind == "ed25519" else "in the roster"
        found[known.jwk["kid"]] = Offered(known.model_dump(mode="json"), said, known=True)
    for key in made:
        new = {"id": key.id, "kind": "webauthn", "jwk": dict(key.jwk)}
        said = f"new, made {rfc3339(key.created_at)[:10]}"
        found.setdefault(key.jwk["kid"], Offered(new, said, known=False))
    return {kid: key for kid, key in found.items() if key.credential["id"] not in dead}


def _picked(sent: Mapping[str, str]) -> frozenset[str]:
    return frozenset(name.removeprefix(KEY) for name in sent if name.startswith(KEY))


def _group(state: BoardState, issuer: str) -> str | None:
    seats = (*state.roster.seats, *state.roster.panel)
    return next((seat.control_group for seat in seats if seat.issuer == issuer), None)


def _said(seat: Seat) -> str:
    holder = seat.handle or "vacant"
    return f"{seat.seat}: {holder}, {words.SEATS[seat.seat_class].lower()}"


def _check(name: str, label: str, hint: str = "") -> Entry:
    return Entry(name, "check", label, hint, required=False)
