"""What S3 and a folder do alike. What only one of them does stands in test_s3 and test_folder."""

from __future__ import annotations

import hashlib
import stat
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from support.zones import Bucket, Folder, Zone

from batch import zones
from batch.dropzone import DropZone, DropZoneError
from batch.errors import DropChanged
from batch.layout import Listing

BIG = bytes(range(256)) * 12_000


@pytest.fixture(params=["folder", "s3", "s3 with a prefix"])
def zone(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    if request.param == "folder":
        monkeypatch.setattr("batch.folder.STILL", 0.02)
        return Folder(tmp_path / "drop")
    return Bucket.make(monkeypatch, prefix="/some/ pre+fix/" if "prefix" in request.param else "")


def keys(zone: DropZone, group_key: str = "abc") -> list[str]:
    return [drop.key for drop in zone.listing(group_key).drops]


def test_an_empty_drop_zone_has_nothing(zone: Zone) -> None:
    assert zone.groups() == []
    assert zone.listing("abc") == Listing((), ())
    assert zone.stat("abc/a.csv") is None


def test_drops_and_strays_of_a_group(zone: Zone) -> None:
    for name in ["a.csv", "deep/er/b.jsonl.gz", "notes.txt", "_results/x/receipt.json", "_a.csv", ".b.csv", "C.CSV"]:
        zone.lay(f"abc/{name}", b"x")
    listing = zone.listing("abc")
    assert sorted(drop.key for drop in listing.drops) == ["abc/C.CSV", "abc/a.csv", "abc/deep/er/b.jsonl.gz"]
    assert listing.strays == ("abc/notes.txt",)


def test_a_group_is_the_exact_first_segment(zone: Zone) -> None:
    for key in ["abc/a.csv", "abc2/b.csv", "ab/c.csv", "ABC/d.csv", "x/abc/e.csv", "_abc/f.csv", ".abc/g.csv"]:
        zone.lay(key, b"x")
    zone.lay("top.csv", b"x")
    assert zone.groups() == ["ABC", "ab", "abc", "abc2", "x"]
    assert keys(zone) == ["abc/a.csv"]
    assert keys(zone, "ab") == ["ab/c.csv"]
    assert keys(zone, "abc2") == ["abc2/b.csv"]
    assert keys(zone, "a") == []
    assert keys(zone, "top.csv") == []


def test_a_drop_tells_what_it_is(zone: Zone) -> None:
    zone.lay("abc/x/a.csv", b"12345")
    (drop,) = zone.listing("abc").drops
    assert (drop.group_key, drop.key, drop.size) == ("abc", "abc/x/a.csv", 5)
    assert drop.modified.utcoffset() is not None
    assert zone.stat(drop.key) == drop


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", BIG], ids=["empty", "small", "big"])
def test_fetch_copies_a_drop_for_this_user_alone(zone: Zone, tmp_path: Path, content: bytes) -> None:
    zone.lay("abc/a.csv", content)
    (drop,) = zone.listing("abc").drops
    to = tmp_path / "spool"
    assert zone.fetch(drop, to) == hashlib.sha256(content).hexdigest()
    assert to.read_bytes() == content
    assert stat.S_IMODE(to.stat().st_mode) == 0o600


def overwrite(zone: Zone) -> None:
    zone.lay("abc/a.csv", b"other")


def lengthen(zone: Zone) -> None:
    zone.lay("abc/a.csv", b"first and more")


def delete(zone: Zone) -> None:
    zone.delete("abc/a.csv")


@pytest.mark.parametrize("change", [overwrite, lengthen, delete])
def test_fetch_of_a_drop_that_changed_since_it_was_listed(
    zone: Zone, tmp_path: Path, change: Callable[[Zone], None]
) -> None:
    zone.lay("abc/a.csv", b"first")
    (drop,) = zone.listing("abc").drops
    change(zone)
    with pytest.raises(DropChanged):
        zone.fetch(drop, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()
    assert zone.stat(drop.key) != drop


@pytest.mark.parametrize("listed", [4, 6])
def test_fetch_refuses_a_length_that_was_not_listed(zone: Zone, tmp_path: Path, listed: int) -> None:
    zone.lay("abc/a.csv", b"first")
    (drop,) = zone.listing("abc").drops
    with pytest.raises(DropChanged, match=f"not the {listed} bytes"):
        zone.fetch(replace(drop, size=listed), tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


def test_other_bytes_under_the_same_key_are_another_version(zone: Zone) -> None:
    versions = set()
    for content in [b"one", b"two", b"three"]:
        zone.lay("abc/a.csv", content)
        (drop,) = zone.listing("abc").drops
        versions.add(drop.version)
    assert len(versions) == 3


ODD = [
    "two words.csv",
    "a+b.csv",
    "100%.csv",
    "a%20b.csv",
    "a&b=c;d.csv",
    "what?.csv",
    "a#b.csv",
    "line\nfeed.csv",
    "tab\tand\rreturn.csv",
    "åäö.csv",
    "a\u030a.csv",
    "日本語/ファイル.csv",
    "😀.csv",
    "'\"<>&.csv",
    "back\\slash.csv",
    "*[?]{}.csv",
    " .csv",
    "~.csv",
    "...csv",
    "-rf.csv",
    "C:/a.csv",
    f"{'å' * 100}.csv",
]


def test_any_legal_key(zone: Zone, tmp_path: Path) -> None:
    odd = [f"abc/folder/{name}" for name in ODD]
    for key in odd:
        zone.lay(key, key.encode())
    listing = zone.listing("abc")
    assert sorted(drop.key for drop in listing.drops) == sorted(odd)
    for drop in listing.drops:
        assert zone.fetch(drop, tmp_path / "spool") == hashlib.sha256(drop.key.encode()).hexdigest()
        assert zone.stat(drop.key) == drop
        assert zone.read(drop.key) == drop.key.encode()


NAMES = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(NAMES)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_is_a_name(zone: Zone, name: str) -> None:
    assume(name not in {".", ".."})
    key = f"hyp/folder/{name}.csv"
    zone.lay(key, b"x")
    try:
        assert keys(zone, "hyp") == [key]
    finally:
        zone.delete(key)


@pytest.mark.parametrize("zone", ["folder", "s3"], indirect=True)
def test_twenty_thousand_keys(zone: Zone) -> None:
    names = [f"abc/{n % 7}/{n:05}.csv" for n in range(20_000)]
    zone.fill(names)
    listing = zone.listing("abc")
    assert len(listing.drops) == 20_000
    assert {drop.key for drop in listing.drops} == set(names)
    assert [(d.modified, d.key) for d in listing.drops] == sorted((d.modified, d.key) for d in listing.drops)
    assert zone.groups() == ["abc"]


@pytest.mark.parametrize("content", [b"{}", BIG * 4], ids=["small", "in parts"])
def test_write_and_read(zone: Zone, tmp_path: Path, content: bytes) -> None:
    source = tmp_path / "receipt"
    source.write_bytes(content)
    key = "abc/_results/a b+å.csv.20261123T020001Z-abcdefgh/receipt.json"
    zone.write(key, source)
    assert zone.read(key) == content
    source.write_bytes(b"again")
    zone.write(key, source)
    assert zone.read(key) == b"again"
    assert zone.listing("abc") == Listing((), ())
    assert zone.groups() == ["abc"]


def test_what_is_written_may_be_a_drop_and_leaves_nothing_beside_it(zone: Zone, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    zone.write("abc/new/a.csv", source)
    listing = zone.listing("abc")
    assert [drop.key for drop in listing.drops] == ["abc/new/a.csv"]
    assert listing.strays == ()


def test_reading_what_is_not_there_is_a_sentence(zone: Zone) -> None:
    zone.lay("abc/a.csv", b"x")
    with pytest.raises(DropZoneError, match=r"[.]$"):
        zone.read("abc/b.csv")


@pytest.mark.parametrize("url", ["gs://bucket", "https://example.com/drop", "sftp://host/drop"])
def test_other_kinds_of_drop_zone_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DropZoneError, match="must be s3://"):
        zones.find(url, NoSettings(), tmp_path)


class NoSettings:
    endpoint_url = None
    region = None


@pytest.mark.parametrize("path", ["drop", "./drop", "drop/", "x/../drop"])
def test_a_folder_is_found_from_the_config_s_place(path: str, tmp_path: Path) -> None:
    (tmp_path / "drop" / "abc").mkdir(parents=True)
    (tmp_path / "x").mkdir()
    assert zones.find(path, NoSettings(), tmp_path).groups() == ["abc"]
    assert zones.find(str(tmp_path / "drop"), NoSettings(), Path("elsewhere")).groups() == ["abc"]


def test_nothing_is_asked_before_it_is_used() -> None:
    with tempfile.TemporaryDirectory() as folder:
        zones.find("missing", NoSettings(), Path(folder))
        zones.find("s3://no-such-bucket/prefix", NoSettings(), Path(folder))
