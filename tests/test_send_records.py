"""The page for those who call the API, followed literally: its own code sends records that reach a destination."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support import outside
from support.installation import journal

from config import starting
from integrations import sandbox

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "send-records.md"
READ = ("API", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "GROUP_KEY")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHANGES = [
    (re.compile(r"\d{8}T\d{9}Z-[a-z2-7]{8}(\+\d+)?"), "PACKET"),
    (re.compile(r"\d{8}T\d{6}Z-[a-z2-7]{8}"), "BATCH"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"), "TIME"),
    (re.compile(r"_records/\d{4}-\d\d-\d\d/"), "_records/DAY/"),
    (re.compile(r'"PACKET-\d+"'), '"RECORD"'),
    (re.compile(r'"(rows?)": ?\d+'), r'"\1": 1'),  # records that come close together share a batch
    (re.compile(r'"next": ?("BATCH"|null)'), '"next": "BATCH"'),  # and then there is no other
]


def blocks() -> list[tuple[str, str]]:
    """Return the page's blocks of code, each with its kind."""
    return _BLOCK.findall(PAGE.read_text("utf-8"))


def one(kind: str) -> str:
    (block,) = [body for found, body in blocks() if found == kind]
    return block


def plain(text: str) -> Any:
    for pattern, word in _CHANGES:
        text = pattern.sub(word, text)
    return json.loads(text)


@dataclass(frozen=True)
class Place:
    """An installation at work, with the sandbox as its destinations, and what a caller is given of it."""

    home: Path
    sandbox: str
    given: Mapping[str, str]

    def sent(self) -> list[str]:
        """Return the addresses of everybody whom the warehouse has been sent."""
        return [record["email"] for record in journal(self.sandbox, "webhook")]

    def reaches(self, *emails: str) -> None:
        """Wait until so many records have come, and expect them to be these."""
        until(lambda: len(self.sent()) >= len(emails))
        assert sorted(self.sent()) == sorted(emails)


def until(true: Callable[[], object], seconds: float = 30) -> None:
    ends = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.05)


def flatdrop(home: Path, *words: str) -> str:
    command = [Path(sys.executable).with_name("flatdrop"), *words]
    done = subprocess.run(
        command, cwd=home, env=outside.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert "Traceback" not in done.stderr
    return done.stdout


@contextmanager
def serve(home: Path, port: int = 0) -> Iterator[str]:
    """Run `flatdrop serve` while the block lasts, and yield the address where it listens."""
    said = home / "serve.log"
    with said.open("w") as log:
        command = [Path(sys.executable).with_name("flatdrop"), "serve"]
        process = subprocess.Popen(command, cwd=home, env=outside.environment(FLATDROP_API__PORT=str(port)), stderr=log)
    try:
        until(lambda: process.poll() is not None or "listening on" in said.read_text())
        yield said.read_text().partition("listening on ")[2].partition(";")[0]
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0, said.read_text()
    assert "Traceback" not in said.read_text()


@contextmanager
def installed(home: Path, address: str = "") -> Iterator[Place]:
    with sandbox.running() as base:
        starting.write(home, base)
        key = json.loads(flatdrop(home, "keys", "create", "--group", "acme-se", "--json"))
        given = [address, key["access_key_id"], key["secret_access_key"], "acme-se"]
        yield Place(home, base, dict(zip(READ, given, strict=True)))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    with installed(home) as found, serve(home) as address:
        yield Place(home, found.sandbox, {**found.given, "API": address})


def python(_folder: Path) -> list[str]:
    (_folder / "send.py").write_text(one("python"), "utf-8")
    return [sys.executable, "send.py"]


def node(folder: Path) -> list[str]:
    program = outside.node()
    assert "`npm install aws4`" in PAGE.read_text("utf-8")
    outside.npm_install("aws4", folder)
    (folder / "send.mjs").write_text(one("js"), "utf-8")
    return [program, "send.mjs"]


EXAMPLES = pytest.mark.parametrize(
    ("example", "email"), [(python, "grace@example.com"), (node, "alan@example.com")], ids=["python", "node"]
)
Example = Callable[[Path], list[str]]


def started(command: list[str], folder: Path, given: Mapping[str, str]) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=folder, env=outside.environment(**given), **pipes)


