"""Mailchimp: contacts into an audience. Refused records stand inside a 200, keyed by e-mail address."""

from __future__ import annotations

from integrations import kit

_WHY = "compliance state"  # how Mailchimp says that somebody has unsubscribed, or was reported


def _read(reply: kit.Reply, sent: kit.Sent) -> list[kit.Verdict]:
    said, at = reply.json(), sent.places()
    counts = [kit.whole(said[name]) for name in ("total_created", "total_updated", "error_count")]
    if sum(counts) != sent.count or len(said["errors"]) != counts[2]:
        raise kit.Ambiguous("bad_answer", f"The answer accounts for {sum(counts)} of {sent.count} records")
    errors = [(at[it["email_address"].lower()], it["error_code"], it["error"]) for it in said["errors"]]
    return [kit.Verdict(n, "consent.compliance" if _WHY in why else code, why) for n, code, why in errors]


def _import(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    said = desk.sort(asked.json["members"], "email_address")
    why = [(it["email_address"], _WHY if doubt == "consent" else "looks fake") for _, it, doubt in said.refused]
    errors = [{"email_address": it, "error": f"{it} {error}", "error_code": "ERROR_GENERIC"} for it, error in why]
    counts = {"total_created": len(said.new), "total_updated": len(said.known), "error_count": len(errors)}
    new, known = ([{"email_address": it["email_address"]} for it in some] for some in (said.new, said.known))
    return kit.Reply.of({"new_members": new, "updated_members": known, "errors": errors, **counts})


INTEGRATION = kit.Integration(
    name="mailchimp",
    title="Mailchimp",
    docs="https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/",
    summary="Adds contacts to an audience, or updates them, by e-mail address.",
    yes="Mailchimp has stored every contact that it does not name among the errors.",
    consent="Nobody is subscribed unless `status` or `status_if_new` is mapped; who has unsubscribed is refused.",
    credentials=(kit.Setting("api_key", "An API key; Profile, Extras, API keys.", "sandbox-us21"),),
    settings=(
        kit.Setting("list_id", "The audience's id.", "a1b2c3d4e5", matches=r"[\w-]+"),
        kit.Setting("base_url", "The data centre's API.", "https://us21.api.mailchimp.com/3.0", matches=kit.ADDRESS),
    ),
    fields=(
        kit.Field("email_address", "text", "The address, by which Mailchimp knows the contact.", required=True),
        kit.Field("status", "text", "subscribed, unsubscribed, cleaned, pending or transactional.", consent=True),
        kit.Field("status_if_new", "text", "Status of a new contact; not described for batches.", consent=True),
        kit.Field("merge_fields.*", "any", "A merge field by its tag, like merge_fields.FNAME.", clear='""'),
        kit.Field("interests.*", "boolean", "Whether the contact is in the interest group with this id."),
        kit.Field("tags", "list", "Tags to add; not described for batches.", adds=True),
        kit.Field("vip", "boolean", "Whether the contact is a VIP."),
        kit.Field("location.*", "number", "location.latitude and location.longitude."),
        *kit.fields("text", email_type="html or text.", language="The contact's language, like sv."),
        *kit.fields("text", ip_signup="Where the contact signed up from.", ip_opt="Where it confirmed from."),
        *kit.fields("datetime", timestamp_signup="When the contact signed up.", timestamp_opt="When it confirmed."),
    ),
    limits=kit.Limits(records=500, bytes=5_000_000, per_second=10, in_flight=8),  # 10 at once an account
    url="{base_url}/lists/{list_id}",
    envelope='{"members":[ITEMS],"update_existing":true}',
    headers=lambda connection, _: kit.basic("flatdrop", connection.credentials["api_key"]),
    read=_read,
    notice=kit.slow_down(lambda reply: reply.status == 403 and kit.kind(reply) != "JSON", "not in JSON"),
    prepare=kit.knowing(
        *("/lists/{list_id}/merge-fields?count=1000", "the audience `list_id` exists", "merge_fields.*", "merge field"),
        read=lambda said: [it["tag"] for it in said["merge_fields"]],
    ),
    play={
        "POST /lists/{list_id}": _import,
        "GET /lists/{list_id}/merge-fields": kit.always({"merge_fields": [{"tag": kit.ANY}]}),
    },
    identity=("email_address",),
    example=kit.Example(
        mapping={"email_address": "epost", "status_if_new": "'subscribed'", "merge_fields.FNAME": "namn"},
        records=({"epost": "asa@example.com", "namn": "Åsa"}, {"epost": "bo@rejected.example"}),
        body="""{"members": [
            {"email_address": "asa@example.com", "status_if_new": "subscribed", "merge_fields": {"FNAME": "Åsa"}},
            {"email_address": "bo@rejected.example", "status_if_new": "subscribed"}], "update_existing": true}""",
        answer="""{"new_members": [{"email_address": "asa@example.com"}], "updated_members": [], "errors": [
            {"email_address": "bo@rejected.example", "error": "Looks fake", "error_code": "ERROR_GENERIC"}],
            "total_created": 1, "total_updated": 0, "error_count": 1}""",
        verdicts=(kit.Verdict(1, "error_generic", "Looks fake"),),
    ),
)
