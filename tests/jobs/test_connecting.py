"""Trying destinations: what is proved, what is wrong with its name, and what cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.nights import contacts, installed, journalled

from integrations.catalog import CATALOG
from integrations.integration import Integration
from integrations.playing import always
from integrations.sandbox import Faults, running

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

ALL = pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))
ASKED = [one for one in CATALOG.values() if one.prepare or one.names]
WORDS = "connect test --group abc --json"


@pytest.fixture
def sandbox() -> Iterator[str]:
    with running() as base:
        yield base


def tried(
    flatdrop: Flatdrop,
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    integration: Integration,
    base: str,
    **settings: Any,
) -> tuple[int, dict[str, Any]]:
    installed(home, integration, base, **settings)
    monkeypatch.chdir(home)
    done = flatdrop(*WORDS.split())
    (one,) = done.json
    return done.code, one


@ALL
def test_what_is_right_is_proved_and_nothing_is_sent(
    flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, integration: Integration, sandbox: str
) -> None:
    code, one = tried(flatdrop, monkeypatch, tmp_path, integration, sandbox)
    assert code == 0
    assert (one["integration"], one["type"]) == ("it", integration.name)
    if integration in ASKED:
        assert (one["ok"], one["code"]) == (True, None)
        assert one["proved"]
    else:
        assert (one["ok"], one["proved"]) == (None, [])
        assert "Nothing harmless can be asked" in one["message"]
    assert journalled(sandbox) == 0
    assert contacts(sandbox, integration) == {}


@pytest.mark.parametrize("integration", ASKED, ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("fault", "said"), [("401", "auth.refused"), ("404", "address.refused"), ("503", "unavailable")]
)
def test_what_is_wrong_is_named(
    flatdrop: Flatdrop,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    integration: Integration,
    fault: str,
    said: str,
) -> None:
    with running(faults=Faults.parse(f"{integration.name}={fault}")) as base:
        code, one = tried(flatdrop, monkeypatch, tmp_path, integration, base)
    assert (code, one["ok"], one["code"]) == (1, False, said)
    assert f"HTTP {fault}" in one["message"]
    assert one["message"].startswith("not proved: ")


def test_a_field_that_is_not_there_is_named_with_its_neighbour(
    flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: str
) -> None:
    mailchimp = CATALOG["mailchimp"]
    before = mailchimp.play
    fields = always({"merge_fields": [{"tag": "FNAME"}]})
    it = installed(tmp_path, CATALOG["mailchimp"], sandbox)
    it.groups["abc"]["integrations"]["it"]["mapping"]["merge_fields.FNMAE"] = "id"
    it.write()
    monkeypatch.chdir(tmp_path)
    object.__setattr__(mailchimp, "play", {**before, "GET /lists/{list_id}/merge-fields": fields})
    try:
        done = flatdrop(*WORDS.split())
        (one,) = done.json
        assert (done.code, one["code"]) == (1, "fields.unknown")
        assert one["message"] == "There is no merge field FNMAE at the destination; did you mean FNAME?"
        # and the night says the same, before a record leaves
        it.drop("abc/a.csv", b"id,email\n1,a@example.com\n")
        receipt = it.one()
        assert receipt["integrations"]["it"]["failed"] == 1
        assert [line["code"] for line in receipt["codes"]] == ["fields.unknown"]
        assert journalled(sandbox) == 0
    finally:
        object.__setattr__(mailchimp, "play", before)


def test_one_that_is_not_there_is_a_usage_error(
    flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: str
) -> None:
    installed(tmp_path, CATALOG["webhook"], sandbox)
    monkeypatch.chdir(tmp_path)
    assert flatdrop(*"connect test --group abc --integration nothing".split()).code == 2
    assert flatdrop(*"connect test --group abd".split()).code == 2


def test_a_secret_that_is_not_there_is_told(
    flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sandbox: str
) -> None:
    installed(tmp_path, CATALOG["mailchimp"], sandbox)
    (tmp_path / "secrets" / "mailchimp.api_key").unlink()
    monkeypatch.chdir(tmp_path)
    done = flatdrop(*WORDS.split())
    assert done.code in (1, 2)
    assert "api_key" in str(done.json) + done.err
