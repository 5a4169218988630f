"""What is wrong with the configuration, told so that an operator can mend it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it stands (file, line, dotted path), the reason, and a hint at how to mend it."""

    reason: str
    file: Path | None = None
    line: int | None = None
    path: str = ""
    hint: str | None = None

    def __str__(self) -> str:
        place = ":".join(str(part) for part in (self.file and _shown(self.file), self.line) if part)
        said = ": ".join(part for part in (place, self.path, self.reason) if part)
        return f"{said} ({self.hint})" if self.hint else said


class ConfigError(Exception):
    """The configuration cannot be used (the operator acts); it tells every problem that was found, one a line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda problem: (str(problem.file or ""), problem.line or 0)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


class BadValueError(ValueError):
    """A wrong value, raised inside a validator that does not know where the value stands."""

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.hint = hint


def _shown(file: Path) -> Path:
    here = Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file
