"""The contract that every file of the catalog keeps; a new file is tested by being there."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.examples import items, request, sample, sent, text

from integrations import catalog
from integrations.catalog import CATALOG, UnknownIntegrationError, find
from integrations.errors import Ambiguous, DeliveryError
from integrations.exchange import JSON, Reply
from integrations.integration import Integration
from integrations.reply import judge
from integrations.sandbox.standin import refuse
from integrations.settings import known, problem

ALL = pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))


def built(integration: Integration) -> list[JSON]:
    return items(integration, integration.example.records, integration.example.mapping)


def test_the_folder_is_the_registry() -> None:
    files = {path.stem for path in Path(catalog.__file__).parent.glob("[!_]*.py")}
    assert set(CATALOG) == files == {"hubspot", "mailchimp", "webhook"}


@ALL
def test_a_file_is_short_and_named_after_its_integration(integration: Integration) -> None:
    assert CATALOG[integration.name] is integration
    assert len((Path(catalog.__file__).parent / f"{integration.name}.py").read_text("utf-8").splitlines()) < 80


@ALL
def test_it_says_what_it_is(integration: Integration) -> None:
    assert integration.docs.startswith("https://")
    helps = [*(field.help for field in integration.fields), *(setting.help for setting in integration.settings)]
    said = [integration.summary, *helps]
    assert all(sentence.endswith(".") for sentence in said)
    assert len({field.name for field in integration.fields}) == len(integration.fields)
    assert integration.envelope.count("ITEMS") == 1
    assert set(re.findall(r"\{(\w+)\}", integration.url)) <= {setting.name for setting in integration.settings}
    assert min(integration.limits.records, integration.limits.bytes, integration.limits.in_flight) > 0


@ALL
def test_clearing_values_and_constants_are_json(integration: Integration) -> None:
    for field in integration.fields:
        if field.clear is not None:
            json.loads(field.clear)
    json.dumps(dict(integration.item.always))


@ALL
def test_the_sample_fits_the_settings(integration: Integration) -> None:
    for setting in (*integration.settings, *integration.credentials):
        example = setting.example if setting.example is not None else setting.default
        assert problem(setting, example) is None
        assert setting.required or setting.default is not None
    assert {"batch_size", "requests_per_second", "in_flight", "timeout"} <= known(integration).keys()


@ALL
def test_every_type_takes_an_address_to_be_pointed_elsewhere(integration: Integration) -> None:
    assert re.match(r"\{(base_url|url)\}", integration.url)


@ALL
def test_the_example_maps_known_fields_and_all_required_ones(integration: Integration) -> None:
    assert all(integration.field(name) for name in integration.example.mapping)
    assert {field.name for field in integration.fields if field.required} <= integration.example.mapping.keys()


@ALL
def test_the_example_records_give_the_example_body(integration: Integration) -> None:
    assert json.loads(request(integration, built(integration)).body) == json.loads(integration.example.body)


@ALL
def test_the_example_answer_means_the_example_verdicts(integration: Integration) -> None:
    found = judge(integration, integration.example.reply, sent(integration, built(integration)))
    assert tuple(found) == tuple(integration.example.verdicts)


@ALL
def test_the_stand_in_answers_like_the_example(integration: Integration) -> None:
    played = integration.play(json.loads(integration.example.body), refuse)
    found = judge(integration, played.reply, sent(integration, built(integration)))
    expected = integration.example.verdicts
    assert [(it.index, it.outcome) for it in found] == [(it.index, it.outcome) for it in expected]
    assert len(played.accepted) == len(integration.example.records) - len(expected)


@ALL
def test_the_stand_in_takes_everything_when_nothing_is_wrong(integration: Integration) -> None:
    played = integration.play(json.loads(integration.example.body), lambda _: None)
    assert judge(integration, played.reply, sent(integration, built(integration))) == ()
    assert len(played.accepted) == len(integration.example.records)


@ALL
def test_headers_carry_the_credentials_and_nothing_else_does(integration: Integration) -> None:
    made = request(integration, built(integration))
    other = request(integration, built(integration), sample_with_other_credentials(integration))
    assert made.headers != other.headers
    assert (made.url, made.body) == (other.url, other.body)
    secrets = integration.sample.credentials.values()
    assert not any(secret in repr(made) or secret in made.url for secret in secrets)
    assert not any(secret in repr(integration.sample) for secret in secrets)


def sample_with_other_credentials(integration: Integration) -> JSON:
    connection = sample(integration)
    changed = {name: value[:-3] + "AA=" for name, value in connection.credentials.items()}
    return type(connection)(connection.settings, changed)


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Log in</body></html>",
        b"{",
        b'{"errors": ',
        b'{"errors": true}',
        b'{"errors": [{}]}',
        b'{"errors": ["a"]}',
        b'{"errors": [null]}',
        b'{"errors": "text"}',
        b'{"errors": [{"index": 2}]}',
        b'{"errors": [{"index": -1}]}',
        b'{"errors": [{"index": 0}, {"index": 0}]}',
        b'{"errors": [{"index": true}]}',
        b'{"errors": [{"index": "0"}]}',
        b'{"errors": [{"index": 0.0}]}',
        b'{"errors": [{"email_address": "eve@example.com", "error": "no", "error_code": "x"}]}',
        b"[" * 100_000,
        b"1" * 5000,
        b"\xff\xfe",
        b"It worked, more or less",
    ],
    ids=lambda body: body[:40].decode("latin-1"),
)
@ALL
def test_an_answer_that_does_not_account_for_the_records_is_ambiguous(integration: Integration, body: bytes) -> None:
    with pytest.raises(Ambiguous) as error:
        judge(integration, Reply(200, {}, body), sent(integration, built(integration)))
    assert error.value.code == "bad_answer"


WORDS = """errors results status index code message context properties
    total_created total_updated error_count email_address error error_code""".split()
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
    expected = sent(integration, built(integration))
    try:
        found = judge(integration, Reply.of(document, status), expected)
    except DeliveryError:
        return
    assert 200 <= status < 300
    assert {it.index for it in found} <= set(range(expected.count))


def test_a_misspelt_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="did you mean mailchimp") as error:
        find("Mailchmip")
    assert isinstance(error.value, UnknownIntegrationError)
    assert error.value.nearest == "mailchimp"
    with pytest.raises(UnknownIntegrationError, match="there are hubspot, mailchimp, webhook"):
        find("fax")
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
