from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, IncompleteReadError
from botocore.response import StreamingBody
from support.faulty import Faulty, Says, cut, faulty, garbage
from support.zones import S3, Bucket, credentials, s3_server

from batch import s3
from batch.dropzone import DropZoneError
from batch.errors import BatchError, DropChanged
from batch.layout import Listing
from batch.s3 import S3Zone

BIG = bytes(range(256)) * 20_000


@pytest.fixture
def zone(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return Bucket.make(monkeypatch)


@pytest.mark.parametrize(
    "key", ["abc//a.csv", "abc/x//y.csv", "abc/x/./y.csv", "abc/x/../y.csv", "abc/x/../../abc2/y.csv"]
)
def test_a_key_is_no_path(zone: Bucket, tmp_path: Path, key: str) -> None:
    zone.lay(key, b"x")
    (drop,) = zone.listing("abc").drops
    assert drop.key == key
    assert drop.group_key == "abc"
    zone.fetch(drop, tmp_path / "spool")
    assert zone.groups() == ["abc"]
    assert zone.listing("abc2") == Listing((), ())


def test_what_shows_a_folder_is_no_stray(zone: Bucket) -> None:
    zone.lay("abc/", b"")
    zone.lay("abc/folder/", b"")
    assert zone.listing("abc") == Listing((), ())
    assert zone.groups() == ["abc"]


def test_an_upload_in_parts_has_a_version_too(zone: Bucket, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(BIG * 2)
    zone.write("abc/a.csv", source)
    (drop,) = zone.listing("abc").drops
    assert drop.version.endswith("-2")
    zone.fetch(drop, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == BIG * 2


class Broken:
    """Bodies that end with an error after so many bytes, one after the other; then whole ones."""

    def __init__(self, zone: Bucket, *ends: int) -> None:
        self.requests: list[Any] = []
        self._ends = list(ends)
        zone._client.meta.events.register("before-call.s3.GetObject", self.note)
        zone._client.meta.events.register("after-call.s3.GetObject", self.cut)

    def note(self, params: dict[str, Any], **_: object) -> None:
        self.requests.append(params["headers"])

    def cut(self, parsed: dict[str, Any], **_: object) -> None:
        if self._ends and "Body" in parsed:
            parsed["Body"] = Short(parsed["Body"], self._ends.pop(0))


class Short:
    def __init__(self, body: StreamingBody, end: int) -> None:
        self._body, self._left = body, end

    def read(self, size: int) -> bytes:
        if not self._left:
            raise IncompleteReadError(actual_bytes=0, expected_bytes=1)
        piece: bytes = self._body.read(min(size, self._left))
        self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._body.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smart_open.s3.time", SimpleNamespace(sleep=lambda _: None))


@pytest.mark.usefixtures("hurried")
def test_a_broken_connection_is_taken_up_where_it_broke(zone: Bucket, tmp_path: Path) -> None:
    zone.lay("abc/a.csv", BIG)
    (drop,) = zone.listing("abc").drops
    broken = Broken(zone, 1_000_000, 1_500_000)
    zone.fetch(drop, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == BIG
    assert [headers["Range"] for headers in broken.requests] == ["bytes=0-", "bytes=1000000-", "bytes=2500000-"]
    assert {headers["If-Match"] for headers in broken.requests} == {f'"{drop.version}"'}


@pytest.mark.usefixtures("hurried")
def test_halves_of_two_versions_are_never_joined(zone: Bucket, tmp_path: Path) -> None:
    zone.lay("abc/a.csv", BIG)
    (drop,) = zone.listing("abc").drops

    class Overwriting(Broken):
        def note(self, params: dict[str, Any], **other: object) -> None:
            super().note(params, **other)
            if len(self.requests) == 2:
                zone.lay("abc/a.csv", BIG[::-1])

    Overwriting(zone, 1_000_000)
    with pytest.raises(DropChanged):
        zone.fetch(drop, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


@pytest.mark.usefixtures("hurried")
def test_a_connection_that_always_breaks_is_a_sentence(zone: Bucket, tmp_path: Path) -> None:
    zone.lay("abc/a.csv", BIG)
    (drop,) = zone.listing("abc").drops
    Broken(zone, *[0] * 50)
    with pytest.raises(DropZoneError, match="failed to read"):
        zone.fetch(drop, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()


def uses(zone: S3Zone, tmp_path: Path) -> list[Any]:
    source = tmp_path / "source"
    source.write_bytes(b"x")
    return [
        zone.groups,
        lambda: zone.listing("abc"),
        lambda: zone.read("abc/a.csv"),
        lambda: zone.write("abc/a.csv", source),
    ]


def test_a_missing_bucket_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    credentials(monkeypatch)
    zone = S3Zone("no-such-bucket", "", S3(s3_server()))
    for use in uses(zone, tmp_path):
        with pytest.raises(DropZoneError, match=r"^s3://no-such-bucket: the bucket does not exist;"):
            use()


def test_a_bucket_without_a_legal_name_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    for name in ("", "two words"):
        with pytest.raises(DropZoneError, match=f"^s3://{name}: .*bucket"):
            S3Zone(name, "", S3(s3_server())).groups()


def test_an_address_that_is_none_is_a_sentence() -> None:
    with pytest.raises(DropZoneError, match="Invalid endpoint"):
        S3Zone("bucket", "", S3("not an address"))


def test_a_service_that_is_down_is_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    credentials(monkeypatch)
    monkeypatch.setattr(s3, "_CONFIG_ELSEWHERE", Config(retries={"total_max_attempts": 1}))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        zone = S3Zone("bucket", "", S3(f"http://user:secret@127.0.0.1:{free.getsockname()[1]}"))
        for use in uses(zone, tmp_path):
            with pytest.raises(DropZoneError, match="cannot be reached") as error:
                use()
            assert "secret" not in str(error.value)


def test_missing_credentials_are_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    credentials(monkeypatch)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(DropZoneError, match="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"):
        S3Zone("bucket", "", S3(s3_server())).groups()


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("AccessDenied", "access is denied"),
        ("InvalidAccessKeyId", "renew the credentials"),
        ("SignatureDoesNotMatch", "renew the credentials"),
        ("ExpiredToken", "have expired"),
        ("PermanentRedirect", "another region"),
        ("InvalidObjectState", "archived"),
        ("SlowDown", "answered SlowDown"),
    ],
)
def test_what_the_service_says_becomes_a_sentence(zone: Bucket, tmp_path: Path, code: str, says: str) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "a secret"}}, "Operation")

    zone._client.meta.events.register("before-call.s3", refuse)
    for use in uses(zone, tmp_path):
        with pytest.raises(DropZoneError, match=says) as error:
            use()
        assert "a secret" not in str(error.value)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("AccessDenied", BatchError),
        ("InvalidObjectState", BatchError),
        ("NoSuchBucket", DropZoneError),
        ("ExpiredToken", DropZoneError),
        ("InternalError", DropZoneError),
    ],
)
def test_one_object_s_trouble_is_not_the_bucket_s(
    zone: Bucket, tmp_path: Path, code: str, kind: type[Exception]
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "a secret"}}, "Operation")

    zone.lay("abc/a.csv", b"x")
    (drop,) = zone.listing("abc").drops
    zone._client.meta.events.register("before-call.s3", refuse)
    with pytest.raises(kind) as error:
        zone.fetch(drop, tmp_path / "spool")
    assert "a secret" not in str(error.value)
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("code", ["NoSuchKey", "PreconditionFailed"])
def test_a_drop_that_is_said_to_have_changed_and_is_there_as_it_was_is_asked_for_again(
    zone: Bucket, tmp_path: Path, code: str
) -> None:
    def refuse(**_: object) -> None:
        raise ClientError({"Error": {"Code": code}}, "GetObject")

    zone.lay("abc/a.csv", b"x")
    (drop,) = zone.listing("abc").drops
    zone._client.meta.events.register("before-call.s3.GetObject", refuse)
    with pytest.raises(DropZoneError, match="did not come whole"):
        zone.fetch(drop, tmp_path / "spool")
    zone.delete("abc/a.csv")
    with pytest.raises(DropChanged):
        zone.fetch(drop, tmp_path / "spool")


