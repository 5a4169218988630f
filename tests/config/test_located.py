"""YAML is read without guessing, and every part of it knows its line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from config.errors import ConfigError
from config.located import Source, read


def _read(folder: Path, text: str | bytes) -> Source:
    file = folder / "some.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read(file)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("2026-11-23", "2026-11-23"),
        ("12:30", "12:30"),
        ("+46701740605", "+46701740605"),
        ("0x1F", "0x1F"),
        ("1_000", "1_000"),
        ("12e5", "12e5"),
        ("1.5e+999", "1.5e+999"),
        ("9" * 5000, "9" * 5000),
        (".inf", ".inf"),
        ("true", True),
        ("FALSE", False),
        ("", None),
        ("~", None),
        ("null", None),
        ("0", 0),
        ("-17", -17),
        ("0.5", 0.5),
        ("-.5", -0.5),
        ("1.5e+3", 1500.0),
        ("'00123'", "00123"),
        ("'true'", "true"),
        ('"\\t"', "\t"),
        ("|-\n  a\n  b", "a\nb"),
        ("[1, x, [y]]", [1, "x", ["y"]]),
        ("{x: {y: 1}}", {"x": {"y": 1}}),
    ],
)
def test_values(tmp_path: Path, text: str, value: Any) -> None:
    found = _read(tmp_path, f"a: {text}\n").data["a"]
    assert found == value
    assert type(found) is type(value)


def test_names_are_text(tmp_path: Path) -> None:
    assert _read(tmp_path, "no: 1\n2026: 2\nnull: 3\n").data == {"no": 1, "2026": 2, "null": 3}


def test_byte_order_mark(tmp_path: Path) -> None:
    assert _read(tmp_path, b"\xef\xbb\xbfa: 1").data == {"a": 1}


def test_lines(tmp_path: Path) -> None:
    source = _read(tmp_path, "# a comment\na:\n  - x\n  -\n    b.c: >\n      folded\n\n    d: 1\n")
    assert source.lines == {
        (): 2,
        ("a",): 2,
        ("a", 0): 3,
        ("a", 1): 5,
        ("a", 1, "b.c"): 5,
        ("a", 1, "d"): 8,
    }
    assert source.problem(("a", 1, "d", "beyond"), "is wrong").line == 8
    assert source.problem(("elsewhere",), "is wrong").line == 2


def test_shared_parts(tmp_path: Path) -> None:
    text = (
        "base: &base {x: 1, y: 1}\nmore: &more {z: 1, x: 2}\na: {<<: *base, y: 2}\nb: {<<: [*base, *more]}\nc: *base\n"
    )
    data = _read(tmp_path, text).data
    assert (data["a"], data["b"], data["c"]) == ({"x": 1, "y": 2}, {"x": 1, "y": 1, "z": 1}, {"x": 1, "y": 1})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "some.yaml: is empty"),
        ("# nothing\n", "some.yaml: is empty"),
        ("a: 1\nb: 2\na: 3\n", "some.yaml:3: a: stands here a second time; the first is on line 1"),
        ("x:\n  a: 1\n  a: 3\n", "some.yaml:3: x.a: stands here a second time; the first is on line 2"),
        ("a: 00123\n", "some.yaml:1: a: would lose its zeros as a number: write it in quotes"),
        ("a: !!python/name:os.system x\n", "some.yaml:1: a: YAML tags (!…) are not used here"),
        ("a: &a [*a]\n", "some.yaml:1: a.0: refers to itself"),
        ("? [a]\n: 1\n", "some.yaml:1: a name must be text"),
        ("a: {<<: 1}\n", "some.yaml:1: a: `<<` takes a mapping"),
        ("a: b: c\n", "some.yaml:1: is not YAML: mapping values are not allowed here"),
        ("a:\n\t- x\n", "some.yaml:2: is not YAML: a tab where spaces are needed"),
        ("a: 1\n---\nb: 1\n", "some.yaml:2: is not YAML: but found another document"),
        ("a: *hunter2\n", "some.yaml:1: is not YAML: found undefined alias"),
        ("a: 1\nb: \x07\n", "some.yaml:2: holds a control character"),
        (b"a: 1\nb: \xe5\n", "some.yaml:2: is not UTF-8"),
    ],
)
def test_mistakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | bytes, said: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, text)
    assert str(caught.value) == said


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, "a: 007\na: 1\nb: !x y\n")
    assert [problem.line for problem in caught.value.problems] == [1, 2, 3]


def test_unreadable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read(tmp_path)


def test_yaml_errors_do_not_quote_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, "api_key: hunter2: hunter3\n  x: hunter4\n")
    assert "hunter" not in str(caught.value)


_TEXT = st.text().filter(lambda text: not re.fullmatch("[-+]?0[0-9]+", text))  # which PyYAML writes without quotes
_DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | st.from_regex(r"[-+.0-9eE]{1,6}").filter(lambda text: not re.fullmatch("[-+]?0[0-9]+", text)),
    lambda inner: st.lists(inner) | st.dictionaries(_TEXT, inner),
    max_leaves=10,
)


@settings(max_examples=50)
@given(st.dictionaries(_TEXT, _DATA, min_size=1))
def test_what_yaml_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, data: dict[str, Any]) -> None:
    assert _read(tmp_path_factory.mktemp("yaml"), yaml.safe_dump(data)).data == data
