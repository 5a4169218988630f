"""The journal: every record that a stand-in took, on disk before its sender hears of it."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


class Journal:
    """JSON lines of `at`, `integration`, `key` (the request's idempotency key, if it had one) and `record`."""

    def __init__(self, path: Path | None = None) -> None:
        """Append to the file, or to a temporary one that goes with the journal."""
        self._file = path.open("a+b") if path else tempfile.TemporaryFile()  # noqa: SIM115  closed by close()

    def add(self, integration: str, key: str | None, records: Iterable[Mapping[str, Any]]) -> None:
        """Append the records of one request, and return when they are on disk."""
        at = datetime.now(UTC).isoformat()
        lines = (
            json.dumps({"at": at, "integration": integration, "key": key, "record": record}, ensure_ascii=False)
            for record in records
        )
        self._file.seek(0, os.SEEK_END)
        self._file.write("".join(f"{line}\n" for line in lines).encode())
        self._file.flush()
        os.fsync(self._file.fileno())

    def lines(self, integration: str | None = None) -> Iterator[bytes]:
        """Yield the lines, of one integration if it is named."""
        self._file.seek(0)
        for line in self._file:
            if integration is None or json.loads(line)["integration"] == integration:
                yield line

    def close(self) -> None:
        """Close the file."""
        self._file.close()
