"""Salesforce: records of any object by a Bulk API 2.0 upsert, sent as CSV, and told of in three files of CSV."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from integrations import kit

_V, _NAME = "/services/data/v{api_version}", r"[A-Za-z]\w*"
_JOBS, _JOB, _DESCRIBE = f"{_V}/jobs/ingest", f"{_V}/jobs/ingest/{{job}}", f"{_V}/sobjects/{{object}}/describe"
_FILES = _STORED, _REFUSED, _UNTRIED = ("successfulResults", "failedResults", "unprocessedrecords")
_FIXED = {"operation": "upsert", "contentType": "CSV", "lineEnding": "LF", "columnDelimiter": "COMMA"}
_NEXT = {"UploadComplete": "InProgress", "InProgress": "JobComplete"}
_ANY = {"name": kit.ANY, "createable": True, "updateable": True, "externalId": True, "idLookup": True}
_AT, _J1 = "/services/data/v60.0/jobs/ingest", '{"id": "j1", "object": "Contact", "operation": "upsert", "state": "%s"}'


def _submit(connection: kit.Connection, items: bytes) -> kit.Steps[None]:
    kind, key = connection.settings["object"], connection.settings["external_id_field"]
    made = yield kit.send("POST", _JOBS, {"object": kind, "externalIdFieldName": key, **_FIXED})
    yield kit.Started(job := kit.identifier(made.json()["id"]))
    rows = [row | {key: row.pop("external_id")} for row in json.loads(b"[" + items + b"]")]
    yield kit.Call("PUT", f"{_JOB}/batches", {"job": job}, kit.table(rows), "text/csv")
    yield kit.send("PATCH", _JOB, {"state": "UploadComplete"}, job=job)


def _follow(connection: kit.Connection, job: str, sent: kit.Sent) -> kit.Steps[list[kit.Verdict]]:
    while (about := (yield kit.get(_JOB, job=job)).json())["state"] in _NEXT:
        yield kit.Pause()
    if about["state"] == "Open":  # it was left before it was closed, and so nothing of it is processed
        about = (yield kit.send("PATCH", _JOB, {"state": "Aborted"}, job=job)).json()
    if about["state"] == "Aborted" and not about.get("numberRecordsProcessed"):
        raise kit.Gone("job.unfinished", "The job was aborted before anything of it was processed")
    said, key, at = list[dict[int, dict[str, str]]](), connection.settings["external_id_field"], sent.places()
    for name in _FILES:
        rows = kit.rows((yield kit.get(f"{_JOB}/{name}", job=job)).body)
        said.append({at[row[key].lower()]: row for row in rows if row[key].lower() in at})
    stored, refused, untried = said
    why = str(about.get("errorMessage") or f"Salesforce did not get to the record: {about['state']}.")
    verdicts = {index: kit.Verdict(index, "", why, "failed") for index in untried}
    for it, row in refused.items():
        code, _, message = row["sf__Error"].partition(":")
        verdicts[it] = kit.Verdict(it, code, message or code, "failed" if code == "UNABLE_TO_LOCK_ROW" else "rejected")
    # of what stands among those that are stored and among the others too, nobody knows
    return [it for it in verdicts.values() if it.index not in stored] + sent.unnamed(stored.keys() ^ verdicts.keys())


def _prepare(connection: kit.Connection, fields: Sequence[str]) -> kit.Steps[Mapping[str, str | int]]:
    known = (yield kit.get(_DESCRIBE, "the object is there, and the token may look at its fields")).json()["fields"]
    key = connection.settings["external_id_field"]
    kit.expect_known([key], [it["name"] for it in known if it["externalId"] or it["idLookup"]], "external id field")
    others = [it["name"] for it in known if (it["createable"] or it["updateable"]) and it["name"] != key]
    kit.expect_known([it for it in fields if it != "external_id"], others, "other field to write to,")
    return {}


def _create(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    job = {**asked.json, "state": "Open"}
    job["id"] = desk.start((job, {}))
    return kit.Reply.of(job)


def _upload(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    files, rows = desk.look(asked.values["job"], _FILES)[1][1], kit.rows(asked.body)
    files["batches"] = [{name: cell for name, cell in row.items() if cell} for row in rows]
    return kit.Reply(201) if len(rows) <= INTEGRATION.limits.records else kit.no(400, "There are too many records.")


def _change(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    job, files = desk.look(asked.values["job"], _FILES)[1]
    rows = files.get("batches", [])
    job |= asked.json | ({"errorMessage": "InvalidBatch : Field name not found"} if desk.clash(rows) else {})
    tried = rows if job["state"] == "UploadComplete" and "errorMessage" not in job else []
    said = desk.sort(tried, job["externalIdFieldName"])
    files[_STORED] = [{"sf__Id": "003", "sf__Created": "true", **it} for it in said.new + said.known]
    files[_REFUSED] = [{"sf__Id": "", "sf__Error": "INVALID_FIELD:No address", **it} for _, it, _ in said.refused]
    files[_UNTRIED] = [] if tried else rows
    return kit.Reply.of(job)


def _look(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    job, files = desk.look(asked.values["job"], _FILES)[1]
    if "file" in asked.values:
        return kit.Reply(200, {"content-type": "text/csv"}, kit.table(files[asked.values["file"]]))
    job["state"] = "Failed" if "errorMessage" in job else _NEXT.get(job["state"], job["state"])
    return kit.Reply.of(job)


INTEGRATION = kit.Integration(
    name="salesforce",
    title="Salesforce",
    docs="https://developer.salesforce.com/docs/platform/api-asynch/guide/walkthrough-upsert.html",
    summary="Creates records of one object, or updates them, by an external id and a bulk job (Bulk API 2.0).",
    yes="Salesforce names the record among those that it has stored; one that was locked is `failed`, not `rejected`.",
    consent="Importing changes no consent; a field that does, like HasOptedOutOfEmail, must be mapped by name.",
    credentials=(kit.Setting("access_token", "Of an OAuth client with the scope api.", "00Dsandbox"),),
    settings=(
        kit.Setting("base_url", "Your instance.", "https://acme.my.salesforce.com", matches=kit.ADDRESS),
        kit.Setting("object", "The object, by its API name.", "Contact", matches=_NAME),
        kit.Setting("external_id_field", "The field that tells its records apart.", "Shop_Id__c", matches=_NAME),
        kit.Setting("api_version", "The version of the API.", default="60.0", matches=r"[1-9]\d\.0"),
    ),
    fields=(
        kit.Field("external_id", "text", "What tells the record apart: the value of external_id_field.", required=True),
        kit.Field("HasOptedOutOfEmail", "boolean", "Whether the person wants no e-mail.", consent=True),
        kit.Field("DoNotCall", "boolean", "Whether the person wants no calls.", consent=True),
        kit.Field("*", "any", "A field of the object, by its API name.", clear='"#N/A"', matches=_NAME),
    ),
    limits=kit.Limits(records=10_000, bytes=10_000_000, per_second=5, in_flight=4),
    url=f"{{base_url}}{_JOBS}",
    envelope="ITEMS",
    item=kit.Item(text_only=True, list_separator=";"),
    headers=lambda it, _: {**kit.bearer(it.credentials["access_token"]), "accept": "*/*"},  # JSON, and CSV
    job=kit.Job(_follow, submit=_submit, every=5, patience=7200),
    notice=kit.slow_down(
        lambda it: it.status == 403 and b"REQUEST_LIMIT_EXCEEDED" in it.body, "no request is left for now"
    ),
    prepare=_prepare,
    play={
        f"POST {_JOBS}": _create,
        f"PUT {_JOB}/batches": _upload,
        f"PATCH {_JOB}": _change,
        **dict.fromkeys((f"GET {_JOB}", f"GET {_JOB}/{{file}}"), _look),
        f"GET {_DESCRIBE}": kit.always({"fields": [_ANY]}),
    },
    identity=("external_id",),
    notes=(
        "The token is for you to renew: when it runs out, the integration stops with `auth.refused`.",
        "External ids that differ in upper and lower case only are `unknown` where they meet in one job.",
        "Each job takes about ten of the account's requests a day; records beyond its daily allowance are `unknown`.",
    ),
    example=kit.Example(
        mapping={"external_id": "nr", "FirstName": "namn"},
        records=({"nr": "A-1", "namn": "#N/A"}, {"nr": "A-2", "namn": "Bo"}),
        body=json.dumps({"object": "Contact", "externalIdFieldName": "Shop_Id__c", **_FIXED}),
        answer=_J1 % "Open",
        then=(
            kit.Exchange(f"POST {_AT}", _J1 % "Open"),
            kit.Exchange(f"PUT {_AT}/j1/batches", "", "Shop_Id__c,FirstName\nA-1,#N/A\nA-2,Bo\n", 201),
            kit.Exchange(f"PATCH {_AT}/j1", _J1 % "UploadComplete"),
            kit.Exchange(f"GET {_AT}/j1", _J1 % "JobComplete"),
            kit.Exchange(f"GET {_AT}/j1/successfulResults", "sf__Id,sf__Created,Shop_Id__c\n003,true,A-1\n"),
            kit.Exchange(f"GET {_AT}/j1/failedResults", "sf__Id,sf__Error,Shop_Id__c\n,DUPLICATE_VALUE:Taken,A-2\n"),
            kit.Exchange(f"GET {_AT}/j1/unprocessedrecords", "Shop_Id__c,FirstName\n"),
        ),
        verdicts=(kit.Verdict(1, "duplicate_value", "Taken"),),
    ),
)
