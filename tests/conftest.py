"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no fault of the program
settings.load_profile("untimed")

_SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of vendors' API descriptions and test corpora, which a user's clone does not have."""
    if not _SHARED.is_dir():
        pytest.skip("needs the folder ../shared (vendors' API descriptions and corpora), which is not here")
    return _SHARED
