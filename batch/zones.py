"""Which drop zone an address means."""

from __future__ import annotations

from pathlib import Path

from batch.dropzone import DropZone, DropZoneError, S3Settings
from batch.folder import FolderZone


def find(url: str, s3: S3Settings, base: Path) -> DropZone:
    """Return the drop zone at `s3://bucket[/prefix]` or in a folder, whose path is relative to `base`.

    Nothing is asked of S3 or the disk before the drop zone is used.
    """
    # boto3 takes a quarter of a second to import, which a folder's users need not wait for.
    if url.startswith("s3://"):
        from batch.s3 import S3Zone  # noqa: PLC0415

        bucket, _, prefix = url.removeprefix("s3://").partition("/")
        return S3Zone(bucket, prefix, s3)
    if "://" in url:
        raise DropZoneError(
            f"The drop zone must be s3://bucket[/prefix] or a folder, not {url.partition('://')[0]}://."
        )
    return FolderZone(base / Path(url).expanduser())
