"""A configuration on disk that a test may spoil."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.errors import ConfigError
from config.load import load, load_groups

DEPLOYMENT = """\
drop_zone: ./drop
s3: {endpoint_url: null, region: eu-north-1}
ledger: sqlite:///flatdrop.db
groups: groups/
schedule: {cron: "0 2 * * *", timezone: Europe/Stockholm}
api: {host: 127.0.0.1, port: 8080, region: eu-north-1, service: execute-api}
"""

GROUP = """\
group_key: abc123
name: Acme Sweden
files: {delimiter: ",", encoding: utf-8, list_separator: "|", clear: "#N/A"}
attributes:
  epost:     {type: email, required: true}
  namn:      {type: string, max_length: 200}
  telefon:   {type: phone, region: SE}
  postnr:    {type: string, matches: '^\\d{5}$'}
  fodd:      {type: date, format: "%Y-%m-%d"}
  belopp:    {type: number, min: 0}
  samtycke:  {type: boolean}
  some_tags: {type: list}
  kalla:     {type: string, one_of: [web, store, app]}
unknown_attributes: accept
schedule: {cron: "30 1 * * *"}
integrations:
  newsletter:
    type: mailchimp
    credentials: {api_key: env:ACME_MAILCHIMP_KEY}
    settings: {list_id: a1b2c3d4e5, base_url: https://us21.api.mailchimp.com/3.0}
    where: samtycke
    mapping:
      email_address: epost
      status_if_new: "'subscribed'"
      merge_fields.FNAME: split_part(namn, ' ', 1)
      tags: some_tags
    tests:
      - given: {epost: " John.Doe@Example.com", namn: John Doe, samtycke: true, some_tags: [TAG1, TAG2]}
        expect:
          email_address: john.doe@example.com
          status_if_new: subscribed
          merge_fields: {FNAME: John}
          tags: [TAG1, TAG2]
"""


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("FLATDROP_", "AWS_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def group_text() -> str:
    """The group that the contract shows."""
    return GROUP


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the configuration that the contract shows, in which the process stands."""
    (tmp_path / "groups").mkdir()
    (tmp_path / "flatdrop.yaml").write_text(DEPLOYMENT)
    (tmp_path / "groups" / "acme-se.yaml").write_text(GROUP)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def change(project: Path) -> Callable[[str, str], None]:
    """Replace text that stands once in the configuration."""

    def _change(old: str, new: str) -> None:
        for file in (project / "flatdrop.yaml", project / "groups" / "acme-se.yaml"):
            text = file.read_text()
            if text.count(old) == 1:
                file.write_text(text.replace(old, new))
                return
        raise AssertionError(f"{old!r} does not stand once in a file")

    return _change


@pytest.fixture
def complaints(project: Path) -> Callable[[], list[str]]:
    """What reading the configuration complains of, a line each."""

    def _complaints() -> list[str]:
        try:
            load_groups(load())
        except ConfigError as error:
            return str(error).splitlines()
        return []

    return _complaints
