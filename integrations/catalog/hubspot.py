"""HubSpot: contacts by e-mail. Mixed outcomes come as a 207 without indexes; one clash can refuse a whole batch."""

from __future__ import annotations

from integrations import kit


def _names(error: kit.JSON) -> list[str]:
    context = error.get("context", {})
    return context.get("objectWriteTraceId") or [name for names in context.values() for name in names]


def _read(reply: kit.Reply, sent: kit.Sent) -> list[kit.Verdict]:
    said, at = reply.json(), sent.places()
    emails = [it["properties"].get("email") or it.get("objectWriteTraceId", "") for it in said["results"]]
    stored = {at[email.lower()] for email in emails if email.lower() in at}
    errors = {at[it.lower()]: error for error in said.get("errors", []) for it in _names(error) if it.lower() in at}
    if said["status"] != "COMPLETE" or stored & errors.keys():
        raise kit.Ambiguous("bad_answer", "The answer is not complete, or says both yes and no to a record")
    refused = [kit.Verdict(n, it["category"], it["message"]) for n, it in errors.items()]
    return refused + sent.unnamed(stored | errors.keys())


def _upsert(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    if desk.clash(asked.json["inputs"]):
        return kit.no(409, "Taken", category="CONFLICT", correlationId="5b0e6a52-3c1d-4f0a-9a3e-2f7f0f6f1c11")
    said, like = desk.sort(asked.json["inputs"], "properties.email"), INTEGRATION.example.reply.json()
    results = [like["results"][0] | {"properties": it["properties"]} for it in (*said.new, *said.known)]
    errors = [like["errors"][0] | {"context": {"objectWriteTraceId": [it["id"]]}} for _, it, _ in said.refused]
    return kit.Reply.of(like | {"results": results, "errors": errors}, 207 if errors else 200)


INTEGRATION = kit.Integration(
    name="hubspot",
    title="HubSpot",
    docs="https://developers.hubspot.com/docs/api-reference/crm-contacts-v3/batch/post-crm-v3-objects-contacts-batch-upsert",
    summary="Creates contacts, or updates them, by e-mail address.",
    yes="HubSpot names every contact that it has stored; one that it names nowhere is `unknown`.",
    consent="Importing changes no subscription; a property that does, like hs_legal_basis, must be mapped by name.",
    credentials=(kit.Setting("access_token", "Of a private app with crm.objects.contacts.write.", "sandbox-token"),),
    settings=(kit.Setting("base_url", "The API.", default="https://api.hubapi.com", matches=kit.ADDRESS),),
    fields=(
        kit.Field("email", "text", "The address, by which HubSpot knows the contact.", required=True),
        kit.Field("*", "any", "Any property of contacts, by its internal name.", clear='""'),
    ),
    limits=kit.Limits(records=100, bytes=3_000_000, per_second=10, in_flight=4),  # 100 requests in 10 seconds
    url="{base_url}/crm/v3/objects/contacts/batch/upsert",
    envelope='{"inputs":[ITEMS]}',
    item=kit.Item("properties", {"id": "email", "objectWriteTraceId": "email"}, {"idProperty": "email"}, True, ";"),
    headers=lambda connection, _: kit.bearer(connection.credentials["access_token"]),
    read=_read,
    prepare=kit.knowing(
        *("/crm/v3/properties/contacts", "the token may look at the properties of contacts", "*", "property"),
        read=lambda said: [it["name"] for it in said["results"]],
    ),
    play={
        "POST /crm/v3/objects/contacts/batch/upsert": _upsert,
        "GET /crm/v3/properties/contacts": kit.always({"results": [{"name": kit.ANY}]}),
    },
    identity=("email",),
    example=kit.Example(
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
        verdicts=(kit.Verdict(1, "validation_error", "A value is not valid"),),
    ),
)
