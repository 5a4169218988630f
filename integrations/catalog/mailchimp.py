"""Mailchimp: contacts into an audience. Refused records stand inside a 200, keyed by e-mail address."""

from __future__ import annotations

from integrations.auth import basic
from integrations.errors import Ambiguous, Retryable
from integrations.exchange import JSON, Played, Refusal, Reply, Sent, Verdict
from integrations.integration import ADDRESS, Example, Field, Integration, Limits, Resend, Setting
from integrations.reply import kind, whole


def _notice(reply: Reply) -> None:
    if reply.status == 403 and kind(reply) != "JSON":  # how Mailchimp's front says "too many"
        raise Retryable("slow_down", "HTTP 403 without JSON", slow_down=True)


def _read(reply: Reply, sent: Sent) -> list[Verdict]:
    said, at = reply.json(), sent.places()
    counts = [whole(said[name]) for name in ("total_created", "total_updated", "error_count")]
    if sum(counts) != sent.count or len(said["errors"]) != counts[2]:
        raise Ambiguous("bad_answer", f"The answer accounts for {sum(counts)} of {sent.count} records")
    return [Verdict(at[it["email_address"].lower()], it["error_code"], it["error"]) for it in said["errors"]]


def _play(body: JSON, refuse: Refusal) -> Played:
    taken = [it for it in body["members"] if refuse(it) != "record"]
    refused = [it["email_address"] for it in body["members"] if refuse(it) == "record"]
    errors = [{"email_address": it, "error": f"{it} looks fake", "error_code": "ERROR_GENERIC"} for it in refused]
    totals = {"total_created": len(taken), "total_updated": 0, "error_count": len(errors)}
    return Played(Reply.of({"new_members": taken, "updated_members": [], "errors": errors, **totals}), taken)


INTEGRATION = Integration(
    name="mailchimp",
    title="Mailchimp",
    docs="https://mailchimp.com/developer/marketing/api/lists/batch-subscribe-or-unsubscribe/",
    summary="Adds contacts to an audience, or updates them, by e-mail address.",
    credentials=(Setting("api_key", "An API key; the part after its hyphen names the data centre.", "sandbox-us21"),),
    settings=(
        Setting("list_id", "The audience's id.", "a1b2c3d4e5", matches=r"[\w-]+"),
        Setting("base_url", "The API of the data centre.", "https://us21.api.mailchimp.com/3.0", matches=ADDRESS),
    ),
    fields=(
        Field("email_address", "text", "The address, by which Mailchimp knows the contact.", required=True),
        Field("status", "text", "subscribed, unsubscribed, cleaned, pending or transactional; changes known contacts."),
        Field("status_if_new", "text", "Status of a contact that is new; not described for batches."),
        Field("merge_fields.*", "any", "A merge field by its tag, like merge_fields.FNAME.", clear='""'),
        Field("interests.*", "boolean", "Whether the contact is in the interest group with this id."),
        Field("tags", "list", "Tags to add; not described for batches."),
        Field("email_type", "text", "html or text."),
        Field("language", "text", "The contact's language, like sv."),
        Field("vip", "boolean", "Whether the contact is a VIP."),
        Field("location.*", "number", "location.latitude and location.longitude."),
        Field("ip_signup", "text", "IP address from which the contact signed up."),
        Field("timestamp_signup", "datetime", "When the contact signed up."),
        Field("ip_opt", "text", "IP address from which the contact confirmed."),
        Field("timestamp_opt", "datetime", "When the contact confirmed."),
    ),
    limits=Limits(records=500, bytes=5_000_000, per_second=10, in_flight=8),  # 10 at once an account
    url="{base_url}/lists/{list_id}",
    envelope='{"members":[ITEMS],"update_existing":true}',
    headers=lambda connection, _: basic("flatdrop", connection.credentials["api_key"]),
    read=_read,
    notice=_notice,
    play=_play,
    resend=Resend.UPSERT,
    identity="email_address",
    example=Example(
        mapping={"email_address": "epost", "status_if_new": "'subscribed'", "merge_fields.FNAME": "namn"},
        records=({"epost": "asa@example.com", "namn": "Åsa"}, {"epost": "bo@rejected.example"}),
        body="""{"members": [
            {"email_address": "asa@example.com", "status_if_new": "subscribed", "merge_fields": {"FNAME": "Åsa"}},
            {"email_address": "bo@rejected.example", "status_if_new": "subscribed"}], "update_existing": true}""",
        answer="""{"new_members": [{"email_address": "asa@example.com"}], "updated_members": [], "errors": [
            {"email_address": "bo@rejected.example", "error": "Looks fake", "error_code": "ERROR_GENERIC"}],
            "total_created": 1, "total_updated": 0, "error_count": 1}""",
        verdicts=(Verdict(1, "error_generic", "Looks fake"),),
    ),
)
