"""Klaviyo: profiles by a bulk import job, whose errors come as pages of the payloads refused (revision 2026-07-15)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from integrations import kit

_HEADERS = {"revision": "2026-07-15", "accept": "application/vnd.api+json"}
_STATES = ("queued", "processing", "complete")
_JOBS, _JOB = "/api/profile-bulk-import-jobs", "/api/profile-bulk-import-jobs/{job}"


def _envelope(settings: Mapping[str, Any]) -> str:
    job: kit.JSON = {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": ["ITEMS"]}}}
    if "list_id" in settings:
        job["relationships"] = {"lists": {"data": [{"type": "list", "id": settings["list_id"]}]}}
    return json.dumps({"data": job}).replace('"ITEMS"', "ITEMS")


def _follow(_connection: kit.Connection, job: str, sent: kit.Sent) -> kit.Steps[list[kit.Verdict]]:
    while True:
        about = (yield kit.get(_JOB, job=job)).json()["data"]["attributes"]
        if about["status"] in ("complete", "cancelled"):
            break
        yield kit.Pause()
    failed, verdicts = kit.whole(about.get("failed_count") or 0), {}
    page = f"{_JOB}/import-errors?page[size]=100" if failed else None
    while page:
        said = (yield kit.get(page, job=job)).json()
        for error in said["data"]:
            index = sent.find(error["attributes"].get("original_payload"))
            if index is not None:
                verdicts[index] = kit.Verdict(index, error["attributes"]["code"], error["attributes"]["detail"])
        page = said.get("links", {}).get("next")
    # an error that cannot be laid at one record's door may be any other's, and a cancelled job tells of none
    whole = about["status"] == "complete" and len(verdicts) == failed
    return [*verdicts.values()] + ([] if whole else sent.unnamed(verdicts))


def _submit(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    profiles = asked.json["data"]["attributes"]["profiles"]["data"]
    refused = [it for _, it, _ in desk.sort(profiles, *INTEGRATION.identity).refused]
    return kit.Reply.of(_about(asked, desk.start((len(profiles), refused)), "queued", len(profiles)), 202)


def _about(asked: kit.Asked, job: str, status: str, total: int, failed: int = 0) -> kit.JSON:
    counts = {"total_count": total, "failed_count": failed, "completed_count": total - failed}
    attributes = {"status": status, "created_at": "2026-11-24T02:00:00+00:00", **counts}
    links = {"self": f"{asked.base}{_JOBS}/{job}"}
    data = {"type": "profile-bulk-import-job", "id": job, "attributes": attributes, "links": links}
    return {"data": data, "links": links}


def _look(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    job = asked.values["job"]
    status, (total, refused) = desk.look(job, _STATES)
    return kit.Reply.of(_about(asked, job, status, total, len(refused) if status == "complete" else 0))


def _errors(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    job, start = asked.values["job"], int(asked.query.get("page[cursor]", "0"))
    _, (_, refused) = desk.look(job, _STATES)
    errors = [
        {"code": "invalid", "title": "Invalid input", "detail": "The address is not valid.", "source": {"pointer": "/"}}
        | {"original_payload": it}
        for it in refused[start : start + 100]
    ]
    here = f"{asked.base}{_JOBS}/{job}/import-errors?page[size]=100"
    following = {"next": f"{here}&page[cursor]={start + 100}"} if start + 100 < len(refused) else {}
    data = [{"type": "import-error", "id": str(start + n), "attributes": it} for n, it in enumerate(errors)]
    return kit.Reply.of({"data": data, "links": {"self": here, **following}})


INTEGRATION = kit.Integration(
    name="klaviyo",
    title="Klaviyo",
    docs="https://developers.klaviyo.com/en/reference/bulk_import_profiles",
    summary="Creates profiles, or updates them, by a bulk import job; adds them to a list if one is set.",
    yes="The job is complete, and Klaviyo does not name the profile among its errors.",
    consent="Importing subscribes nobody, and takes nobody off a suppression list; nor does adding to a list.",
    credentials=(kit.Setting("api_key", "Settings, API keys: private, profiles:write, lists:read.", "pk_sandbox"),),
    settings=(
        kit.Setting("list_id", "A list that every profile is added to.", optional=True, matches=r"\w+"),
        kit.Setting("base_url", "The API.", default="https://a.klaviyo.com", matches=kit.ADDRESS),
    ),
    fields=(
        kit.Field("attributes.email", "text", "The e-mail address."),
        kit.Field("attributes.phone_number", "text", "The phone number as E.164, like +46701234567."),
        kit.Field("attributes.external_id", "text", "The profile's id in a system of yours."),
        kit.Field("attributes.first_name", "text", "The first name.", clear="null"),
        kit.Field("attributes.last_name", "text", "The last name.", clear="null"),
        kit.Field("attributes.organization", "text", "The company.", clear="null"),
        kit.Field("attributes.title", "text", "The job title.", clear="null"),
        kit.Field("attributes.locale", "text", "The language, like sv-SE.", clear="null"),
        kit.Field("attributes.image", "text", "An address of a picture.", clear="null"),
        kit.Field(
            "attributes.location.*", "any", "A part of the address, like attributes.location.city.", clear="null"
        ),
        kit.Field("attributes.properties.*", "any", "A property of your own.", clear="null"),
    ),
    limits=kit.Limits(records=10_000, bytes=5_000_000, item_bytes=100_000, per_second=10, per_minute=150, in_flight=4),
    url="{base_url}/api/profile-bulk-import-jobs",
    envelope=_envelope,
    content_type="application/vnd.api+json",
    item=kit.Item(always={"type": "profile"}),
    headers=lambda it, _: {"authorization": f"Klaviyo-API-Key {it.credentials['api_key']}", **_HEADERS},
    job=kit.Job(_follow, started=lambda reply: str(reply.json()["data"]["id"])),
    prepare=kit.asking("/api/lists", "the key is taken, and may look at lists"),
    play={
        f"POST {_JOBS}": _submit,
        f"GET {_JOB}": _look,
        f"GET {_JOB}/import-errors": _errors,
        "GET /api/lists": kit.always({"data": [], "links": {"self": "https://a.klaviyo.com/api/lists"}}),
    },
    identity=("attributes.email", "attributes.phone_number", "attributes.external_id"),
    notes=(
        "That null empties a field is said of single profiles, and taken to hold for the job too.",
        "A job has no state for having failed: what counts is its number of errors.",
    ),
    example=kit.Example(
        mapping={"attributes.email": "epost", "attributes.first_name": "namn", "attributes.properties.kundnr": "nr"},
        records=({"epost": "asa@example.com", "namn": "#N/A", "nr": "007"}, {"epost": "bo@rejected.example"}),
        body="""{"data": {"type": "profile-bulk-import-job", "attributes": {"profiles": {"data": [
            {"type": "profile", "attributes": {"email": "asa@example.com", "first_name": null,
                                               "properties": {"kundnr": "007"}}},
            {"type": "profile", "attributes": {"email": "bo@rejected.example"}}]}}}}""",
        status=202,
        answer="""{"data": {"type": "profile-bulk-import-job", "id": "j1", "attributes": {"status": "queued",
            "created_at": "2026-11-24T02:00:00+00:00", "total_count": 2}, "links": {"self": "https://a.klaviyo.com/1"}}}""",
        then=(
            kit.Exchange(
                "GET /api/profile-bulk-import-jobs/j1",
                """{"data": {"type": "profile-bulk-import-job", "id": "j1", "attributes": {"status": "complete",
                "created_at": "2026-11-24T02:00:00+00:00", "total_count": 2, "failed_count": 1, "completed_count": 1},
                "links": {"self": "https://a.klaviyo.com/1"}}}""",
            ),
            kit.Exchange(
                "GET /api/profile-bulk-import-jobs/j1/import-errors?page[size]=100",
                """{"data": [{"type": "import-error", "id": "e1", "attributes": {"code": "invalid", "title": "Invalid",
                "detail": "Invalid email address", "source": {"pointer": "/data"},
                "original_payload": {"type": "profile", "attributes": {"email": "bo@rejected.example"}}}}]}""",
            ),
        ),
        verdicts=(kit.Verdict(1, "invalid", "Invalid email address"),),
    ),
)
