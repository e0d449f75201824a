"""Label packs are chosen in the policy's form, tried on the last days, and set by a ballot."""

from tests.governance.pages.sitting import ASKED, Room, landed
from tests.governance.pages.test_records import inputs
from tests.support.invariants import unchanged
from tests.support.pages import Reader
from tocsin_schemas.policy import Policy


def test_a_board_with_passkeys_takes_a_label_pack_out_of_force(room: Room) -> None:
    seat = room.people["s1"]
    sent = inputs(seat.read("/console/policy/change"))
    with unchanged(room.hub.database, ASKED):
        same = seat.post("/console/policy/change", **sent)
    assert (same.status_code, "Nothing is changed" in same.text) == (409, True)
    without = {name: value for name, value in sent.items() if name != "pack.test@1"}
    tried = seat.post("/console/policy/simulation", **without)
    chosen = {
        attrs["name"] for tag, attrs in Reader(tried.text).tags if tag == "input" and "checked" in attrs
    }
    assert chosen == {name for name in without if name.startswith("pack.")}
    motion = landed(seat.post("/console/policy/change", **without))
    text = seat.read(motion).text
    assert "Label packs in force" in text
    room.board.carry(motion.rpartition("/")[2])
    assert room.board.state.policy.label_packs == Policy().label_packs - {"test@1"}
