"""SendGrid: marketing contacts by an import job, whose errors come as a file that is downloaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from integrations import kit

_JOB, _KNOWN = "/v3/marketing/contacts/imports/{job}", "/v3/marketing/field_definitions"
_DONE = ("completed", "errored", "failed")
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


def _envelope(settings: Mapping[str, Any]) -> str:
    lists = {"list_ids": [settings["list_id"]]} if "list_id" in settings else {}
    return json.dumps({**lists, "contacts": ["ITEMS"]}).replace('"ITEMS"', "ITEMS")


def _follow(_connection: kit.Connection, job: str, sent: kit.Sent) -> kit.Steps[list[kit.Verdict]]:
    while (about := (yield kit.get(_JOB, job=job)).json())["status"] not in _DONE:
        yield kit.Pause()
    results = about.get("results") or {}
    counts = {name: kit.whole(results.get(f"{name}_count") or 0) for name in ("created", "updated", "errored")}
    errored, taken = counts["errored"], counts["created"] + counts["updated"]
    where, found = results.get("errors_url"), dict[int, kit.Verdict]()
    where = where if isinstance(where, str) and where.startswith(("https://", "http://")) else ""
    for entry in kit.entries((yield kit.get(where)).body) if where else ():
        index = sent.find(entry)
        if index is not None:
            found[index] = kit.Verdict(index, "", _reason(entry))
    left = sent.unnamed(found)
    complete = taken + errored == sent.count == results.get("requested_count", sent.count)
    if complete and len(found) == errored:
        left = []
    elif complete and not taken:
        left = [kit.Verdict(it.index, "", "SendGrid counts every contact of the job as an error.") for it in left]
    elif about["status"] == "failed" and not taken:
        left = [kit.Verdict(it.index, "", "SendGrid could not process the job.", "failed") for it in left]
    return [*found.values(), *left]


def _reason(entry: kit.JSON) -> str:
    said = entry.items() if isinstance(entry, dict) else ()
    reasons = kit.texts([value for name, value in said if re.search("error|reason|message", name, re.IGNORECASE)])
    return next(reasons, "The file of errors names the contact.")


def _upsert(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    contacts = asked.json["contacts"]
    if desk.clash(contacts):
        return kit.Reply.of({"errors": [{"field": "contacts", "message": "A contact is not valid."}]}, 400)
    said = desk.sort(contacts, *INTEGRATION.identity)
    errors = [{"contact": it, "error": "The contact is not valid."} for _, it, _ in said.refused]
    return kit.Reply.of({"job_id": desk.start((len(said.new), len(said.known), errors))}, 202)


def _look(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    job = asked.values["job"]
    state, (new, known, refused) = desk.look(job, ("pending", "pending", "done"))
    total = new + known + len(refused)
    about = {"id": job, "job_type": "upsert", "started_at": "2026-11-24T02:00:00Z"}
    if state == "pending":
        return kit.Reply.of({**about, "status": state, "results": {"requested_count": total}})
    counts = {"created_count": new, "updated_count": known, "errored_count": len(refused)}
    errors = {"errors_url": f"{asked.base}/errors/{job}"} if refused else {}
    results = {"requested_count": total, "deleted_count": 0, **counts, **errors}
    status = _DONE[(len(refused) > 0) + (len(refused) == total)]
    return kit.Reply.of({**about, "status": status, "results": results, "finished_at": "2026-11-24T02:00:09Z"})


INTEGRATION = kit.Integration(
    name="sendgrid",
    title="SendGrid",
    docs="https://www.twilio.com/docs/sendgrid/api-reference/contacts/add-or-update-a-contact",
    summary="Creates marketing contacts, or updates them, by an import job; adds them to a list if one is set.",
    yes="The job has ended, its counts add up, and its file of errors does not name the contact.",
    consent="Importing takes nobody out of an unsubscribe group; who is added to a list may get what is sent to it.",
    credentials=(kit.Setting("api_key", "With access to Marketing; Settings, API Keys.", "SG.sandbox.key"),),
    settings=(
        kit.Setting("list_id", "A list that every contact is added to, by its id.", optional=True, matches=_UUID),
        kit.Setting("base_url", "The API of the region.", default="https://api.sendgrid.com", matches=kit.ADDRESS),
    ),
    fields=(
        kit.Field("email", "text", "The e-mail address, at most 254 characters; SendGrid makes it lower-case."),
        kit.Field("phone_number_id", "text", "The phone number by which SendGrid knows the contact."),
        kit.Field("external_id", "text", "The contact's id in a system of yours, at most 254 characters."),
        kit.Field("anonymous_id", "text", "An id of somebody not yet known, at most 254 characters."),
        kit.Field("alternate_emails", "list", "At most 5 other addresses; whether they are added is not told."),
        *kit.fields("text", first_name="At most 50 characters.", last_name="At most 50 characters."),
        *kit.fields("text", address_line_1="At most 100 characters.", address_line_2="At most 100 characters."),
        *kit.fields("text", city="At most 60 characters.", postal_code="The postal code."),
        *kit.fields("text", country="At most 50 characters.", state_province_region="At most 50 characters."),
        kit.Field("custom_fields.*", "any", "A custom field by its name, like custom_fields.shoe_size."),
    ),
    limits=kit.Limits(records=30_000, bytes=6_000_000, per_second=1.5, in_flight=2),
    url="{base_url}/v3/marketing/contacts",
    method="PUT",
    envelope=_envelope,
    headers=lambda connection, _: kit.bearer(connection.credentials["api_key"]),
    wait=kit.epoch_in("x-ratelimit-reset"),
    job=kit.Job(_follow, started=lambda reply: kit.identifier(reply.json()["job_id"]), every=5.0),
    names=kit.renaming(
        *(_KNOWN, "the key is taken, and may look at custom fields", "custom_fields.*", "custom field"),
        read=lambda said: {it["name"]: it["id"] for it in said.get("custom_fields") or ()},
    ),
    play={
        "PUT /v3/marketing/contacts": _upsert,
        f"GET {_JOB}": _look,
        "GET /errors/{job}": lambda asked, desk: kit.Reply.of(desk.look(asked.values["job"], _DONE)[1][2]),
        f"GET {_KNOWN}": kit.always({"custom_fields": [{"id": "e1_T", "name": kit.ANY, "field_type": "Text"}]}),
    },
    identity=("email", "phone_number_id", "external_id", "anonymous_id"),
    notes=(
        "A contact that has several identifiers is only updated when all of them are sent, so map all that are in use.",
        "No field can be emptied: null is refused for custom fields, and what empty text does is not written down.",
        "One text that is too long may refuse a request, which is then split until the contact is found.",
        "The form of the file of errors is not described: CSV and JSON are read, packed with gzip or not.",
        "If SendGrid counts a contact that did not change neither as created nor as updated, its job is `unknown`.",
        "The pace for contacts is not published; 1.5 requests a second is a cautious choice.",
    ),
    example=kit.Example(
        mapping={"email": "epost", "first_name": "namn", "custom_fields.kundnr": "nr"},
        records=({"epost": "asa@example.com", "namn": "Åsa", "nr": "007"}, {"epost": "bo@rejected.example"}),
        names={"custom_fields.kundnr": "e1_T"},
        body="""{"contacts": [{"email": "asa@example.com", "first_name": "Åsa", "custom_fields": {"e1_T": "007"}},
            {"email": "bo@rejected.example"}]}""",
        status=202,
        answer='{"job_id": "j1"}',
        then=(
            kit.Exchange(
                "GET /v3/marketing/contacts/imports/j1",
                """{"id": "j1", "status": "errored", "job_type": "upsert", "results": {"requested_count": 2,
                "created_count": 1, "updated_count": 0, "errored_count": 1, "errors_url": "https://files.example/j1.csv"}}""",
            ),
            kit.Exchange("GET https://files.example/j1.csv", "email,error\nbo@rejected.example,Invalid address\n"),
        ),
        verdicts=(kit.Verdict(1, "", "Invalid address"),),
    ),
)
