from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.zones import Folder

from batch import folder
from batch.dropzone import DropZoneError
from batch.errors import BatchError, DropChanged
from batch.folder import FolderZone


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "drop"


@pytest.fixture
def zone(root: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(folder, "STILL", 0.05)
    return Folder(root)


def keys(zone: FolderZone, group_key: str = "abc") -> list[str]:
    return [drop.key for drop in zone.listing(group_key).drops]


def test_a_file_that_is_being_written_is_waited_for(
    zone: Folder, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "STILL", 0.4)
    zone.lay("abc/a.csv", b"")
    zone.lay("abc/b.csv", b"x")

    def write() -> None:
        with (root / "abc/a.csv").open("ab", buffering=0) as file:
            for _ in range(60):
                file.write(b"1,2\n")
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    drops = {drop.key: drop for drop in zone.listing("abc").drops}
    writer.join()
    assert drops["abc/a.csv"].size == 240
    assert set(drops) == {"abc/a.csv", "abc/b.csv"}
    zone.fetch(drops["abc/a.csv"], tmp_path / "spool")


def test_a_file_that_is_never_still_is_left_for_the_next_run(
    zone: Folder, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "STILL", 0.4)
    monkeypatch.setattr(folder, "PATIENCE", 0.7)
    zone.lay("abc/a.csv", b"x")
    zone.lay("abc/still.csv", b"x")
    stop = threading.Event()

    def write() -> None:
        with (root / "abc/a.csv").open("ab", buffering=0) as file:
            while not stop.wait(0.01):
                file.write(b"1,2\n")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert keys(zone) == ["abc/still.csv"]
    finally:
        stop.set()
        writer.join()
    assert sorted(keys(zone)) == ["abc/a.csv", "abc/still.csv"]


def test_old_files_are_not_waited_for(zone: Folder, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "STILL", 30.0)
    zone.lay("abc/a.csv", b"x")
    os.utime(root / "abc/a.csv", (1e9, 1e9))
    begun = time.monotonic()
    assert keys(zone) == ["abc/a.csv"]
    assert time.monotonic() - begun < 20


@pytest.mark.parametrize("at", [0, -1e9, 4e9, 15e9])
def test_a_file_s_time_may_be_anything(zone: Folder, root: Path, at: float) -> None:
    zone.lay("abc/a.csv", b"x")
    os.utime(root / "abc/a.csv", (at, at))
    assert keys(zone) == ["abc/a.csv"]


def test_a_file_that_vanishes_while_it_is_waited_for(zone: Folder, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zone.lay("abc/a.csv", b"x")
    monkeypatch.setattr("batch.folder.time.sleep", lambda _: (root / "abc/a.csv").unlink())
    assert keys(zone) == []


def to_a_file(outside: Path, at: Path) -> None:
    at.symlink_to(outside / "secret.csv")


def to_a_folder(outside: Path, at: Path) -> None:
    at.symlink_to(outside, target_is_directory=True)


def to_nothing(outside: Path, at: Path) -> None:
    at.symlink_to(outside / "missing.csv")


def pipe(outside: Path, at: Path) -> None:
    os.mkfifo(at)


@pytest.mark.parametrize("make", [to_a_file, to_a_folder, to_nothing, pipe])
def test_only_regular_files_are_drops(
    zone: Folder, root: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.csv").write_bytes(b"x")
    zone.lay("abc/a.csv", b"x")
    make(outside, root / "abc/odd.csv")
    listing = zone.listing("abc")
    assert [drop.key for drop in listing.drops] == ["abc/a.csv"]
    assert listing.strays == ("abc/odd.csv",)
    assert zone.stat("abc/odd.csv") is None
    assert zone.stat("abc/odd.csv/secret.csv") is None
    with pytest.raises(DropZoneError):
        zone.read("abc/odd.csv")
    with pytest.raises(DropZoneError):
        zone.read("abc/odd.csv/secret.csv")


def test_a_drop_that_turns_into_a_link_or_a_pipe_has_changed(zone: Folder, root: Path, tmp_path: Path) -> None:
    for make in (to_a_file, pipe):
        zone.lay("abc/a.csv", b"x")
        (drop,) = zone.listing("abc").drops
        (root / "abc/a.csv").unlink()
        (tmp_path / "secret.csv").write_bytes(b"x")
        make(tmp_path, root / "abc/a.csv")
        with pytest.raises(DropChanged):
            zone.fetch(drop, tmp_path / "spool")
        (root / "abc/a.csv").unlink()


def test_a_drop_that_grows_while_it_is_read_has_changed(
    zone: Folder, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zone.lay("abc/a.csv", b"x" * 100)
    (drop,) = zone.listing("abc").drops
    read = os.read

    def slow(file: int, size: int) -> bytes:
        with (root / "abc/a.csv").open("ab") as other:
            other.write(b"y")
        return read(file, 100)

    monkeypatch.setattr(folder.os, "read", slow)
    with pytest.raises(DropChanged):
        zone.fetch(drop, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("call", ["open", "read"])
def test_a_file_that_cannot_be_read_is_that_file_s_trouble(
    zone: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    zone.lay("abc/a.csv", b"x")
    (drop,) = zone.listing("abc").drops
    spool = os.open

    def fail(what: object, *other: int) -> int:
        if what == tmp_path / "spool":
            return spool(str(what), *other)
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(folder.os, call, fail)
    with pytest.raises(BatchError, match=r"file.unreadable: .*Permission denied\.$"):
        zone.fetch(drop, tmp_path / "spool")
    monkeypatch.undo()
    assert not (tmp_path / "spool").exists()


def test_the_same_length_again_is_another_version(zone: Folder, root: Path) -> None:
    zone.lay("abc/a.csv", b"one")
    (first,) = zone.listing("abc").drops
    half = root / "half"
    half.write_bytes(b"two")
    os.utime(half, ns=(0, (root / "abc/a.csv").stat().st_mtime_ns))
    half.replace(root / "abc/a.csv")
    (second,) = zone.listing("abc").drops
    assert first.modified == second.modified
    assert first.version != second.version


OUTSIDE = ["../x/a.csv", "abc/../../a.csv", "abc/..", "/etc/a.csv", "abc//a.csv", "abc/./a.csv", "", "abc/a\0.csv", "."]


@pytest.mark.parametrize("key", OUTSIDE)
def test_no_key_leads_outside(zone: Folder, root: Path, tmp_path: Path, key: str) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/a.csv").write_bytes(b"x")
    (tmp_path / "a.csv").write_bytes(b"x")
    zone.lay("abc/a.csv", b"x")
    assert zone.stat(key) is None
    with pytest.raises(DropZoneError):
        zone.read(key)
    with pytest.raises(DropZoneError):
        zone.write(key, tmp_path / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "drop", "x"]


@pytest.mark.parametrize("group_key", ["..", ".", "", "/etc"])
def test_no_group_leads_outside(zone: Folder, group_key: str) -> None:
    with pytest.raises(DropZoneError):
        zone.listing(group_key)


def test_a_group_that_is_a_link_is_refused_in_words(zone: Folder, root: Path) -> None:
    zone.lay("abc/a.csv", b"x")
    (root / "abc2").symlink_to(root / "abc", target_is_directory=True)
    assert zone.groups() == ["abc"]
    with pytest.raises(DropZoneError, match="abc2/ in the drop zone is a symbolic link"):
        zone.listing("abc2")


def test_results_are_not_written_through_a_link(zone: Folder, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    zone.lay("abc2/a.csv", b"x")
    zone.lay("abc/a.csv", b"x")
    (root / "abc/_results").symlink_to(root / "abc2", target_is_directory=True)
    with pytest.raises(DropZoneError, match="symbolic link"):
        zone.write("abc/_results/receipt.json", source)
    assert sorted(path.name for path in (root / "abc2").iterdir()) == ["a.csv"]


def test_what_is_written_is_whole_or_not_there(
    zone: Folder, root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"old")
    zone.write("abc/_results/receipt.json", source)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    source.write_bytes(b"new")
    monkeypatch.setattr(folder.os, "fsync", full)
    with pytest.raises(DropZoneError, match=r"No space left on device\.$"):
        zone.write("abc/_results/receipt.json", source)
    assert zone.read("abc/_results/receipt.json") == b"old"
    assert sorted(path.name for path in (root / "abc").iterdir()) == ["_results"]


def test_customers_may_read_what_is_written_as_any_file(zone: Folder, root: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    source.chmod(0o600)
    zone.lay("abc/a.csv", b"x")
    zone.write("abc/_results/receipt.json", source)
    assert (root / "abc/_results/receipt.json").stat().st_mode == (root / "abc/a.csv").stat().st_mode


def test_names_that_are_not_text_are_strays(zone: Folder, root: Path) -> None:
    zone.lay("abc/a.csv", b"x")
    try:
        (root / os.fsdecode(b"abc/caf\xe9.csv")).write_bytes(b"x")
        (root / os.fsdecode(b"caf\xe9")).mkdir()
    except OSError:  # macOS takes no such names
        return
    listing = zone.listing("abc")
    assert [drop.key for drop in listing.drops] == ["abc/a.csv"]
    assert listing.strays == ("abc/caf\\udce9.csv",)
    assert zone.groups() == ["abc"]


def test_folders_may_be_nested_deeply(zone: Folder) -> None:
    key = f"abc/{'d/' * 400}a.csv"
    zone.lay(key, b"x")
    assert keys(zone) == [key]


@pytest.mark.parametrize(
    "use",
    [
        lambda zone: zone.groups(),
        lambda zone: zone.listing("abc"),
        lambda zone: zone.stat("abc/a.csv"),
        lambda zone: zone.read("abc/a.csv"),
        lambda zone: zone.write("abc/a.csv", Path(__file__)),
    ],
)
def test_a_missing_folder_is_a_sentence(tmp_path: Path, use: Callable[[FolderZone], object]) -> None:
    with pytest.raises(DropZoneError, match="does not exist; make it"):
        use(FolderZone(tmp_path / "missing"))
    assert not (tmp_path / "missing").exists()


def test_the_drop_zone_itself_may_be_behind_a_link(zone: Folder, root: Path, tmp_path: Path) -> None:
    zone.lay("abc/a.csv", b"x")
    (tmp_path / "link").symlink_to(root, target_is_directory=True)
    assert keys(FolderZone(tmp_path / "link")) == ["abc/a.csv"]
