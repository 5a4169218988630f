"""Operations: one method of one path, and the parts that it is told in."""

from __future__ import annotations

from typing import Any

from api.openapi.answers import Responses
from api.openapi.schemas import Schema, ref

Operation = dict[str, Any]


def operation(name: str, tag: str, summary: str, described: str, answers: Responses, **more: Any) -> Operation:
    """Return an operation; it is signed unless `more` says otherwise."""
    own = {"operationId": name, "tags": [tag], "summary": summary, "description": described}
    return {**own, **more, "responses": answers}


def unsigned(name: str, summary: str, described: str, answers: Responses) -> Operation:
    """Return an operation of the service itself, which anybody may ask for."""
    return operation(name, "service", summary, described, answers, security=[])


def parameter(place: str, name: str, schema: Schema, described: str, example: Any, **more: Any) -> dict[str, Any]:
    """Return a parameter; it is required in a path, and elsewhere if `more` says so."""
    told = {"name": name, "in": place, "description": described, "required": place == "path", "schema": schema}
    return {**told, **more, "example": example}


def body(schema: str, example: Any) -> dict[str, Any]:
    """Return a request body, a document of a named schema."""
    content = {"schema": ref(schema), "examples": {"one": {"value": example}}}
    return {"required": True, "content": {"application/json": content}}


def link(to: str, parameter: str, member: str) -> dict[str, Any]:
    """Return a response's link: an operation that takes a member of its document as a parameter."""
    return {"links": {to: {"operationId": to, "parameters": {parameter: f"$response.body#/{member}"}}}}
