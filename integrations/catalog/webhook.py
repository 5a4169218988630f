"""Webhook: any address that takes records as signed JSON (Standard Webhooks), and may refuse some by index."""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping

from integrations import kit

_FORM = r"whsec_([A-Za-z0-9+/]{4})*[A-Za-z0-9+/]{2,4}={0,2}"
_YES = (b"", b"ok", b"accepted", b"received", b"success")  # other text under a 2xx may be a proxy's page


def _headers(connection: kit.Connection, attempt: kit.Attempt) -> Mapping[str, str]:
    secret = b64decode(connection.credentials["secret"].removeprefix("whsec_") + "==")
    text = f"{attempt.key}.{attempt.timestamp}.".encode() + attempt.body
    signature = b64encode(hmac.digest(secret, text, "sha256")).decode()
    stamp = {"webhook-id": attempt.key, "webhook-timestamp": str(attempt.timestamp)}
    return {**stamp, "webhook-signature": f"v1,{signature}"}


def _read(reply: kit.Reply, _sent: kit.Sent) -> list[kit.Verdict]:
    if reply.body.strip().lower() in _YES:
        return []
    said = reply.json()
    errors = said.get("errors") or [] if isinstance(said, dict) else []
    return [kit.Verdict(kit.whole(it["index"]), it.get("code", ""), it.get("message", "")) for it in errors]


def _take(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    refused = desk.sort(asked.json["records"]).refused
    errors = [{"index": n, "code": "blocked", "message": "The address is blocked"} for n, _, _ in refused]
    return kit.Reply.of({"errors": errors})


INTEGRATION = kit.Integration(
    name="webhook",
    title="Webhook",
    docs="https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md",
    summary="Posts records as JSON to an address of yours, signed as Standard Webhooks says.",
    yes="The address has taken every record whose index it does not name among the errors.",
    consent="Records are handed over as they are mapped; what they mean for consent is the receiver's matter.",
    credentials=(
        kit.Setting("secret", "whsec_ and the signing key in base64.", "whsec_c2FuZGJveC1rZXk=", matches=_FORM),
    ),
    settings=(
        kit.Setting("url", "The address to post to.", "https://hooks.example.com/records", matches=kit.ADDRESS),
        kit.Setting("batch_size", "Records in one request.", default=500, type=int),
    ),
    fields=(kit.Field("*", "any", "Any field; a dot nests it.", clear="null"),),
    limits=kit.Limits(
        records=10_000, bytes=5_000_000, per_second=1000, in_flight=8
    ),  # what it can take is told by its 429
    url="{url}",
    envelope='{"records":[ITEMS]}',
    headers=_headers,
    read=_read,
    play={"POST ": _take},
    resend=kit.Resend.KEY,  # webhook-id stays the same
    notes=("Nothing can be asked beforehand: the first request is the first delivery.",),
    example=kit.Example(
        mapping={"email": "epost", "name.first": "namn", "tags": "taggar"},
        records=(
            {"epost": "asa@example.com", "namn": "Åsa", "taggar": ["a", "b"]},
            {"epost": "bo@rejected.example", "namn": "#N/A"},
        ),
        body="""{"records": [{"email": "asa@example.com", "name": {"first": "Åsa"}, "tags": ["a", "b"]},
                             {"email": "bo@rejected.example", "name": {"first": null}}]}""",
        answer='{"errors": [{"index": 1, "code": "blocked", "message": "The address is blocked"}]}',
        verdicts=(kit.Verdict(1, "blocked", "The address is blocked"),),
    ),
)
