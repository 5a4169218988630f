"""A starting configuration, which runs against the sandbox as it is."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from config.errors import ConfigError, Problem
from config.load import load_group
from integrations.catalog import CATALOG

SANDBOX = "http://127.0.0.1:8099"
"""Where the starting configuration expects the sandbox, and where `flatdrop sandbox` listens."""

_KEY_FILE = "secrets/flatdrop.key"  # as config/starter/flatdrop.yaml refers to it


def write(to: Path, sandbox: str = SANDBOX) -> list[Path]:
    """Write the starting configuration into a folder and return its files; `sandbox` is the sandbox's address.

    Raises:
        ConfigError: when one of its files is there already; then nothing is written.
    """
    texts = {to / place: text.replace(SANDBOX, sandbox) for place, text in _texts(files("config") / "starter")}
    key = to / _KEY_FILE
    taken = [file for file in (*texts, key) if file.exists()]
    if taken:
        raise ConfigError([Problem("is there already and is not overwritten", file) for file in taken])
    for file, text in texts.items():
        _write(file, text)
    private = {**dict(_credentials(to)), key: base64.b64encode(secrets.token_bytes(32)).decode()}
    for file, secret in private.items():
        _write_private(file, f"{secret}\n")
    return [*texts, *private]


def _texts(folder: Traversable, place: Path = Path()) -> Iterator[tuple[Path, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            yield from _texts(entry, place / entry.name)
        else:
            yield place / entry.name, entry.read_text("utf-8")


def _credentials(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the credentials that the sandbox takes, which are those of the catalog's examples, and their files."""
    for group in (load_group(file) for file in sorted((folder / "groups").iterdir())):
        for enabled in group.integrations.values():
            for name, reference in enabled.credentials.items():
                yield folder / reference.removeprefix("file:"), CATALOG[enabled.type].sample.credentials[name]


def _write_private(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(0o600)
    file.chmod(0o600)  # before there is a secret in it, also when the file was there
    _write(file, text)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, "utf-8", newline="\n")
