"""The shapes of what is sent and answered, as JSON Schema; what code knows by a name is taken from there.

Answers may come to have further members, so that their schemas do not forbid any; what callers send is closed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.codes import CODES, RECORD
from batch.batch import State
from batch.codes import ROW, VALUE
from batch.outcome import Outcome

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT: Schema = {"type": "string", "format": "date-time"}
SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9-]{1,64}$"}
GROUP_KEY: Schema = {"type": "string", "minLength": 1, "description": "The key of a group that the API key may use."}

_WITHOUT_NUL: Schema = {"type": "string", "pattern": "^[^\\u0000]*$"}
_SCALARS: list[Schema] = [_WITHOUT_NUL, {"type": "number"}, {"type": "boolean"}]
_CLOSED = {"additionalProperties": False}
_OF_VALUES = [code for code in (*VALUE, "row.column.unknown", "row.value.size", *RECORD) if code != "unique"]


def ref(name: str) -> Schema:
    """Return a reference to a schema of the document."""
    return {"$ref": f"#/components/schemas/{name}"}


def of(described: str, **members: Schema) -> Schema:
    """Return the schema of an object that has all these members."""
    return {"type": "object", "description": described, "required": [*members], "properties": members}


def words(values: Iterable[str]) -> Schema:
    """Return the schema of one of these texts."""
    return {"type": "string", "enum": [*values]}


def told(described: str, schema: Schema) -> Schema:
    """Return a schema with what it means."""
    return {**schema, "description": described}


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be absent."""
    return {**schema, "type": [schema["type"], "null"]}


def listed(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def by_integration(schema: Schema) -> Schema:
    """Return the schema of an object with a member for each integration of a group."""
    return {
        "type": "object",
        "description": "By the names of the group's integrations.",
        "additionalProperties": schema,
    }


def schemas() -> dict[str, Schema]:
    """Return every named schema of the document."""
    return {**_sent(), **_of_records(), **_of_batches(), **_of_uploads(), **_of_service(), "Error": _error()}


def _sent() -> dict[str, Schema]:
    data: Schema = {
        "type": "object",
        "description": "The record: flat, and checked as a row of a file is. null empties the attribute.",
        "propertyNames": _WITHOUT_NUL,
        "additionalProperties": {"anyOf": [*_SCALARS, {"type": "null"}, listed({"anyOf": _SCALARS})]},
    }
    name = told("Its name under the group, like `customers.csv` or `2026/customers.jsonl.gz`.", TEXT)
    return {
        "NewRecord": of("A record for a group.", data=data, group_key=GROUP_KEY) | _CLOSED,
        "NewUpload": of("A file that is to be put into the drop zone.", group_key=GROUP_KEY, file=name) | _CLOSED,
    }


def _of_records() -> dict[str, Schema]:
    share = of(
        "What became of a record on one integration.",
        outcome=told("null while it has none.", {"enum": [*Outcome, None]}),
        code=told("Why, if somebody must act; see the reference of codes.", or_null(TEXT)),
        message=or_null(TEXT),
    )
    trace = of(
        "What became of a record.",
        record_id=ID,
        group_key=TEXT,
        status=words(["accepted", State.RUNNING, State.DELIVERED, State.PARTIAL, State.FAILED]),
        received_at=MOMENT,
        batch=told("The batch that it is delivered with; null while it waits for one.", or_null(ID)),
        row=told("Its row in that batch.", or_null({"type": "integer", "minimum": 1})),
        reason=told("Why the batch as a whole failed.", or_null(TEXT)),
        integrations=by_integration(share),
        details=listed(ref("Detail")),
    )
    accepted = of("A record that is durable, and will be delivered.", record_id=ID, status={"const": "accepted"})
    taken = {"anyOf": [ref("Accepted"), ref("Trace")], "description": "With `Prefer: wait` what became of it so far."}
    return {"Accepted": accepted, "Trace": trace, "Taken": taken, "Detail": _detail()}


def _detail() -> Schema:
    return of(
        "What is wrong with one attribute of a record.",
        attribute=told("null for the record as a whole.", or_null(TEXT)),
        code=words(_OF_VALUES),
        message=told("What to do; it repeats no value.", TEXT),
    )


def _of_batches() -> dict[str, Schema]:
    named = {"batch": ID, "group_key": TEXT, "file": told("Its key in the drop zone.", TEXT)}
    reason = told("Why the file as a whole could not be used.", or_null(TEXT))
    times = {"received_at": MOMENT, "finished_at": or_null(MOMENT)}
    rows = {"rows": told("null until the file was read.", or_null(COUNT)), "invalid": or_null(COUNT)}
    summary = of("A batch in a list.", **named, state=words(State), **rows, reason=reason, **times)
    following = told("`before` of the next page; null on the last one.", or_null(ID))
    receipt = of(
        "The account of a batch, as it stands.",
        **named,
        version=TEXT,
        sha256=or_null(SHA256),
        bytes=COUNT,
        state=words(State),
        reason=reason,
        config=told("The fingerprint of the configuration that it runs by.", or_null(TEXT)),
        **times,
        started_at=or_null(MOMENT),
        rows=of("`read = valid + invalid`.", read=COUNT, valid=COUNT, invalid=COUNT),
        integrations=by_integration(_counts()),
        codes=listed(_line()),
    )
    return {
        "Batches": of("A page of batches, newest first.", batches=listed(summary), next=following),
        "Receipt": receipt,
    }


def _counts() -> Schema:
    described = "How many rows ended in each outcome; a row is in exactly one once the batch is closed."
    return of(described, **dict.fromkeys(Outcome, COUNT), requests=COUNT, possible_duplicates=COUNT)


def _line() -> Schema:
    return of(
        "What stands against rows: a line for each integration, code and column.",
        integration=told("null for the group's own check.", or_null(TEXT)),
        code=told(f"One of the reference of codes, like `{next(iter(ROW))}` or `rejected.*`.", TEXT),
        column=or_null(TEXT),
        rows={"type": "integer", "minimum": 1},
        first_row={"type": "integer", "minimum": 1},
        message=TEXT,
    )


def _of_uploads() -> dict[str, Schema]:
    key = told("The drop's key in the drop zone.", TEXT)
    upload = of(
        "An address for one file, good for a while.",
        url=told("To be used as it is, without a further signature.", {"type": "string", "format": "uri"}),
        method={"const": "PUT"},
        file=key,
        expires_at=MOMENT,
    )
    return {"Upload": upload, "Uploaded": of("A drop that is in the drop zone.", file=key, bytes=COUNT, sha256=SHA256)}


def _of_service() -> dict[str, Schema]:
    part = words(["ok", "down"])
    return {
        "OpenApi": {"type": "object", "description": "A document of OpenAPI.", "required": ["openapi"]},
        "Alive": of("The process answers.", status={"const": "ok"}),
        "Ready": of("What it works on answers.", status=words(["ok", "unavailable"]), ledger=part, drop_zone=part),
    }


def _error() -> Schema:
    error = of(
        "Why the request was not carried out.",
        code=words(CODES),
        message=told("What to do, for people.", TEXT),
        details=told("What is wrong with a record, attribute by attribute.", listed(ref("Detail"))),
    )
    return of("An error.", error=error)
