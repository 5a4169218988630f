"""Public corpora of bad input, which a user's clone does not have: then there is none of these trials."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from support import rfc8259
from support.oracle import Manner, verdict

from api.envelope import opened
from api.errors import ApiError
from batch.vetting import Vetter
from config.group import Group
from torture.agreement import agreed
from torture.roles import ROLES, TEXTS, Role
from torture.trial import End, Trial

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "corpora"


def naughty() -> list[str]:
    """Return the Big List of Naughty Strings, if it is here, after some of our own."""
    file = FOLDER / "blns" / "blns.json"
    return list(dict.fromkeys([*TEXTS, *(json.loads(file.read_text("utf-8")) if file.exists() else [])]))


def trials() -> Iterator[Trial]:
    """Yield the trials of what is here."""
    for name, role in ROLES.items():
        yield Trial("files: naughty strings", name, functools.partial(_in_role, role, naughty()))
    for file in sorted(FOLDER.glob("JSONTestSuite/test_*/*.json")):
        yield Trial("files: JSONTestSuite", file.name, functools.partial(of_the_suite, file))
    for file in sorted(FOLDER.glob("csv-spectrum/csvs/*.csv")):
        yield Trial("files: csv-spectrum", file.name, functools.partial(of_the_spectrum, file))


def _in_role(role: Role, texts: Sequence[str], home: Path, ledger_url: str) -> End:
    return role(home, ledger_url, texts)


def of_the_suite(file: Path, home: Path, _: str) -> End:
    """A file of the suite as JSON lines, as a value of a line, and as the record of a request."""
    text = file.read_bytes()
    value = b'{"a": 1}\n{"x": ' + text.strip(b"\r\n") + b"}\n"
    end = agreed(home, text, Manner("a.jsonl"), (len(text) // 50 + 1,), (len(text) // 20 + 1,))
    end.wrong += agreed(home, value, Manner("a.jsonl"), (5,)).wrong
    if file.name.startswith(("y_", "n_")) and not {b"\n", b"\r"} & set(text.strip(b"\r\n")):
        end.wrong += _is_json(text) != file.name.startswith("y_")  # or the oracle would be wrong
    for record in (text, b'{"x": ' + text + b"}"):
        end.wrong += _as_a_body(record)
    return end


def _is_json(text: bytes) -> bool:
    try:
        return rfc8259.line(text.decode()).whole
    except UnicodeDecodeError:
        return False


GROUP = Group.model_validate({
    "group_key": "abc",
    "integrations": {"it": {"type": "webhook", "settings": {"url": "http://127.0.0.1:9"}, "mapping": {"x": "x"}}},
})  # fmt: skip
VETTER = Vetter(GROUP)


def _as_a_body(record: bytes) -> int:
    """Count a record that a request brings, and that is taken though it is none, or is not taken though it is one."""
    wanted = rfc8259.line(record.decode(errors="replace")).faults | (set() if _is_json(record) else {"row.json"})
    try:
        envelope = opened(b'{"data": ' + record + b', "group_key": "abc"}')
    except ApiError as error:
        return error.status != 400 or not wanted
    try:
        codes = {finding.code for found in VETTER.vet([envelope.line]).values() for finding in found}
    except ValueError:
        return 1
    return not (codes & wanted) if wanted else len(codes)


def of_the_spectrum(file: Path, home: Path, ledger_url: str) -> End:
    """A file of the spectrum, against the oracle and against its twin."""
    data = file.read_bytes()
    end, wanted = agreed(home, data, Manner(), (1, 9), (4,)), verdict(data, Manner())
    if wanted.bad:
        return end  # quotes in bare text, which the twin takes for text
    twin = json.loads((file.parents[1] / "json" / f"{file.stem}.json").read_text("utf-8"))
    records = twin if isinstance(twin, list) else [twin]
    got = [{name: record.get(name) or "" for name in wanted.header or ()} for record in wanted.good.values()]
    end.wrong += got != records
    return end
