"""The fold: statements about one indicator, and where it stands at an instant."""

from typing import Any, Final

DAY: Final = 86_400
T0: Final = 1795305600
LIFE: Final = 90 * DAY
POLICY: Final = {"corroborating_groups": 2, "corroboration_window": 30 * DAY, "disputing_groups": 2}


def statement(number: int, author: str, kind: str = "report", **members: Any) -> dict[str, Any]:
    """Statement `number` by brand `author`, whose first letter names its control group."""
    found: dict[str, Any] = {
        "id": f"{number:02x}" * 32,
        "kind": kind,
        "author": f"https://{author}.example",
        "group": f"cg_{author[0]}",
        "iat": T0,
        "expires_at": T0 + LIFE,
        "counts": True,
    }
    if kind == "report":
        found["basis"] = "human_reviewed"
    return {**found, **members}


def retraction(number: int, author: str, target: int, **members: Any) -> dict[str, Any]:
    return statement(number, author, "retraction", target=f"{target:02x}" * 32, **members)


def standing(
    status: str, reporters: str, live: tuple[int, ...], disputes: int = 0, **rules: tuple[int, ...]
) -> dict[str, Any]:
    """`rules`: rule (dashes as underscores, without its version) to the numbers of the statements it fired on."""
    return {
        "status": status,
        "reporters": reporters,
        "disputes": disputes,
        "live": [f"{number:02x}" * 32 for number in live],
        "reasons": [
            {"rule": f"{rule.replace('_', '-')}/v1", "statements": [f"{number:02x}" * 32 for number in found]}
            for rule, found in rules.items()
        ],
    }


Case = tuple[str, list[dict[str, Any]], int, dict[str, Any]]


def cases() -> list[Case]:
    return [*_candidates(), *_corroborated(), *_disputes(), *_endings()]


def _candidates() -> list[Case]:
    one = statement(1, "alder")
    machine: dict[str, Any] = {"basis": "classifier"}
    unviewed: dict[str, Any] = {"basis": "hash_match_unviewed"}
    silent: dict[str, Any] = {"counts": False}
    both = (1, 2)
    return [
        ("nothing", [], T0, standing("expired", "0", (), expired=())),
        ("one report", [one], T0, standing("candidate", "1", (1,), reported=(1,))),
        ("the same twice", [one, one], T0, standing("candidate", "1", (1,), reported=(1,))),
        (
            "two reports of one author",
            [one, statement(2, "alder", iat=T0 + DAY)],
            T0 + DAY,
            standing("candidate", "1", both, reported=both),
        ),
        (
            "two brands of one owner are one voice",
            [one, statement(2, "aspen")],
            T0,
            standing("candidate", "1", both, reported=both),
        ),
        (
            "classifiers alone lift nothing",
            [
                statement(n, author, **machine)
                for n, author in enumerate(("alder", "birch", "cedar"), start=1)
            ],
            T0,
            standing("candidate", "3-5", (1, 2, 3), reported=(1, 2, 3)),
        ),
        (
            "matches that nobody viewed lift nothing",
            [statement(1, "alder", **unviewed), statement(2, "birch", **unviewed)],
            T0,
            standing("candidate", "2", both, reported=both),
        ),
        (
            "a person and a classifier",
            [one, statement(2, "birch", **machine)],
            T0,
            standing("candidate", "2", both, reported=both),
        ),
        (
            "two user reports: no trained person among them",
            [statement(1, "alder", basis="user_report"), statement(2, "birch", basis="user_report")],
            T0,
            standing("candidate", "2", both, reported=both),
        ),
        (
            "a sighting is no report",
            [one, statement(2, "birch", "sighting")],
            T0,
            standing("candidate", "1", both, reported=(1,)),
        ),
        (
            "a report that was logged as a sighting is no report",
            [one, statement(2, "birch", "sighting", basis="human_confirmed")],
            T0,
            standing("candidate", "1", both, reported=(1,)),
        ),
        (
            "only quarantined reports",
            [statement(1, "alder", **silent), statement(2, "birch", **silent)],
            T0,
            standing("quarantined", "0", both, quarantined=both),
        ),
        (
            "a quarantined report does not corroborate",
            [one, statement(2, "birch", **silent)],
            T0,
            standing("candidate", "1", both, reported=(1,)),
        ),
    ]


