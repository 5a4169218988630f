"""Customer.io: people by id, address or cio_id (Track API v2). A 207 names who was refused, by index."""

from __future__ import annotations

from collections.abc import Sequence

from integrations import kit

_US, _EU = "https://track.customer.io", "https://track-eu.customer.io"
_IDS = ("identifiers.id", "identifiers.email", "identifiers.cio_id")


def _read(reply: kit.Reply, _sent: kit.Sent) -> list[kit.Verdict]:
    said = reply.json()
    refused = {kit.whole(it["batch_index"]): it for it in said.get("errors", [])}
    if said.keys() - {"errors"} or (reply.status != 200 and not refused):
        raise kit.Ambiguous("bad_answer", "The answer is neither a plain yes nor a list of who was refused")
    why = {n: f"{it.get('field', 'item')}: {it.get('message', '')}" for n, it in refused.items()}
    return [kit.Verdict(n, it.get("reason", ""), why[n]) for n, it in refused.items()]


def _prepare(connection: kit.Connection, _fields: Sequence[str]) -> kit.Steps[dict[str, str]]:
    right = (yield kit.get("/api/v1/accounts/region", "the keys are those of a workspace")).json()["url"]
    if {connection.settings["base_url"].rstrip("/"), right} == {_US, _EU}:
        raise kit.Unauthorized("address.refused", f"The workspace is in the other region: `base_url` must be {right}")
    return {}


def _batch(asked: kit.Asked, desk: kit.Desk) -> kit.Reply:
    why = {"reason": "invalid", "field": "identifiers", "message": "The identifier is not valid."}
    errors = [{"batch_index": n, **why} for n, _, _ in desk.sort(asked.json["batch"], *_IDS).refused]
    return kit.Reply.of({"errors": errors}, 207) if errors else kit.Reply.of({})


INTEGRATION = kit.Integration(
    name="customerio",
    title="Customer.io",
    docs="https://docs.customer.io/integrations/api/track/",
    summary="Creates people, or updates them, by an id, an e-mail address or Customer.io's own id.",
    yes="Customer.io has accepted every person that it does not name among the errors, and works them off later.",
    consent="Importing leaves a person's subscription alone; only `attributes.unsubscribed` changes it, when mapped.",
    credentials=(kit.Setting("site_id", "Its site id.", "site-1"), kit.Setting("api_key", "A Track API key.", "key-1")),
    settings=(kit.Setting("base_url", f"The region's API: {_US} or {_EU}.", _US, matches=kit.ADDRESS),),
    fields=(
        *kit.fields("text", **{_IDS[0]: "An id of yours.", _IDS[1]: "The address.", _IDS[2]: "Customer.io's own id."}),
        kit.Field("attributes.unsubscribed", "boolean", "true: gets nothing. false subscribes again.", consent=True),
        kit.Field("attributes._update", "boolean", "true: only people who are there; others are passed over."),
        kit.Field("attributes.*", "any", "An attribute.", clear='""', matches=r"(?!cio_subscription_pref)[^.]+"),
    ),
    limits=kit.Limits(records=1000, bytes=500_000, item_bytes=32_000, per_second=100, in_flight=8),
    url="{base_url}/api/v2/batch",
    envelope='{"batch":[ITEMS]}',
    item=kit.Item(always={"type": "person", "action": "identify"}),
    headers=lambda it, _: kit.basic(it.credentials["site_id"], it.credentials["api_key"]),
    read=_read,
    prepare=_prepare,
    wrong=kit.one_of(*_IDS),
    play={"POST /api/v2/batch": _batch, "GET /api/v1/accounts/region": kit.always({"url": _US, "region": "us"})},
    identity=_IDS,
    notes=(
        "That an empty text removes an attribute is described for objects; for people it is from memory.",
        "An EU workspace's data sent to the US address passes through the US; a US workspace is refused at the EU one.",
        "Suppressed people, and a `cio_id` that nobody has, are passed over, although the answer is a yes.",
        "An `attributes.email` or `attributes.id` that is somebody else's is not set, although the answer is a yes.",
        "Topic preferences cannot be sent: as an object they would replace those of all other topics.",
        "Near its 3,000 requests in 3 seconds Customer.io may drop data, so that only 100 a second are sent.",
        "A person has 300 attributes at most, a value 1,000 bytes, an id or a name 150. Dates are Unix seconds.",
    ),
    example=kit.Example(
        mapping={_IDS[1]: "epost", "attributes.first_name": "namn"},
        records=({"epost": "asa@example.com", "namn": "#N/A"}, {"epost": "bo@rejected.example"}),
        body="""{"batch": [{"type": "person", "action": "identify", "identifiers": {"email": "asa@example.com"},
            "attributes": {"first_name": ""}},
            {"type": "person", "action": "identify", "identifiers": {"email": "bo@rejected.example"}}]}""",
        status=207,
        answer='{"errors": [{"batch_index": 1, "reason": "invalid", "field": "email", "message": "Not an address."}]}',
        verdicts=(kit.Verdict(1, "invalid", "email: Not an address."),),
    ),
)
