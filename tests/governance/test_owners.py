"""Who holds a seat of the board is admitted under the owner of that seat, on a hub, through the proceedings."""

import pytest
from sqlalchemy import text

from tests.support.board import VETTERS, form, governed
from tests.support.clock import MovableClock
from tests.support.officers import seats
from tocsin.config import Settings
from tocsin.governance.service import applications, motions
from tocsin.members.rules import control_group_id
from tocsin_schemas.jwk import SigningKey
from tocsin_schemas.problems import Refused


def test_an_admission_under_another_owner_is_refused_when_it_is_proposed(
    settings: Settings, clock: MovableClock
) -> None:
    officers = seats(5)
    own = control_group_id("https://owner.example")
    first = officers[0].seat
    officers[0] = type(officers[0])(
        first.model_copy(update={"issuer": "https://sent.example", "control_group": own}), officers[0].key
    )
    with governed(settings, clock, officers) as board:
        board.enact("community.open", "child-safety")
        other = board.apply("sent", SigningKey.generate(), owner="https://other.example")
        board.vet(other)
        before = board.state
        for ask in (motions.rehearse_admission, motions.propose_admission):
            with pytest.raises(Refused) as caught:
                ask(board.chamber, board.seated("s2"), other)
            assert (caught.value.code, caught.value.field) == ("owner-mismatch", "params.control_group")
        assert board.state == before
        assert applications.application(board.chamber, other, VETTERS[0]).state == "vetting"
        with board.hub.database.snapshot() as uow:
            assert uow.conn.execute(text("SELECT count(*) FROM motion")).scalar() == 0
        right = applications.apply(
            board.chamber,
            form(board.hub, "sent", SigningKey.generate(), owner="https://owner.example"),
            submit=True,
        ).id
        board.vet(right)
        motion = motions.propose_admission(board.chamber, board.seated("s2"), right)
        # The seat of that organisation has no vote on it.
        assert motions.motion(board.chamber, motion).recusals == (("s1", "control_group"),)