@pytest.fixture
def failing(zone: Bucket) -> Iterator[tuple[Faulty, S3Zone]]:
    """What fails, and the bucket behind it."""
    with faulty(s3_server()) as service:
        yield service, S3Zone(zone._bucket, "", S3(service.base))


@pytest.mark.parametrize(("share", "says"), [(0, "length"), (0.5, "length"), (0, "range"), (0.5, "range")])
def test_a_body_that_is_short_by_its_own_head_is_asked_for_again_by_the_next_run(
    zone: Bucket, failing: tuple[Faulty, S3Zone], tmp_path: Path, share: float, says: Says
) -> None:
    service, way = failing
    zone.lay("abc/a.csv", b"0123456789")
    (drop,) = way.listing("abc").drops
    service.spoil("GET", cut(share, says))
    with pytest.raises(DropZoneError, match=r"^s3://"):
        way.fetch(drop, tmp_path / "spool")
    assert not (tmp_path / "spool").exists()
    service.heal()
    way.fetch(drop, tmp_path / "spool")
    assert (tmp_path / "spool").read_bytes() == b"0123456789"


def test_an_answer_that_is_none_of_s3_is_no_answer(zone: Bucket, failing: tuple[Faulty, S3Zone]) -> None:
    service, way = failing
    zone.lay("abc/a.csv", b"x")
    service.spoil("LIST", cut(0, "length"))
    service.spoil("HEAD", garbage)
    for ask in (way.groups, lambda: way.listing("abc"), lambda: way.stat("abc/a.csv")):
        with pytest.raises(DropZoneError, match="the answer is none of S3"):
            ask()


