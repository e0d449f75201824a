"""The wire as JSON Schema 2020-12: one self-contained document for each thing that travels.

Most of it comes from the models. What a model checks in code is added where JSON Schema can say it: which subject a
kind of signal has, which body goes with which family, that nothing stands twice. schemas/README.md lists the rest.
"""

from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from tocsin_schemas import (
    decisions,
    docket,
    feed,
    governance,
    hub_events,
    indicators,
    notifications,
    signals,
    snapshots,
)
from tocsin_schemas.indicators import FAMILY, Family
from tocsin_schemas.policy import Policy
from tocsin_schemas.published import problem_schema
from tocsin_schemas.vocabulary import ENTRY_KINDS, EVENT_PREFIX, HubKind, SignalKind

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ID_PREFIX: Final = "urn:tocsin:schema:v1:"
FAMILIES: Final[tuple[Family, ...]] = ("media", "account", "artefact")
STATEMENT: Final = f"^{signals.STATEMENT_TYPE}:[0-9a-f]{{64}}$"
ANSWERS: Final[dict[str, tuple[str, Any]]] = {
    "receipt": ("Receipt of a recorded signal", feed.Receipt),
    "dry-run": ("Result of a dry run", feed.DryRun),
    "record": ("Feed record", feed.Record),
    "directory": ("Directory of a community", feed.Directory),
    "indicator-view": ("One indicator in one community", feed.IndicatorView),
    "communities": ("Communities of the caller", list[feed.CommunityView]),
    "me": ("Who the caller is", feed.Me),
    "snapshot": ("Newest snapshot of a type", snapshots.SnapshotView),
    "policy": ("Policy in force", Policy),
    "board": ("Where the board stands", feed.BoardView),
}
"""Name of each answer of a hub, with its title and its type."""
GOVERNANCE: Final[dict[str, tuple[str, Any]]] = {
    "board-record": ("Record of the governance chain", governance.Record),
    "board-published-record": ("Published record of the governance chain", governance.PublishedRecord),
    "board-decision": ("Decision of the board", decisions.Decision),
    "board-ballot": ("Ballot of a seat", decisions.Ballot),
    "board-vote": ("Payload of a ballot signed offline", decisions.Vote),
    "board-seal": ("Published seal of the board's proceedings", docket.Seal),
    "member-act": ("Payload of a member's act", governance.Act),
    "key-proof": ("Payload of a new key's proof", governance.KeyProof),
}
"""The same for the governance chain and what is signed for it."""


class _Plain(GenerateJsonSchema):
    """Without a title on every member: it would only repeat the member's name."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def documents() -> dict[str, dict[str, Any]]:
    """Name to schema; the name is the file's and the last part of the `$id`."""
    found = {"header": _titled("header", "Protected header of a signal", _header())}
    for kind, model in signals.EVENTS.items():
        found[kind] = _titled(kind, f"Event: {kind}", _event(model))
        name = f"claims-{kind}"
        found[name] = _titled(name, f"Claims of a signal: {kind}", _claims(kind))
    for kind in get_args(HubKind):
        name = f"claims-{kind}"
        found[name] = _titled(name, f"Claims of a hub's own event: {kind}", _hub_claims(kind))
    for name, (title, kind_of) in ANSWERS.items():
        found[name] = _titled(name, title, _answer(kind_of))
    for name, (title, kind_of) in GOVERNANCE.items():
        found[name] = _titled(name, title, _answer(kind_of))
    found["notification"] = _titled("notification", "Body of a webhook", _told())
    found["entry"] = _titled("entry", "Log entry", _entry())
    found["problem"] = _titled("problem", "Problem document (RFC 9457)", problem_schema())
    return found


