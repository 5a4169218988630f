"""One text in every role that a customer or an operator can give it: it arrives as it is, or is refused by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from support.installation import KEY
from support.oracle import Manner, verdict

from batch.errors import BatchError
from config.checks import check
from config.errors import ConfigError
from config.group import Group
from jobs import rehearsal, run
from jobs.rehearsal import Line
from torture.passage import SEPARATOR, WHITE, passage, quoted
from torture.trial import End

Role = Callable[[Path, str, Sequence[str]], End]

TEXTS = [
    "", " ", "\t", "\n", "\r", "\r\n", "\0", "\x7f", "\x85", "\xa0", "\u200b", "\u2028", "\u2029", "\ufeff", "\ufffd",
    "\uffff", "é", "e\u0301", "ﬀ", "İ", "ß", "日本語", "😀", "\U0001f469\u200d\U0001f467",
    "\u202egnp.exe", "\U0010ffff", "A" * 5000, '"', '""',
    '"""', "'", "''", "`", "\\", "\\\\", "\\n", "\\u0000", "\\ud800", '\\"', ",", ";", "|", "||", "a|b", "a,b", "a\nb",
    'a"b', "=1+1", "'=1+1", "''=1", "+1", "-1", "@x", "\t=1", "-", "#N/A", " #N/A", "#n/a", "null", "NULL", "None",
    "nan", "NaN", "Infinity", "true", "1", "007", "1e5", "9007199254740993", "{}", "[]", '{"a":1}', "_row", "_code",
    "_x", "*", "^.*$", "^id$", "%", "?", "$1", "${x}", "{0}", "%s", "--", "/* x */", "a.b", "a b", " a ", "id", "ID",
    "../x", "x/../../y", "con", "x" * 200, "x" * 250, "SELECT * FROM self", "x'; DROP TABLE self; --",
]  # fmt: skip
CSV, JSONL = Manner("a.csv"), Manner("a.jsonl")


def values_in_a_table(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As a quoted value of a table, all the way."""
    lines = ["id,x", *(f"{n},{_cell(text)}" for n, text in enumerate(texts))]
    with passage(home, ledger_url, ("id", "x"), clear="nobody says this") as there:
        return there.agrees(0, "\n".join(lines).encode(), Manner("a.csv", clear="nobody says this"))


def values_of_lines(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As a value of a JSON line, and in a list, escaped and not, all the way."""
    records = [{"id": n, "x": text, "tags": [text, "b"]} for n, text in enumerate(texts)]
    end = End()
    with passage(home, ledger_url, ("id", "x", "tags"), clear="nobody says this") as there:
        for ascii_only in (True, False):
            data = "\n".join(json.dumps(record, ensure_ascii=ascii_only) for record in records).encode()
            end.wrong += there.agrees(int(ascii_only), data, Manner("a.jsonl", clear="nobody says this")).wrong
    return end


def names_of_columns(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As a column's name that a mapping names."""
    return _each(home, texts, lambda text: (CSV, f"id,{_cell(text)}\n1,x\n".encode(), quoted(text), "x"))


def names_of_members(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As a JSON key that a mapping names."""
    return _each(home, texts, lambda text: (JSONL, _member(text), quoted(text), "x"))


def names_of_attributes(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As the name of an attribute that is required."""
    return _each(
        home,
        texts,
        lambda text: (JSONL, _member(text), quoted(text), "x"),
        lambda text: {"attributes": {text: {"required": True}}, "unknown_attributes": "accept"},
    )


def texts_of_mappings(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As a text that stands in a mapping."""

    def said(text: str) -> tuple[Manner, bytes, str, str | None]:
        return CSV, b"id\n1\n", "'" + text.replace("'", "''") + "'", text if text.strip(WHITE) else None

    return _each(home, texts, said)


def tags(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As an item of a declared list: trimmed, blank ones left out; in a table, the separator divides it."""

    def kept(items: Iterable[str]) -> list[str] | None:
        return [item.strip(WHITE) for item in items if item.strip(WHITE)] or None

    def declared(_: str) -> dict[str, Any]:
        return {"attributes": {"x": {"type": "list"}}, "files": {"clear": "nobody says this"}}

    lines = _each(
        home, texts, lambda text: (JSONL, json.dumps({"id": 1, "x": [text]}).encode(), "x", kept([text])), declared
    )
    table = _each(
        home, texts, lambda text: (CSV, f"id,x\n1,{_cell(text)}\n".encode(), "x", kept(text.split(SEPARATOR))), declared
    )
    return End(wrong=lines.wrong + table.wrong)


def names_of_files(home: Path, ledger_url: str, texts: Sequence[str]) -> End:
    """As a file's name, as far as a folder can have it: each is a drop, or no drop by its name."""
    with passage(home, ledger_url, ("id",)) as there:
        named: dict[str, str] = {}
        for n, text in enumerate(texts):
            key = f"{KEY}/{text}.csv"
            if any(part in ("", ".", "..") for part in key.split("/")):
                continue
            try:
                there.it.drop(key, b"id\n%d\n" % n)
            except (OSError, ValueError):  # too long, or with a NUL
                continue
            if not key.startswith((f"{KEY}/_", f"{KEY}/.")):
                named[key] = str(n)
        report = run.run(there.runtime, [KEY])
        came = {receipt["file"]: receipt["state"] for receipt in report.receipts}
        sent = sorted(record["id"] for call in there.there.calls for record in call.records)
        return End(
            struck=len(named) > len(texts) / 2,
            wrong=(came != dict.fromkeys(named, "delivered")) + (sent != sorted(named.values())) + len(report.problems),
        )


ROLES: Mapping[str, Role] = {
    role.__name__.replace("_", " "): role
    for role in (
        values_in_a_table,
        values_of_lines,
        names_of_columns,
        names_of_members,
        names_of_attributes,
        texts_of_mappings,
        tags,
        names_of_files,
    )
}


def _each(
    home: Path,
    texts: Sequence[str],
    said: Callable[[str], tuple[Manner, bytes, str, Any]],
    more: Callable[[str], dict[str, Any]] = lambda _: {},
) -> End:
    """Rehearse a file for each text, with its own configuration; `said` gives the file, an expression, its value."""
    home.mkdir(parents=True, exist_ok=True)
    end = End()
    for text in texts:
        manner, data, expression, value = said(text)
        wanted = verdict(data, manner)
        codes = wanted.refused.union(*wanted.bad.values())
        got = _rehearsed(home / manner.name, data, _group(expression, more(text)))
        if isinstance(got, str):
            end.wrong += got != "config" and got not in codes
        else:
            fits = not codes and got.item == {"id": "1", **({} if value is None else {"v": value})}
            end.wrong += not fits and not codes.intersection(problem.partition(":")[0] for problem in got.problems)
    return end


def _rehearsed(path: Path, data: bytes, group: dict[str, Any]) -> Line | str:
    """Return what one record would become; or the code of its file, or that the configuration is refused."""
    path.write_bytes(data)
    try:
        found = Group.model_validate(group)
        if any(check(found.integrations, found.attributes, closed=found.closed, source=found.source)):
            return "config"
        return rehearsal.preview(path, found, None, 9)[0]
    except BatchError as error:
        return error.code
    except (ConfigError, ValidationError):
        return "config"


def _group(expression: str, more: dict[str, Any]) -> dict[str, Any]:
    webhook = {
        "type": "webhook",
        "credentials": {"secret": "env:NOBODY"},
        "settings": {"url": "http://127.0.0.1:9"},
        "mapping": {"id": "id", "v": expression},
    }
    return {"group_key": KEY, "integrations": {"it": webhook}, **more}


def _member(text: str) -> bytes:
    return f'{{"id": 1, {json.dumps(text)}: "x"}}'.encode()


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
