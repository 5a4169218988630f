"""A plain reading of what an `Item` and a mapping of names and constants mean, to hold the fast one against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.integration import Connection, Integration, Sent
from integrations.request import Request, build

CLEAR = "#N/A"


def items(integration: Integration, records: Sequence[Mapping[str, Any]], mapping: Mapping[str, str]) -> list[Any]:
    return [_item(integration, _mapped(integration, record, mapping)) for record in records]


def sent(integration: Integration, built: Sequence[Any]) -> Sent:
    return Sent(len(built), identities(integration, built))


def identities(integration: Integration, built: Sequence[Any]) -> list[str]:
    if integration.identity is None:
        return []
    fields = [item[integration.item.under] if integration.item.under else item for item in built]
    return [field[integration.identity].lower() for field in fields]


def request(integration: Integration, built: Sequence[Any], connection: Connection | None = None) -> Request:
    return build(
        integration, connection or sample(integration), text(built).encode(), key="chunk-1", timestamp=1_700_000_000
    )


def sample(integration: Integration, **settings: Any) -> Connection:
    return Connection({**integration.sample.settings, **settings}, integration.sample.credentials)


def text(built: Sequence[Any]) -> str:
    return ",".join(json.dumps(item, ensure_ascii=False) for item in built)


def _mapped(integration: Integration, record: Mapping[str, Any], mapping: Mapping[str, str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, expression in mapping.items():
        value = expression.strip("'") if expression.startswith("'") else record.get(expression)
        if value is None:
            continue
        if value == CLEAR:
            known = integration.field(name)
            assert known is not None
            assert known.clear is not None
            fields[name] = json.loads(known.clear)
        else:
            fields[name] = _written(integration, value)
    return fields


def _written(integration: Integration, value: Any) -> Any:
    shape = integration.item
    if isinstance(value, list) and shape.list_separator is not None:
        return shape.list_separator.join(map(str, value))
    if shape.text_only:
        return json.dumps(value) if isinstance(value, bool) else str(value)
    return value


def _item(integration: Integration, fields: Mapping[str, Any]) -> dict[str, Any]:
    shape = integration.item
    item: dict[str, Any] = dict(shape.always)
    for place, name in shape.also.items():
        item[place] = fields[name]
    for name, value in fields.items():
        _put(item, f"{shape.under}.{name}" if shape.under else name, value)
    return item


def _put(item: dict[str, Any], place: str, value: Any) -> None:
    *outer, last = place.split(".")
    for part in outer:
        item = item.setdefault(part, {})
    item[last] = value
