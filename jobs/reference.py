"""The reference pages of the docs, made from the code that they describe: `python -m jobs.reference docs`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from api import codes as api_codes
from api.openapi.document import document as openapi
from api.openapi.examples import error
from batch import batch, outcome
from batch.codes import DESTINATION, FILE, MAPPING, ROW, VALUE
from config.deployment import PREFIX
from config.schema import deployment_schema, group_schema
from integrations.catalog import CATALOG
from jobs import pages as integrations
from jobs.commandline import commands, sections
from jobs.markdown import fenced, json_text, table
from mappers.attribute import RULES_OF, TYPES
from mappers.expression import FUNCTIONS

_MADE = "<!-- Made by `make docs` from the code; edit that instead. -->"
_SPACE = "\n\n"
_Schema = Mapping[str, Any]


def pages() -> dict[str, str]:
    """Return every generated file: its path within the docs, and its text."""
    made = {
        "reference/config.md": _config(),
        "reference/codes.md": _codes(),
        "reference/api-errors.md": _api_errors(),
        "reference/outcomes.md": _outcomes(),
        "reference/cli.md": _cli(),
        "reference/integrations/index.md": integrations.matrix(CATALOG),
        **{f"reference/integrations/{name}.md": integrations.page(one) for name, one in CATALOG.items()},
    }
    texts = {place: f"{_MADE}\n\n{_SPACE.join(parts)}\n" for place, parts in made.items()}
    return {**texts, "reference/openapi.json": f"{json_text(openapi(), indent=2)}\n"}


def main(to: Path) -> None:
    """Write the pages into the docs' folder."""
    for place, text in pages().items():
        file = to / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8", newline="\n")


def _config() -> Iterator[str]:
    deployment, group = deployment_schema(), group_schema()
    group["$defs"].pop("Schedule")  # which is the deployment's, and told there
    yield "# Configuration"
    yield (
        "`flatdrop.yaml` says where things are, and one file for each group what its customer sends and where it goes. "
        "Paths are relative to `flatdrop.yaml`. `flatdrop config check` finds what is wrong; `flatdrop config schema` "
        "prints the JSON Schema of either file for editors."
    )
    yield "## flatdrop.yaml"
    yield (
        "Found by `--config`, else `$FLATDROP_CONFIG`, else `./flatdrop.yaml`, else `config/flatdrop.yaml`. The "
        f"environment overrides it: `{PREFIX}LEDGER`, `{PREFIX}S3__REGION`."
    )
    yield from _properties(deployment)
    yield "## A group's file"
    yield from _properties(group)
    yield "## Types of attributes"
    yield table(["type", "what it takes, and makes of it"], ([f"`{name}`", TYPES[name]] for name in TYPES))
    yield "Every type has `required`. The other rules are for some types only:"
    rules = (
        [f"`{rule}`", ", ".join(f"`{name}`" for name in TYPES if name in types)] for rule, types in RULES_OF.items()
    )
    yield table(["rule", "for"], rules)
    yield "## SQL expressions"
    yield (
        "`where` and `mapping` are expressions in [polars' dialect of SQL]"
        "(https://docs.pola.rs/api/python/stable/reference/sql/) over one record's attributes. Sub-queries, files, "
        "aggregates and windows are refused. Blank text, empty lists and null are not sent. Among the functions:"
    )
    yield ", ".join(f"`{name}`" for name in FUNCTIONS) + "."


def _properties(schema: _Schema) -> Iterator[str]:
    """Yield a table of a section's settings, then its own sections, each under a heading."""
    defs = schema.get("$defs", {})
    yield _settings(schema)
    for name, section in defs.items():
        yield f"### {name}"
        yield section["description"]
        yield _settings(section)


def _settings(section: _Schema) -> str:
    needed = section.get("required", ())
    lines = (
        [f"`{name}`", _kind(one), "**required**" if name in needed else _default(one), one.get("description", "")]
        for name, one in section["properties"].items()
    )
    return table(["setting", "type", "default", "what"], lines)


