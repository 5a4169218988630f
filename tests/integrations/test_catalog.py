"""The contract that every file of the catalog keeps; a new file is tested by being there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import a_record, example, identity, items, request, sample, sent, text
from support.records import typed
from support.vendors import Vendor, exchanges

from batch.planning import planner
from config.group import Group
from integrations import catalog
from integrations.catalog import CATALOG, UnknownIntegrationError, find
from integrations.errors import Ambiguous, DeliveryError, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Connection, Reply, Verdict
from integrations.integration import Integration
from integrations.preparing import members
from integrations.reply import accepted, judge, trusted, understood
from integrations.settings import known, limits, problem
from jobs.rehearsal import preview

ALL = pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))
THOSE_THAT_KNOW = [one for one in CATALOG.values() if one.identity]
KNOWING = pytest.mark.parametrize("integration", THOSE_THAT_KNOW, ids=[one.name for one in THOSE_THAT_KNOW])
FILES = {path.stem: path for path in Path(catalog.__file__).parent.glob("[!_]*.py")}


def meaning(integration: Integration, reply: Reply, built: list[JSON]) -> object:
    """Return what the answer to a request means: verdicts, or the id of a job."""
    if integration.job is None:
        return judge(integration, reply, sent(integration, built))
    started = integration.job.started
    if started is None:
        return accepted(integration, reply)
    return understood(integration, accepted(integration, reply), lambda: started(reply))


# --- what it says of itself


def test_the_folder_is_the_registry() -> None:
    assert set(CATALOG) == set(FILES)
    assert {"hubspot", "mailchimp", "webhook", "klaviyo"} <= set(CATALOG)


@ALL
def test_a_file_is_short_and_named_after_its_integration(integration: Integration) -> None:
    assert CATALOG[integration.name] is integration
    lines = FILES[integration.name].read_text("utf-8").splitlines()
    assert len(lines) < (150 if integration.job else 80)


@ALL
def test_it_says_what_it_is(integration: Integration) -> None:
    assert integration.docs.startswith("https://")
    helps = [one.help for one in (*integration.fields, *integration.settings, *integration.credentials)]
    said = [integration.summary, integration.yes, integration.consent, *integration.notes, *helps]
    assert [sentence for sentence in said if not sentence.endswith((".", "?"))] == []
    assert len({field.name for field in integration.fields}) == len(integration.fields)
    assert set(re.findall(r"\{(\w+)\}", integration.url)) <= {setting.name for setting in integration.settings}
    assert min(integration.limits.records, integration.limits.bytes, integration.limits.in_flight) > 0
    assert all(integration.field(name) for name in integration.identity)


@ALL
def test_clearing_values_and_constants_are_json(integration: Integration) -> None:
    for field in integration.fields:
        if field.clear is not None:
            json.loads(field.clear)
    json.dumps(dict(integration.item.always))


@ALL
def test_the_sample_fits_the_settings(integration: Integration) -> None:
    for setting in (*integration.settings, *integration.credentials):
        given_value = setting.example if setting.example is not None else setting.default
        assert setting.optional or problem(setting, given_value) is None
    assert {"batch_size", "requests_per_second", "in_flight", "timeout"} <= known(integration).keys()
    assert limits(integration, {}).records <= integration.limits.records


@ALL
def test_every_type_takes_an_address_to_be_pointed_elsewhere(integration: Integration) -> None:
    assert re.match(r"\{(base_url|url)\}", integration.url)


# --- its example


@ALL
def test_the_example_maps_known_fields_and_all_required_ones(integration: Integration) -> None:
    assert all(integration.field(name) for name in integration.example.mapping)
    assert {field.name for field in integration.fields if field.required} <= integration.example.mapping.keys()
    assert not integration.identity or integration.told_apart_by(integration.example.mapping)
    assert integration.wrong(list(integration.example.mapping)) is None


@ALL
def test_the_example_records_give_the_example_items(integration: Integration, tmp_path: Path) -> None:
    """By the plain reading of an item, and by the fast one that the program goes by."""
    one = integration.example
    records = tmp_path / "example.jsonl"
    records.write_text("".join(f"{json.dumps(it)}\n" for it in one.records), "utf-8")
    lists = {name for it in one.records for name, value in it.items() if isinstance(value, list)}
    enabled = {
        "type": integration.name,
        "credentials": {it.name: "env:X" for it in integration.credentials},
        "settings": dict(integration.sample.settings),
        "mapping": dict(one.mapping),
    }
    group = {
        "group_key": "abc",
        "attributes": {name: {"type": "list"} for name in lists},
        "integrations": {"it": enabled},
    }
    lines = preview(records, Group.from_document(json.dumps(group)), "it", 10)
    assert [line.problems for line in lines if line.problems] == []
    plain = [{name: it for name, it in line.item.items() if name != integration.shared} for line in lines]
    assert plain == items(integration, one.records, one.mapping)


@ALL
def test_the_example_items_give_the_example_body(integration: Integration) -> None:
    if integration.job is not None and integration.job.submit is not None:
        pytest.skip("it takes several calls, which stand in `then`")
    shared = integration.shared and integration.example.records[0].get(integration.example.mapping[integration.shared])
    made = request(integration, example(integration), shared=shared)
    assert json.loads(made.body) == json.loads(integration.example.body)


@ALL
def test_the_example_answers_mean_the_example_verdicts(integration: Integration) -> None:
    one, built, job = integration.example, example(integration), integration.job
    if job is None:
        found = judge(integration, one.reply, sent(integration, built))
    else:
        connection = Connection(integration.sample.settings, integration.sample.credentials)
        answers = [(it.call, it.reply) for it in one.then]
        if job.submit is not None:
            made = list(job_calls(integration, connection, built))
            exchanges(integration, job.submit(connection, text(built).encode()), answers[: len(made)])
            answers, started = answers[len(made) :], "j1"
        else:
            assert job.started is not None
            started = job.started(accepted(integration, one.reply))
        found = exchanges(integration, job.follow(connection, started, sent(integration, built)), answers)
        found = trusted(found, sent(integration, built))
    assert tuple(found) == tuple(one.verdicts)


def job_calls(integration: Integration, connection: Connection, built: list[JSON]) -> list[str]:
    """Return the calls that start a job, as the stand-in sees them."""
    vendor = Vendor(integration)
    assert integration.job is not None
    assert integration.job.submit is not None
    vendor.play(integration.job.submit(vendor.connection, text(built).encode()))
    return [request.method for request, _ in vendor.talk]


# --- how its stand-in plays it


def outcomes(verdicts: object) -> list[tuple[int, str]]:
    assert isinstance(verdicts, list | tuple)
    return [(it.index, it.outcome) for it in verdicts]


@ALL
def test_the_stand_in_takes_everybody_who_is_well(integration: Integration) -> None:
    vendor = Vendor(integration)
    built = [a_record(integration, f"p{n}@example.com") for n in range(3)]
    assert outcomes(vendor.deliver(built)) == []
    assert len(vendor.journalled()) == 3


@ALL
def test_the_stand_in_refuses_one_by_one_or_says_nothing_of_each(integration: Integration) -> None:
    vendor = Vendor(integration)
    built = [a_record(integration, address) for address in ("a@example.com", "b@rejected.example", "c@example.com")]
    try:
        found = outcomes(vendor.deliver(built))
    except Refused:
        assert vendor.journalled() == []  # all or nothing: who sends it will split it
        return
    assert found in ([(1, "rejected")], []) if integration.answers == "the request" else found == [(1, "rejected")]
    assert len(vendor.journalled()) in ({2} if found else {2, 3}), "a yes to the request may be all that there is"


@ALL
def test_want_of_consent_is_told_apart_from_other_refusals(integration: Integration) -> None:
    vendor = Vendor(integration)
    built = [a_record(integration, address) for address in ("a@example.com", "b@unsubscribed.example")]
    try:
        verdicts = vendor.deliver(built)
    except Refused:
        return
    codes = [it.code for it in verdicts if isinstance(it, Verdict)]
    if integration.answers == "each record":
        assert len(vendor.journalled()) + len(codes) == 2, "who is refused is not taken, and who is taken not refused"


@ALL
def test_one_clash_refuses_the_whole_request_or_nothing(integration: Integration) -> None:
    vendor = Vendor(integration)
    try:
        found = vendor.deliver([a_record(integration, "a@example.com"), a_record(integration, "b@conflict.example")])
    except Refused:
        assert vendor.journalled() == []
    else:
        assert len(vendor.journalled()) + len(found) == 2


@KNOWING
def test_a_record_that_comes_twice_changes_nothing(integration: Integration) -> None:
    vendor = Vendor(integration)
    built = [a_record(integration, f"p{n}@example.com") for n in range(2)]
    vendor.deliver(built)
    before = json.dumps(vendor.stand_in.desk.contacts, sort_keys=True)
    vendor.deliver(built)
    assert json.dumps(vendor.stand_in.desk.contacts, sort_keys=True) == before
    assert len(vendor.stand_in.desk.contacts) == 2


@KNOWING
def test_what_is_absent_stays_and_what_is_cleared_goes(integration: Integration) -> None:
    clearable = [one for one in integration.fields if one.clear is not None]
    if not clearable:
        pytest.skip("it can clear nothing")
    for field in clearable:
        vendor = Vendor(integration)
        name = field.name.removesuffix("*") + ("FIRST" if field.name.endswith("*") else "")
        value: JSON = {"list": ["a"], "number": 5, "integer": 5, "boolean": True}.get(field.type, "a value")
        vendor.deliver([a_record(integration, **{name: value})])
        (contact,) = vendor.stand_in.desk.contacts.values()
        there = len(contact)
        vendor.deliver([a_record(integration)])
        assert len(contact) == there, f"{name} was absent, and so is to stay"
        vendor.deliver([a_record(integration, **{name: "#N/A"})])
        assert len(contact) == there - 1, f"{name} was cleared"


@ALL
def test_limits_hold_at_their_boundary(integration: Integration) -> None:
    most = integration.limits.records
    if most > 20_000:
        most = 20_000
    vendor = Vendor(integration)
    built = [a_record(integration, f"p{n}@example.com") for n in range(most + 1)]
    if len(text(built).encode()) < integration.limits.bytes and most == integration.limits.records:
        assert vendor.deliver(built[:-1]) == ()
        with pytest.raises((Refused, Unauthorized)):
            vendor.deliver(built)
    with pytest.raises(Refused):
        vendor.deliver([a_record(integration, "ö" * integration.limits.bytes)])


@ALL
def test_bytes_are_counted_as_they_are_sent_and_not_as_letters(integration: Integration) -> None:
    most = min(integration.limits.bytes // 30, integration.limits.item_bytes or integration.limits.bytes) // 2
    name = integration.identity[0] if integration.identity else "email"
    required = {one.name: "'text'" for one in integration.fields if one.required}
    enabled = {
        "type": integration.name,
        "credentials": {it.name: "env:X" for it in integration.credentials},
        "settings": dict(integration.sample.settings),
        "mapping": {**required, name: "who"},
    }
    document = json.dumps({"group_key": "abc", "integrations": {"it": enabled}})
    planned = planner(Group.from_document(document), "it")
    long = "å" * (most - 200)
    parts = list(planned.requests(planned.plan(typed(*({"who": f"{n}{long}"} for n in range(70)))).parcel))
    assert sum(map(len, parts)) == 70
    assert len(parts) > 1, "they do not fit into one request"
    for part in parts:
        made = request(integration, [json.loads(item) for item in part.items])
        if integration.job is None or integration.job.submit is None:
            assert len(made.body) <= integration.limits.bytes
        assert len(part.text) <= integration.limits.bytes


@ALL
def test_other_credentials_are_refused(integration: Integration) -> None:
    vendor = Vendor(integration)
    vendor.connection = Connection(vendor.connection.settings, other_credentials(integration))
    with pytest.raises(Unauthorized, match=r"auth\.refused: HTTP 401"):
        vendor.deliver([a_record(integration)])
    ask = integration.names or integration.prepare
    if ask is not None:
        with pytest.raises(Unauthorized, match=r"auth\.refused: HTTP 401"):
            vendor.play(ask(vendor.connection, list(integration.example.mapping)))
    assert vendor.journalled() == []


@ALL
def test_preparing_asks_and_never_tells(integration: Integration) -> None:
    ask = integration.names or integration.prepare
    if ask is None:
        assert integration.notes, "that nothing can be asked beforehand is to be said"
        return
    vendor = Vendor(integration)
    names = vendor.play(ask(vendor.connection, list(integration.example.mapping)))
    assert set(names) <= set(integration.example.mapping)
    assert vendor.talk
    assert vendor.journalled() == []
    assert not vendor.stand_in.desk.contacts


@ALL
def test_headers_carry_the_credentials_and_nothing_else_does(integration: Integration) -> None:
    vendor = Vendor(integration)
    vendor.deliver([a_record(integration)])
    secrets = set(integration.sample.credentials.values())
    for made, _ in vendor.talk:
        assert not any(secret in repr(made) or secret in made.url for secret in secrets)
        assert not any(secret.encode() in made.body for secret in secrets if len(secret) > 3)
    assert not any(secret in repr(integration.sample) for secret in secrets)
    built = example(integration)
    made, other = request(integration, built), request(integration, built, other_sample(integration))
    assert made.headers != other.headers
    assert (made.url, made.body) == (other.url, other.body)


def other_sample(integration: Integration) -> Connection:
    return Connection(sample(integration).settings, other_credentials(integration))


def other_credentials(integration: Integration) -> dict[str, str]:
    return {name: f"{value[:-3]}AA=" for name, value in integration.sample.credentials.items()}


# --- consent, and what no connector may do


@ALL
def test_consent_changes_only_when_it_is_mapped(integration: Integration) -> None:
    names = {one.name.removesuffix(".*").rpartition(".")[2] for one in integration.fields if one.consent}
    vendor = Vendor(integration)
    vendor.deliver([a_record(integration)])
    for made, _ in vendor.talk:
        assert not any(f'"{name}"'.encode() in made.body for name in names if name != "*")


@ALL
def test_nothing_is_ever_deleted(integration: Integration) -> None:
    methods = {route.split()[0] for route in integration.play}
    assert methods <= {"GET", "POST", "PUT", "PATCH"}
    assert integration.method in methods
    words = re.compile(r"delete|remove|suppress|archive|gdpr|unsubscribe_all", re.IGNORECASE)
    assert [route for route in (integration.url, *integration.play) if words.search(route)] == []


# --- replies


@pytest.mark.parametrize(
    "body",
    [b"<html><body>Log in</body></html>", b"{", b'{"errors": ', b"[" * 100_000, b"\xff\xfe", b"It worked, or not"],
)
@ALL
def test_an_answer_that_cannot_be_read_is_ambiguous(integration: Integration, body: bytes) -> None:
    if integration.job is not None and integration.job.submit is not None:
        pytest.skip("it takes several calls")
    with pytest.raises(Ambiguous) as error:
        meaning(integration, Reply(200, {}, body), example(integration))
    assert error.value.code == "bad_answer"


WORDS = """errors results status index code message context properties data id attributes items success
    total_created total_updated error_count email_address error error_code job_id failed_count""".split()
json_documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=12,
)


@ALL
@given(document=json_documents, status=st.integers(min_value=0, max_value=1000))
def test_no_answer_ends_in_another_error(integration: Integration, document: JSON, status: int) -> None:
    built = example(integration)
    try:
        found = meaning(integration, Reply.of(document, status), built)
    except DeliveryError:
        return
    assert 200 <= status < 300
    if integration.job is None:
        assert isinstance(found, list | tuple)
        assert {it.index for it in found} <= set(range(len(built)))


@ALL
@given(document=json_documents)
def test_nothing_that_a_job_answers_ends_in_another_error(integration: Integration, document: JSON) -> None:
    if integration.job is None:
        return
    steps = integration.job.follow(sample(integration), "j1", sent(integration, example(integration)))
    reply = None
    for _ in range(5):
        try:
            was = reply
            step = understood(
                integration, Reply.of(document), lambda was=was: next(steps) if was is None else steps.send(was)
            )
        except (DeliveryError, StopIteration):
            return
        if step:
            reply = Reply.of(document)


@ALL
def test_too_fast_is_told_apart(integration: Integration) -> None:
    with pytest.raises(Retryable) as error:
        meaning(integration, Reply(429, {"retry-after": "7"}, b"{}"), example(integration))
    assert (error.value.slow_down, error.value.retry_after) == (True, 7)


# --- finding one


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean mailchimp") as error:
        find("Mailchmip")
    assert isinstance(error.value, UnknownIntegrationError)
    assert error.value.nearest == "mailchimp"
    with pytest.raises(UnknownIntegrationError, match=r"there are .*hubspot.*mailchimp.*webhook"):
        find("facsimile-1")
    assert find("webhook") is CATALOG["webhook"]


@pytest.mark.parametrize(
    ("name", "mapped", "known_as"),
    [
        ("mailchimp", "merge_fields.FNAME", "merge_fields.*"),
        ("mailchimp", "merge_fields.ADDRESS.city", "merge_fields.*"),
        ("mailchimp", "merge_fields.", None),
        ("mailchimp", "merge_fields", None),
        ("mailchimp", "email", None),
        ("mailchimp", "email_address", "email_address"),
        ("hubspot", "email", "email"),
        ("hubspot", "firstname", "*"),
        ("hubspot", "address.city", None),
        ("webhook", "address.city", "*"),
        ("webhook", "", None),
    ],
)
def test_field_names(name: str, mapped: str, known_as: str | None) -> None:
    field = CATALOG[name].field(mapped)
    assert (field.name if field else None) == known_as


def test_a_broken_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_this_name\n")
    monkeypatch.setattr(catalog, "__path__", [str(tmp_path)])
    monkeypatch.setattr(catalog, "__name__", "nowhere")
    with pytest.raises(ModuleNotFoundError):
        catalog._load()


def test_items_may_hold_the_word_that_stands_for_them() -> None:
    webhook = CATALOG["webhook"]
    assert json.loads(request(webhook, [{"a": "ITEMS"}]).body) == {"records": [{"a": "ITEMS"}]}
    assert text([{"a": 1}, {"b": 2}]) == '{"a": 1},{"b": 2}'


def test_identities_of_items() -> None:
    mailchimp = CATALOG["mailchimp"]
    assert identity(mailchimp, a_record(mailchimp, "Bo@example.com")) == "Bo@example.com"
    assert members(["a.b.c", "x", "a.d"], "a.*") == ["b", "d"]
