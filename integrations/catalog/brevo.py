"""Brevo: contacts by an import job, whose refusals come as files of addresses (states as in brevo-python 5.1.0)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from integrations import kit

_IMPORT, _PROCESS, _LIST = "/contacts/import", "/processes/{process}", "/contacts/lists/{list}"
_ENDED, _OWN = ("completed", "failed", "cancelled", "error", "aborted"), ("SMS", "WHATSAPP", "LANDLINE_NUMBER")
_EMPTY, _NAME = re.compile(rb':\s*""'), r"(?!EMAIL$)[A-Z0-9][A-Z0-9_-]*"
_ATTRIBUTES = kit.knowing(
    *("/contacts/attributes", "the key may look at the attributes of contacts", "attributes.*", "attribute"),
    read=lambda said: [*_OWN, *(it["name"] for it in said["attributes"] if it["category"] in ("normal", "category"))],
)


def _envelope(settings: Mapping[str, Any], *, erase: bool = False) -> str:
    lists = [int(one) for one in settings["list_ids"].split(",")]
    around = {"updateExistingContacts": True, "emptyContactsAttributes": erase, "disableNotification": True}
    return json.dumps({"listIds": lists, **around, "jsonBody": ["ITEMS"]}).replace('"ITEMS"', "ITEMS")


def _submit(connection: kit.Connection, items: bytes) -> kit.Steps[None]:
    # erasing is only asked for where something is to be erased, for it may take more than was meant
    before, _, after = _envelope(connection.settings, erase=bool(_EMPTY.search(items))).partition("ITEMS")
    said = yield kit.Call("POST", _IMPORT, body=before.encode() + items + after.encode())
    yield kit.Started(kit.identifier(said.json()["processId"]))


def _follow(_connection: kit.Connection, job: str, sent: kit.Sent) -> kit.Steps[list[kit.Verdict]]:
    yield kit.Pause()  # there are few questions to an hour, and an answer is not to be had at once
    while (about := (yield kit.get(_PROCESS, process=job)).json())["status"] not in _ENDED:
        yield kit.Pause()
    reports = (about.get("info") or {}).get("import") or {}
    found, whole = dict[int, kit.Verdict](), about["status"] == "completed" and "invalid_emails" in reports
    for code, where in reports.items():
        if where and code.startswith(("invalid_", "duplicate_")):  # all but an address is a count, which names nobody
            places = _places((yield kit.get(where)).body, sent) if str(where).startswith("http") else [None]
            message = f"Brevo's report of {code.replace('_', ' ')} names the contact."
            found |= {it: kit.Verdict(it, code, message) for it in places if it is not None and it not in found}
            whole = whole and bool(places) and None not in places
    return [*found.values()] + ([] if whole else sent.unnamed(found))


def _places(report: bytes, sent: kit.Sent) -> list[int | None]:
    entries = enumerate(kit.entries(report))  # the first may be a heading
    return [sent.find(entry) for n, entry in entries if n or any("@" in text for text in kit.texts(entry))]


def _prepare(connection: kit.Connection, fields: Sequence[str]) -> kit.Steps[Mapping[str, str | int]]:
    yield from _ATTRIBUTES(connection, fields)
    for one in connection.settings["list_ids"].split(","):
        yield kit.get(_LIST, f"there is a list {one}", list=one)
    return {}


def _filled(value: kit.JSON) -> kit.JSON:
    return {name: one for name, one in value.items() if one} if isinstance(value, dict) else value


def _import(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    contacts = asked.json["jsonBody"]
    if desk.clash(contacts) or not asked.json["listIds"]:
        return kit.no(400, "The import is not valid.", code="invalid_parameter")
    if not asked.json["emptyContactsAttributes"]:
        contacts = [{key: _filled(value) for key, value in it.items()} for it in contacts]
    refused = [it["email"] for _, it, _ in desk.sort(contacts, "email").refused]
    desk.start(refused)
    return kit.Reply.of({"processId": len(desk.jobs)}, 202)


def _look(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    process = int(asked.values["process"])
    status, refused = desk.look(dict(enumerate(desk.jobs, 1)).get(process, ""), ("queued", "in_process", "completed"))
    reports = {"invalid_emails": f"{asked.base}/reports/{process}" if refused else None, "duplicate_phone_id": None}
    about = {"id": process, "name": "IMPORTUSER", "status": status}
    return kit.Reply.of(about | ({"info": {"import": reports}} if status == "completed" else {}))


def _report(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    refused = list(desk.jobs.values())[int(asked.values["process"]) - 1].about
    return kit.Reply(200, {"content-type": "text/csv"}, "".join(f"{it};\n" for it in ["EMAIL", *refused]).encode())


INTEGRATION = kit.Integration(
    name="brevo",
    title="Brevo",
    docs="https://developers.brevo.com/reference/import-contacts",
    summary="Creates contacts, or updates them, by an import into lists.",
    yes="The import is completed, and none of its reports of invalid or duplicate contacts names the contact.",
    consent="The contact joins the lists that are set; nobody is put on Brevo's blocklist, or asked to be taken off.",
    credentials=(kit.Setting("api_key", "An API key; Settings, SMTP & API.", "xkeysib-sandbox"),),
    settings=(
        kit.Setting("list_ids", "The numbers of the lists that contacts join.", "2", matches=r"[1-9]\d*(,[1-9]\d*)*"),
        kit.Setting("base_url", "The API.", default="https://api.brevo.com/v3", matches=kit.ADDRESS),
    ),
    fields=(
        kit.Field("email", "text", "The address, by which Brevo knows the contact.", required=True),
        kit.Field("attributes.SMS", "text", "The mobile number with its country code, like +46701234567.", clear='""'),
        kit.Field("attributes.OPT_IN", "any", "Whether the person wants to hear from you.", consent=True),
        kit.Field("attributes.DOUBLE_OPT-IN", "any", "Whether the person has confirmed it.", consent=True),
        kit.Field("attributes.*", "any", "An attribute, by its name in capitals.", clear='""', matches=_NAME),
    ),
    limits=kit.Limits(records=50_000, bytes=8_000_000, per_second=10, per_hour=36_000, in_flight=1),
    url=f"{{base_url}}{_IMPORT}",
    envelope=_envelope,
    headers=lambda it, _: {"api-key": it.credentials["api_key"]},
    job=kit.Job(_follow, submit=_submit, every=40, patience=7200),
    wait=kit.seconds_in("x-sib-ratelimit-reset"),
    prepare=_prepare,
    play={
        f"POST {_IMPORT}": _import,
        f"GET {_PROCESS}": _look,
        "GET /reports/{process}": _report,
        "GET /contacts/attributes": kit.always({"attributes": [{"name": kit.ANY, "category": "normal"}]}),
        f"GET {_LIST}": kit.always({"id": 2, "name": "Customers"}),
    },
    identity=("email",),
    notes=(
        "A request erases what is empty only where one of its records clears something.",
        "That an attribute which a record leaves out is not empty, then, is nowhere promised: try it before you clear.",
        "Brevo ignores a value that does not fit its attribute and tells nobody; of false, users have reported that.",
        "What is stored of a contact that is named as a duplicate, or by an import that failed, is not told.",
        "Brevo answers 100 questions about imports an hour, which `poll_seconds` below 36 uses up.",
    ),
    example=kit.Example(
        mapping={"email": "epost", "attributes.FIRSTNAME": "namn"},
        records=({"epost": "asa@example.com", "namn": "#N/A"}, {"epost": "bo@rejected.example"}),
        body="""{"listIds": [2], "updateExistingContacts": true, "emptyContactsAttributes": true, "disableNotification":
            true, "jsonBody": [{"email": "asa@example.com", "attributes": {"FIRSTNAME": ""}},
                               {"email": "bo@rejected.example"}]}""",
        status=202,
        answer='{"processId": 78}',
        then=(
            kit.Exchange("POST /contacts/import", '{"processId": 78}', status=202),
            kit.Exchange(
                "GET /processes/j1",
                """{"id": 78, "name": "IMPORTUSER", "status": "completed", "info": {"import": {"invalid_emails":
                    "https://vendor.example/reports/78", "duplicate_email_id": null}}}""",
            ),
            kit.Exchange("GET /reports/78", "EMAIL\nbo@rejected.example\n"),
        ),
        verdicts=(kit.Verdict(1, "invalid_emails", "Brevo's report of invalid emails names the contact."),),
    ),
)
