"""The OpenAPI document in tests: its schemas as validators, its examples, and a stricter reading of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

Document = dict[str, Any]


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield every operation with its path and its method."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def closed(part: Any) -> Any:
    """Return a document in which no object may have a member that is not told of."""
    if isinstance(part, list):
        return [closed(one) for one in part]
    if not isinstance(part, dict):
        return part
    more = {"additionalProperties": False} if part.get("type") == "object" and "properties" in part else {}
    return {**more, **{name: closed(one) for name, one in part.items()}}


def wrong(document: Document, schema: Document, value: Any) -> list[str]:
    """Return what stands against a value by a schema that is a part of the document."""
    registry: Registry[Any] = Registry().with_resource("urn:api", Resource(document, DRAFT202012))
    formats = Draft202012Validator.FORMAT_CHECKER
    validator = Draft202012Validator(_absolute(schema), registry=registry, format_checker=formats)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def _absolute(part: Any) -> Any:
    if isinstance(part, list):
        return [_absolute(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {name: f"urn:api{one}" if name == "$ref" else _absolute(one) for name, one in part.items()}


def shown(operation: Document) -> Iterator[tuple[str, Document, list[Any]]]:
    """Yield everything of an operation that has a schema: what it is, the schema, and its examples."""
    for one in operation.get("parameters", []):
        yield f"parameter {one['name']}", one["schema"], [one["example"]]
    if "requestBody" in operation:
        yield from _contents("request", operation["requestBody"])
    for status, response in operation["responses"].items():
        yield from _contents(status, response)


def _contents(what: str, of: Document) -> Iterator[tuple[str, Document, list[Any]]]:
    for kind, content in of["content"].items():
        yield f"{what} {kind}", content["schema"], [one["value"] for one in content["examples"].values()]
