"""Settings and credentials come together only when they are needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.connecting import connection, connections
from config.errors import ConfigError
from config.group import Group
from config.load import load, load_groups

Change = Callable[[str, str], None]


def test_connection(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACME_MAILCHIMP_KEY", "hunter2")
    deployment = load()
    found = connection(deployment, load_groups(deployment)["abc123"], "newsletter")
    assert found.credentials == {"api_key": "hunter2"}
    assert found.settings["list_id"] == "a1b2c3d4e5"
    assert "hunter2" not in repr(found)


def test_files_are_beside_the_deployment(project: Path, change: Change) -> None:
    change("env:ACME_MAILCHIMP_KEY", "file:secrets/key")
    (project / "secrets").mkdir()
    (project / "secrets" / "key").write_text("hunter2\n")
    deployment = load()
    assert connections(deployment, load_groups(deployment)["abc123"])["newsletter"].credentials["api_key"] == "hunter2"


def test_a_missing_secret_is_told_with_its_place(project: Path) -> None:
    deployment = load()
    with pytest.raises(ConfigError) as caught:
        connections(deployment, load_groups(deployment)["abc123"])
    assert str(caught.value) == (
        "groups/acme-se.yaml:19: integrations.newsletter.credentials.api_key: "
        "the environment variable ACME_MAILCHIMP_KEY is not set"
    )


def test_a_kept_group_connects_too(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment = load()
    kept = Group.from_document(load_groups(deployment)["abc123"].document)
    with pytest.raises(ConfigError, match=r"^integrations\.newsletter\.credentials\.api_key: the environment variable"):
        connections(deployment, kept)
    gone = Group.from_document(kept.document.replace('"mailchimp"', '"carrier_pigeon"'))
    with pytest.raises(ConfigError, match="`carrier_pigeon` is not in the catalog"):
        connections(deployment, gone)