def test_the_page_gives_nothing_but_what_its_examples_read() -> None:
    kind, exports = blocks()[0]
    assert kind == "sh"
    assert [line.partition("=")[0] for line in exports.splitlines()] == [f"export {name}" for name in READ]
    rest = "".join(body for _, body in blocks()[1:])
    assert all(name in one("python") and name in one("js") for name in READ)
    assert all(f"${name}" in rest for name in READ)


def steps() -> list[list[str]]:
    """Return the page's lines for the shell, but for the first, each with what the page says that it prints."""
    found: list[list[str]] = []
    for kind, body in blocks()[1:]:
        if kind == "sh":
            found.append([body])
        elif kind == "json":
            found[-1].append(body)
    return found


def test_the_lines_for_curl_print_what_the_page_says(place: Place, tmp_path: Path) -> None:
    outside.curl()
    script = "\nprintf '\\036'\n".join(["set -eu", *(command for command, *_ in steps())])
    out, err = (process := started(["bash", "-c", script], tmp_path, place.given)).communicate(timeout=100)
    assert (process.returncode, err) == (0, "")
    printed = dict(zip((command for command, *_ in steps()), out.split("\036")[1:], strict=True))
    assert sum(len(said) for _, *said in steps()) == 5
    for command, *said in steps():
        assert [plain(printed[command]) for _ in said] == list(map(plain, said)), command

    waited, asked, receipt = (
        plain(next(text for command, text in printed.items() if word in command))
        for word in ("Prefer:", "/v1/records/$record", "/v1/batches/$batch")
    )
    assert asked == waited
    assert receipt["state"] == "delivered"
    place.reaches("ada@example.com", "edsger@example.com")
    assert "Åda" in {record["name"] for record in journal(place.sandbox, "webhook")}
    assert "2026/customers.csv  delivered" in flatdrop(place.home, "run", "--file", "acme-se/2026/customers.csv")
    place.reaches("ada@example.com", "edsger@example.com", "barbara@example.com")


@EXAMPLES
def test_an_example_sends_a_record(place: Place, tmp_path: Path, example: Example, email: str) -> None:
    command, printed = example(tmp_path), set()
    for _ in range(2):  # again with its idempotency key
        out, err = (process := started(command, tmp_path, place.given)).communicate(timeout=100)
        assert (process.returncode, err) == (0, "")
        printed.add(out)
    (said,) = printed
    assert re.fullmatch(r"\d{8}T\d{9}Z-[a-z2-7]{8}-1 accepted\n", said)
    place.reaches(email)


@EXAMPLES
def test_an_example_says_why_it_is_refused(place: Place, tmp_path: Path, example: Example, email: str) -> None:
    wrong = {**place.given, "GROUP_KEY": "somebody-else"}
    out, err = (process := started(example(tmp_path), tmp_path, wrong)).communicate(timeout=100)
    assert (process.returncode, out) == (1, "")
    assert '403: {"error":{"code":"group"' in err
    assert place.sent() == []


@EXAMPLES
def test_an_example_tries_again(tmp_path: Path, example: Example, email: str) -> None:
    command, home = example(tmp_path), tmp_path / "home"
    with socket.create_server(("127.0.0.1", 0)) as dying:
        port = dying.getsockname()[1]
        with installed(home, f"http://127.0.0.1:{port}") as place:
            process = started(command, tmp_path, place.given)
            with dying.accept()[0] as first:
                first.recv(1)
            dying.close()
            with serve(home, port):
                out, err = process.communicate(timeout=100)
                assert (process.returncode, err) == (0, "")
                assert "accepted" in out
                place.reaches(email)
