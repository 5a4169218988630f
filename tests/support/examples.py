"""A plain reading of what an `Item` and a mapping of names and constants mean, to hold the fast one against."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from integrations.integration import Connection, Integration, Sent
from integrations.request import Request, build

CLEAR = "#N/A"
NOTHING: Mapping[str, Any] = {}


def items(
    integration: Integration,
    records: Sequence[Mapping[str, Any]],
    mapping: Mapping[str, str],
    called: Mapping[str, str | int] = NOTHING,
) -> list[Any]:
    return [_item(integration, _mapped(integration, record, mapping), called) for record in records]


def example(integration: Integration) -> list[Any]:
    one = integration.example
    return items(integration, one.records, one.mapping, one.names)


def sent(integration: Integration, built: Sequence[Any]) -> Sent:
    return Sent(len(built), identities(integration, built))


def identities(integration: Integration, built: Sequence[Any]) -> list[str]:
    return [identity(integration, item).lower() for item in built] if integration.identity else []


def identity(integration: Integration, item: Any) -> str:
    fields = item[integration.item.under] if integration.item.under else item
    places = [(name, place) for name, place in ((n, n.split(".")) for n in integration.identity)]
    return next(str(found) for _, place in places if (found := _at(fields, place)) is not None)


def a_record(
    integration: Integration,
    address: str = "asa@example.com",
    *,
    called: Mapping[str, str | int] = NOTHING,
    **more: Any,
) -> Any:
    """Return the item of a record that has little but its identity."""
    name = integration.identity[0] if integration.identity else "email"
    required = {one.name: "text" for one in integration.fields if one.required}
    mapping = {it: it for it in (*required, *more, name)}
    (built,) = items(integration, [{**required, **more, name: address}], mapping, called)
    return built


def _at(fields: Any, place: Sequence[str]) -> Any:
    for part in place:
        fields = fields.get(part) if isinstance(fields, dict) else None
    return fields


def request(
    integration: Integration, built: Sequence[Any], connection: Connection | None = None, shared: Any = None
) -> Request:
    items, common = text(built).encode(), json.dumps(shared).encode()
    return build(integration, connection or sample(integration), items, "chunk-1", 1_700_000_000, shared=common)


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
            fields[name] = _written(integration, name, value)
    return fields


def _written(integration: Integration, name: str, value: Any) -> Any:
    shape = integration.item
    if name in shape.wrapped:
        return [{shape.wrapped[name]: one} for one in value]
    text_only = shape.text_only or name.partition(".")[0] in shape.pairs
    if isinstance(value, list) and shape.list_separator is not None and text_only:
        return shape.list_ends + shape.list_separator.join(map(str, value)) + shape.list_ends
    if text_only and not isinstance(value, list):
        return json.dumps(value) if isinstance(value, bool) else str(value)
    return value


def _item(integration: Integration, fields: dict[str, Any], called: Mapping[str, str | int]) -> dict[str, Any]:
    shape = integration.item
    item: dict[str, Any] = {}
    for place, constant in shape.always.items():
        _put(item, place.split("."), constant)
    for place, name in shape.also.items():
        _put(item, place.split("."), fields[name])
    fields.pop(integration.shared or "", None)
    for name, value in fields.items():
        first, _, rest = name.partition(".")
        if first in shape.pairs:
            key, under = shape.pairs[first]
            item.setdefault(first, []).append({key: called.get(name, rest), under: value})
            continue
        *outer, last = [*filter(None, [shape.under]), *name.split(".")]
        _put(item, [*outer, called.get(name, last)], value)
    return item


def _put(item: dict[str, Any], place: Sequence[Any], value: Any) -> None:
    *outer, last = place
    for part in outer:
        item = item.setdefault(part, {})
    item[last] = value
