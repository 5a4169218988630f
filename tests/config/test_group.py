"""A group's file: what it means, and what is said of a wrong one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.errors import ConfigError
from config.group import Group
from config.load import load, load_groups

Change = Callable[[str, str], None]
Complaints = Callable[[], list[str]]


def _group() -> Group:
    return load_groups(load())["abc123"]


def test_what_the_contract_shows(project: Path) -> None:
    group = _group()
    assert group.name == "Acme Sweden"
    assert (group.files.delimiter, group.files.list_separator, group.files.clear) == (",", "|", "#N/A")
    assert group.attributes["epost"].required
    assert not group.closed
    newsletter = group.integrations["newsletter"]
    assert newsletter.where == "samtycke"
    assert list(newsletter.mapping) == ["email_address", "status_if_new", "merge_fields.FNAME", "tags"]
    assert newsletter.tests[0].given["some_tags"] == ["TAG1", "TAG2"]
    assert newsletter.tests[0].expect["merge_fields"] == {"FNAME": "John"}


def test_document_tells_the_whole_group(project: Path) -> None:
    group = _group()
    again = Group.from_document(group.document)
    assert again.document == group.document
    assert again.fingerprint == group.fingerprint
    assert again.attributes == group.attributes
    assert list(again.integrations["newsletter"].mapping) == list(group.integrations["newsletter"].mapping)
    assert json.loads(group.document)["integrations"]["newsletter"]["credentials"] == {
        "api_key": "env:ACME_MAILCHIMP_KEY"
    }


def test_fingerprint_follows_the_meaning(project: Path, change: Change) -> None:
    first = _group().fingerprint
    change("name: Acme Sweden", "name: 'Acme Sweden'  # in quotes")
    assert _group().fingerprint == first
    change("where: samtycke", "where: not samtycke")
    assert _group().fingerprint != first


@pytest.mark.parametrize("text", ["{}", "not JSON", '{"group_key": "a", "from_the_future": 1}'])
def test_document_of_another_version(text: str) -> None:
    with pytest.raises(ConfigError, match="does not fit this version"):
        Group.from_document(text)


def test_an_attribute_may_be_a_bare_name(project: Path, change: Change) -> None:
    change("  namn:      {type: string, max_length: 200}", "  namn:")
    assert _group().attributes["namn"].type == "string"


@pytest.mark.parametrize("key", ["acme se", "å", "a+b", "a.b", "a_b", "A", "no", "2026-11"])
def test_group_keys(project: Path, change: Change, key: str) -> None:
    change("group_key: abc123", f"group_key: {key}")
    assert list(load_groups(load())) == [key]


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("12345", "must be text, and is a number as it is written: put it in quotes"),
        ("1.5", "must be text, and is a number as it is written: put it in quotes"),
        ("00123", "would lose its zeros as a number: write it in quotes"),
        ("true", "must be text, and is true or false as it is written: put it in quotes"),
        ("", "is missing"),
        ("[a]", "must be text"),
        ("a/b", "must be one folder's name"),
        ("_a", "must be one folder's name"),
        (".a", "must be one folder's name"),
        ("''", "must be one folder's name"),
        ("' a'", "must be one folder's name"),
        ('"a\\nb"', "must be one folder's name"),
    ],
)
def test_wrong_group_keys(project: Path, change: Change, complaints: Complaints, key: str, said: str) -> None:
    change("group_key: abc123", f"group_key: {key}")
    (complaint,) = complaints()
    assert complaint.removeprefix("groups/acme-se.yaml:").removeprefix("1: ").strip().startswith(f"group_key: {said}")


@pytest.mark.parametrize(
    ("old", "new", "place", "reason"),
    [
        ("name: Acme", "nmae: Acme", "2: nmae", "is not known here (did you mean name?)"),
        ('delimiter: ","', 'delimeter: ","', "3: files.delimeter", "is not known here (did you mean delimiter?)"),
        ('delimiter: ","', 'delimiter: "::"', "3: files.delimiter", "must be one ASCII character"),
        ("encoding: utf-8", "encoding: latin-11", "3: files.encoding", "is not a text encoding (did you mean latin1?)"),
        ("encoding: utf-8", "encoding: rot13", "3: files.encoding", "is not a text encoding"),
        ('clear: "#N/A"', 'clear: ""', "3: files.clear", "must have at least 1 character"),
        (
            "{type: email, required",
            "{type: emial, required",
            "5: attributes.epost.type",
            "must be 'string', 'email', 'phone'",
        ),
        (
            "required: true",
            "requird: true",
            "5: attributes.epost.requird",
            "is not known here (did you mean required?)",
        ),
        ("required: true", "required: maybe", "5: attributes.epost.required", "must be true or false"),
        ("{type: email, required: true}", "email", "5: attributes.epost", "must be a mapping"),
        ("max_length: 200", "min: 3", "6: attributes.namn", "`min` is for"),
        ("min: 0", "min: [0]", "10: attributes.belopp.min", "must be a whole number or a number or a date"),
        ("[web, store, app]", "web", "13: attributes.kalla.one_of", "must be a list"),
        ("kalla:     ", "_kalla:     ", "13: attributes._kalla", "an attribute's name must not"),
        ("accept", "acept", "14: unknown_attributes", "must be 'accept' or 'reject' (did you mean accept?)"),
        ("30 1 * * *", "30 1 * *", "15: schedule.cron", "A cron line has five fields"),
        ("  newsletter:", '  "news,letter":', "17: integrations.news,letter", "an integration's name must not"),
        ("mailchimp\n", "mailchmp\n", "18: ~.type", "`mailchmp` is not in the catalog (did you mean mailchimp?)"),
        ("type: mailchimp\n", "\n", "17: ~.type", "is missing"),
        ("{api_key: env", "{api_keey: env", "19: ~.credentials.api_keey", "mailchimp has no such credential (did"),
        ("{api_key: env", "{api_keey: env", "19: ~.credentials.api_key", "is missing"),
        ("env:ACME_MAILCHIMP_KEY", "hunter2", "19: ~.credentials.api_key", "must be a reference to a secret"),
        ("env:ACME_MAILCHIMP_KEY", "5", "19: ~.credentials.api_key", "must be text"),
        (
            "list_id: a1b2c3d4e5",
            "list: a",
            "20: ~.settings.list",
            "mailchimp has no such setting (did you mean list_id?)",
        ),
        ("list_id: a1b2c3d4e5", "list: a", "20: ~.settings.list_id", "is missing"),
        ("list_id: a1b2c3d4e5", "list_id: 5", "20: ~.settings.list_id", "must be text"),
        ("list_id: a1b2c3d4e5", "list_id: a, api_key: hunter2", "20: ~.settings.api_key", "is a credential"),
        ("list_id: a1b2c3d4e5", "list_id: a, batch_size: 501", "20: ~.settings.batch_size", "`batch_size` is 501, but"),
        ("list_id: a1b2c3d4e5", "list_id: a, timeout: 0", "20: ~.settings.timeout", "must be more than 0"),
        ("https://us21.", "ftp://us21.", "20: ~.settings.base_url", "must be an address"),
        ("where: samtycke", "where: samtyck", "21: ~.where", "`samtyck` is not listed under attributes"),
        ("where: samtycke", "where: namn", "21: ~.where", "gives text, where a boolean is needed"),
        ("where: samtycke", "where: SUM(belopp) > 1", "21: ~.where", "it looks beyond its own row"),
        ("where: samtycke", "where: true", "21: ~.where", "must be text, and is true or false"),
        ("where: samtycke", "whre: samtycke", "21: ~.whre", "is not known here (did you mean where?)"),
        (
            "email_address: epost",
            "email_adress: epost",
            "23: ~.mapping.email_adress",
            "mailchimp has no such field (did you mean email_address?)",
        ),
        (
            "email_address: epost",
            "email_adress: epost",
            "22: ~.mapping.email_address",
            "is missing, and mailchimp requires it",
        ),
        ("merge_fields.FNAME:", "merge_fields.*:", "25: ~.mapping.merge_fields.*", "mailchimp has no such field"),
        ("merge_fields.FNAME:", "merge_fields.A..B:", "25: ~.mapping.merge_fields.A..B", "has an empty part"),
        (
            "merge_fields.FNAME:",
            "merge_fields.A: namn\n      merge_fields.A.B:",
            "26: ~.mapping.merge_fields.A.B",
            "stands inside",
        ),
        (
            "split_part(namn, ' ', 1)",
            "splitpart(namn, ' ', 1)",
            "25: ~.mapping.merge_fields.FNAME",
            "there is no function `splitpart` (did you mean split_part?)",
        ),
        ("split_part(namn, ' ', 1)", "namn ||", "25: ~.mapping.merge_fields.FNAME", "not a SQL expression"),
        ("tags: some_tags", "tags: namn", "26: ~.mapping.tags", "gives text, where a list is needed"),
        ("tags: some_tags", "tags: 5", "26: ~.mapping.tags", "must be text, and is a number"),
        ("email_address: epost", "email_address: some_tags", "23: ~.mapping.email_address", "gives a list, where"),
        ("some_tags: [TAG1, TAG2]}", "some_tags: {a: 1}}", "28: ~.tests.0.given.some_tags", "must be text or a whole"),
        ("        expect:", "        expects:", "29: ~.tests.0.expects", "is not known here (did you mean expect?)"),
    ],
)
def test_mistakes(
    project: Path, change: Change, complaints: Complaints, old: str, new: str, place: str, reason: str
) -> None:
    change(old, new)
    start = f"groups/acme-se.yaml:{place.replace('~', 'integrations.newsletter')}: {reason}"
    told = complaints()
    assert any(line.startswith(start) for line in told), told
    assert "hunter2" not in str(told)


def test_the_nearest_choice_is_named(project: Path, change: Change, complaints: Complaints) -> None:
    change("{type: email, required", "{type: emial, required")
    assert complaints()[0].endswith("(did you mean email?)")


def test_a_test_may_expect_nothing_to_be_sent(project: Path, change: Change) -> None:
    change("    tests:", "    tests:\n      - {given: {epost: a@example.com, namn: null}, expect: null}")
    test, _ = _group().integrations["newsletter"].tests
    assert (test.given, test.expect) == ({"epost": "a@example.com", "namn": None}, None)


def test_all_mistakes_at_once(project: Path, change: Change, complaints: Complaints) -> None:
    """What pydantic finds does not hide what only the catalog and the expressions tell, nor another group's."""
    (project / "groups" / "second.yaml").write_text("group_key: abc124\nintegrations: {}\n")
    change("name: Acme", "nmae: Acme")
    change("email_address: epost", "email_adress: epost")
    change("where: samtycke", "where: upperr(namn) = 'A'")
    change("env:ACME_MAILCHIMP_KEY", "hunter2")
    lines = [line.split(":")[:2] for line in complaints()]
    assert sorted(lines) == [
        ["groups/acme-se.yaml", "19"],
        ["groups/acme-se.yaml", "2"],
        ["groups/acme-se.yaml", "21"],
        ["groups/acme-se.yaml", "22"],
        ["groups/acme-se.yaml", "23"],
        ["groups/second.yaml", "2"],
    ]


