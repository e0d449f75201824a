"""Founding the board: seats are named, the people who sit there make their passkeys, the first record is written.

What is gathered has no power, and may be gathered anew as often as anything is wrong, until the first record is there.
From then on only decisions change who sits on the board.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tocsin.accounts.service import Accounts, Link
from tocsin.db import Database, UnitOfWork
from tocsin.errors import Misconfigured, Refused
from tocsin.governance.rules.founding import Founding, check_founding, first_roster, read_founding
from tocsin.governance.service.chain import Chain
from tocsin.governance.store import records as store
from tocsin.web.people import relying_party
from tocsin_schemas.governance import Genesis, Record
from tocsin_schemas.roster import Credential, canonical
from tocsin_schemas.tally import PANEL_LEAST


@dataclass(frozen=True, slots=True)
class Gathering:
    """A board that is being founded: handle to how many passkeys, or None where the key is kept offline."""

    founding: Founding
    passkeys: Mapping[str, int | None]

    @property
    def waiting(self) -> tuple[str, ...]:
        """Whose passkey is missing."""
        return tuple(handle for handle, held in self.passkeys.items() if held == 0)

    @property
    def has_panel(self) -> bool:
        """Whether enough are named to sit on a panel that can decide by itself."""
        return len(self.founding.panel) >= PANEL_LEAST


def begin(chain: Chain, database: Database, accounts: Accounts, raw: bytes) -> list[Link]:
    """Name the seats, in place of those named before; a link to enrol for everybody who has no passkey yet.

    Raises:
        Refused: `roster-invalid`; `board-absent` in a sandbox; `conflict` when there is a board.
        Misconfigured: when the hub's address is none that a passkey can be bound to.
    """
    founding = read_founding(raw)
    _demand_name(chain, founding)
    with database.transaction() as uow:
        _demand_unfounded(chain, uow)
        check_founding(founding, chain.issuer, uow.now)
        store.set_founding(uow, canonical(founding))
        return [
            accounts.invite_in(uow, seat.handle)
            for seat in founding.everyone()
            if seat.key is None and not _credentials(accounts, uow, seat.handle)
        ]


def gathering(chain: Chain, database: Database, accounts: Accounts) -> Gathering | None:
    """How far it is; None where no seats were named, or the board is founded."""
    with database.snapshot() as uow:
        document = store.founding(uow)
        if document is None or chain.sandbox or chain.founded(uow):
            return None
        return _gathering(accounts, uow, Founding.model_validate_json(document))


def found(chain: Chain, database: Database, accounts: Accounts) -> Record:
    """Write the first record, with the seats that were named and the passkeys of those who hold them.

    Raises:
        Refused: `board-absent` in a sandbox; `conflict` when there is a board, no seats were named, or somebody has no
            passkey yet; as `Chain.found`.
    """
    with database.transaction() as uow:
        _demand_unfounded(chain, uow)
        document = store.founding(uow)
        if document is None:
            raise Refused("conflict", "board", "no seats are named yet")
        founding = Founding.model_validate_json(document)
        waiting = _gathering(accounts, uow, founding).waiting
        if waiting:
            raise Refused("conflict", "board", f"no passkey yet: {', '.join(waiting)}")
        passkeys = {
            seat.handle: _credentials(accounts, uow, seat.handle)
            for seat in founding.everyone()
            if seat.key is None
        }
        roster = first_roster(founding, chain.issuer, passkeys, uow.now)
        return chain.found(uow, Genesis(roster=roster, policy=founding.policy))


def _gathering(accounts: Accounts, uow: UnitOfWork, founding: Founding) -> Gathering:
    return Gathering(
        founding,
        {
            seat.handle: None if seat.key is not None else len(_credentials(accounts, uow, seat.handle))
            for seat in founding.everyone()
        },
    )


def _credentials(accounts: Accounts, uow: UnitOfWork, handle: str) -> list[Credential]:
    try:
        held = accounts.passkeys_in(uow, handle)
    except Refused:
        return []  # nobody of that handle has ever been invited
    return [
        Credential(id=passkey.id, kind="webauthn", jwk=passkey.jwk) for passkey in held if not passkey.cloned
    ]


def _demand_unfounded(chain: Chain, uow: UnitOfWork) -> None:
    if chain.sandbox:
        raise Refused("board-absent", "", "a sandbox has no board")
    if chain.founded(uow):
        raise Refused("conflict", "board", "is founded already")


def _demand_name(chain: Chain, founding: Founding) -> None:
    passkeys = any(seat.key is None for seat in founding.everyone())
    party = relying_party(chain.issuer)
    if passkeys and party.origin != chain.issuer:
        raise Misconfigured(
            "passkeys are bound to a name, and the hub's address is a number",
            f"set TOCSIN_ISSUER to {party.origin}, before anything is signed for this hub",
        )
