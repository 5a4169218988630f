"""JSON Schemas of the configuration's files, for editors."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from config.deployment import Deployment
from config.group import Group
from integrations.catalog import CATALOG

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def deployment_schema() -> dict[str, Any]:
    """Return the JSON Schema of `flatdrop.yaml`."""
    return _schema(Deployment)


def group_schema() -> dict[str, Any]:
    """Return the JSON Schema of a group's file, with the types that the catalog has."""
    schema = _schema(Group)
    schema["$defs"]["EnabledIntegration"]["properties"]["type"]["enum"] = sorted(CATALOG)
    return schema


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": _DIALECT, **model.model_json_schema()}
