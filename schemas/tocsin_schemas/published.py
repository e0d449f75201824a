"""What the published JSON Schemas say that the models do not say by themselves.

On the wire a member that has nothing to say is left out; `null` is never sent. The models hold `None` for it, which is
natural in Python, so the null is taken out of their schemas.
"""

from typing import Any, Final

from tocsin_schemas.problems import REGISTRY, TYPE_PREFIX

NULL: Final = {"type": "null"}


def never_null(schema: dict[str, Any]) -> None:
    """Take null, and null as a default, out of the properties of a model's JSON Schema."""
    for member in schema.get("properties", {}).values():
        if NULL in member.get("anyOf", ()):
            (choice,) = (choice for choice in member.pop("anyOf") if choice != NULL)
            member.pop("default", None)
            member.update(choice)


def problem_schema() -> dict[str, Any]:
    """The JSON Schema of a problem document as a hub sends it (RFC 9457, with our extension members)."""
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "Why something was refused. It never repeats what was sent.",
        "properties": {
            "type": {"type": "string", "pattern": f"^{TYPE_PREFIX}[a-z0-9-]+$"},
            "title": text,
            "status": {"enum": sorted({problem.status for problem in REGISTRY.values()})},
            "code": {"enum": sorted(REGISTRY)},
            "field": text | {"description": "Where: a path of member names."},
            "detail": text | {"description": "Why."},
            "help": text | {"description": "What the caller can do next."},
            "instance": {"type": "string", "pattern": "^urn:tocsin:request:"},
        },
        "required": ["type", "title", "status", "code"],
        "additionalProperties": False,
    }