def _corroborated() -> list[Case]:
    one, two = statement(1, "alder"), statement(2, "birch")
    both = (1, 2)
    edge = statement(2, "birch", iat=T0 + 30 * DAY)
    late = statement(2, "birch", iat=T0 + 30 * DAY + 1)
    user: dict[str, Any] = {"basis": "user_report"}
    seven = [statement(n, author) for n, author in enumerate("abcdefg", start=1)]
    numbers = (1, 2, 3, 4, 5, 6, 7)
    return [
        ("two owners", [one, two], T0, standing("corroborated", "2", both, reported=both, corroborated=both)),
        (
            "30 days apart",
            [one, edge],
            edge["iat"],
            standing("corroborated", "2", both, reported=both, corroborated=both),
        ),
        (
            "30 days and a second apart",
            [one, late],
            late["iat"],
            standing("candidate", "2", both, reported=both),
        ),
        (
            "a person and a user report",
            [one, statement(2, "birch", **user)],
            T0,
            standing("corroborated", "2", both, reported=both, corroborated=both),
        ),
        (
            "the person must stand in the same 30 days",
            [one, statement(2, "birch", iat=T0 + 40 * DAY, **user), statement(3, "cedar", iat=T0 + 41 * DAY, **user)],
            T0 + 41 * DAY,
            standing("candidate", "3-5", (1, 2, 3), reported=(1, 2, 3)),
        ),
        (
            "a chain: the middle one agrees with both ends",
            [
                one,
                statement(2, "birch", iat=T0 + 20 * DAY),
                statement(3, "cedar", iat=T0 + 40 * DAY),
            ],
            T0 + 40 * DAY,
            standing("corroborated", "3-5", (1, 2, 3), reported=(1, 2, 3), corroborated=(1, 2, 3)),
        ),
        (
            "an early report outside every window is no part of the agreement",
            [one, statement(2, "birch", iat=T0 + 50 * DAY), statement(3, "cedar", iat=T0 + 51 * DAY)],
            T0 + 51 * DAY,
            standing("corroborated", "3-5", (1, 2, 3), reported=(1, 2, 3), corroborated=(2, 3)),
        ),
        (
            "confirmed by a person",
            [statement(1, "alder", basis="human_confirmed"), two],
            T0,
            standing(
                "human_confirmed", "2", both, reported=both, corroborated=both, human_confirmed=(1,)
            ),
        ),
        (
            "one confirmation alone",
            [statement(1, "alder", basis="human_confirmed")],
            T0,
            standing("candidate", "1", (1,), reported=(1,)),
        ),
        (
            "a confirmation outside the agreement confirms nothing",
            [
                statement(1, "alder", basis="human_confirmed"),
                statement(2, "birch", iat=T0 + 50 * DAY),
                statement(3, "cedar", iat=T0 + 51 * DAY),
            ],
            T0 + 51 * DAY,
            standing("corroborated", "3-5", (1, 2, 3), reported=(1, 2, 3), corroborated=(2, 3)),
        ),
        (
            "seven owners are a band",
            seven,
            T0,
            standing("corroborated", "6+", numbers, reported=numbers, corroborated=numbers),
        ),
    ]  # fmt: skip


