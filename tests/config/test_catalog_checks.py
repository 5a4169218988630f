"""What the configuration says of a mapping to a destination, before anything is sent there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.errors import ConfigError
from config.load import load_group
from integrations.catalog import CATALOG


def problems(tmp_path: Path, kind: str, mapping: dict[str, str], **attributes: Any) -> list[str]:
    one = CATALOG[kind]
    enabled = {
        "type": kind,
        "credentials": {it.name: f"env:{it.name.upper()}" for it in one.credentials},
        "settings": dict(one.sample.settings),
        "mapping": mapping,
    }
    file = tmp_path / "group.yaml"
    file.write_text(yaml.safe_dump({"group_key": "abc", "attributes": attributes, "integrations": {"it": enabled}}))
    try:
        load_group(file)
    except ConfigError as error:
        return [str(one) for one in error.problems]
    return []


def test_one_of_several_identities_is_enough_and_none_is_not(tmp_path: Path) -> None:
    assert problems(tmp_path, "klaviyo", {"attributes.phone_number": "tel"}) == []
    (said,) = problems(tmp_path, "klaviyo", {"attributes.first_name": "namn"})
    assert "lacks one of attributes.email, attributes.phone_number" in said


def test_two_identities_where_there_may_be_one(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, "customerio", {"identifiers.id": "nr", "identifiers.email": "epost"})
    assert "only one of them" in said


def test_a_name_that_the_vendor_could_not_take(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, "brevo", {"email": "epost", "attributes.shoe size": "sko"})
    assert "must be written attributes.NAME with a NAME that matches" in said


@pytest.mark.parametrize(("kind", "field"), [("mailchimp", "language"), ("activecampaign", "first_name")])
def test_a_promise_to_clear_that_cannot_be_kept(tmp_path: Path, kind: str, field: str) -> None:
    identity = CATALOG[kind].identity[0]
    mapping = {identity: "epost", field: "lower(sprak)"}
    assert problems(tmp_path, kind, mapping, sprak={}) == []
    (said,) = problems(tmp_path, kind, mapping, sprak={"clearable": True})
    assert f"cannot be emptied at {kind}, and `sprak` is declared clearable" in said


def test_a_promise_that_can_be_kept(tmp_path: Path) -> None:
    mapping = {"email_address": "epost", "merge_fields.LNAME": "namn"}
    assert problems(tmp_path, "mailchimp", mapping, namn={"clearable": True}) == []
