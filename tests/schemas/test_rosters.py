"""Who may sit on a board: what a roster must be, and that each thing that is wrong with one is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from tests.schemas.boards import HUB, NEVER, Hall, group
from tests.support.authenticator import Authenticator
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused
from tocsin_schemas.roster import Credential, Roster, Seat, canonical, check_roster
from tocsin_schemas.tally import Voter

HALL = Hall(panel=1)
ROSTER = HALL.roster()
OTHER = SigningKey.generate()


def with_seat(number: int, **changes: Any) -> dict[str, Any]:
    seats = list(ROSTER.seats)
    seats[number - 1] = seats[number - 1].model_copy(update=changes)
    return {"seats": seats}


def with_panel(**changes: Any) -> dict[str, Any]:
    return {"panel": [ROSTER.panel[0].model_copy(update=changes)]}


def only(*numbers: int) -> dict[str, Any]:
    """Everybody else's seat is vacant."""
    empty: dict[str, Any] = {
        "handle": None,
        "issuer": None,
        "control_group": None,
        "credentials": [],
        "chair": False,
        "duty": False,
    }
    return {
        "seats": [
            seat if number in numbers else seat.model_copy(update=empty)
            for number, seat in enumerate(ROSTER.seats, 1)
        ]
    }


def credential(**changes: Any) -> Credential:
    key = OTHER.public
    fields: dict[str, Any] = {"id": key.kid, "kind": "ed25519", "jwk": key.jwk()}
    return Credential.model_validate(fields | changes)


EMPTY: dict[str, Any] = {"handle": None, "issuer": None, "control_group": None, "credentials": []}
WRONG: dict[str, dict[str, Any]] = {
    "two of three seated": only(1, 2),
    "no chair": with_seat(1, chair=False),
    "two chairs": with_seat(2, chair=True),
    "a vacant chair": with_seat(1, **EMPTY) | with_seat(1, **EMPTY, chair=True, duty=False),
    "no independent": with_seat(1, **EMPTY)
    | {
        "seats": [
            seat
            if seat.seat_class != "independent"
            else seat.model_copy(update={**EMPTY, "chair": False, "duty": False})
            for seat in [
                s.model_copy(update={"chair": s.seat == "s2", "duty": s.seat in {"s2", "s3", "s4"}})
                for s in ROSTER.seats
            ]
        ]
    },
    "two on duty": with_seat(3, duty=False),
    "four on duty": with_seat(4, duty=True),
    "duty of a panel member": {**with_seat(3, duty=False), **with_panel(duty=True)},
    "a panel that is sent": with_panel(seat_class="vendor"),
    "a chair on the panel": {**with_seat(1, chair=False), **with_panel(chair=True)},
    "a panel's name on the board": with_seat(4, seat="p4"),
    "a board's name on the panel": with_panel(seat="s9"),
    "a seat twice": with_seat(4, seat="s5"),
    "a person twice": with_seat(4, handle="person-s5"),
    "a person on board and panel": with_panel(handle="person-s5"),
    "a group twice": with_seat(2, control_group=ROSTER.seats[2].control_group),
    "a credential twice": with_seat(4, credentials=ROSTER.seats[4].credentials),
    "a key twice": with_seat(
        4,
        credentials=[
            ROSTER.seats[4].credentials[0].model_copy(update={"kind": "webauthn", "id": "A" * 43}),
        ],
    ),
    "a person without a key": with_seat(4, credentials=[]),
    "a key without a person": with_seat(4, handle=None),
    "a vacant seat of an organisation": with_seat(4, handle=None, credentials=[]),
    "an organisation without a group": with_seat(4, control_group=None),
    "a group without an organisation": with_seat(4, issuer=None),
    "an independent that is sent": with_seat(5, issuer="https://x.example", control_group=group("x")),
    "a platform that nobody sends": with_seat(4, issuer=None, control_group=None),
    "a day that is none": with_seat(4, term_ends="2026-02-30"),
    "another domain": {"rp_id": "other.example"},
    "a domain that only ends alike": {"rp_id": "ub.example"},
}


@pytest.mark.parametrize("changes", WRONG.values(), ids=WRONG)
def test_a_roster_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        check_roster(ROSTER.model_copy(update=changes))
    assert refused.value.code == "roster-invalid"
    assert refused.value.field.startswith("roster.")


RIGHT: dict[str, dict[str, Any]] = {
    "as it is": {},
    "two seats vacant": with_seat(4, **EMPTY) | {},
    "three seats": only(1, 2, 3),
    "a domain above": {"rp_id": "example"},
    "no panel": {"panel": []},
    "on loopback": {"origin": "http://localhost:8000", "rp_id": "localhost"},
    "two keys for one seat": with_seat(4, credentials=[*ROSTER.seats[3].credentials, credential()]),
}


@pytest.mark.parametrize("changes", RIGHT.values(), ids=RIGHT)
def test_a_roster_that_can_be_is_taken(changes: dict[str, Any]) -> None:
    check_roster(ROSTER.model_copy(update=changes))


@pytest.mark.parametrize(
    "make",
    [
        lambda: credential(id="A" * 43),
        lambda: credential(jwk=OTHER.public.jwk() | {"use": "sig"}),
        lambda: credential(jwk={k: v for k, v in OTHER.public.jwk().items() if k != "kid"}),
        lambda: credential(jwk=OTHER.jwk()),
        lambda: Credential(
            id=(key := SigningKey.generate("ES256").public).kid, kind="ed25519", jwk=key.jwk()
        ),
    ],
)
def test_a_credential_is_exactly_a_public_key(make: Callable[[], Credential]) -> None:
    with pytest.raises(Refused) as refused:
        make().public()
    assert refused.value.code == "claim-invalid"


def test_a_passkey_is_named_by_its_authenticator() -> None:
    passkey = Authenticator()
    found = Credential(id=passkey.id, kind="webauthn", jwk=passkey.jwk).public()
    assert (found.alg, found.kid != passkey.id) == ("ES256", True)


def test_a_term_ends_with_the_day_before() -> None:
    seat = ROSTER.seats[0].model_copy(update={"term_ends": "2026-12-01"})
    assert not seat.term_over(1796083199)
    assert seat.term_over(1796083200)


def test_a_seat_is_found_by_its_name_on_board_and_panel() -> None:
    assert ROSTER.seat("s5") is ROSTER.seats[4]
    assert ROSTER.seat("p1") is ROSTER.panel[0]
    assert ROSTER.seat("s9") is None
    assert ROSTER.seats[1].voter() == Voter("s2", "platform", ROSTER.seats[1].control_group)


@pytest.mark.parametrize(
    "fields",
    [
        {"handle": "Ada Lovelace"},
        {"handle": "a"},
        {"seat": "s0"},
        {"seat": "s100"},
        {"seat": "t1"},
        {"issuer": "https://x.example/path"},
        {"control_group": "cg_owner"},
        {"term_ends": "next year"},
        {"name": "Ada"},
    ],
)
def test_a_seat_takes_no_text(fields: dict[str, Any]) -> None:
    said = {"seat": "s1", "seat_class": "independent", "handle": "ada", "term_ends": NEVER}
    Seat.model_validate(said)
    with pytest.raises(ValidationError):
        Seat.model_validate(said | fields)


def test_the_canonical_form_reads_back_to_itself() -> None:
    raw = canonical(ROSTER)
    assert raw.isascii()
    assert b" " not in raw
    assert b"null" not in raw
    assert Roster.model_validate_json(raw) == ROSTER
    assert canonical(Roster.model_validate_json(raw)) == raw
    assert ROSTER.origin == HUB
