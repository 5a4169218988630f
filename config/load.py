"""Reads the configuration: first the deployment, then its groups."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError

from config import section
from config.checks import check
from config.deployment import PREFIX, Deployment
from config.errors import ConfigError, Problem
from config.group import EnabledIntegration, Group
from config.located import Source, read
from mappers.attribute import Attribute

FILE = "flatdrop.yaml"
_Model = TypeVar("_Model", bound=BaseModel)


def find(path: Path | None = None) -> Path:
    """Return the deployment's file: `path`, else $FLATDROP_CONFIG, else where it usually lies.

    Raises:
        ConfigError: when there is none.
    """
    named = path or (Path(os.environ["FLATDROP_CONFIG"]) if os.environ.get("FLATDROP_CONFIG") else None)
    if named is not None:
        file = named / FILE if named.is_dir() else named
        if not file.is_file():
            raise ConfigError([Problem("there is no such file", file)])
        return file
    for file in (Path(FILE), Path("config") / FILE):
        if file.is_file():
            return file
    reason = f"there is no {FILE} here nor in config/; name one with --config, or make one with `flatdrop init DIR`"
    raise ConfigError([Problem(reason)])


def load(path: Path | None = None) -> Deployment:
    """Read the deployment, with paths made absolute and the environment's overrides.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    file = find(path)
    source = _mapping(file)
    hidden = [name for name in source.data if name.startswith("_")]  # pydantic-settings has options of such names
    if hidden:
        raise ConfigError([source.problem((name,), "is not known here") for name in hidden])
    try:
        deployment = Deployment(**source.data)
    except SettingsError as error:
        names = re.findall(r'"(\w+)"', str(error))[:1]
        raise ConfigError(
            [Problem("is not JSON", path=f"the environment variable {PREFIX}{name.upper()}") for name in names]
        ) from None
    except ValidationError as error:
        raise ConfigError(_from_file_or_environment(error, source)) from None
    return deployment.located(file.absolute().parent)


def load_groups(deployment: Deployment) -> dict[str, Group]:
    """Read every group of a deployment, by group key.

    Raises:
        ConfigError: with everything that is wrong with any of them.
    """
    groups: dict[str, Group] = {}
    problems: list[Problem] = []
    for file in _files(deployment.groups):
        try:
            group = load_group(file)
        except ConfigError as error:
            problems.extend(error.problems)
            continue
        if twin := groups.get(group.group_key):
            reason = f"`{group.group_key}` is the key of another group too, in {twin.source.file}"
            problems.append(group.source.problem(("group_key",), reason))
        groups[group.group_key] = group
    if problems:
        raise ConfigError(problems)
    return groups


def load_group(file: Path) -> Group:
    """Read one group.

    Raises:
        ConfigError: with everything that is wrong with it.
    """
    source = _mapping(file)
    try:
        group = Group(**source.data)
    except ValidationError as error:
        raise ConfigError([*section.problems(error, Group, source), *_elsewhere(source)]) from None
    problems = list(check(group.integrations, group.attributes, closed=group.closed, source=source))
    if problems:
        raise ConfigError(problems)
    group._source = source
    return group


def _mapping(file: Path) -> Source:
    source = read(file)
    if not isinstance(source.data, dict):
        raise ConfigError([Problem("must be a mapping, like `name: value`", file, 1)])
    return source


def _files(folder: Path) -> Iterable[Path]:
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and file.name[0] != ".")
    except OSError as error:
        raise ConfigError([Problem(f"the groups' folder cannot be read: {error.strerror}", folder)]) from None
    if not files:
        raise ConfigError([Problem("no group here: there should be one .yaml file for each", folder)])
    return files


def _elsewhere(source: Source) -> Iterable[Problem]:
    """Check what is sound of a group that has unsound parts, so that everything is told at once."""
    given = source.data.get("attributes") or {}
    attributes = _sound(given, Attribute)
    integrations = _sound(source.data.get("integrations"), EnabledIntegration)
    closed = source.data.get("unknown_attributes") == "reject"
    complete = isinstance(given, dict) and len(attributes) == len(given)
    return check(integrations, attributes if complete else None, closed=closed, source=source)


def _sound(parts: Any, model: type[_Model]) -> Mapping[str, _Model]:
    sound: dict[str, _Model] = {}
    for name, part in parts.items() if isinstance(parts, dict) else ():
        with suppress(ValidationError):
            sound[name] = model.model_validate({} if part is None else part)
    return sound


def _from_file_or_environment(error: ValidationError, source: Source) -> list[Problem]:
    # a value that the environment gave is known by a line that no file has
    lines = dict(source.lines)
    for name in os.environ:
        if name.startswith(PREFIX):
            lines[tuple(name[len(PREFIX) :].lower().split("__"))] = 0
    found = section.problems(error, Deployment, Source(source.file, source.data, lines))
    return [_in_environment(one) if one.line == 0 else one for one in found]


def _in_environment(problem: Problem) -> Problem:
    name = PREFIX + problem.path.upper().replace(".", "__")
    return Problem(problem.reason, path=f"the environment variable {name}", hint=problem.hint)