def _titled(name: str, title: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {**schema, "$schema": DIALECT, "$id": ID_PREFIX + name, "title": title}


def _schema(kind_of: Any) -> dict[str, Any]:
    schema: dict[str, Any] = TypeAdapter(kind_of).json_schema(schema_generator=_Plain)
    for part in objects(schema):
        # OpenAPI's word; JSON Schema does not know it.
        part.pop("discriminator", None)
    return schema


def _answer(kind_of: Any) -> dict[str, Any]:
    """What a hub says: a member with a default of its own is always sent."""
    schema = _schema(kind_of)
    for part in objects(schema):
        members = part.get("properties", {})
        sent = [name for name, member in members.items() if "default" in member]
        if sent:
            part["required"] = [*part.get("required", ()), *sent]
    return schema


def _told() -> dict[str, Any]:
    """What travels in a webhook: a member that has nothing to say is left out."""
    schema = _schema(notifications.Notification)
    for part in objects(schema):
        for member in part.get("properties", {}).values():
            if "default" in member and {"type": "null"} in member.get("anyOf", ()):
                (said,) = [way for way in member.pop("anyOf") if way != {"type": "null"}]
                member.update(said)
                del member["default"]
    return schema


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a schema, itself included."""
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from objects(part)


def _event(model: type[BaseModel]) -> dict[str, Any]:
    schema = _schema(model)
    if model is signals.Report:
        _one_body(schema)
    return schema


def _one_body(report: dict[str, Any]) -> None:
    """A report has the body of its indicators' family, and no other; its labels differ."""
    report["oneOf"] = [{"required": [family]} for family in FAMILIES]
    report["properties"]["labels"]["uniqueItems"] = True


def _hub_claims(kind: HubKind) -> dict[str, Any]:
    schema = _schema(hub_events.HubClaims)
    names = {
        "expiry": ("ExpiryEvents", "Expiry"),
        "snapshot": ("SnapshotEvents", "Snapshot"),
        "release": ("ReleaseEvents", "Release"),
    }
    schema["properties"]["events"] = {"$ref": f"#/$defs/{names[kind][0]}"}
    schema["$defs"] = {name: schema["$defs"][name] for name in names[kind]}
    return schema


def _claims(kind: SignalKind) -> dict[str, Any]:
    schema = _schema(signals.Claims)
    definitions = schema["$defs"]
    urn = EVENT_PREFIX + kind
    events = definitions["Events"]
    events["properties"] = {urn: events["properties"][urn]}
    events["required"] = [urn]
    subject = definitions["OpaqueId"]["properties"]["id"]
    if kind == "retraction":
        subject["pattern"] = STATEMENT
        schema["properties"]["sub_id"] = {"$ref": "#/$defs/OpaqueId"}
    else:
        definitions["Aliases"]["properties"]["identifiers"]["uniqueItems"] = True
        subject["pattern"] = f"^({indicators.pattern(*FAMILIES)})$"
        schema["allOf"] = [{"oneOf": [_family(family, kind) for family in FAMILIES]}]
    if kind == "report":
        _one_body(definitions["Report"])
    reachable = set(_references(schema, definitions))
    schema["$defs"] = {name: value for name, value in definitions.items() if name in reachable}
    return schema


def _family(family: Family, kind: SignalKind) -> dict[str, Any]:
    """All indicators are of `family`; a report brings its body."""
    own = {"properties": {"id": {"pattern": f"^({indicators.pattern(family)})$"}}}
    members: dict[str, Any] = {
        "sub_id": {"properties": {**own["properties"], "identifiers": {"items": own}}},
    }
    if kind == "report":
        urn = EVENT_PREFIX + kind
        members["events"] = {"properties": {urn: {"required": [family]}}}
    return {"properties": members}


def _references(schema: Any, definitions: dict[str, Any]) -> Iterator[str]:
    """Names of the definitions that `schema` leads to, leaving `$defs` itself aside."""
    if isinstance(schema, list):
        for item in schema:
            yield from _references(item, definitions)
    elif isinstance(schema, dict):
        for name, value in schema.items():
            if name == "$ref":
                target = value.rpartition("/")[2]
                yield target
                yield from _references(definitions[target], definitions)
            elif name != "$defs":
                yield from _references(value, definitions)


def _header() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "The three members, and no others.",
        "properties": {
            "typ": {"const": "secevent+jwt"},
            "alg": {"enum": ["Ed25519", "EdDSA", "ES256"]},
            "kid": {"type": "string", "pattern": "^[A-Za-z0-9_-]{43}$", "description": "RFC 7638, SHA-256."},
        },
        "required": ["typ", "alg", "kid"],
        "additionalProperties": False,
    }


def _entry() -> dict[str, Any]:
    return {
        "type": "object",
        "description": "One entry of the log, in the canonical form of RFC 8785. It holds no values.",
        "properties": {
            "community": {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"},
            "commitment": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "kind": {"enum": list(ENTRY_KINDS)},
            "recorded_at": _schema(feed.Timestamp),
        },
        "required": ["community", "commitment", "kind", "recorded_at"],
        "additionalProperties": False,
    }


assert set(FAMILIES) == set(FAMILY.values())