def test_a_wrong_attribute_does_not_spoil_the_expressions(
    project: Path, change: Change, complaints: Complaints
) -> None:
    change("{type: boolean}", "{type: bolean}")
    (complaint,) = complaints()
    assert "attributes.samtycke.type" in complaint


def test_closed_groups_know_their_attributes(project: Path, change: Change, complaints: Complaints) -> None:
    change("tags: some_tags", "merge_fields.CITY: ort")
    assert complaints() == []
    change("unknown_attributes: accept", "unknown_attributes: reject")
    assert "there is no attribute `ort`" in complaints()[0]


def test_two_groups_with_one_key(project: Path, complaints: Complaints) -> None:
    groups = project / "groups"
    (groups / "second.yml").write_text((groups / "acme-se.yaml").read_text())
    assert complaints() == [
        f"groups/second.yml:1: group_key: `abc123` is the key of another group too, in {groups}/acme-se.yaml"
    ]


_JUNK = st.sampled_from(
    [None, True, 5, -1, 1.5, "", "x", "2020-01-01", [], ["x"], [[1]], [None], {}, {"x": "y"}, {"x": {}}]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_nothing_that_yaml_can_say_breaks_it(
    project: Path, group_text: str, complaints: Complaints, data: st.DataObject
) -> None:
    """Whatever stands wherever: it is used, or told with file and line."""
    file = project / "groups" / "acme-se.yaml"
    content: Any = yaml.load(group_text, yaml.BaseLoader)
    for _ in range(data.draw(st.integers(1, 2))):
        here, key = content, data.draw(st.sampled_from(list(content)))
        while isinstance(here[key], dict | list) and here[key] and data.draw(st.booleans()):
            here = here[key]
            key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else range(len(here))))
        here[key] = deepcopy(data.draw(_JUNK))
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    for line in complaints():
        assert re.match(r"groups/acme-se\.yaml:\d+: \S+: .*[^ ]$", line), line
