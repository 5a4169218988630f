"""Bad files of every kind: the program and the oracle agree on each; `make torture` tries all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import rfc8259
from support.oracle import Manner, verdict

from torture import corpora, files, jsonlines, soups, tables
from torture.agreement import agreed
from torture.files import drawn, read, stirred, taken
from torture.floods import FLOODS, flooded
from torture.roles import ROLES, TEXTS
from torture.tables import HEADER
from torture.variant import Variant

EVERY_SO_MANY = 31
"""A number that is prime to how often mistakes, columns and rows come round, so that all of them are met."""


def some(variants: Iterator[Variant], step: int = EVERY_SO_MANY) -> list[Variant]:
    return list(itertools.islice(variants, 0, None, step))


KINDS: dict[str, Callable[[], list[Variant]]] = {
    "places": lambda: some(tables.places(), 199),
    "files": lambda: some(tables.files()),
    "packed": lambda: some(tables.packed(), 2),
    "json_lines": lambda: some(jsonlines.lines(), 11),
}


def test_there_are_as_many_as_were_promised() -> None:
    assert len(list(tables.places())) >= 2000
    assert len(list(tables.files())) + len(list(tables.packed())) >= 500
    assert len(list(jsonlines.lines())) >= 1000


@pytest.mark.parametrize("kind", KINDS)
def test_a_polluted_file_is_read_as_the_oracle_says(tmp_path: Path, kind: str) -> None:
    for number, variant in enumerate(KINDS[kind]()):
        end = read(variant, tmp_path / str(number), "")
        assert end.struck, variant.case
        assert end.good, (variant.case, end)


@pytest.mark.parametrize("recipe", [soups.soup, soups.json_soup])
def test_soup_is_read_as_the_oracle_says(tmp_path: Path, recipe: Callable[..., Variant]) -> None:
    assert stirred(recipe, 1, 50, tmp_path, "").good


@pytest.mark.parametrize("is_json", [False, True])
def test_what_hypothesis_draws_is_read_as_the_oracle_says(tmp_path: Path, is_json: bool) -> None:
    assert drawn(is_json, 1, 50, tmp_path, "").good


def test_a_polluted_file_goes_the_whole_way_as_the_oracle_says(tmp_path: Path) -> None:
    variants = files.usual([*some(tables.files(), 61), *some(tables.places(), 307)])
    assert taken(variants, tuple(HEADER), tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}").good


@pytest.mark.parametrize("role", ROLES)
def test_a_text_arrives_in_every_role(tmp_path: Path, role: str) -> None:
    assert ROLES[role](tmp_path, f"sqlite:///{tmp_path / 'ledger.db'}", TEXTS[::5]).good


def test_a_bomb_takes_no_memory(tmp_path: Path) -> None:
    assert flooded(FLOODS[0], "gz", tmp_path / "home", "").good


@pytest.mark.parametrize("kind", ["JSONTestSuite/test_parsing", "csv-spectrum/csvs"])
def test_a_corpus_is_read_as_the_oracle_says(tmp_path: Path, shared: Path, kind: str) -> None:
    trial = corpora.of_the_suite if "JSON" in kind else corpora.of_the_spectrum
    found = sorted((shared / "corpora" / kind).iterdir())
    for file in found[:: 12 if "JSON" in kind else 1]:
        assert trial(file, tmp_path, "").good, file.name


@pytest.mark.parametrize(
    ("data", "manner"),
    [
        pytest.param(b"a,b\n1,2\n", Manner(), id="a table"),
        pytest.param(b'{"a":1}\n', Manner("a.jsonl"), id="JSON lines"),
    ],
)
def test_a_disagreement_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes, manner: Manner) -> None:
    other = verdict(data.replace(b"1", b"2"), manner)
    monkeypatch.setattr("torture.agreement.verdict", lambda *_: other)
    assert agreed(tmp_path, data, manner).wrong == 1


@pytest.mark.parametrize(
    ("line", "faults"),
    [
        (b'{"a":[1,"x"],"b":null,"c":-0.0}', set()),
        (b'{"a":1,"\\u0061":{"b":[NaN]}}', {"row.duplicate_key", "row.nested", "row.json"}),
        (b'{"\\ud800":"\\u0000"}', {"row.surrogate", "row.nul"}),
        (b"[" * 5000, {"row.nested", "row.json"}),
        (b"7", {"row.json"}),
    ],
)
def test_the_oracle_of_json(line: bytes, faults: set[str]) -> None:
    assert rfc8259.line(line.decode()).faults == faults