def test_addresses_are_path_style_only_where_an_endpoint_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    credentials(monkeypatch)
    signing = {"ClientMethod": "get_object", "Params": {"Bucket": "bucket", "Key": "key"}}
    amazon = S3Zone("bucket", "", S3(None))._client
    elsewhere = S3Zone("bucket", "", S3("https://s3.example.com"))._client
    assert amazon.generate_presigned_url(**signing).startswith("https://bucket.s3.")
    assert elsewhere.generate_presigned_url(**signing).startswith("https://s3.example.com/bucket/key")
    assert amazon.meta.config.request_checksum_calculation == "when_supported"
    assert elsewhere.meta.config.request_checksum_calculation == "when_required"
    assert {client.meta.config.retries["mode"] for client in (amazon, elsewhere)} == {"standard"}


@pytest.mark.parametrize(
    ("region", "bucket", "begin"),
    [
        ("eu-north-1", "acme-drops", "https://acme-drops.s3.eu-north-1.amazonaws.com/"),
        ("eu-west-1", "acme-drops", "https://acme-drops.s3.eu-west-1.amazonaws.com/"),  # a region that knows version 2
        ("us-east-1", "acme-drops", "https://acme-drops.s3.amazonaws.com/"),
        ("eu-north-1", "acme.drops", "https://s3.eu-north-1.amazonaws.com/acme.drops/"),
    ],
)
def test_an_upload_goes_to_the_bucket_s_own_region_and_its_address_signs_the_host_alone(
    monkeypatch: pytest.MonkeyPatch, region: str, bucket: str, begin: str
) -> None:
    credentials(monkeypatch)
    zone = S3Zone(bucket, "some/prefix", SimpleNamespace(endpoint_url=None, region=region))
    url = zone.upload_url("abc/a b.csv", 900)
    assert url.startswith(f"{begin}some/prefix/abc/a%20b.csv?")
    assert {"X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Expires=900", "X-Amz-SignedHeaders=host"} <= set(
        url.partition("?")[2].split("&")
    )
