"""Programs from outside that callers of the API use: a test that needs one skips where it is not, and says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_NO_REGISTRY = ("ENOTFOUND", "ECONNREFUSED", "ECONNRESET", "EAI_AGAIN", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH")


def curl() -> str:
    """Return curl, if it can sign."""
    found = shutil.which("curl")
    if found is None:
        pytest.skip("needs curl, which is not here")
    told = subprocess.run([found, "--help", "all"], capture_output=True, text=True, check=True)
    if "--aws-sigv4" not in told.stdout:
        pytest.skip("needs a curl with --aws-sigv4 (7.75), which this one has not")
    return found


def node() -> str:
    """Return Node, if it comes with npm and fetch."""
    found = shutil.which("node")
    if found is None or shutil.which("npm") is None:
        pytest.skip("needs Node and npm, which are not here")
    told = subprocess.run([found, "--version"], capture_output=True, text=True, check=True)
    if int(told.stdout.lstrip("v").partition(".")[0]) < 18:
        pytest.skip(f"needs Node 18 or newer, and this is {told.stdout.strip()}")
    return found


def npm_install(package: str, folder: Path) -> None:
    """Install a package into a folder, as its readers are told to."""
    command = ["npm", "install", "--no-audit", "--no-fund", package]
    (folder / "package.json").write_text("{}")  # or npm looks for one in the folders above
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode and any(word in done.stderr for word in _NO_REGISTRY):
        pytest.skip(f"needs npm's registry for {package}, and cannot reach it")
    assert done.returncode == 0, done.stderr


def environment(**more: str) -> dict[str, str]:
    """Return the environment without this machine's own configuration of Flatdrop."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FLATDROP_")} | more
