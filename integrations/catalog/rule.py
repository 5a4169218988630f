"""Rule: subscribers by e-mail address or phone number; tags belong to a request. GET /tags is rulecom/rule-io-sdk's."""

from __future__ import annotations

from integrations import kit

# without sync_subscribers automations would start in requests of up to 19 people, and in larger ones not
_ENVELOPE = '{"update_on_duplicate":true,"sync_subscribers":false,"subscribers":[ITEMS],"tags":SHARED}'


def _read(reply: kit.Reply, sent: kit.Sent) -> list[kit.Verdict]:
    said = reply.json()
    counts = [kit.whole(said.get(f"subscribers_{name}", 0)) for name in ("created", "updated", "suppressed")]
    if "error" in said or sum(counts) > sent.count:
        raise kit.Ambiguous("bad_answer", "The answer is an error, or counts more records than were sent")
    left_out = range(sent.count if counts[2] == sent.count else 0)  # of fewer than all, nobody can tell who
    return [kit.Verdict(n, "consent.suppressed", "Rule has suppressed the person") for n in left_out]


def _import(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    people, tags = asked.json["subscribers"], {name: asked.json[name] for name in asked.json if name == "tags"}
    doubts = [desk.doubt(it, it.get("email")) for it in people]
    if {"record", "request"} & {*doubts}:
        return kit.no(400, "A subscriber is not valid.", error="ValidationError", fields={"subscribers": ["email"]})
    taken = [it for it, doubt in zip(people, doubts, strict=True) if not doubt]
    for it in taken:
        own = {"fields": {one["key"]: one["value"] for one in it.get("fields", ())}}
        desk.take(it, it.get("email") or it["phone_number"], it | own | tags)
    return kit.Reply.of({"message": "Success", "subscribers_suppressed": len(people) - len(taken)})


INTEGRATION = kit.Integration(
    name="rule",
    title="Rule",
    docs="https://apidoc.rule.se/",
    summary="Creates subscribers, or updates them, by e-mail address or phone number; adds tags.",
    yes="Rule has received the request, and works it off later: it names nobody, so rows end as `acknowledged`.",
    consent="A new person is a subscriber at once: send those who have agreed. Who is suppressed is left out.",
    credentials=(kit.Setting("api_key", "An API key; Settings, Developer.", "sandbox-key"),),
    settings=(
        kit.Setting("require_opt_in", "yes: new people go through Rule's opt-in.", optional=True, matches="yes"),
        kit.Setting("base_url", "The API.", default="https://app.rule.io/api/v2", matches=kit.ADDRESS),
    ),
    fields=(
        *kit.fields("text", email="The e-mail address.", language="The language, like sv."),
        kit.Field("phone_number", "text", "The phone number with its country code; without one it is read as Swedish."),
        kit.Field("fields.*", "text", "A field as Group.Field, like fields.Profile.City.", matches=r"[^.]+\.[^.]+"),
        kit.Field("tags", "list", "Tags to add; one of digits only is read as the id of a tag.", adds=True),
    ),
    limits=kit.Limits(records=1000, bytes=4_000_000, per_second=2, in_flight=2),
    url="{base_url}/subscribers",
    envelope=lambda it: _ENVELOPE.replace("{", '{"require_opt_in":true,') if "require_opt_in" in it else _ENVELOPE,
    item=kit.Item(pairs={"fields": ("key", "value")}),
    headers=lambda it, _: kit.bearer(it.credentials["api_key"]),
    answers=kit.Answers.REQUESTS,
    read=_read,
    wait=kit.local_time("Europe/Stockholm"),
    prepare=kit.asking("/tags?limit=1", "the key is taken, and may look at tags"),
    play={"POST /subscribers": _import, "GET /tags": kit.always({"tags": [], "meta": {}})},
    identity=("email", "phone_number"),
    shared="tags",
    notes=(
        "The import starts no automation, whatever the size of a request, for `sync_subscribers` is always false.",
        "Each set of tags has requests of its own. A tag id that does not exist stops the integration.",
        "Rule blocks who gets too many errors (49 %), and a refused request is split to find the record: check first.",
        "No limit of requests or bytes is known, nor what empties a field. All fields go as text; a group has 65 KiB.",
    ),
    example=kit.Example(
        mapping={"email": "epost", "fields.Profile.City": "ort", "tags": "taggar"},
        records=({"epost": "a@x.se", "ort": "Åre", "taggar": ["vip"]}, {"epost": "b@x.se", "taggar": ["vip"]}),
        body="""{"update_on_duplicate": true, "sync_subscribers": false, "tags": ["vip"], "subscribers": [
            {"email": "a@x.se", "fields": [{"key": "Profile.City", "value": "Åre"}]}, {"email": "b@x.se"}]}""",
        answer='{"message": "Success", "subscribers_created": 1, "subscribers_suppressed": 1}',
        verdicts=(),
    ),
)
