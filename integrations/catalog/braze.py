"""Braze: user attributes. A yes and errors by index come together (www.braze.com/docs/api, RudderStack's connector)."""

from __future__ import annotations

from integrations import kit

_NAME = r"(?!(subscription_groups|push_tokens|push_token_import)$)[^.]+"
_ALIAS = ("user_alias.alias_name", "user_alias.alias_label")
_IDS = ("external_id", "braze_id", _ALIAS[0])


def _read(reply: kit.Reply, sent: kit.Sent) -> list[kit.Verdict]:
    said = reply.json()
    errors = said.get("errors") or []
    if said["message"] != "success" or any(it["input_array"] != "attributes" for it in errors):
        raise kit.Ambiguous("bad_answer", "The answer is not `success`, or has an error that is no record's")
    refused = {kit.whole(it["index"]): kit.Verdict(it["index"], "", it["type"]) for it in errors}
    queued = kit.whole(said.get("attributes_processed", sent.count - len(refused)))
    return [*refused.values()] + ([] if queued + len(refused) == sent.count else sent.unnamed(refused))


def _track(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    said = desk.sort(asked.json["attributes"], *INTEGRATION.identity)
    why = {"type": "The value is not valid.", "input_array": "attributes"}
    errors = {"errors": [{**why, "index": n} for n, _, _ in said.refused]} if said.refused else {}
    if not (queued := len(said.new) + len(said.known)):
        return kit.no(400, "Valid data must be provided in the 'attributes' field.", **errors)
    return kit.Reply.of({"message": "success", "attributes_processed": queued, **errors}, 201)


INTEGRATION = kit.Integration(
    name="braze",
    title="Braze",
    docs="https://www.braze.com/docs/api/endpoints/user_data/post_user_track",
    summary="Creates users, or updates their attributes, by an id, an alias, an e-mail address or a phone number.",
    yes="Braze has queued every record that it does not name among its errors; what becomes of it then, nobody tells.",
    consent="Importing leaves subscriptions alone, unless `email_subscribe` or `push_subscribe` is mapped.",
    credentials=(kit.Setting("api_key", "With users.track; Settings, APIs and Identifiers.", "sandbox-key"),),
    settings=(
        kit.Setting("base_url", "Your instance's REST API.", "https://rest.fra-01.braze.eu", matches=kit.ADDRESS),
    ),
    fields=(
        *kit.fields("text", external_id="The user's id in a system of yours.", braze_id="Braze's own id of the user."),
        *kit.fields("text", **{_ALIAS[0]: "An alias.", _ALIAS[1]: "Its label: the same for all records."}),
        kit.Field("email", "text", "The e-mail address: an identity where there is no other.", clear="null"),
        kit.Field("phone", "text", "The phone number as E.164: an identity where there is no other.", clear="null"),
        kit.Field("email_subscribe", "text", "opted_in, subscribed or unsubscribed.", consent=True),
        kit.Field("push_subscribe", "text", "opted_in, subscribed or unsubscribed.", consent=True),
        kit.Field("_update_existing_only", "boolean", "true: no user is created. By alias that is so without it."),
        kit.Field("current_location.*", "number", "longitude and latitude.", matches="longitude|latitude"),
        kit.Field("*", "any", "Any other attribute; no name may have a dot in it.", clear="null", matches=_NAME),
    ),
    limits=kit.Limits(records=75, bytes=4_000_000, item_bytes=100_000, per_second=800, in_flight=8),
    url="{base_url}/users/track",
    envelope='{"attributes":[ITEMS]}',
    headers=lambda it, _: {"x-braze-bulk": "true", **kit.bearer(it.credentials["api_key"])},
    read=_read,
    wait=kit.epoch_in("x-ratelimit-reset"),
    wrong=lambda names: kit.one_of(*_IDS)(names) or kit.together(*_ALIAS)(names),
    play={"POST /users/track": _track},
    identity=(*_IDS, "email", "phone"),
    notes=(
        "Every attribute that is sent costs a data point, changed or not: send what has changed.",
        "Nothing harmless can be asked beforehand; a right key at another instance's address is refused with 401.",
        "An alias that nobody has is passed over with a yes; map `_update_existing_only` to false to create its user.",
        "Newer contracts take 50 records a request: set `batch_size`, or each request is refused first, then halved.",
        "Where its count of what it has queued does not fit, or it only says `queued`, rows end as `unknown`.",
        "4 MB a request, 100 KB a record, how errors look and that they stop a whole record: from others' connectors.",
    ),
    example=kit.Example(
        mapping={"external_id": "kund", "first_name": "namn"},
        records=({"kund": "41", "namn": "#N/A"}, {"kund": "bo@rejected.example"}),
        body='{"attributes": [{"external_id": "41", "first_name": null}, {"external_id": "bo@rejected.example"}]}',
        status=201,
        answer="""{"message": "success", "attributes_processed": 1,
                   "errors": [{"type": "'external_id' is not valid", "input_array": "attributes", "index": 1}]}""",
        verdicts=(kit.Verdict(1, "", "'external_id' is not valid"),),
    ),
)
