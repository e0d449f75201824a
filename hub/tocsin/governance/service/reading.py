"""What the board publishes, read from its chain: all of it is public and holds no values."""

from typing import Final

from tocsin.db import Database
from tocsin.governance.rules.watching import watched_until
from tocsin.governance.service import sealing
from tocsin.governance.service.chain import Chain
from tocsin.governance.service.publishing import line
from tocsin.governance.store import records as store
from tocsin.governance.store import seals
from tocsin_schemas.board import BoardState, MemberStanding
from tocsin_schemas.feed import BoardView, MemberStandingView
from tocsin_schemas.ledger import rfc3339
from tocsin_schemas.roster import canonical

REMEMBERED_SECONDS: Final = 10


def genesis(chain: Chain, database: Database) -> bytes:
    """The exact bytes of the first record.

    Raises:
        Refused: `board-absent`.
    """
    with database.snapshot() as uow:
        chain.state(uow)
        return store.kept(uow)[0].raw


def records(chain: Chain, database: Database) -> tuple[bytes, str]:
    """Every record, one `PublishedRecord` a line, and the digest of the last in hexadecimal.

    Raises:
        Refused: `board-absent`.
    """
    with database.snapshot() as uow:
        state = chain.state(uow)
        return b"".join(line(row) for row in store.kept(uow)), state.tip.hex()


def roster(chain: Chain, database: Database) -> bytes:
    """The roster in force, in its canonical form.

    Raises:
        Refused: `board-absent`.
    """
    with database.snapshot() as uow:
        return canonical(chain.state(uow).roster)


def docket(chain: Chain, database: Database) -> bytes:
    """Every seal of the proceedings, one `tocsin_schemas.docket.Seal` a line, in the order of their entries.

    The state of each case's newest seal is that of its rows as they are; or were, up to ten seconds ago: anybody may
    ask for it, so it is made once for all who do.

    Raises:
        Refused: `board-absent`.
    """
    with database.snapshot() as uow:
        chain.state(uow)
        as_of = (seals.last(uow), uow.now // REMEMBERED_SECONDS)
        with chain.listing:
            if chain.listed is None or chain.listed[0] != as_of:
                said = sealing.public(sealing.docket(uow))
                chain.listed = as_of, b"".join(canonical(seal) + b"\n" for seal in said)
            return chain.listed[1]


def view(chain: Chain, database: Database) -> BoardView:
    """Where the board stands, as anybody may know it.

    Raises:
        Refused: `board-absent`.
    """
    with database.snapshot() as uow:
        return board_view(chain.state(uow))


def board_view(state: BoardState) -> BoardView:
    """A state as anybody may know it."""
    return BoardView(
        records=state.size,
        tip=state.tip.hex(),
        genesis=state.genesis.hex(),
        at=rfc3339(state.at),
        roster_version=state.roster.version,
        policy=state.policy,
        communities=sorted(state.communities),
        members=[_standing(member, state.at) for _, member in sorted(state.members.items())],
    )


def _standing(member: MemberStanding, at: int) -> MemberStandingView:
    watched = watched_until(member, at)
    return MemberStandingView(
        issuer=member.issuer,
        member_class=member.member_class,
        control_group=member.control_group,
        state=member.state,
        since=rfc3339(member.since),
        watched_until=None if watched is None else rfc3339(watched),
    )
