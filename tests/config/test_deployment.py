"""`flatdrop.yaml`: where it is found, what it means, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import find, load, load_groups

Change = Callable[[str, str], None]


def _complaint(path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    return str(caught.value)


def test_what_the_contract_shows(project: Path) -> None:
    deployment = load()
    assert deployment.drop_zone == str(project / "drop")
    assert deployment.ledger == f"sqlite:///{project}/flatdrop.db"
    assert deployment.groups == project / "groups"
    assert deployment.base == project
    assert (deployment.s3.endpoint_url, deployment.s3.region) == (None, "eu-north-1")
    assert deployment.api.port == 8080
    assert (deployment.delivery.tries, deployment.delivery.patience, deployment.delivery.timeout) == (5, 300, 60)


def test_only_the_drop_zone_is_needed(tmp_path: Path) -> None:
    (tmp_path / "flatdrop.yaml").write_text("drop_zone: s3://acme-drops/in\nschedule:\n")
    deployment = load(tmp_path)
    assert deployment.drop_zone == "s3://acme-drops/in"
    assert deployment.ledger == f"sqlite:///{tmp_path}/flatdrop.db"
    assert deployment.groups == tmp_path / "groups"


def test_found_by_name_then_environment_then_here_then_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "there is no flatdrop.yaml here nor in config/" in _complaint()
    (tmp_path / "config").mkdir()
    places = ["config/flatdrop.yaml", "flatdrop.yaml", "by-environment.yaml", "by-name.yaml"]
    for place in places:
        (tmp_path / place).write_text(f"drop_zone: /{place}")
    assert find() == Path("flatdrop.yaml")
    (tmp_path / "flatdrop.yaml").unlink()
    assert find() == Path("config/flatdrop.yaml")
    assert load().base == tmp_path / "config"
    monkeypatch.setenv("FLATDROP_CONFIG", "by-environment.yaml")
    assert load().drop_zone == "/by-environment.yaml"
    assert load(Path("by-name.yaml")).drop_zone == "/by-name.yaml"
    monkeypatch.setenv("FLATDROP_CONFIG", "nowhere.yaml")
    assert _complaint() == "nowhere.yaml: there is no such file"


def test_environment_overrides(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLATDROP_DROP_ZONE", "s3://other")
    monkeypatch.setenv("FLATDROP_LEDGER", "postgresql+psycopg://u:p@db/flatdrop")
    monkeypatch.setenv("FLATDROP_S3__ENDPOINT_URL", "http://127.0.0.1:9000")
    deployment = load()
    assert deployment.drop_zone == "s3://other"
    assert deployment.ledger == "postgresql+psycopg://u:p@db/flatdrop"
    assert (deployment.s3.endpoint_url, deployment.s3.region) == ("http://127.0.0.1:9000", "eu-north-1")
    assert "u:p" not in repr(deployment)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FLATDROP_DELIVERY__TRIES", "many", "FLATDROP_DELIVERY__TRIES: must be a valid integer"),
        ("FLATDROP_S3__REGIN", "eu", "FLATDROP_S3__REGIN: is not known here (did you mean region?)"),
        ("FLATDROP_LEDGER", "mysql://u:hunter2@db/x", "FLATDROP_LEDGER: must be `sqlite:///FILE` or `postgresql"),
        ("FLATDROP_S3", "{hunter2", "FLATDROP_S3: is not JSON"),
    ],
)
def test_wrong_environment(project: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str) -> None:
    monkeypatch.setenv(name, value)
    complaint = _complaint()
    assert complaint.startswith(f"the environment variable {said}")
    assert "hunter2" not in complaint


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("drop_zone: ./drop", "dropzone: ./drop", "1: dropzone: is not known here (did you mean drop_zone?)"),
        ("drop_zone: ./drop", "", "2: drop_zone: is missing"),
        ("drop_zone: ./drop", "drop_zone: 5", "1: drop_zone: must be text, and is a number as it is written"),
        ("drop_zone: ./drop", "drop_zone: ''", "1: drop_zone: must not be empty"),
        ("drop_zone: ./drop", "drop_zone: gs://x", "1: drop_zone: must be `s3://bucket[/prefix]` or a folder"),
        ("drop_zone: ./drop", "drop_zone: s3:///x", "1: drop_zone: must be `s3://bucket[/prefix]` or a folder"),
        ("sqlite:///flatdrop.db", "flatdrop.db", "3: ledger: is not a database URL"),
        ("sqlite:///flatdrop.db", "postgresql://u:p@h:x/d", "3: ledger: is not a database URL"),
        ("sqlite:///flatdrop.db", "'sqlite://'", "3: ledger: must name a file"),
        ("sqlite:///flatdrop.db", "'sqlite:///:memory:'", "3: ledger: must name a file"),
        ("sqlite:///flatdrop.db", "mysql://h/d", "3: ledger: must be `sqlite:///FILE` or"),
        ("endpoint_url: null", "endpoint_url: localhost", "2: s3.endpoint_url: must match pattern"),
        ("region: eu-north-1}", "regoin: x}", "2: s3.regoin: is not known here (did you mean region?)"),
        ("0 2 * * *", "0 2 * *", "5: schedule.cron: A cron line has five fields"),
        ("Europe/Stockholm", "Europe/Stokholm", "5: schedule.timezone: is not a time zone (did you mean Europe/Stock"),
        ("port: 8080", "port: 80800", "6: api.port: must be less than or equal to 65535"),
        ("port: 8080", "port: x", "6: api.port: must be a valid integer"),
        ("groups: groups/", "groups: groups/\ndelivery: {tries: 0}", "5: delivery.tries: must be greater than"),
        ("groups: groups/", "groups: groups/\nlimits: {value: 0}", "5: limits.value: must be greater than"),
        ("groups: groups/", "groups: groups/\nlimits: {record: 5000}", "5: limits: must let a record be as large as"),
        ("groups: groups/", "groups: groups/\n_env_file: x", "5: _env_file: is not known here"),
    ],
)
def test_mistakes(project: Path, old: str, new: str, said: str) -> None:
    file = project / "flatdrop.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    told = [line.removeprefix("flatdrop.yaml:") for line in _complaint().splitlines()]
    assert any(line.startswith(said) for line in told), told


def test_all_mistakes_at_once(project: Path, change: Change) -> None:
    change("./drop", "gs://x")
    change("port: 8080", "port: x")
    assert len(_complaint().splitlines()) == 2


@pytest.mark.parametrize("text", ["just text", "[a, b]"])
def test_not_a_mapping(tmp_path: Path, text: str) -> None:
    (tmp_path / "flatdrop.yaml").write_text(text)
    assert "must be a mapping" in _complaint(tmp_path)


def test_no_groups(project: Path, change: Change) -> None:
    (project / "groups" / "acme-se.yaml").rename(project / "groups" / "acme-se.txt")
    with pytest.raises(ConfigError, match="groups: no group here"):
        load_groups(load())
    change("groups: groups/", "groups: grupper/")
    with pytest.raises(ConfigError, match="grupper: the groups' folder cannot be read: No such file"):
        load_groups(load())


@pytest.mark.parametrize(
    ("own", "ours", "result"),
    [
        ('{cron: "30 1 * * *"}', "", ("30 1 * * *", "Europe/Stockholm")),
        ("{timezone: Asia/Tokyo}", "", ("0 2 * * *", "Asia/Tokyo")),
        ("", "schedule: {}", None),
        ('{cron: "30 1 * * *"}', "schedule: {}", ("30 1 * * *", "UTC")),
    ],
)
def test_schedule_of_a_group(
    project: Path, change: Change, own: str, ours: str, result: tuple[str, str] | None
) -> None:
    change('schedule: {cron: "30 1 * * *"}', f"schedule: {own}")
    if ours:
        change('schedule: {cron: "0 2 * * *", timezone: Europe/Stockholm}', ours)
    deployment = load()
    assert deployment.schedule_of(load_groups(deployment)["abc123"]) == result
