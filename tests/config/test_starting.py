"""The starting configuration is right as it is."""

from __future__ import annotations

import base64
import stat
from pathlib import Path

import pytest

from config.connecting import connections
from config.errors import ConfigError
from config.load import load, load_groups
from config.references import resolve
from config.starting import SANDBOX, write
from integrations.catalog import CATALOG
from integrations.sandbox.server import settings_for


def test_it_is_whole(tmp_path: Path) -> None:
    files = write(tmp_path / "new" / "folder")
    assert sorted(file for file in (tmp_path / "new").rglob("*") if file.is_file()) == sorted(files)
    deployment = load(tmp_path / "new" / "folder")
    (group,) = load_groups(deployment).values()
    assert {enabled.type for enabled in group.integrations.values()} == {"hubspot", "mailchimp", "webhook"}
    assert list((Path(deployment.drop_zone) / group.group_key).iterdir())
    found = connections(deployment, group)
    for name, enabled in group.integrations.items():
        assert found[name].credentials == CATALOG[enabled.type].sample.credentials
        assert enabled.settings == settings_for(enabled.type, SANDBOX)


def test_secrets_are_private(tmp_path: Path) -> None:
    secrets = [file for file in write(tmp_path) if file.parent.name == "secrets"]
    assert len(secrets) == 4
    assert {stat.S_IMODE(file.stat().st_mode) for file in secrets} == {0o600}


def test_another_sandbox(tmp_path: Path) -> None:
    write(tmp_path, "http://127.0.0.1:1234")
    assert "http://127.0.0.1:1234/mailchimp" in (tmp_path / "groups" / "acme-se.yaml").read_text()
    assert not any(SANDBOX in file.read_text() for file in tmp_path.rglob("*") if file.is_file())


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "flatdrop.yaml").write_text("mine")
    with pytest.raises(ConfigError, match=r"flatdrop\.yaml: is there already"):
        write(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["flatdrop.yaml"]


def test_a_secret_key_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "flatdrop.key").write_text("mine")
    with pytest.raises(ConfigError, match=r"secrets/flatdrop\.key: is there already"):
        write(tmp_path)
    assert [file.name for file in tmp_path.rglob("*")] == ["secrets", "flatdrop.key"]


def test_every_installation_has_a_secret_key_of_its_own(tmp_path: Path) -> None:
    keys = set()
    for name in ("one", "other"):
        write(tmp_path / name)
        deployment = load(tmp_path / name)
        keys.add(resolve(deployment.api.secret_key, deployment.base))
    assert [len(base64.b64decode(key, validate=True)) for key in keys] == [32, 32]


def test_a_secret_is_private_where_a_file_was_there_before(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "crm").write_text("former")
    (tmp_path / "secrets" / "crm").chmod(0o644)
    write(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets" / "crm").stat().st_mode) == 0o600


def test_the_environment_does_not_lead_it_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATDROP_GROUPS", "/nowhere")
    assert write(tmp_path)
