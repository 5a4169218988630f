"""The command line in the test's own process, as a fixture.

A test module takes it with `pytest_plugins = ("support.commandline",)`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog

from jobs import cli


@dataclass(frozen=True)
class Result:
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stands on stdout, which must be one document and nothing else."""
        return json.loads(self.out)


class Flatdrop:
    """The command line, in this process."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capture = patch, capture

    def __call__(self, *words: object) -> Result:
        self._patch.setattr(sys, "argv", ["flatdrop", *map(str, words)])
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        printed = self._capture.readouterr()
        result = Result(int(ended.value.code or 0), printed.out, printed.err)
        assert "Traceback" not in result.err + result.out
        assert "fault of the program" not in result.err
        return result


@pytest.fixture
def flatdrop(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Flatdrop]:
    """The command line, without the environment's own configuration."""
    for name in [name for name in os.environ if name.startswith("FLATDROP_")]:
        monkeypatch.delenv(name)
    yield Flatdrop(monkeypatch, capsys)
    structlog.reset_defaults()