def _default(one: _Schema) -> str:
    default = one.get("default")
    return "" if default in (None, "", [], {}) or isinstance(default, dict) else f"`{_word(default)}`"


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_MANY = 3
_KINDS = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def _kind(one: _Schema) -> str:
    """Return in words what values a JSON Schema takes."""
    if "$ref" in one:
        name = one["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in one:
        return ", ".join(f"`{word}`" for word in one["enum"])
    if "anyOf" in one:
        kinds = dict.fromkeys(_kind(each) for each in one["anyOf"] if each.get("type") != "null")
        return " or ".join(kinds) if len(kinds) <= _MANY else "a value or a list"
    return _plain_kind(one)


def _plain_kind(one: _Schema) -> str:
    if one.get("format", "").startswith("date"):
        return "date"
    if one.get("type") == "array":
        return f"list of {_kind(one['items'])}"
    if one.get("type") == "object":
        inner = one.get("additionalProperties")
        return f"names with {_kind(inner)}" if isinstance(inner, dict) else "a mapping"
    return _KINDS.get(one.get("type", ""), "anything")


def _codes() -> Iterator[str]:
    yield "# Codes"
    yield (
        "What a receipt (`codes`, `reason`) and an undelivered file (`_code`) can carry. Codes are stable: there may "
        "come new ones, and none is renamed."
    )
    families: dict[str, Mapping[str, tuple[str, str]]] = {
        "The file as a whole": FILE,
        "A record that cannot be read": ROW,
        "A value that breaks a rule of the group": VALUE,
        "A mapping that gives nothing to send": MAPPING,
        "What destinations say": DESTINATION,
    }
    for title, codes in families.items():
        yield f"## {title}"
        yield table(["code", "what it means", "what to do"], ([f"`{code}`", *said] for code, said in codes.items()))


def _api_errors() -> Iterator[str]:
    yield "# Errors of the API"
    yield (
        "An error is told as JSON, in the same shape everywhere. `code` is stable: there may come new ones, and none "
        "is renamed. `message` says what to do; `details` names every rule of the group that a record breaks, with "
        "[codes](codes.md) of their own."
    )
    yield fenced("json", json_text(error("record.invalid"), indent=2))
    yield "Which operation answers with what stands in [the OpenAPI document](openapi.json), or at `/v1/openapi.json`."
    families = {
        "The request": api_codes.REQUEST,
        "Its body": api_codes.BODY,
        "Its `data` that is no record": api_codes.RECORD,
        "Its signature": api_codes.SIGNATURE,
        "What it asks for": api_codes.TAKEN,
    }
    for title, codes in families.items():
        yield f"## {title}"
        lines = ([f"`{code}`", str(one.status), one.meaning, one.remedy] for code, one in codes.items())
        yield table(["code", "status", "what it means", "what to do"], lines)


def _outcomes() -> Iterator[str]:
    yield "# Outcomes and states"
    yield "## Outcomes"
    yield "Every valid row ends, for each integration of its group, in exactly one."
    lines = ([f"`{one}`", meaning, who] for one, (meaning, who) in outcome.MEANINGS.items())
    yield table(["outcome", "what it means", "who acts next"], lines)
    yield (
        "A batch closes only when the sums hold: `read = valid + invalid`, and for each integration "
        f"`valid = {' + '.join(outcome.MEANINGS)}`."
    )
    yield "## States of a batch"
    yield table(["state", "what it means"], ([f"`{state}`", meaning] for state, meaning in batch.MEANINGS.items()))


def _cli() -> Iterator[str]:
    yield "# The command line"
    yield (
        "Every command exits with 0 when it did what was asked, 1 when rows or files need an operator (`failed`, "
        "`unknown`, a file that could not be used), and 2 for a usage or configuration error. With `--json` it prints "
        "one document on stdout; logs go to stderr. `FLATDROP_DEBUG=1` logs everything, tracebacks too."
    )
    for name, command in commands():
        yield f"## {name}"
        yield command.help or ""
        for kind, lines in sections(command):
            yield table([kind, "default", "what"], lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
