"""Which of the members that stand up for an applicant count: fit to sponsor it, and unrelated to each other."""

from collections.abc import Sequence

from tocsin_schemas.board import SPONSORS, BoardState


def fit(state: BoardState, issuer: str, applicant_group: str) -> bool:
    """Whether a member may sponsor an applicant of that control group, as things stand."""
    return any(member.issuer == issuer for member in state.may_sponsor(applicant_group))


def unrelated(state: BoardState, issuer: str, others: Sequence[str]) -> bool:
    """Whether a member is of another control group than every one of the others."""
    groups = {state.members[other].control_group for other in others if other in state.members}
    return state.members[issuer].control_group not in groups


def chosen(state: BoardState, offered: Sequence[str], applicant_group: str) -> tuple[str, ...]:
    """The first two of those offered that count: fit, and unrelated to each other."""
    found: list[str] = []
    for issuer in offered:
        if len(found) < SPONSORS and fit(state, issuer, applicant_group) and unrelated(state, issuer, found):
            found.append(issuer)
    return tuple(found)
