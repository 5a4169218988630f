"""A night with each integration of the catalog: a file, the whole way, a stand-in, and the account of every row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from support.installation import table
from support.nights import FILE, contacts, installed, journalled

from integrations.catalog import CATALOG
from integrations.integration import Answers, Integration
from integrations.sandbox import running

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

ALL = pytest.mark.parametrize("integration", CATALOG.values(), ids=list(CATALOG))


@pytest.fixture
def sandbox() -> Iterator[str]:
    with running() as base:
        yield base


@ALL
def test_a_night(integration: Integration, sandbox: str, tmp_path: Path) -> None:
    it = installed(tmp_path, integration, sandbox)
    people = [f"p{n}@example.com" for n in range(1, 31)]
    people[6], people[20] = "eve@rejected.example", "no longer"
    it.drop(FILE, table(enumerate(people, 1)))
    receipt = it.one()
    said = receipt["integrations"]["it"]
    taken = said["delivered"] + said["acknowledged"]
    assert sum(said[name] for name in OUTCOMES) == 30
    assert taken == journalled(sandbox), "what is said to be there is there, and nothing else"
    assert said["possible_duplicates"] == 0
    assert (said["failed"], said["unknown"]) == (0, 0)
    if integration.answers is Answers.RECORDS:
        assert (said["acknowledged"], said["rejected"] > 0) == (0, True)
        rows = {int(line["_row"]) for line in it.undelivered(receipt)}
        assert rows <= {7, 21}
        assert said["rejected"] == len(rows)
    else:
        assert said["delivered"] == 0, "nobody said what became of each record"
    if integration.identity:
        assert len(contacts(sandbox, integration)) == taken


OUTCOMES = ("delivered", "acknowledged", "filtered", "unchanged", "invalid", "rejected", "failed", "unknown")


@ALL
def test_one_person_twice_is_one_record_and_two_rows(integration: Integration, sandbox: str, tmp_path: Path) -> None:
    if not integration.identity:
        pytest.skip("it knows nobody by anything")
    it = installed(tmp_path, integration, sandbox)
    again = "ASA@example.com" if "mail" in integration.identity[0] else "asa@example.com"  # of ids the case matters
    it.drop(FILE, table([[1, "asa@example.com"], [2, "bo@example.com"], [3, again]]))
    said = it.one()["integrations"]["it"]
    assert said["delivered"] + said["acknowledged"] == 3
    assert journalled(sandbox) == 2


@ALL
def test_refused_credentials_stop_it_before_a_record_leaves(
    integration: Integration, sandbox: str, tmp_path: Path
) -> None:
    it = installed(tmp_path, integration, sandbox)
    for name, secret in integration.sample.credentials.items():
        (tmp_path / "secrets" / f"{integration.name}.{name}").write_text(f"{secret[:-3]}AA=")
    it.drop(FILE, table([[n, f"p{n}@example.com"] for n in range(1, 10)]))
    receipt = it.one()
    assert receipt["integrations"]["it"]["failed"] == 9
    assert {line["code"] for line in receipt["codes"]} == {"auth.refused"}
    assert journalled(sandbox) == 0
    if integration.prepare or integration.names:
        assert receipt["integrations"]["it"]["requests"] == 0


def test_what_a_whole_request_has_in_common_divides_the_records(
    sandbox: str, tmp_path: Path, flatdrop: Flatdrop
) -> None:
    """Rule takes tags for a request: nobody gets those of another."""
    it = installed(tmp_path, CATALOG["rule"], sandbox)
    it.groups["abc"]["attributes"]["tags"] = {"type": "list"}
    it.groups["abc"]["integrations"]["it"]["mapping"] = {"email": "email", "tags": "tags"}
    it.write()
    tags = ["a|b", "a", "", "a|b", ""]
    content = table([[n, f"p{n}@example.com", text] for n, text in enumerate(tags)], ("id", "email", "tags"))
    (tmp_path / "local.csv").write_bytes(content)
    shown = flatdrop("--config", str(tmp_path), "preview", str(tmp_path / "local.csv"), "--group", "abc", "--json").json
    expected = [text.split("|") if text else None for text in tags]
    assert [line["item"].get("tags") for line in shown] == expected
    it.drop(FILE, content)
    said = it.one()["integrations"]["it"]
    assert (said["acknowledged"], said["requests"]) == (5, 3)
    there = contacts(sandbox, CATALOG["rule"])
    assert [there[f"p{n}@example.com"].get("tags") for n in range(5)] == expected
