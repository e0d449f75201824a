"""What the published JSON Schemas say that the models do not say by themselves.

On the wire a member that has nothing to say is left out; `null` is never sent. The models hold `None` for it, which is
natural in Python, so the null is taken out of their schemas.
"""

from typing import Any, Final

NULL: Final = {"type": "null"}


def never_null(schema: dict[str, Any]) -> None:
    """Take null, and null as a default, out of the properties of a model's JSON Schema."""
    for member in schema.get("properties", {}).values():
        if NULL in member.get("anyOf", ()):
            (choice,) = (choice for choice in member.pop("anyOf") if choice != NULL)
            member.pop("default", None)
            member.update(choice)
