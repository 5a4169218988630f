"""The README's quick start, followed literally: its shell blocks run, and print what it says that they print."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGES = [
    (re.compile(r"\d{8}T\d{6}Z-[a-z2-7]{8}"), "BATCH"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "SHA256"),
    (re.compile(r'"version": "[^"]*"'), '"version": "VERSION"'),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
]


@dataclass
class Step:
    """A shell block, and what the README says that it prints."""

    command: str
    says: list[str] = field(default_factory=list)


def steps(begin: str, end: str) -> list[Step]:
    text = README.read_text("utf-8")
    found: list[Step] = []
    for kind, body in _BLOCK.findall(text[text.index(begin) : text.index(end)]):
        if kind == "sh":
            found.append(Step(body))
        else:
            found[-1].says.append(body)
    return found


@dataclass
class Terminals:
    """A newcomer's two terminals: one for commands, and one for the sandbox that runs on."""

    folder: Path
    port: int
    sandbox: subprocess.Popen[bytes] | None = None

    def follow(self, step: Step) -> str:
        if step.command.startswith("flatdrop sandbox"):
            self._play(step.command.split()[2:])
            return ""
        script = f"{step.command}\npwd > .where\n"
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=self.folder, env=self._env(), **_CAPTURED, check=False)
        if (where := self._where()) is not None:
            self.folder = where
        if step.command.startswith("flatdrop init"):
            self._repoint()
        assert "Traceback" not in done.stderr
        return done.stdout

    def stop(self) -> None:
        if self.sandbox is not None:
            self.sandbox.send_signal(signal.SIGINT)
            self.sandbox.wait(10)

    def _where(self) -> Path | None:
        inside = sorted(self.folder.glob("**/.where"))
        where = Path(inside[0].read_text("utf-8").strip()) if inside else None
        for file in inside:
            file.unlink()
        return where

    def _play(self, options: list[str]) -> None:
        self.stop()
        command = [_flatdrop(), "sandbox", "--port", str(self.port), *options]
        self.sandbox = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=self._env())
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError("the sandbox does not start")

    def _repoint(self) -> None:
        """The only departure from the README: a free port, since tests run side by side."""
        group = self.folder / "groups" / "acme-se.yaml"
        group.write_text(group.read_text("utf-8").replace(":8099/", f":{self.port}/"), "utf-8")

    def _env(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if not name.startswith("FLATDROP_")}
        return own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}", "NO_COLOR": "1"}


_CAPTURED: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60}


def _flatdrop() -> str:
    return str(Path(sys.executable).with_name("flatdrop"))


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    both = Terminals(tmp_path, port)
    yield both
    both.stop()


def plain(text: str) -> str:
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return text.strip()


def test_the_quick_start_does_what_the_readme_says(terminals: Terminals) -> None:
    followed = steps("## Quick start", "## What is promised")
    assert sum(len(step.says) for step in followed) == 7
    for step in followed:
        printed = terminals.follow(step)
        for said in step.says:
            assert plain(printed) == plain(said), step.command
    receipt = json.loads(printed)
    assert receipt["integrations"]["crm"]["failed"] == 0


def test_the_tour_prints_what_the_readme_shows(terminals: Terminals) -> None:
    (step,) = steps("## See it work", "## Quick start")
    assert step.command == "make demo\n"
    printed = terminals.follow(Step("flatdrop demo\n"))
    assert plain(printed) == plain(step.says[0])


def test_a_figure_stands_beside_its_command() -> None:
    section = README.read_text("utf-8").split("## How fast")[1].split("\n## ")[0]
    assert "`make bench`" in section
    assert re.search(r"ratio +\d\.\d\d times the floor", section)
