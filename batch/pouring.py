"""Pouring: the small drops of a batch's packets, one after the other, into one file."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import BinaryIO

from batch.dropzone import DropZone, DropZoneError
from batch.errors import DropChanged
from batch.packets import Packet

_AT_ONCE = 8  # on S3 it is the waiting that takes time


def pour(zone: DropZone, packets: Sequence[Packet], to: Path) -> str:
    """Put the records of packets into a file that only this user can read, and return its SHA-256.

    Raises:
        DropChanged: when one of the small drops is gone, or is not what was written.
        DropZoneError: when the drop zone cannot be used. Whatever is raised, `to` is removed.
    """
    try:
        return _poured(zone, packets, to)
    except BaseException:
        to.unlink(missing_ok=True)  # whoever finds it takes it for the whole
        raise


def _poured(zone: DropZone, packets: Sequence[Packet], to: Path) -> str:
    digest = hashlib.sha256()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="packet") as threads, _private(to) as file:
        for content in threads.map(partial(_content, zone), packets):
            file.write(content)
            digest.update(content)
    return digest.hexdigest()


def _private(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")


def _content(zone: DropZone, packet: Packet) -> bytes:
    try:
        content = zone.read(packet.file)
    except DropZoneError:
        if zone.stat(packet.file) is None:
            raise DropChanged(f"{packet.file} is not there any more") from None
        raise
    if hashlib.sha256(content).hexdigest() == packet.sha256:
        return content
    now = zone.stat(packet.file)
    if now is not None and now.size == packet.bytes != len(content):
        raise DropZoneError(f"{packet.file} did not come whole; the next run asks for it again.")
    raise DropChanged(f"{packet.file} is not as it was written")
