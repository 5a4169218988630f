"""The settings and resolved credentials of a group's integrations."""

from __future__ import annotations

from collections.abc import Mapping

from config.deployment import Deployment
from config.errors import BadValueError, ConfigError, Problem
from config.group import Group
from config.references import resolve
from integrations import settings
from integrations.catalog import CATALOG
from integrations.exchange import Connection
from integrations.integration import Setting


def connection(deployment: Deployment, group: Group, name: str) -> Connection:
    """Return the connection of one integration of a group.

    Raises:
        ConfigError: when a credential is not where its reference says, or the type is not in the catalog any more.
    """
    enabled = group.integrations[name]
    place = ("integrations", name)
    integration = CATALOG.get(enabled.type)
    if integration is None:
        raise ConfigError([group.source.problem((*place, "type"), f"`{enabled.type}` is not in the catalog")])
    known = {setting.name: setting for setting in integration.credentials}
    credentials: dict[str, str] = {}
    problems: list[Problem] = []
    for key, reference in enabled.credentials.items():
        try:
            credentials[key] = _fitting(resolve(reference, deployment.base, deployment.s3.region), known.get(key))
        except BadValueError as mistake:
            problems.append(group.source.problem((*place, "credentials", key), mistake.reason, mistake.hint))
    if problems:
        raise ConfigError(problems)
    return Connection(settings.complete(integration, enabled.settings), credentials)


def connections(deployment: Deployment, group: Group) -> Mapping[str, Connection]:
    """Return the connections of all integrations of a group.

    Raises:
        ConfigError: with every credential that is not where its reference says.
    """
    found: dict[str, Connection] = {}
    problems: list[Problem] = []
    for name in group.integrations:
        try:
            found[name] = connection(deployment, group, name)
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    return found


def _fitting(secret: str, setting: Setting | None) -> str:
    if setting is not None and (wrong := settings.problem(setting, secret)):
        raise BadValueError(f"what the reference leads to {wrong}")
    return secret
