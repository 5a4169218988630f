"""HubSpot: contacts by e-mail. Mixed outcomes come as a 207 without indexes; one clash can refuse a whole batch."""

from __future__ import annotations

from integrations.auth import bearer
from integrations.errors import Ambiguous
from integrations.exchange import JSON, Played, Refusal, Reply, Sent, Verdict
from integrations.integration import ADDRESS, Example, Field, Integration, Item, Limits, Resend, Setting


def _names(error: JSON) -> list[str]:
    context = error.get("context", {})
    return context.get("objectWriteTraceId") or [name for names in context.values() for name in names]


def _read(reply: Reply, sent: Sent) -> list[Verdict]:
    said, at = reply.json(), sent.places()
    emails = [it["properties"].get("email") or it.get("objectWriteTraceId", "") for it in said["results"]]
    stored = {at[email.lower()] for email in emails if email.lower() in at}
    errors = {at[it.lower()]: error for error in said.get("errors", []) for it in _names(error) if it.lower() in at}
    if said["status"] != "COMPLETE" or stored & errors.keys():
        raise Ambiguous("bad_answer", "The answer is not complete, or says both yes and no to a record")
    silent = set(range(sent.count)) - stored - errors.keys()
    refused = [Verdict(index, error["category"], error["message"]) for index, error in errors.items()]
    return refused + [Verdict(it, "bad_answer", "The answer does not name the record", "unknown") for it in silent]


def _play(body: JSON, refuse: Refusal) -> Played:
    if "request" in map(refuse, body["inputs"]):
        clash = {"category": "CONFLICT", "message": "Taken", "correlationId": "5b0e6a52-3c1d-4f0a-9a3e-2f7f0f6f1c11"}
        return Played(Reply.of(clash, 409), ())
    like, taken = INTEGRATION.example.reply.json(), [it for it in body["inputs"] if not refuse(it)]
    results = [like["results"][0] | {"properties": it["properties"]} for it in taken]
    errors = [like["errors"][0] | {"context": {"email": [it["id"]]}} for it in body["inputs"] if refuse(it)]
    return Played(Reply.of(like | {"results": results, "errors": errors}, 207 if errors else 200), taken)


INTEGRATION = Integration(
    name="hubspot",
    title="HubSpot",
    docs="https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-upsert",
    summary="Creates contacts, or updates them, by e-mail address.",
    credentials=(Setting("access_token", "A private app's token; scope crm.objects.contacts.write.", "sandbox-token"),),
    settings=(Setting("base_url", "The API.", default="https://api.hubapi.com", matches=ADDRESS),),
    fields=(
        Field("email", "text", "The address, by which HubSpot knows the contact.", required=True),
        Field("*", "any", "Any property of contacts, by its internal name.", clear='""'),
    ),
    limits=Limits(records=100, bytes=3_000_000, per_second=10, in_flight=4),  # 100 requests in 10 seconds
    url="{base_url}/crm/v3/objects/contacts/batch/upsert",
    envelope='{"inputs":[ITEMS]}',
    item=Item(
        under="properties",
        also={"id": "email", "objectWriteTraceId": "email"},
        always={"idProperty": "email"},
        text_only=True,
        list_separator=";",
    ),
    headers=lambda connection, _: bearer(connection.credentials["access_token"]),
    read=_read,
    play=_play,
    resend=Resend.UPSERT,
    identity="email",
    example=Example(
        mapping={"email": "epost", "firstname": "namn"},
        records=({"epost": "asa@example.com", "namn": "#N/A"}, {"epost": "bo@rejected.example", "namn": "Bo"}),
        body="""{"inputs": [{"id": "asa@example.com", "idProperty": "email", "objectWriteTraceId": "asa@example.com",
             "properties": {"email": "asa@example.com", "firstname": ""}},
            {"id": "bo@rejected.example", "idProperty": "email", "objectWriteTraceId": "bo@rejected.example",
             "properties": {"email": "bo@rejected.example", "firstname": "Bo"}}]}""",
        status=207,
        answer="""{"status": "COMPLETE", "startedAt": "2026-11-23T02:00:00Z", "completedAt": "2026-11-23T02:00:01Z",
            "results": [{"id": "9021", "new": true, "archived": false, "createdAt": "2026-11-23T02:00:00Z",
                         "updatedAt": "2026-11-23T02:00:00Z", "properties": {"email": "asa@example.com"}}],
            "errors": [{"status": "error", "category": "VALIDATION_ERROR", "message": "A value is not valid",
                        "context": {"objectWriteTraceId": ["bo@rejected.example"]}}]}""",
        verdicts=(Verdict(1, "validation_error", "A value is not valid"),),
    ),
)
