"""JSON bodies of routes that read them by themselves: strictly, and refused without a word of what they held."""

from typing import Any, Final, TypeVar

from pydantic import ValidationError

from tocsin.errors import Refused
from tocsin_schemas.signals import Closed

JSON: Final = "application/json"
JWT: Final = "application/jwt"
Model = TypeVar("Model", bound=Closed)


def parsed(model: type[Model], content: bytes) -> Model:
    """A JSON body as its model.

    Raises:
        Refused: `request-invalid` with the first field that does not fit, and never what it held.
    """
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        # An unknown member's name is the caller's own word: leave it out.
        path = first["loc"][:-1] if first["type"] == "extra_forbidden" else first["loc"]
        known = [part for part in path if part in model.model_fields or isinstance(part, int)]
        field = ".".join(str(part) for part in known)
        raise Refused("request-invalid", field, f"not acceptable here ({first['type']})") from None


def bodies(model: type[Closed] | None = None, *, jwt: str | None = None) -> dict[str, Any]:
    """The request body of a route that reads it by itself, for OpenAPI: JSON of a model, or a compact JWS."""
    content: dict[str, Any] = {}
    if model is not None:
        content[JSON] = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}
    if jwt is not None:
        content[JWT] = {"schema": {"type": "string", "description": jwt}}
    return {"requestBody": {"required": True, "content": content}}
