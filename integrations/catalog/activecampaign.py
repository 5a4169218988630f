"""ActiveCampaign: contacts by a bulk import that takes all of a request or nothing, and is asked after as a job."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from integrations import kit

_INFO, _FIELDS, _LISTS = "/api/3/import/info", "/api/3/fields", {"subscribe": "listid", "unsubscribe": "listid"}
_STATES = ("", "waiting", "claimed", "active", "completed")  # in the first second there is none yet, but false
_TOO_FAST = re.compile(r"rate limit|per minute|in a minute", re.IGNORECASE)
_NAMED = "The import names the contact among its failures, without a reason."


def _envelope(settings: Mapping[str, Any]) -> str:
    quiet = {"exclude_automations": True} if settings["automations"] == "exclude" else {}
    return json.dumps({"contacts": ["ITEMS"], **quiet}).replace('"ITEMS"', "ITEMS")


def _notice(reply: kit.Reply) -> None:
    said = kit.document(reply) if reply.status == 400 else None
    said = said if isinstance(said, dict) else {}
    reasons = said["failureReasons"] if isinstance(said.get("failureReasons"), list) else []
    plain = [it for it in (*reasons, said.get("message")) if isinstance(it, str)]  # one about a contact is an object
    if any(_TOO_FAST.search(it) for it in plain):
        raise kit.Retryable("slow_down", "HTTP 400: too many imports in a minute", retry_after=60, slow_down=True)
    if reason := next(kit.texts(reasons), ""):  # whether the position beside it counts from 0 or from 1 is not known
        raise kit.Refused("refused", f"HTTP 400: {kit.tidy(reason)}")


def _started(reply: kit.Reply) -> str:
    said = reply.json()
    return f"{kit.identifier(said['batchId'])}/{kit.whole(said['queued_contacts'])}"


def _follow(_connection: kit.Connection, job: str, sent: kit.Sent) -> kit.Steps[list[kit.Verdict]]:
    batch, _, queued = job.rpartition("/")
    while True:
        said = (yield kit.get(f"{_INFO}?batchId={{batch}}", batch=batch)).json()
        if said["status"] in ("completed", "failed", "interrupted"):
            break
        yield kit.Pause()
    failed = said["failure"] if said["status"] == "completed" else said.get("failure") or []
    found = {index: kit.Verdict(index, "", _NAMED) for it in failed if (index := sent.find(it)) is not None}
    # a failure that is nobody's may be anybody's, and an import that broke off tells nothing of the others
    whole = said["status"] == "completed" and len(found) == len(failed) and int(queued) == sent.count
    return [*found.values()] + ([] if whole else sent.unnamed(found))


def _more(said: kit.JSON, pages: int) -> str | None:
    return f"{_FIELDS}?limit=100&offset={100 * pages}" if 100 * pages < int(said["meta"]["total"]) else None


def _import(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    contacts = asked.json["contacts"]
    bad = [n for n, it in enumerate(contacts) if desk.clash([it]) or "@" not in it["email"]]
    if bad:
        reasons = [{"contact": n, "failureReason": "The field email has a wrong format."} for n in bad]
        return kit.no(400, "The payload is not valid.", success=0, failureReasons=reasons)
    failed = [it["email"] for it in contacts if desk.doubt(it, it["email"])]
    for it in contacts:
        if it["email"] not in failed:
            desk.take(it, it["email"], _plain(it))
    said = {"Success": 1, "queued_contacts": len(contacts), "message": "Queued"}
    return kit.Reply.of({**said, "batchId": desk.start(failed)})


def _plain(contact: Mapping[str, Any]) -> dict[str, Any]:
    lists = {name: [it["listid"] for it in contact[name]] for name in _LISTS if name in contact}
    return {**contact, **lists, "fields": {str(it["id"]): it["value"] for it in contact.get("fields", [])}}


def _info(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    status, failed = desk.look(asked.query["batchId"], _STATES)
    return kit.Reply.of({"status": status or False, "success": [], "failure": failed if status == "completed" else []})


INTEGRATION = kit.Integration(
    name="activecampaign",
    title="ActiveCampaign",
    docs="https://developers.activecampaign.com/reference/bulk-import-contacts",
    summary="Creates contacts, or updates them, by e-mail address, by a bulk import.",
    yes="The import is completed, has queued every contact, and does not name the contact among its failures.",
    consent="Nobody is put on a list unless `subscribe` is mapped, and who has left a list is not put on it again.",
    credentials=(kit.Setting("api_token", "The key that stands under Settings, Developer.", "sandbox-token"),),
    settings=(
        kit.Setting("base_url", "The account's own API.", "https://acme.api-us1.com", matches=kit.ADDRESS),
        kit.Setting("automations", "Whether imports run or exclude them.", default="run", matches="run|exclude"),
    ),
    fields=(
        kit.Field("email", "text", "The address, by which ActiveCampaign knows the contact.", required=True),
        *kit.fields("text", first_name="The first name.", last_name="The last name.", phone="The phone number."),
        kit.Field("customer_acct_name", "text", "The name of the company account."),
        kit.Field("exclude_automations", "boolean", "Whether this contact starts no automations."),
        kit.Field("tags", "list", "Tags to add; unknown ones are made.", adds=True),
        kit.Field("fields.*", "any", "A custom field by its personalisation tag without %, like fields.SHOE_SIZE."),
        kit.Field("subscribe", "list", "Ids of lists to put the contact on.", adds=True, consent=True),
        kit.Field("unsubscribe", "list", "Ids of lists to take the contact off.", adds=True, consent=True),
    ),
    limits=kit.Limits(records=250, bytes=399_999, per_second=5, per_minute=100, in_flight=4),
    url="{base_url}/api/3/import/bulk_import",
    envelope=_envelope,
    item=kit.Item(pairs={"fields": ("id", "value")}, list_separator="||", list_ends="||", wrapped=_LISTS),
    headers=lambda connection, _: {"api-token": connection.credentials["api_token"]},
    notice=_notice,
    job=kit.Job(_follow, started=_started),
    names=kit.renaming(
        *(f"{_FIELDS}?limit=100", "the token is taken, and may look at custom fields", "fields.*", "custom field"),
        read=lambda said: {it["perstag"]: int(it["id"]) for it in said["fields"]},
        more=_more,
    ),
    play={
        "POST /api/3/import/bulk_import": _import,
        f"GET {_INFO}": _info,
        f"GET {_FIELDS}": kit.always({"fields": [{"id": "7", "perstag": kit.ANY}], "meta": {"total": "1"}}),
    },
    identity=("email",),
    notes=(
        "Imports start automations, which may send mail, unless they are excluded.",
        "To exclude them the setting speaks for the request, the field for a contact; which one counts is not clear.",
        "One bad contact refuses a request, which is then split; requests of one contact are limited to 20 a minute.",
        "How a field is emptied is not written down, so none can be.",
        "An import that failed or was interrupted leaves its contacts `unknown`, as does one that gives no failures.",
        "What becomes of contacts on the account's exclusion list is not written down.",
    ),
    example=kit.Example(
        mapping={"email": "epost", "fields.INTERESTS": "intressen", "subscribe": "listor"},
        records=(
            {"epost": "asa@example.com", "intressen": ["ski", "sauna"], "listor": ["12"]},
            {"epost": "bo@rejected.example"},
        ),
        names={"fields.INTERESTS": 7},
        body="""{"contacts": [{"email": "asa@example.com", "fields": [{"id": 7, "value": "||ski||sauna||"}],
            "subscribe": [{"listid": "12"}]}, {"email": "bo@rejected.example"}]}""",
        answer='{"Success": 1, "queued_contacts": 2, "batchId": "b1", "message": "Queued"}',
        then=(
            kit.Exchange("GET /api/3/import/info?batchId=b1", '{"status": false}'),
            kit.Exchange(
                "GET /api/3/import/info?batchId=b1",
                '{"status": "completed", "success": ["5012"], "failure": ["bo@rejected.example"]}',
            ),
        ),
        verdicts=(kit.Verdict(1, "", _NAMED),),
    ),
)
