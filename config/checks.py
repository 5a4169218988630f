"""What can only be checked against the catalog and the group's attributes: names, references, expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from config.errors import BadValueError, Problem
from config.group import EnabledIntegration
from config.located import Place, Source
from config.references import parse
from integrations import settings
from integrations.catalog import CATALOG
from integrations.integration import Integration, Setting
from mappers.attribute import Attribute
from mappers.expression import Expression, MappingError, compile_expression
from mappers.nearest import nearest

_TEXT = {"text", "integer", "number", "boolean", "date", "datetime"}
_TAKES = {
    "text": _TEXT,  # whatever is written as text
    "number": {"integer", "number"},
    "integer": {"integer", "number"},
    "boolean": {"boolean"},
    "date": {"date", "datetime", "text"},
    "datetime": {"date", "datetime", "text"},
    "list": {"list"},
    "any": {*_TEXT, "list"},
}
"""For each type of field the kinds of expression that can fill it."""


def check(
    integrations: Mapping[str, EnabledIntegration],
    attributes: Mapping[str, Attribute] | None,
    *,
    closed: bool,
    source: Source,
) -> Iterator[Problem]:
    """Yield what is wrong with the integrations of a group; None for attributes leaves expressions unchecked."""
    yield from _names(attributes or {}, integrations, source)
    for name, enabled in integrations.items():
        place = ("integrations", name)
        integration = CATALOG.get(enabled.type)
        if attributes is not None:
            compiled = partial(compile_expression, attributes=attributes, closed=closed)
            yield from _expressions(enabled, integration, attributes, compiled, source=source, place=place)
        if integration is None:
            hint = nearest(enabled.type, CATALOG)
            yield source.problem((*place, "type"), f"`{enabled.type}` is not in the catalog", hint)
            yield from _literals(enabled, source, place)
            continue
        yield from _credentials(enabled, integration, source, place)
        yield from _settings(enabled, integration, source, place)
        yield from _fields(enabled, integration, source, place)


def _names(
    attributes: Mapping[str, Attribute], integrations: Mapping[str, EnabledIntegration], source: Source
) -> Iterator[Problem]:
    for name in attributes:
        if not name or name.startswith("_") or not _is_name(name):
            reason = "an attribute's name must not be empty, begin with `_`, or be a pattern (`*`, `^…$`)"
            yield source.problem(("attributes", name), reason)
    for name in integrations:
        if not name or not name.isprintable() or name != name.strip() or "," in name:
            reason = "an integration's name must not be empty, hold commas, or begin or end with space"
            yield source.problem(("integrations", name), reason)


def _is_name(name: str) -> bool:
    """Say whether polars takes a name for itself, and not for a pattern of names."""
    return "\0" not in name and name != "*" and not (name.startswith("^") and name.endswith("$"))


def _literals(enabled: EnabledIntegration, source: Source, place: Place) -> Iterator[Problem]:
    for name, reference in enabled.credentials.items():
        try:
            parse(reference)
        except BadValueError as mistake:
            yield source.problem((*place, "credentials", name), mistake.reason)


def _credentials(
    enabled: EnabledIntegration, integration: Integration, source: Source, place: Place
) -> Iterator[Problem]:
    here = (*place, "credentials")
    known = {setting.name: setting for setting in integration.credentials}
    yield from _literals(enabled, source, place)
    for name in enabled.credentials.keys() - known:
        yield source.problem((*here, name), f"{integration.name} has no such credential", nearest(name, known))
    yield from _missing(known, enabled.credentials, source, here)


def _settings(enabled: EnabledIntegration, integration: Integration, source: Source, place: Place) -> Iterator[Problem]:
    here = (*place, "settings")
    known = settings.known(integration)
    secrets = {setting.name for setting in integration.credentials}
    wrong = False
    for name, value in enabled.settings.items():
        if name in secrets:
            yield source.problem((*here, name), "is a credential: it belongs under `credentials`, as a reference")
        elif name not in known:
            yield source.problem((*here, name), f"{integration.name} has no such setting", nearest(name, known))
        elif reason := settings.problem(known[name], value):
            wrong = True
            yield source.problem((*here, name), reason)
    yield from _missing(known, enabled.settings, source, here)
    if not wrong:
        try:
            settings.limits(integration, enabled.settings)
        except ValueError as error:
            yield source.problem((*here, "batch_size"), str(error))


def _missing(
    known: Mapping[str, Setting], given: Mapping[str, object], source: Source, here: Place
) -> Iterator[Problem]:
    for name, setting in known.items():
        if setting.required and name not in given:
            yield source.problem((*here, name), f"is missing: {setting.help}")


def _fields(enabled: EnabledIntegration, integration: Integration, source: Source, place: Place) -> Iterator[Problem]:
    here = (*place, "mapping")
    names = [field.name for field in integration.fields]
    for name in enabled.mapping:
        if integration.field(name) is None or "*" in name:
            yield source.problem((*here, name), _unknown(integration, name), nearest(name, names))
        elif "" in name.split("."):
            yield source.problem((*here, name), "has an empty part between its dots")
        elif name == "_row" or not _is_name(name):
            yield source.problem((*here, name), "is a name that Flatdrop cannot send (`_row`, or a pattern `^…$`)")
        elif inside := next((other for other in enabled.mapping if other.startswith(f"{name}.")), None):
            yield source.problem((*here, inside), f"stands inside `{name}`, which is a value of its own")
    for field in integration.fields:
        if field.required and field.name not in enabled.mapping:
            yield source.problem((*here, field.name), f"is missing, and {integration.name} requires it")
    if len(integration.identity) > 1 and integration.told_apart_by(enabled.mapping) is None:
        reason = f"lacks one of {', '.join(integration.identity)}, by which {integration.name} knows a record"
        yield source.problem(here, reason)
    elif wrong := integration.wrong(list(enabled.mapping)):
        yield source.problem(here, wrong)


def _unknown(integration: Integration, name: str) -> str:
    """Return why a destination has no field of a name."""
    for field in integration.fields:
        family = field.name.removesuffix("*")
        if field.matches and family != field.name and name.startswith(family):
            return f"must be written {family}NAME with a NAME that matches {field.matches}"
    return f"{integration.name} has no such field"


def _expressions(
    enabled: EnabledIntegration,
    integration: Integration | None,
    attributes: Mapping[str, Attribute],
    compiled: Callable[[str], Expression],
    *,
    source: Source,
    place: Place,
) -> Iterator[Problem]:
    clearable = {name for name, one in attributes.items() if one.clearable}
    wanted = [((*place, "mapping", name), sql, _kinds(integration, name)) for name, sql in enabled.mapping.items()]
    if enabled.where is not None:
        wanted.append(((*place, "where"), enabled.where, {"boolean"}))
    for here, sql, kinds in wanted:
        try:
            expression = compiled(sql)
        except MappingError as error:
            yield source.problem(here, error.reason, error.hint)
            continue
        if expression.kind not in kinds:
            yield source.problem(here, f"gives {_a(expression.kind)}, where {_either(kinds)} is needed")
        field = integration.field(str(here[-1])) if integration and here[-2] == "mapping" else None
        promised = [attribute for attribute in expression.names if attribute in clearable]
        if integration and field and field.clear is None and promised:
            reason = f"cannot be emptied at {integration.name}, and `{promised[0]}` is declared clearable"
            yield source.problem(here, reason)


def _kinds(integration: Integration | None, name: str) -> set[str]:
    field = integration.field(name) if integration else None
    if integration is None or field is None:
        return {*_TAKES["any"], "nothing"}
    lists = {"list"} if integration.separator(name) else set()
    scalars = _TEXT if integration.item.text_only else set()
    return {*_TAKES[field.type], *lists, *scalars, "nothing"}


def _a(kind: str) -> str:
    return kind if kind in ("text", "nothing") else f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


def _either(kinds: set[str]) -> str:
    return " or ".join(_a(kind) for kind in sorted(kinds - {"nothing"}))