def _disputes() -> list[Case]:
    one = statement(1, "alder")
    first, second = statement(8, "birch", "dispute"), statement(9, "cedar", "dispute")
    brand = statement(9, "beech", "dispute")
    agreed = [one, statement(2, "dogwood")]
    return [
        ("one dispute is a flag", [one, first], T0, standing("candidate", "1", (1, 8), 1, reported=(1,))),
        (
            "two brands of one owner are one dispute",
            [one, first, brand],
            T0,
            standing("candidate", "1", (1, 8, 9), 1, reported=(1,)),
        ),
        (
            "two owners dispute it",
            [one, first, second],
            T0,
            standing("disputed", "1", (1, 8, 9), 2, reported=(1,), disputed=(8, 9)),
        ),
        (
            "a dispute outweighs corroboration",
            [*agreed, first, second],
            T0,
            standing("disputed", "2", (1, 2, 8, 9), 2, reported=(1, 2), corroborated=(1, 2), disputed=(8, 9)),
        ),
        (
            "a withdrawn dispute",
            [one, first, second, retraction(10, "cedar", 9)],
            T0,
            standing("candidate", "1", (1, 8), 1, reported=(1,)),
        ),
        (
            "a dispute that does not count",
            [one, first, {**second, "counts": False}],
            T0,
            standing("candidate", "1", (1, 8, 9), 1, reported=(1,)),
        ),
        (
            "nothing left to dispute",
            [first, second],
            T0,
            standing("expired", "0", (8, 9), 2, expired=()),
        ),
        (
            "a quarantined report is not moved to disputed",
            [{**one, "counts": False}, first, second],
            T0,
            standing("quarantined", "0", (1, 8, 9), 2, quarantined=(1,)),
        ),
    ]


def _endings() -> list[Case]:
    one, two = statement(1, "alder"), statement(2, "birch")
    both = (1, 2)
    short = statement(2, "birch", expires_at=T0 + DAY)
    return [
        (
            "a second before expiry",
            [one],
            T0 + LIFE - 1,
            standing("candidate", "1", (1,), reported=(1,)),
        ),
        ("at expiry", [one], T0 + LIFE, standing("expired", "0", (), expired=())),
        (
            "what expired does not corroborate",
            [one, short],
            T0 + DAY,
            standing("candidate", "1", (1,), reported=(1,)),
        ),
        (
            "withdrawn by its author",
            [one, two, retraction(9, "alder", 1)],
            T0,
            standing("candidate", "1", (2,), reported=(2,)),
        ),
        (
            "nobody withdraws another's",
            [one, two, retraction(9, "birch", 1)],
            T0,
            standing("corroborated", "2", both, reported=both, corroborated=both),
        ),
        (
            "nor a brand its sister's",
            [one, retraction(9, "aspen", 1)],
            T0,
            standing("candidate", "1", (1,), reported=(1,)),
        ),
        (
            "the retraction came first",
            [retraction(9, "alder", 1, iat=T0 - DAY), one],
            T0,
            standing("expired", "0", (), expired=()),
        ),
        (
            "a retraction does not expire",
            [retraction(9, "alder", 1, expires_at=T0 + 1), one],
            T0 + DAY,
            standing("expired", "0", (), expired=()),
        ),
        (
            "of a statement that is not there",
            [one, retraction(9, "alder", 7)],
            T0,
            standing("candidate", "1", (1,), reported=(1,)),
        ),
        (
            "a suspended author still withdraws",
            [one, retraction(9, "alder", 1, counts=False)],
            T0,
            standing("expired", "0", (), expired=()),
        ),
        (
            "only a sighting and an outcome are left",
            [statement(3, "alder", "sighting"), statement(4, "birch", "outcome")],
            T0,
            standing("expired", "0", (3, 4), expired=()),
        ),
    ]


def document() -> dict[str, Any]:
    return {
        "says": "Any order and any repetition of `statements` gives `standing` at `now`. Lists of ids are ascending.",
        "policy": POLICY,
        "vectors": [
            {"name": name, "statements": statements, "now": now, "standing": expected}
            for name, statements, now, expected in cases()
        ],
    }
