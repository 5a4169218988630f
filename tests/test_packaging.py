"""The wheel: our packages, the starting configuration and the migrations, and nobody else's names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("api", "batch", "config", "integrations", "jobs", "mappers")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel, built from a copy, since building leaves things behind."""
    copy, out = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    for name in (*PACKAGES, "tests", "benchmarks"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, copy)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (file,) = out.glob("flatdrop-*.whl")
    return zipfile.ZipFile(file)


def test_the_wheel_holds_our_files_and_no_others(wheel: zipfile.ZipFile) -> None:
    held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    ours = {
        str(file.relative_to(ROOT))
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert held == ours


def test_the_wheel_holds_what_is_no_python_file(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    assert {"config/starter/flatdrop.yaml", "config/starter/groups/acme-se.yaml"} <= names
    assert "config/starter/drop/acme-se/customers.csv" in names
    assert any(name.startswith("batch/migrations/versions/r0001") for name in names)


def test_the_wheel_takes_only_names_that_are_ours(wheel: zipfile.ZipFile) -> None:
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    assert wheel.read(next(n for n in wheel.namelist() if n.endswith("entry_points.txt"))).decode().split("\n")[:2] == [
        "[console_scripts]",
        "flatdrop = jobs.start:main",
    ]


def test_nobody_else_in_the_environment_has_our_names() -> None:
    owners = packages_distributions()
    assert {package: set(owners.get(package, ["flatdrop"])) for package in PACKAGES} == {
        package: {"flatdrop"} for package in PACKAGES
    }
    (script,) = entry_points(group="console_scripts", name="flatdrop")
    assert script.load().__module__ == "jobs.start"


def test_what_is_imported_is_this_checkout() -> None:
    for package in PACKAGES:
        assert Path(__import__(package).__file__ or "").parent == ROOT / package


@pytest.mark.parametrize("file", ["requirements.txt", "requirements-dev.txt"])
def test_pins_have_hashes_and_name_no_host(file: str) -> None:
    text = (ROOT / file).read_text("utf-8")
    pins = [line for line in text.splitlines() if "==" in line]
    assert len(pins) > 30
    assert all(line.rstrip().endswith("\\") for line in pins)
    assert text.count("--hash=sha256:") >= len(pins)
    assert "://" not in text
