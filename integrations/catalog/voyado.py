"""Voyado Engage: contacts in bulk, either updated or created. What its batches come to is documented nowhere.

That null empties a field is from https://developer.voyado.com/en/contacts/update-contact.html, the rest from the page
below and from the package voyado-engage-client.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from integrations import kit

_BULK, _CHANGES = "/api/v3/contacts/bulk", "/api/v3/contacts/changes"
_KEYS = ("externalId", "socialSecurityNumber", "email", "mobilePhone")  # the least likely to be shared comes first


def _path(settings: Mapping[str, Any], *names: str) -> str:
    known = {"contact_type": "contactType", "avoid_triggering_export": "avoidTriggeringExport"}
    query = urlencode({known[name]: settings[name] for name in names if name in settings})
    return f"{_BULK}?{query}" if query else _BULK


def _submit(connection: kit.Connection, items: bytes) -> kit.Steps[None]:
    chosen, body = connection.settings, b"[%b]" % items
    if chosen.get("mode") == "create":
        reply = yield kit.Call("POST", _path(chosen, "contact_type"), body=body)
    else:
        reply = yield kit.Call("PATCH", _path(chosen, "contact_type", "avoid_triggering_export"), body=body)
    yield kit.Started(kit.identifier(reply.json()))


def _follow(_connection: kit.Connection, _batch: str, _sent: kit.Sent) -> kit.Steps[list[kit.Verdict]]:
    yield from ()  # a status whose words nobody has written down would only be guessed at
    return []


def _take(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    if any(desk.doubt(it, it.get("email")) for it in asked.json):
        return kit.no(400, "A contact is not valid.")
    desk.sort(asked.json, *_KEYS)  # it begins without contacts, so an update creates them too
    return kit.Reply.of(desk.start(asked.json), 202)


INTEGRATION = kit.Integration(
    name="voyado",
    title="Voyado Engage",
    docs="https://developer.voyado.com/docs/contacts/bulk-contacts-api",
    summary="Updates contacts in bulk, or creates them: one of the two, as `mode` says.",
    yes="Voyado has given the batch an id. What became of each contact is not told, so rows end as `acknowledged`.",
    consent="Preferences change only if mapped; that also approves a contact who was not. Consents cannot be sent.",
    credentials=(kit.Setting("api_key", "Voyado's support gives it out.", "sandbox-key"),),
    settings=(
        kit.Setting(
            "mode", "update: contacts that exist; create: new ones.", default="update", matches="update|create"
        ),
        kit.Setting("contact_type", "The contact type; Voyado's default if not set.", optional=True, matches=r"\w+"),
        kit.Setting(
            "avoid_triggering_export", "true: an update starts no export.", optional=True, matches="true|false"
        ),
        kit.Setting("base_url", "The tenant's address.", "https://tenant.voyado.com", matches=kit.ADDRESS),
    ),
    fields=(
        *kit.fields("text", externalId="The contact's id in a system of yours.", email="The e-mail address."),
        *kit.fields("text", socialSecurityNumber="The personal identity number.", mobilePhone="The mobile number."),
        kit.Field(
            "preferences.*",
            "boolean",
            "preferences.acceptsEmail, preferences.acceptsSms or preferences.acceptsPostal.",
            consent=True,
            matches="accepts(Email|Sms|Postal)",
        ),
        kit.Field(
            "*",
            "any",
            "An attribute by its name at the tenant, like firstName.",
            clear="null",
            matches=r"(?i)(?!(id|consents|preferences|contactType|accepts\w*)$)\w+",
        ),
    ),
    limits=kit.Limits(records=4000, bytes=4_000_000, per_second=10, in_flight=4),
    url="{base_url}/api/v3/contacts/bulk",
    method="PATCH",
    envelope="[ITEMS]",
    # the type must stand on questions too, which Voyado answers with a 500 otherwise
    headers=lambda it, _: {"apikey": it.credentials["api_key"], "content-type": "application/json"},
    answers=kit.Answers.REQUESTS,
    job=kit.Job(_follow, submit=_submit),
    prepare=kit.asking(
        f"{_CHANGES}?changeType=Created&fromDate=2000-01-01&toDate=2000-01-02", "the key may look at contacts"
    ),
    play={f"PATCH {_BULK}": _take, f"POST {_BULK}": _take, f"GET {_CHANGES}": kit.always([])},
    identity=_KEYS,
    notes=(
        "No call does both: what an update does with unknown people, and creating with known ones, is not documented.",
        "To do both, enable it twice, and let `where` tell new people from known ones.",
        "Nor is it documented how the status of a batch is worded, so it is not asked for. The id is kept as the job.",
        f"GET {_BULK}/status?batchId= should tell a person what the batch came to.",
        "Of externalId, socialSecurityNumber, email and mobilePhone, the first that is mapped must be the type's key.",
        "A contact's type cannot be changed. That null empties a field is documented for updates, not for creating.",
        "No limit of bytes is documented, so 4 MB a request is a guess.",
    ),
    example=kit.Example(
        mapping={"email": "epost", "firstName": "namn"},
        records=({"epost": "asa@example.com", "namn": "Åsa"}, {"epost": "bo@example.com", "namn": "#N/A"}),
        body="""[{"email": "asa@example.com", "firstName": "Åsa"}, {"email": "bo@example.com", "firstName": null}]""",
        answer='"7d3c1f0a-0c1e-4c55-9d8a-3b8f6f0c2a11"',
        status=202,
        then=(
            kit.Exchange(
                "PATCH /api/v3/contacts/bulk",
                '"7d3c1f0a-0c1e-4c55-9d8a-3b8f6f0c2a11"',
                '[{"email": "asa@example.com", "firstName": "Åsa"}, {"email": "bo@example.com", "firstName": null}]',
                status=202,
            ),
        ),
        verdicts=(),
    ),
)
