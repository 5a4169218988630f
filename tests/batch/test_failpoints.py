"""Failpoints: every commit and every call has one before and one after, and without a test's order they do nothing."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.failing import failing

from batch import failpoints, folder, s3

ROOT = Path(failpoints.__file__).parent.parent
PRODUCT = [path for name in ("api", "batch", "config", "jobs", "mappers") for path in (ROOT / name).rglob("*.py")]


def calls(of: str, paths: list[Path]) -> Iterator[ast.Call]:
    """Every call of a method or function with this name."""
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name):
                name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
                if name == of:
                    yield node


def named(call: ast.Call) -> str:
    assert isinstance(call.args[-1], ast.Constant), ast.unparse(call)
    return str(call.args[-1].value)


def test_every_commit_has_a_name_of_its_own() -> None:
    writes = [call for call in calls("write", PRODUCT) if ast.unparse(call.func) == "database.write"]
    assert Counter(map(named, writes)) == Counter(failpoints.COMMITS)
    others = [path for path in PRODUCT if path.name != "database.py" and ".begin()" in path.read_text("utf-8")]
    assert others == []


def test_everything_that_a_drop_zone_is_asked_has_a_name() -> None:
    for zone in (folder, s3):
        names = {named(call) for call in calls("_speaking", [Path(zone.__file__)])}
        assert names == set(failpoints.CALLS) - ({"groups"} if zone is s3 else set())
    speaking = list(calls("_explained", [Path(s3.__file__)]))
    assert len(speaking) == 3  # what makes a client or an address, and what names the rest


def test_a_request_to_a_destination_is_made_in_one_place() -> None:
    found = [path.name for path in PRODUCT if "ClientSession(" in path.read_text("utf-8")]
    assert found == ["http.py"]
    sends = [named(call) for call in calls("reached", [ROOT / "batch" / "http.py"])]
    assert sends == [name for name in failpoints.NAMES if name.startswith("send.")]


def test_there_are_many_and_each_once() -> None:
    assert len(failpoints.NAMES) == len(set(failpoints.NAMES)) >= 24


def reaches(name: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    code = f"from batch.failpoints import reached\nfor _ in range(3): reached({name!r}); print('on', flush=True)"
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **env}, cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_an_order_is_obeyed_at_its_time_and_place() -> None:
    ended = reaches("send.after", failing("send.before=kill", "send.after=kill:2"))
    assert (ended.returncode, ended.stdout) == (-signal.SIGKILL, "on\n")
    ended = reaches("send.after", failing("send.after=fail:3"))
    assert (ended.returncode, ended.stdout) == (1, "on\non\n")
    assert "No space left on device" in ended.stderr


@pytest.mark.parametrize("missing", ["FLATDROP_TESTING", "FLATDROP_FAILPOINTS"])
def test_nothing_happens_unless_both_are_set(missing: str) -> None:
    env = failing("send.after=kill")
    del env[missing]
    ended = reaches("send.after", env)
    assert (ended.returncode, ended.stdout) == (0, "on\n" * 3)


@pytest.mark.parametrize("order", ["send.after", "send.after=die", "nowhere=kill", "send.after=kill:x"])
def test_what_is_no_order_is_told(order: str) -> None:
    ended = reaches("send.after", failing(order))
    assert ended.returncode == 1
    assert "is no order" in ended.stderr


def test_a_hidden_command_lists_them() -> None:
    command = [sys.executable, "-c", "from jobs.cli import main; main()"]
    listed = subprocess.run([*command, "failpoints"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert listed.split() == list(failpoints.NAMES)
    shown = subprocess.run([*command, "--help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "failpoints" not in shown
    assert os.environ.get("FLATDROP_TESTING") is None
