"""Segment: identify calls by the HTTP Tracking API, which says yes to nearly everything (segmentio/segment-docs)."""

from __future__ import annotations

import re
from itertools import count

from integrations import kit

_UNSTAMPED = "0" * 37
_MESSAGE = re.compile(rb'(\{"type": ?"identify", ?"messageId": ?")' + _UNSTAMPED.encode() + rb'(?=")')


def _stamp(items: bytes, key: str) -> bytes:
    numbers = count()
    return _MESSAGE.sub(lambda found: found[1] + f"{key[-32:]:0>32}-{next(numbers):04}".encode(), items)


def _read(reply: kit.Reply, _sent: kit.Sent) -> list[kit.Verdict]:
    if reply.json()["success"] is not True:
        raise kit.Ambiguous("bad_answer", "The answer does not say that the request was received")
    return []


def _take(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    for it in asked.json["batch"]:
        desk.take(it, it.get("userId") or it["anonymousId"], {"traits": it.get("traits", {})})
    return kit.Reply.of({"success": True})


INTEGRATION = kit.Integration(
    name="segment",
    title="Segment",
    docs="https://www.twilio.com/docs/segment/connections/sources/catalog/libraries/server/http-api",
    summary="Sends an identify event with a person's traits for each record.",
    yes="Segment has received the request: it tells nothing of single records, so rows end as `acknowledged`.",
    consent="Segment keeps no subscriptions; what a trait means for consent is settled in the destinations behind it.",
    credentials=(kit.Setting("write_key", "Of an HTTP API source: Connections, Sources.", "sandbox-write-key"),),
    settings=(
        kit.Setting("base_url", "The API of the workspace's region.", "https://api.segment.io", matches=kit.ADDRESS),
    ),
    fields=(
        kit.Field("userId", "text", "The person's id in a system of yours."),
        kit.Field("anonymousId", "text", "An id of a person whom you do not know yet; one of the two is required."),
        kit.Field("timestamp", "datetime", "When the traits were so; the time of arrival if it is not sent."),
        kit.Field("traits.*", "any", "A trait by its name, like traits.email; a dot nests it.", clear="null"),
    ),
    limits=kit.Limits(records=2500, bytes=500_000, item_bytes=32_000, per_second=100, in_flight=8),
    url="{base_url}/v1/batch",
    envelope='{"batch":[ITEMS]}',
    item=kit.Item(always={"type": "identify", "messageId": _UNSTAMPED}),
    stamp=_stamp,
    headers=lambda it, _: kit.basic(it.credentials["write_key"], ""),
    answers=kit.Answers.REQUESTS,
    resend=kit.Resend.KEY,  # a messageId that Segment has seen is left out
    read=_read,
    wait=kit.seconds_in("x-ratelimit-reset"),
    play={"POST /v1/batch": _take},
    identity=("userId", "anonymousId"),
    notes=(
        "Another region's address takes everything, and the events never show up: compare with the workspace.",
        "Its pages name two addresses for the EU, https://events.eu1.segmentapis.com and https://eu1.api.segmentapis.com.",
        "A wrong write key may be answered with a yes, too, and nothing harmless can be asked: look into the debugger.",
        "A null removes a trait from a Segment profile; what a destination makes of it is its own matter.",
        "Nobody says whether a nested trait is kept where only some of its parts are sent.",
    ),
    example=kit.Example(
        mapping={"userId": "kund", "traits.email": "epost", "traits.name": "namn"},
        records=({"kund": "41", "epost": "asa@example.com", "namn": "#N/A"}, {"kund": "42", "namn": "Bo"}),
        body="""{"batch": [{"type": "identify", "messageId": "0000000000000000000000000chunk-1-0000",
             "userId": "41", "traits": {"email": "asa@example.com", "name": null}},
            {"type": "identify", "messageId": "0000000000000000000000000chunk-1-0001",
             "userId": "42", "traits": {"name": "Bo"}}]}""",
        answer='{"success": true}',
        verdicts=(),
    ),
)
