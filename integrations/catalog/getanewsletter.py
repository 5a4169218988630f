"""Get a Newsletter: contacts by e-mail address, as an import that is told to update. An empty answer is a yes.

GET /attributes/ is described at https://api.getanewsletter.com/v3/docs/attributes.
"""

from __future__ import annotations

from integrations import kit


def _read(reply: kit.Reply, _sent: kit.Sent) -> list[kit.Verdict]:
    said = reply.json() if reply.body.strip() else None
    wrong = said["items"] if said else []
    if reply.status != 202 or not isinstance(wrong, list):
        raise kit.Ambiguous("bad_answer", f"HTTP {reply.status}, and no word on what was wrong")
    if wrong:
        raise kit.Refused("refused", kit.tidy("; ".join(wrong)))
    return []


def _import(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    if asked.json["mode"] != 2:
        return kit.no(400, "This stand-in would have to overwrite people.")
    if wrong := [it["email"] for it in asked.json["items"] if desk.doubt(it, it["email"])]:
        return kit.Reply.of({"items": [f"Invalid email(s): {', '.join(wrong)}."]}, 202)
    desk.sort(asked.json["items"], "email")
    return kit.Reply.of({}, 202)


INTEGRATION = kit.Integration(
    name="getanewsletter",
    title="Get a Newsletter",
    docs="https://api.getanewsletter.com/v3/docs/contacts_bulk_import",
    summary="Creates contacts, or updates them, by e-mail address; subscribes them to the lists that are mapped.",
    yes="The import was received, and no error told: what became of each row is not, so they end as `acknowledged`.",
    consent="Nobody is put on a list unless `lists` is mapped. Map it only for people who have agreed to each list.",
    credentials=(kit.Setting("token", "An API token; My account, API.", "sandbox-token"),),
    settings=(kit.Setting("base_url", "The API.", default="https://api.getanewsletter.com/v3", matches=kit.ADDRESS),),
    fields=(
        kit.Field("email", "text", "The address, by which Get a Newsletter knows the contact.", required=True),
        *kit.fields("text", first_name="The first name.", last_name="The last name.", sms_number="The mobile number."),
        kit.Field("attributes.*", "any", "An attribute by its code, like attributes.city.", matches=r"[^.]+"),
        kit.Field("lists", "list", "Lists to subscribe the contact to, by their hashes.", adds=True, consent=True),
    ),
    limits=kit.Limits(records=5000, bytes=10_000_000, per_second=15, per_minute=1000, in_flight=4),
    url="{base_url}/contacts/import/bulk/",
    envelope='{"mode":2,"items":[ITEMS]}',  # 2 updates; without it a contact would be overwritten as a whole
    headers=lambda it, _: {"authorization": f"Token {it.credentials['token']}"},
    answers=kit.Answers.REQUESTS,
    read=_read,
    prepare=kit.knowing(
        *("/attributes/", "the token may look at attributes", "attributes.*", "attribute"),
        read=lambda said: [it["code"] for it in said["results"]],
        more=lambda said: said.get("next"),
    ),
    play={
        "POST /contacts/import/bulk/": _import,
        "GET /attributes/": kit.always({"count": 1, "next": None, "results": [{"code": kit.ANY}]}),
    },
    identity=("email",),
    notes=(
        "An answer with an error is taken as a refusal of the whole import, which is split: some may be updated twice.",
        "Whether it leaves the lists that a contact is on, and puts back who has left one, is documented nowhere.",
        "What empties a field is not documented, so none can be emptied; nor is a limit of bytes.",
    ),
    example=kit.Example(
        mapping={"email": "epost", "first_name": "namn", "attributes.city": "ort"},
        records=({"epost": "asa@example.com", "namn": "Åsa", "ort": "Åre"}, {"epost": "bo@example.com"}),
        body="""{"mode": 2, "items": [
            {"email": "asa@example.com", "first_name": "Åsa", "attributes": {"city": "Åre"}},
            {"email": "bo@example.com"}]}""",
        status=202,
        answer="{}",
        verdicts=(),
    ),
)
