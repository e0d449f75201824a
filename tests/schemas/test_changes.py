"""What a new policy or roster changes: every difference, and every key whole."""

from tests.support.officers import officer, panel, roster, seats
from tocsin_schemas.changes import Change, changes, policy_changes
from tocsin_schemas.decisions import Plain, SetPolicy, SetRoster
from tocsin_schemas.policy import Policy


def test_the_values_of_a_policy_that_differ() -> None:
    before = Policy()
    after = before.model_copy(
        update={"version": 2, "quorum": 4, "agreements": frozenset({"iwf"}), "label_packs": frozenset()}
    )
    found = changes(before, roster(seats(3)), SetPolicy(policy=after))
    assert found == policy_changes(before, after)
    assert [change.name for change in found] == ["version", "agreements", "label_packs", "quorum"]
    assert found[1::2] == (Change("agreements", "none", "iwf"), Change("quorum", "3", "4"))
    assert found[2].after == "none"
    assert policy_changes(before, before) == ()


def test_the_seats_of_a_roster_that_differ() -> None:
    before = [*seats(5), *panel(1)]
    vacant = before[1].seat.model_copy(
        update={"handle": None, "issuer": None, "control_group": None, "credentials": []}
    )
    after = roster(before, version=2, expires_at=2_000_000_000)
    rekeyed = before[0].seat.model_copy(update={"credentials": officer("s1", "platform").seat.credentials})
    after = after.model_copy(
        update={"seats": [rekeyed, vacant, *after.seats[2:], officer("s6", "independent").seat], "panel": []}
    )
    found = {change.name: change for change in changes(Policy(), roster(before), SetRoster(roster=after))}
    assert list(found) == ["version", "expires_at", "s1", "s2", "p1", "s6"]
    assert found["expires_at"].after == "2033-05-18T03:33:20Z"
    old, new = before[0].seat.credentials[0], rekeyed.credentials[0]
    assert str(found["s1"].before).endswith(f"keys {old.jwk['kid']} (kept offline)")
    assert str(found["s1"].after).endswith(f"keys {new.jwk['kid']} (kept offline)")
    sent = f"sent by https://seat-s1.example (owner {before[0].seat.control_group})"
    assert f"platform on duty, handle-s1 until 2036-01-01, {sent}" in str(found["s1"].after)
    assert found["s2"].after == "platform, vacant"
    assert str(found["s2"].before).endswith("(passkey)")
    assert (found["p1"].after, found["s6"].before) == (None, None)


def test_an_owner_or_a_sender_that_differs() -> None:
    before = roster(seats(3))
    for changed in (
        {"control_group": "cg_" + "b" * 16},
        {"issuer": "https://other.example"},
        {"chair": True},
    ):
        after = before.model_copy(
            update={"seats": [before.seats[0].model_copy(update=changed), *before.seats[1:]]}
        )
        assert [one.name for one in changes(Policy(), before, SetRoster(roster=after))] == ["s1"], changed


def test_other_decisions_change_neither() -> None:
    assert changes(Policy(), roster(seats(3)), Plain()) == ()
