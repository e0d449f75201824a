"""What is moved against a member, as its people see it: at home, and on the page of their organisation."""

from collections.abc import Collection
from typing import Any

from fastapi import Request

from tocsin.governance.pages import actors, words
from tocsin.governance.service.against import against
from tocsin_schemas.board import BoardState


def told(request: Request, state: BoardState | None, issuers: Collection[str]) -> dict[str, Any]:
    """What the template `governance/against.html` shows of the motions against these members."""
    found = [] if state is None else against(actors.chamber(request), issuers)
    return {
        "against": found,
        "appeal_within": None if state is None else state.policy.appeal,
        "discussed_for": None if state is None else state.policy.discussion,
        "AGAINST": words.AGAINST,
        "DECISIONS": words.DECISIONS,
        "MOTIONS": words.MOTIONS,
        "RULES": words.RULES,
    }
