"""Settings: what an operator may set for an integration, beside its credentials and its mapping."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from integrations.integration import ADDRESS, Integration, Limits, Setting

COMMON = (
    Setting(
        "batch_size",
        "Records in one request; never more than the destination takes.",
        type=int,
        optional=True,
    ),
    Setting("requests_per_second", "Requests a second, at most.", type=float, optional=True),
    Setting("in_flight", "Requests that may wait for their answers at once.", type=int, optional=True),
    Setting("timeout", "Seconds to wait for an answer.", type=float, optional=True),
)
"""What every integration takes beside its own settings. What is not set is as the integration's limits say."""


OF_JOBS = (
    Setting("poll_seconds", "Seconds between two questions whether a job is done.", type=float, optional=True),
    Setting(
        "job_patience",
        "Seconds to wait for the end of a job; then its rows are `unknown`, and a rerun asks again.",
        type=float,
        optional=True,
    ),
)
"""What those take beside that whose requests start jobs."""


def known(integration: Integration) -> dict[str, Setting]:
    """Return every setting that the integration takes, by name: the common ones, and its own over them."""
    jobs = OF_JOBS if integration.job else ()
    return {setting.name: setting for setting in (*COMMON, *jobs, *integration.settings)}


def problem(setting: Setting, value: object) -> str | None:
    """Return why the value cannot be used for a setting or a credential, without naming it; None if it can."""
    if setting.type is str:
        return _text_problem(setting, value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "must be a number"
    if setting.type is int and not isinstance(value, int):
        return "must be a whole number"
    return None if 0 < value < float("inf") else "must be more than 0"


def _text_problem(setting: Setting, value: object) -> str | None:
    if not isinstance(value, str):
        return "must be text (put it in quotes)"
    if not value or not value.isprintable() or not value.isascii():
        return "must be printable ASCII without line ends, and not empty"
    if setting.matches and not re.fullmatch(setting.matches, value):
        if setting.matches == ADDRESS:
            return "must be an address that begins with https:// or http://, without a user or password in it"
        return f"must match {setting.matches}"
    return None


def complete(integration: Integration, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the integration's defaults for those that are not given."""
    defaults = {name: setting.default for name, setting in known(integration).items()}
    return {name: default for name, default in defaults.items() if default is not None} | dict(settings)


def limits(integration: Integration, settings: Mapping[str, Any]) -> Limits:
    """Return the integration's limits as the settings narrow or move them.

    Raises:
        ValueError: when `batch_size` is more than the destination takes.
    """
    own, chosen = integration.limits, complete(integration, settings)
    records = chosen.get("batch_size", own.records)
    if records > own.records:
        raise ValueError(f"`batch_size` is {records}, but {integration.title} takes {own.records} at most")
    pace = chosen.get("requests_per_second", own.per_second)
    if pace > own.per_second:  # an account that is allowed more a second is allowed more a day
        own = replace(own, per_minute=None, per_hour=None, per_day=None)
    return replace(own, records=records, per_second=pace, in_flight=chosen.get("in_flight", own.in_flight))
