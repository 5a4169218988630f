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
from support import outside

README = Path(__file__).parents[1] / "README.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGES = [
    (re.compile(r"\d{8}T\d{6}Z-[a-z2-7]{8}"), "BATCH"),
    (re.compile(r"\d{8}T\d{9}Z-[a-z2-7]{8}-1"), "RECORD"),
    (re.compile(r'"row":\d+'), '"row":1'),  # records that come close together share a batch
    (re.compile(r'"key": "[0-9a-f]{32}"'), '"key": "KEY"'),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|\+00:00)"), "TIME"),
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
    """A newcomer's terminals: one for commands, one for the sandbox that runs on, and one for the server."""

    folder: Path
    port: int
    api_port: int
    exports: Path
    sandbox: subprocess.Popen[bytes] | None = None
    server: subprocess.Popen[bytes] | None = None

    def follow(self, step: Step) -> str:
        if step.command.startswith("flatdrop sandbox"):
            self._play(step.command.split()[2:])
            return ""
        if step.command == "flatdrop serve\n":
            self._serve()
            return ""
        command = step.command.replace(":8080/", f":{self.api_port}/").replace(":8099/", f":{self.port}/")
        script = f"set +u; . {self.exports}; set -u\n{command}\npwd > .where\nexport -p > {self.exports}\n"
        done = subprocess.run(["bash", "-eu", "-c", script], cwd=self.folder, env=self._env(), **_CAPTURED, check=False)
        if (where := self._where()) is not None:
            self.folder = where
        if step.command.startswith("flatdrop init"):
            self._repoint()
        assert "Traceback" not in done.stderr
        return done.stdout

    def stop(self) -> None:
        self._stop_sandbox()
        if self.server is not None:
            self.server.send_signal(signal.SIGINT)
            assert self.server.wait(60) == 0

    def _stop_sandbox(self) -> None:
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
        self._stop_sandbox()
        command = [_flatdrop(), "sandbox", "--port", str(self.port), *options]
        self.sandbox = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=self._env())
        _wait_for(self.port)

    def _serve(self) -> None:
        own = {**self._env(), "FLATDROP_API__PORT": str(self.api_port)}
        self.server = subprocess.Popen([_flatdrop(), "serve"], stderr=subprocess.DEVNULL, cwd=self.folder, env=own)
        _wait_for(self.api_port)

    def _repoint(self) -> None:
        """The only departure from the README: free ports, since tests run side by side."""
        group = self.folder / "groups" / "acme-se.yaml"
        group.write_text(group.read_text("utf-8").replace(":8099/", f":{self.port}/"), "utf-8")

    def _env(self) -> dict[str, str]:
        own = outside.environment()
        return own | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{own['PATH']}", "NO_COLOR": "1"}


_CAPTURED: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 60}


def _flatdrop() -> str:
    return str(Path(sys.executable).with_name("flatdrop"))


def _wait_for(port: int) -> None:
    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("what should listen there does not start")


@pytest.fixture
def terminals(tmp_path: Path) -> Iterator[Terminals]:
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        ports = one.getsockname()[1], other.getsockname()[1]
    exports = tmp_path / "exports"
    exports.touch()
    (tmp_path / "home").mkdir()
    all_of_them = Terminals(tmp_path / "home", *ports, exports)
    yield all_of_them
    all_of_them.stop()


def plain(text: str) -> str:
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return text.strip()


def test_the_quick_start_does_what_the_readme_says(terminals: Terminals) -> None:
    followed = steps("## Quick start", "## One record at a time")
    assert sum(len(step.says) for step in followed) == 7
    for step in followed:
        printed = terminals.follow(step)
        for said in step.says:
            assert plain(printed) == plain(said), step.command
    receipt = json.loads(printed)
    assert receipt["integrations"]["crm"]["failed"] == 0


def test_one_record_at_a_time_does_what_the_readme_says(terminals: Terminals) -> None:
    outside.curl()
    followed = steps("## One record at a time", "## What is promised")
    assert [step.command.split()[0] for step in followed] == ["flatdrop"] * 3 + ["export", "curl", "curl"]
    assert sum(len(step.says) for step in followed) == 3
    for step in followed:
        printed = terminals.follow(step)
        for said in step.says:
            assert plain(printed) == plain(said), step.command


def test_the_tour_prints_what_the_readme_shows(terminals: Terminals) -> None:
    (step,) = steps("## See it work", "## Quick start")
    assert step.command == "make demo\n"
    printed = terminals.follow(Step("flatdrop demo\n"))
    assert plain(printed) == plain(step.says[0])


def test_a_figure_stands_beside_its_command() -> None:
    section = README.read_text("utf-8").split("## How fast")[1].split("\n## ")[0]
    assert "`make bench`" in section
    assert re.search(r"ratio +\d\.\d\d times the floor", section)
