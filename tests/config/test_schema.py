"""The schemas that editors use accept what the program accepts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from config.located import read
from config.schema import deployment_schema, group_schema
from integrations.catalog import CATALOG


def _validate(data: Any, schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(data, schema, jsonschema.Draft202012Validator)


def test_what_the_contract_shows(project: Path) -> None:
    _validate(read(project / "flatdrop.yaml").data, deployment_schema())
    _validate(read(project / "groups" / "acme-se.yaml").data, group_schema())


def test_mistakes_are_seen(project: Path) -> None:
    data = read(project / "groups" / "acme-se.yaml").data
    with pytest.raises(jsonschema.ValidationError, match="nmae"):
        _validate({**data, "nmae": "x"}, group_schema())
    data["integrations"]["newsletter"]["type"] = "carrier_pigeon"
    with pytest.raises(jsonschema.ValidationError, match="carrier_pigeon"):
        _validate(data, group_schema())


@pytest.mark.parametrize("schema", [deployment_schema(), group_schema()])
def test_every_value_is_described(schema: dict[str, Any]) -> None:
    for section in (schema, *schema["$defs"].values()):
        for name, value in section.get("properties", {}).items():
            assert value.get("description"), name


def test_types_are_those_of_the_catalog() -> None:
    assert group_schema()["$defs"]["EnabledIntegration"]["properties"]["type"]["enum"] == sorted(CATALOG)
