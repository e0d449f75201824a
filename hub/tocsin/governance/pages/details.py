"""What a motion says beside its subject, as people read it: on its own page, and where somebody approves it."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from tocsin.governance.pages import words
from tocsin.governance.service.views import MotionView
from tocsin.web.people import Approval
from tocsin_schemas.ledger import rfc3339

_INSTANTS: Final = frozenset({"until", "noticed_at", "filed_at"})
_EXACT: Final = frozenset({"vetting", "keys", "kid", "terms", "control_group"})
_LABELS: Final = {
    "until": "Until",
    "noticed_at": "Told of the complaint",
    "filed_at": "Appeal filed",
    "member_class": "Class",
    "control_group": "Owner",
    "sponsors": "Sponsors",
    "vetting": "Vetting report (SHA-256)",
    "keys": "Keys",
    "communities": "Communities",
    "community": "Community",
    "read": "May read",
    "write": "May write",
    "kid": "Key",
    "terms": "Terms (SHA-256)",
    "of": "Decision appealed against",
    "list": "List",
    "policy": "New policy",
    "roster": "New roster",
}


def details(params: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """What a decision says beside its subject: each label and value, and whether every letter of it counts."""
    return [
        (_LABELS[name], _value(name, value), name in _EXACT)
        for name, value in params.items()
        if name in _LABELS and value not in (None, [], {})
    ]


def approval(
    title: str,
    back: str,
    view: MotionView,
    changes: Iterable[tuple[str, str, str]],
    *,
    without: Collection[str] = (),
    complainant: str | None = None,
) -> Approval:
    """A motion as what is approved; `changes` are what a new policy or roster changes (`policy.told`).

    `without` names what the hub adds of itself when the motion is made, such as the time of a notice.
    """
    said = {name: value for name, value in view.params.items() if name not in without}
    facts = [("Motion", words.DECISIONS[view.type].title), ("It is about", view.subject)]
    facts += [(label, value) for label, value, _ in details(said)]
    facts += [("Who complained", complainant)] if complainant else []
    for what, before, after in changes:
        facts += [(f"{what}, before", before), (f"{what}, after", after)]
    return Approval(title, view.text, tuple(facts), back)


def _value(name: str, value: Any) -> str:
    if name in _INSTANTS:
        return f"{rfc3339(value)[:16].replace('T', ' ')} UTC"
    if name == "member_class":
        return words.CLASSES[value]
    if name in {"policy", "roster"}:
        return f"version {value['version']}"
    if name == "communities":
        return ", ".join(_grant(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _grant(item: Mapping[str, Any]) -> str:
    rights = [word for word in ("read", "write") if item[word]]
    return f"{item['community']} ({' and '.join(rights) or 'no rights'})"
