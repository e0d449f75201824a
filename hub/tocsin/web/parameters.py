"""The parameters of what members ask all day: described in the OpenAPI document, and read from the request at once.

The framework looks at every parameter of a route by itself, which was a sixth of what such a request cost.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

_M = TypeVar("_M", bound=BaseModel)


def read_query(model: type[_M], sent: Mapping[str, str]) -> _M:
    """The parameters of a query, of which the last of a name counts; what has no place in `model` is ignored.

    Raises:
        RequestValidationError: naming the parameter, as the framework's own.
    """
    try:
        return model.model_validate(dict(sent))
    except ValidationError as error:
        found = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from None


def documented(query: type[BaseModel], headers: Mapping[str, str]) -> dict[str, Sequence[Mapping[str, Any]]]:
    """What `openapi_extra` has to say of such a query, and of headers with their descriptions; none is required."""
    properties = query.model_json_schema()["properties"]
    named = {name: {"type": "string", "title": name, "description": said} for name, said in headers.items()}
    return {"parameters": [*_said("query", properties), *_said("header", named)]}


def _said(
    place: Literal["query", "header"], schemas: Mapping[str, Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    return [
        {"name": name, "in": place, "required": False, "schema": schema}
        | ({"description": schema["description"]} if "description" in schema else {})
        for name, schema in schemas.items()
    ]
