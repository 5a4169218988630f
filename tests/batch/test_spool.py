"""The spool: frames come back as they went in, nobody else can read them, and nothing is left."""

from __future__ import annotations

import errno
import stat
from contextlib import suppress
from datetime import UTC, date, datetime

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.records import typed

from batch.spool import Spool, trouble
from mappers.mapping import CLEARED


def test_frames_come_back_in_order() -> None:
    record = {
        "name": "å\0",
        "born": date(2020, 1, 2),
        "seen": datetime(2020, 1, 2, tzinfo=UTC),
        "tags": ["a"],
        "count": 1,
    }
    frames = [
        typed(record),
        typed({}),
        typed(record | {CLEARED + "name": True}),
        *(typed({"count": n}) for n in range(12)),
    ]
    with Spool() as spool:
        for frame in frames:
            spool.add(frame)
            spool.add(frame.clear())
        for _ in range(2):  # once for each integration
            kept = list(spool.frames())
            assert len(kept) == len(frames)
            for one, other in zip(kept, frames, strict=True):
                assert_frame_equal(one, other)


def test_what_has_no_room_in_memory_goes_to_disk_and_comes_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [pl.DataFrame({"n": list(range(start, start + 100))}) for start in range(0, 500, 100)]
    monkeypatch.setattr("batch.spool._IN_MEMORY", 2 * frames[0].estimated_size())
    with Spool() as spool:
        for frame in frames:
            spool.add(frame)
        assert len(list(spool.drop.parent.glob("*.arrow"))) == 3
        assert pl.concat(spool.frames())["n"].to_list() == list(range(500))
        assert pl.concat(spool.frames())["n"].to_list() == list(range(500))  # for the next integration


def test_it_is_private_and_goes_away() -> None:
    with suppress(RuntimeError), Spool() as spool:
        spool.drop.write_bytes(b"x")
        spool.add(pl.DataFrame({"_row": [1]}))
        folder = spool.drop.parent
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert spool.file("receipt.json").parent == folder
        assert spool.file("drop.txt") != spool.drop
        raise RuntimeError
    assert not folder.exists()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device. Temporary files are in /"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/x/drop"), "No such file: /x/drop. Temporary files are in /"),
        (OSError("No space left (os error 28)"), "No space left (os error 28). "),  # as polars says it
    ],
)
def test_what_is_wrong_with_the_disk_is_a_sentence_that_says_where(error: OSError, says: str) -> None:
    with Spool():
        assert says in trouble(error)
    assert trouble(error).endswith("set TMPDIR to another folder.")


def test_an_empty_spool_has_no_frames() -> None:
    with Spool() as spool:
        assert list(spool.frames()) == []
