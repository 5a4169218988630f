"""The pages of the docs about integrations, made from the catalog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from integrations.integration import Answers, Integration
from integrations.job import Job
from jobs.commands.catalog import document
from jobs.markdown import fenced, json_text, table


def matrix(every: Mapping[str, Integration]) -> Iterator[str]:
    """Yield the parts of the page that sets all integrations side by side."""
    yield "# Integrations"
    yield (
        "What each destination can do, side by side; each has a page of its own. How to add one stands in "
        "[write an integration](../../how-to/write-an-integration.md)."
    )
    heads = ["type", "records", "answers", "a yes speaks of", "people are told by", "can empty", "asked beforehand"]
    yield table(heads, (_line(one) for one in every.values()))
    yield (
        "*Records* are those of one request. *A yes speaks of each record*: who is not named as refused was taken, and "
        "is `delivered`. *Of the request*: it was received, nobody tells what became of each record, and they are "
        "`acknowledged`. *Asked beforehand* is what `flatdrop connect test` and every night ask before the first "
        "record leaves."
    )


def _line(one: Integration) -> list[str]:
    clearable = sum(field.clear is not None for field in one.fields)
    return [
        f"[`{one.name}`]({one.name}.md)",
        f"{one.limits.records:,}",
        "a job" if one.job else "at once",
        one.answers.value,
        ", ".join(f"`{name}`" for name in one.identity) or "nothing",
        f"{clearable} of {len(one.fields)} fields" if clearable else "nothing",
        "credentials and fields" if one.names else "yes" if one.prepare else "nothing",
    ]


def page(one: Integration) -> Iterator[str]:
    """Yield the parts of an integration's page."""
    shown = document(one)
    yield f"# {one.title}"
    yield f"`type: {one.name}` · [its documentation]({one.docs})"
    yield one.summary
    yield _bullets(
        {
            "What a yes means": f"{one.yes} Rows then are `{_TAKEN[one.answers]}`.",
            "Consent": one.consent,
            "Blank, absent, clear": _clearing(one),
            "Two rows of one person": _duplicates(one),
            "A repetition": f"What makes it harmless: {one.resend.value}.",
            "Limits": _limits(one),
            **({"A job": _job(one.job)} if one.job else {}),
        }
    )
    if one.notes:
        yield "## What else to know"
        yield "\n".join(f"- {note}" for note in one.notes)
    for title in ("credentials", "settings"):
        yield f"## {title.capitalize()}"
        lines = ([f"`{s['name']}`", _needed(s), s["help"]] for s in shown[title])
        yield table([title.removesuffix("s"), "default", "what"], lines)
    yield "## Fields"
    yield table(
        ["field", "type", "", "what"], ([f"`{f['name']}`", f["type"], _marks(f), f["help"]] for f in shown["fields"])
    )
    yield "`*` stands for any name. A field that is not clearable cannot be emptied by the `clear` token."
    yield from _example(one)


_TAKEN = {Answers.RECORDS: "delivered", Answers.REQUESTS: "acknowledged"}


def _bullets(lines: Mapping[str, str]) -> str:
    return "\n".join(f"- **{name}**: {sentence}" for name, sentence in lines.items())


def _clearing(one: Integration) -> str:
    spelt = dict.fromkeys(field.clear for field in one.fields if field.clear is not None)
    absent = "What is blank or absent is not sent, and stays as it is there."
    if not spelt:
        return f"{absent} Nothing can be emptied."
    texts = " or ".join(f"`{text}`" for text in spelt)
    return f"{absent} Where a field is clearable, the `clear` token or null is sent as {texts}."


def _duplicates(one: Integration) -> str:
    if not one.identity:
        return "It knows nobody by anything: each row is a record of its own."
    added = [f"`{field.name}`" for field in one.fields if field.adds]
    more = f"; {', '.join(added)} add up" if added else ""
    first = " or ".join(f"`{name}`" for name in one.identity)
    order = "in the order of the rows: the later value stands"
    return f"Told by {first}, they become one record before it is sent, {order}{more}."


def _limits(one: Integration) -> str:
    own = one.limits
    paces = {"a second": own.per_second, "a minute": own.per_minute, "an hour": own.per_hour, "a day": own.per_day}
    pace = ", ".join(f"{most:g} {unit}" for unit, most in paces.items() if most)
    size = f" ({own.item_bytes:,} a record)" if own.item_bytes else ""
    what = "jobs" if one.job else "requests"
    return f"{own.records:,} records and {own.bytes:,} bytes{size} a request; {pace}; {own.in_flight} {what} in flight."


def _job(job: Job) -> str:
    return (
        f"A request starts a job, which is asked after every {job.every:g} s, less and less often, for up to "
        f"{job.patience:g} s. Its id is kept before the first question, so that a killed process goes on with it."
    )


def _needed(setting: Mapping[str, Any]) -> str:
    if setting["required"]:
        return "**required**"
    return "" if setting["default"] is None else f"`{setting['default']}`"


def _marks(field: Mapping[str, Any]) -> str:
    words = ("required", "clearable", "consent", "adds")
    return ", ".join(f"**{word}**" if word == "required" else word for word in words if field[word])


def _example(one: Integration) -> Iterator[str]:
    yield "## Example"
    yield "This part of a group's file, and these records:"
    yield fenced("yaml", *_enabled(one))
    yield fenced("json", *(json_text(record) for record in one.example.records))
    yield f"are sent as `{one.method} {one.url}`:"
    yield _body(one.example.body)
    yield "An answer, and what it means:" if not one.example.then else "The answer:"
    yield _body(one.example.answer)
    for exchange in one.example.then:
        yield f"`{exchange.call}`" + (" with" if exchange.body else "")
        yield from (_body(text) for text in (exchange.body, exchange.answer) if text)
    if one.example.verdicts:
        lines = ([str(v.index + 1), f"`{v.outcome}`", f"`{v.code}`", v.message] for v in one.example.verdicts)
        yield table(["record", "outcome", "code", "message"], lines)
        yield f"Every other record is `{_TAKEN[one.answers]}`."
    else:
        yield f"Every record is `{_TAKEN[one.answers]}`."


def _enabled(one: Integration) -> Iterator[str]:
    yield "integrations:"
    yield f"  {one.name}:"
    yield f"    type: {one.name}"
    yield "    credentials:"
    yield from (f"      {it.name}: env:{one.name.upper()}_{it.name.upper()}" for it in one.credentials)
    settings = [it for it in one.settings if it.required and it.example is not None]
    yield from (["    settings:"] if settings else [])
    yield from (f"      {it.name}: {json.dumps(it.example)}" for it in settings)
    yield "    mapping:"
    yield from (f"      {name}: {_quoted(sql)}" for name, sql in one.example.mapping.items())


def _quoted(sql: str) -> str:
    return f'"{sql}"' if sql.startswith("'") else sql


def _body(text: str) -> str:
    try:
        return fenced("json", json_text(json.loads(text), indent=2))
    except ValueError:
        return fenced("text", text.rstrip("\n"))
