"""The command line as data: what the reference page shows of every command."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from jobs.cli import app

Lines = list[list[str]]


def commands() -> Iterator[tuple[str, Any]]:
    """Yield the program and every command with its whole name, those of a group of commands one by one."""
    root = typer.main.get_command(app)
    yield "flatdrop", root
    yield from _within("flatdrop", root)


def _within(name: str, group: Any) -> Iterator[tuple[str, Any]]:
    for own, command in group.commands.items():
        if command.hidden:
            continue
        if hasattr(command, "commands"):
            yield from _within(f"{name} {own}", command)
        else:
            yield f"{name} {own}", command


def sections(command: Any) -> Iterator[tuple[str, Lines]]:
    """Yield a command's arguments and its options, each as lines of name, default and help."""
    found: dict[str, Lines] = {"argument": [], "option": []}
    for one in command.params:
        kind = "argument" if one.param_type_name == "argument" else "option"
        found[kind].append([f"`{_name(one)}`", _default(one), one.help or ""])
    yield from ((kind, lines) for kind, lines in found.items() if lines)


def _name(one: Any) -> str:
    if one.param_type_name == "argument":
        return str(one.metavar or one.name.upper())
    names = ", ".join(one.opts)
    return names if one.is_flag else f"{names} {one.metavar}"


def _default(one: Any) -> str:
    if one.required:
        return "**required**"
    return "" if one.default in (None, "", False) or callable(one.default) else f"`{one.default}`"
