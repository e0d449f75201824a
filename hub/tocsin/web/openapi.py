"""The hub's OpenAPI document: what the framework derives from the routes, made true where it says something else.

The framework does not see bodies that are ready bytes, it describes refusals that this hub never sends, and it knows
nothing of the tokens that `tocsin.web.auth` asks for.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from tocsin_schemas.problems import MEDIA_TYPE
from tocsin_schemas.published import never_null, problem_schema
from tocsin_schemas.vocabulary import SCOPES

REFERENCE: Final = "#/components/schemas/"
PROTECTED: Final = ("/v1/", "/ssf/")
OPEN: Final = ("/v1/applications", "/v1/board/", "/v1/members/acts", "/ssf/jwks.json")
"""What needs no access token, though it lies there: what is sent is signed by itself, or opened by a secret."""
PROBLEM: Final = {"content": {MEDIA_TYPE: {"schema": {"$ref": f"{REFERENCE}Problem"}}}}
_NOT_OURS: Final = ("HTTPValidationError", "ValidationError")


class Documented(FastAPI):
    """An application whose OpenAPI document is complete; `models` stand in bodies the framework does not see."""

    def __init__(self, *, models: Sequence[type[BaseModel]], token_url: str, **settings: Any) -> None:
        super().__init__(**settings)
        self._models = models
        self._token_url = token_url

    def openapi(self) -> dict[str, Any]:
        """The document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = self._complete(super().openapi())
        return self.openapi_schema

    def _complete(self, document: dict[str, Any]) -> dict[str, Any]:
        components = document.setdefault("components", {})
        schemas = components.setdefault("schemas", {})
        for model in self._models:
            made = model.model_json_schema(ref_template=REFERENCE + "{model}")
            schemas |= made.pop("$defs", {})
            schemas[model.__name__] = made
        schemas["Problem"] = problem_schema()
        for name in _NOT_OURS:
            schemas.pop(name, None)
        components["securitySchemes"] = {
            "token": {
                "type": "oauth2",
                "description": "Client credentials with private_key_jwt; the access token is sent as Bearer.",
                "flows": {
                    "clientCredentials": {"tokenUrl": self._token_url, "scopes": dict.fromkeys(SCOPES, "")}
                },
            }
        }
        for path, operation in _operations(document):
            if path.startswith(PROTECTED) and not path.startswith(OPEN):
                operation["security"] = [{"token": []}]
            _say_refusals(operation["responses"])
            never_null({"properties": {p["name"]: p["schema"] for p in operation.get("parameters", ())}})
        return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            yield path, operation


def _say_refusals(responses: dict[str, Any]) -> None:
    """Every refusal is a problem document; a request that does not fit the interface is answered with 400."""
    if "HTTPValidationError" in str(responses.get("422", "")):
        del responses["422"]
        responses["400"] = {
            "description": "`request-invalid`: The request does not fit the interface"
        } | PROBLEM
    for response in responses.values():
        if MEDIA_TYPE in response.get("content", ()):
            response.update(PROBLEM)
    responses["default"] = {"description": "Refused; `code` says why."} | PROBLEM
