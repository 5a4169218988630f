"""The command line as people and scripts use it: help, JSON, exit codes, and sentences instead of tracebacks."""

from __future__ import annotations

import io
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console

from config import starting
from integrations import sandbox
from jobs import cli, screen
from jobs.commandline import commands

if TYPE_CHECKING:
    from support.commandline import Flatdrop  # pytest itself imports it, to rewrite its asserts

pytest_plugins = ("support.commandline",)

GROUP = "acme-se"
IDS = re.compile(r"\d{8}T\d{6}Z-[a-z2-7]{8}")


@pytest.fixture
def flatdrop(flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch) -> Flatdrop:
    """The command line, which tries each request once."""
    monkeypatch.setenv("FLATDROP_DELIVERY__TRIES", "1")
    return flatdrop


@dataclass(frozen=True)
class Home:
    """A starting configuration, with the sandbox's faults to be set."""

    path: Path
    faults: sandbox.Faults

    def drop(self, name: str, text: str | bytes) -> Path:
        file = self.path / "drop" / GROUP / name
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        os.utime(file, (1_700_000_000, 1_700_000_000))  # old enough to be taken at once
        return file


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    faults = sandbox.Faults()
    with sandbox.running(faults=faults) as base:
        starting.write(tmp_path / "home", base)
        monkeypatch.chdir(tmp_path / "home")
        found = Home(tmp_path / "home", faults)
        found.drop("customers.csv", (tmp_path / "home/drop/acme-se/customers.csv").read_bytes())
        yield found


# Help


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_command_has_help(flatdrop: Flatdrop, name: str) -> None:
    told = flatdrop(*name.split()[1:], "--help")
    assert told.code == 0
    assert f"Usage: {name}" in told.out
    assert told.err == ""


def test_the_bare_name_and_a_bare_group_of_commands_show_help(flatdrop: Flatdrop) -> None:
    assert [flatdrop().code, flatdrop("config").code] == [2, 2]
    assert "sandbox" in flatdrop().out


def test_the_version_is_told(flatdrop: Flatdrop) -> None:
    assert re.fullmatch(r"flatdrop \d+\.\d+\.\d+\n", flatdrop("--version").out)


# The shapes of JSON, and exit code 0


def test_a_run_is_a_list_of_receipts(flatdrop: Flatdrop, home: Home) -> None:
    done = flatdrop("run", "--json")
    assert done.code == 0  # what stands open is the customer's
    (receipt,) = done.json
    assert list(receipt) == [
        *("batch", "group_key", "file", "version", "sha256", "bytes", "state", "reason", "config"),
        *("received_at", "started_at", "finished_at", "rows", "integrations", "codes"),
    ]
    assert receipt["state"] == "partial"
    assert receipt["rows"] == {"read": 6, "valid": 5, "invalid": 1}
    assert receipt == json.loads(next(home.path.glob("drop/*/_results/*/receipt.json")).read_text("utf-8"))
    assert flatdrop("run", "--json").json == []


def test_batches_and_show(flatdrop: Flatdrop, home: Home) -> None:
    assert flatdrop("batches").out == "There is no batch yet.\n"
    assert flatdrop("batches", "--json").json == []
    first = flatdrop("run", "--json").json[0]
    home.drop("later.csv", "email\na@example.com\n")
    second = flatdrop("run", "--json").json[0]
    listed = flatdrop("batches", "--json").json
    assert [one["batch"] for one in listed] == [second["batch"], first["batch"]]
    assert {"batch", "group_key", "file", "state", "rows"} <= listed[0].keys()
    assert [one["state"] for one in flatdrop("batches", "--state", "delivered", "--json").json] == ["delivered"]
    assert flatdrop("batches", "--group", "nobody", "--json").json == []
    assert flatdrop("show", first["batch"], "--json").json == first
    assert first["batch"] in flatdrop("show", first["batch"]).out


def test_a_batch_is_named_by_the_beginning_of_its_id(flatdrop: Flatdrop, home: Home) -> None:
    batch = flatdrop("run", "--json").json[0]["batch"]
    assert flatdrop("show", batch[:-3], "--json").json["batch"] == batch
    assert flatdrop("rerun", batch[:-3], "--dry-run", "--json").json["batch"] == batch
    home.drop("later.csv", "email\na@example.com\n")
    flatdrop("run")
    several = flatdrop("show", batch[:2])
    assert several.code == 2
    assert "2 batches begin with" in several.err


def test_check_and_preview(flatdrop: Flatdrop, home: Home, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("email,source\na@example.com,web\nb@example.com,fax\n", "utf-8")
    verdict = flatdrop("check", file, "--group", GROUP, "--json").json
    assert verdict["rows"] == {"read": 2, "valid": 1, "invalid": 1}
    assert verdict["integrations"]["crm"] == {"send": 1, "filtered": 0, "invalid": 0}
    assert verdict["undelivered"] == str(tmp_path / "mine.undelivered.csv")
    assert "fax" in Path(verdict["undelivered"]).read_text("utf-8")
    lines = flatdrop("preview", file, "--group", GROUP, "--integration", "crm", "--json").json
    assert [(line["row"], line["integration"], line["outcome"]) for line in lines] == [
        (1, "crm", "send"),
        (2, None, "invalid"),
    ]
    assert flatdrop("batches", "--json").json == []  # nothing of it is a batch


@pytest.mark.parametrize("words", ["config check", "config test", "integrations"])
def test_lists_as_json(flatdrop: Flatdrop, home: Home, words: str) -> None:
    done = flatdrop(*words.split(), "--json")
    assert (done.code, done.err) == (0, "")
    assert done.json
    assert isinstance(done.json, list)


@pytest.mark.parametrize("what", ["group", "deployment"])
def test_the_schema_is_json_by_itself(flatdrop: Flatdrop, what: str) -> None:
    assert flatdrop("config", "schema", what).json["type"] == "object"


def test_one_integration_as_json(flatdrop: Flatdrop) -> None:
    one = flatdrop("integrations", "hubspot", "--json").json
    assert one["type"] == "hubspot"
    assert {"fields", "credentials", "settings", "limits"} <= one.keys()


def test_init_as_json(flatdrop: Flatdrop, tmp_path: Path) -> None:
    files = flatdrop("init", tmp_path / "new", "--json").json
    assert all(Path(file).is_file() for file in files)


def test_the_tour(flatdrop: Flatdrop, tmp_path: Path) -> None:
    done = flatdrop("demo", "--rows", 100, "--keep", tmp_path / "tour")
    assert done.code == 0
    assert "100 rows read = 99 valid + 1 invalid" in done.out
    assert list((tmp_path / "tour").glob("drop/*/_results/*/receipt.json"))


def test_the_tour_over_s3(flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch) -> None:
    done = flatdrop("demo", "--rows", 100, "--s3")
    assert done.code == 0
    assert "100 rows read" in done.out
    assert "FLATDROP_DROP_ZONE" not in os.environ


def test_the_tour_over_s3_says_what_it_lacks(flatdrop: Flatdrop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "moto.server", None)
    done = flatdrop("demo", "--s3")
    assert (done.code, done.err) == (2, "--s3: needs moto: pip install 'moto[s3,server]'\n")


# Exit code 1: an operator is needed


def test_failed_rows_are_an_operator_s(flatdrop: Flatdrop, home: Home) -> None:
    home.faults.replace("hubspot=401")
    done = flatdrop("run", "--json")
    assert done.code == 1
    (receipt,) = done.json
    assert receipt["integrations"]["crm"]["failed"] == 5
    assert json.loads(done.err)["level"] == "warning"  # the log stands apart
    assert "example.com" not in done.err
    shown = flatdrop("show", receipt["batch"])
    assert f"flatdrop rerun {receipt['batch']}" in shown.out
    plan = flatdrop("rerun", receipt["batch"], "--dry-run", "--json")
    assert (plan.code, plan.json["integrations"]["crm"]["rows"]) == (0, 5)
    assert "Nothing was sent." in flatdrop("rerun", receipt["batch"], "--dry-run").out
    assert flatdrop("rerun", receipt["batch"], "--json").code == 1
    home.faults.replace("")
    again = flatdrop("rerun", receipt["batch"], "--json")
    assert (again.code, again.json["integrations"]["crm"]["failed"]) == (0, 0)
    assert "Nothing of that kind is owed." in flatdrop("rerun", receipt["batch"]).out


def test_unknown_rows_are_an_operator_s(flatdrop: Flatdrop, home: Home) -> None:
    home.faults.replace("webhook=reset")
    done = flatdrop("run")
    assert done.code == 1
    (batch,) = set(IDS.findall(done.out))
    assert f"flatdrop rerun {batch} --outcome unknown" in done.out
    home.faults.replace("")
    plan = flatdrop("rerun", batch, "--outcome", "unknown", "--dry-run").out
    assert "5 rows may reach it twice; it recognises them by idempotency key" in plan.replace("  ", " ")


def test_a_file_that_cannot_be_used_is_an_operator_s(flatdrop: Flatdrop, home: Home) -> None:
    home.drop("bad.csv", 'email\n"open\n')
    done = flatdrop("run", "--json")
    assert done.code == 1
    assert [(one["file"], one["state"]) for one in done.json] == [
        ("acme-se/bad.csv", "failed"),
        ("acme-se/customers.csv", "partial"),
    ]
    assert done.json[0]["reason"].startswith("file.quote: ")


@pytest.mark.parametrize("command", ["check", "preview"])
def test_a_local_file_that_cannot_be_used(flatdrop: Flatdrop, home: Home, command: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("email,email\n", "utf-8")
    done = flatdrop(command, file, "--group", GROUP, "--json")
    assert (done.code, done.json["state"]) == (1, "failed")
    assert done.json["reason"].startswith("file.header.duplicate: ")
    assert "cannot be used: file.header.duplicate" in flatdrop(command, file, "--group", GROUP).err


def test_a_mapping_test_that_fails(flatdrop: Flatdrop, home: Home) -> None:
    group = home.path / "groups" / "acme-se.yaml"
    group.write_text(group.read_text("utf-8").replace("FNAME: John}", "FNAME: Jane}"), "utf-8")
    done = flatdrop("config", "test")
    assert done.code == 1
    assert "acme-se: newsletter: test 1: expected" in done.out


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("FLATDROP_DROP_ZONE", "./nowhere", "does not exist"),
        ("FLATDROP_LEDGER", "sqlite:////nowhere/at/all.db", "cannot be used"),
        ("FLATDROP_LEDGER", "postgresql+psycopg://me:hunter2@127.0.0.1:1/x", "cannot be used"),
    ],
)
def test_what_is_not_there(
    flatdrop: Flatdrop, home: Home, monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(name, value)
    done = flatdrop("run", "--json")
    assert done.code == 1
    assert says in done.err
    assert "hunter2" not in done.err


# Exit code 2: usage and configuration

USAGE = [
    ("nonsense", "No such command"),
    ("run --grop x", "No such option"),
    ("run --group", "requires an argument"),
    ("run --group acme-sf", "did you mean acme-se?"),
    ("run --file nobody/x.csv", "there is no group nobody"),
    ("show", "Missing argument 'BATCH'"),
    ("show nope", "there is no batch nope"),
    ("rerun nope", "there is no batch nope"),
    ("rerun nope --outcome delivered", "there are failed, unknown, rejected, invalid"),
    ("rerun nope --outcome ,", "there are failed"),
    ("batches --state done", "there are queued"),
    ("check nowhere.csv --group acme-se", "does not exist"),
    ("check flatdrop.yaml", "Missing option '--group'"),
    ("check flatdrop.yaml --group acme", "did you mean acme-se?"),
    ("preview flatdrop.yaml --group acme-se --rows 0", "--rows"),
    ("preview flatdrop.yaml --group acme-se --integration crn", "did you mean crm?"),
    ("integrations hubspt", "did you mean hubspot?"),
    ("config schema both", "deployment and group"),
    ("sandbox --port 0", "--port"),
    ("sandbox --port many", "--port"),
    ("sandbox --faults hubspt=401", "did you mean hubspot?"),
    ("sandbox --faults hubspot=dwn", "did you mean down?"),
    ("demo --rows 0", "--rows"),
    ("init .", "is there already"),
    ("run --config nowhere.yaml", "there is no such file"),
    ("--config drop run", "there is no such file"),
]


@pytest.mark.parametrize(("words", "says"), USAGE, ids=[words for words, _ in USAGE])
def test_usage_errors_are_sentences(flatdrop: Flatdrop, home: Home, words: str, says: str) -> None:
    done = flatdrop(*words.split())
    assert (done.code, done.out) == (2, "")
    assert says in " ".join(re.sub(r"[│╭╮╰╯─]", " ", done.err).split())


def test_a_port_that_is_taken(flatdrop: Flatdrop) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = flatdrop("sandbox", "--port", port)
    assert (done.code, done.err) == (2, f"port {port} is taken; choose another with --port\n")


MISTAKES = [
    ("flatdrop.yaml", "ledger:", "ledgr:", r"flatdrop\.yaml:4: ledgr: is not known here \(did you mean ledger\?\)"),
    (
        "flatdrop.yaml",
        "./drop",
        "ftp://x",
        r"flatdrop\.yaml:3: drop_zone: must be `s3://bucket\[/prefix\]` or a folder",
    ),
    ("flatdrop.yaml", "drop_zone:", "drop_zone: [", r"flatdrop\.yaml:\d+: is not YAML.*"),
    ("groups/acme-se.yaml", "type: hubspot", "type: hubspt", r"groups/acme-se\.yaml:\d+: .*did you mean hubspot\?\)"),
    ("groups/acme-se.yaml", "file:secrets/crm", "pat-na1-123", r"groups/acme-se\.yaml:\d+: .*: must be a reference .*"),
    ("groups/acme-se.yaml", "file:secrets/crm", "file:none", r"groups/acme-se\.yaml:\d+: .*access_token: .*"),
    ("groups/acme-se.yaml", "tags: tags", "tags: lowr(tags)", r"groups/acme-se\.yaml:\d+: .*did you mean lower\?\)"),
    ("groups/acme-se.yaml", "30 1 * * *", "30 1 * *", r"groups/acme-se\.yaml:\d+: schedule\.cron: .*five fields.*"),
]


@pytest.mark.parametrize(("file", "right", "wrong", "says"), MISTAKES, ids=[wrong for _, _, wrong, _ in MISTAKES])
@pytest.mark.parametrize("command", ["run --json", "config check"])
def test_config_mistakes_tell_file_line_path_and_reason(
    flatdrop: Flatdrop, home: Home, file: str, right: str, wrong: str, says: str, command: str
) -> None:
    place = home.path / file
    text = place.read_text("utf-8")
    assert right in text
    place.write_text(text.replace(right, wrong), "utf-8")
    done = flatdrop(*command.split())
    assert (done.code, done.out) == (2, "")
    assert re.search(f"^{says}$", done.err, re.MULTILINE), done.err
    assert "pat-na1" not in done.err
    assert not (home.path / "drop" / GROUP / "_results").exists()


# --config


def test_config_goes_before_the_command_and_behind_it(
    flatdrop: Flatdrop, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert flatdrop("run").code == 2
    assert len(flatdrop("--config", home.path, "run", "--json").json) == 1
    home.drop("a.csv", "email\na@example.com\n")
    (receipt,) = flatdrop("run", "--config", home.path / "flatdrop.yaml", "--json").json
    assert flatdrop("--config", home.path, "config", "check").code == 0
    for words in (["--config", home.path], ["--config", home.path, "--config", "current"]):
        assert flatdrop("rerun", receipt["batch"], *words).code == 0
    assert flatdrop("--config", home.path, "rerun", receipt["batch"], "--config", "original").code == 0
    monkeypatch.setenv("FLATDROP_CONFIG", str(home.path))
    assert len(flatdrop("batches", "--json").json) == 2


# One drop


def test_one_drop_at_a_time(flatdrop: Flatdrop, home: Home) -> None:
    home.drop("a.csv", "email\na@example.com\n")
    assert [one["file"] for one in flatdrop("run", "--file", "acme-se/a.csv", "--json").json] == ["acme-se/a.csv"]
    again = flatdrop("run", "--file", "acme-se/a.csv", "--json")
    assert (again.code, again.json) == (0, [])
    assert "was processed before" in again.err
    missing = flatdrop("run", "--file", "acme-se/b.csv", "--json")
    assert (missing.code, missing.err) == (1, "acme-se/b.csv: there is no such file\n")


# What a person sees


@pytest.mark.parametrize("width", [None, 50, 100])
def test_only_a_table_s_last_column_is_broken(width: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "a sentence of many words that tells what to do and why it must be done at once"
    drawn = io.StringIO()

    class Screen(Console):
        def __init__(self, **more: Any) -> None:
            more["width"] = more.get("width") or width or 80
            super().__init__(file=drawn, force_terminal=width is not None, color_system=None, **more)

    monkeypatch.setattr(screen, "Console", Screen)
    monkeypatch.setattr(screen, "OUT", Screen())
    screen.table(["code", "rows", "what"], [["rejected.validation_error", 1_234_567, words]])
    lines = [line.strip() for line in drawn.getvalue().splitlines()]
    assert lines[1].startswith("rejected.validation_error  1,234,567  a sentence of")
    assert " ".join(lines[1:]).endswith(words)
    assert len(lines) == 2 if width is None else len(lines) > 2


# Where `check` writes


def test_check_writes_nothing_that_would_be_a_drop(flatdrop: Flatdrop, home: Home) -> None:
    before = set((home.path / "drop").rglob("*"))
    verdict = flatdrop("check", "drop/acme-se/customers.csv", "--group", GROUP, "--json").json
    assert verdict["undelivered"] == "customers.undelivered.csv"
    assert (home.path / "customers.undelivered.csv").is_file()
    inside = flatdrop("check", "drop/acme-se/customers.csv", "--group", GROUP, "--out", "drop/acme-se/x.csv")
    assert inside.code == 2
    assert set((home.path / "drop").rglob("*")) == before


@pytest.mark.parametrize("out", ["mine.csv", "./mine.csv", "nowhere/x.csv", "groups"])
def test_check_overwrites_nothing_of_importance(flatdrop: Flatdrop, home: Home, out: str) -> None:
    text = "email\nnobody\n"
    (home.path / "mine.csv").write_text(text, "utf-8")
    assert flatdrop("check", "mine.csv", "--group", GROUP, "--out", out).code == 2
    assert (home.path / "mine.csv").read_text("utf-8") == text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is always full")
def test_a_full_disk_is_no_fault_of_the_program(flatdrop: Flatdrop, home: Home) -> None:
    ended = flatdrop("check", "drop/acme-se/customers.csv", "--group", GROUP, "--out", "/dev/full")
    assert ended.code == 1
    assert "This machine's disk cannot be used: No space left on device" in ended.err


# Whatever comes


_FILES = st.one_of(
    st.binary(max_size=60),
    st.text(alphabet='email,"\n\r\0#N/A|é\ufeff@x.{}[]:1', max_size=60).map(str.encode),
    st.lists(
        st.sampled_from([b"email,source\n", b"a@x.se,web\n", b"\xff\xfe", b"\x1f\x8b\x08", b'{"email":1}\n', b'"'])
    ).map(b"".join),
)
_NAMES = st.sampled_from(["f.csv", "f.tsv", "f.jsonl", "f.csv.gz", "f.jsonl.zst", "f.CSV.bz2"])
_REUSED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_REUSED
@given(content=_FILES, name=_NAMES)
def test_any_file_gets_a_verdict(flatdrop: Flatdrop, home: Home, tmp_path: Path, content: bytes, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    done = flatdrop("check", file, "--group", GROUP, "--json")
    assert done.code in (0, 1)
    assert done.json["state"] in ("delivered", "partial", "failed")


_YAML = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=60).map(lambda text: text.encode(errors="surrogatepass")),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5).map(
        lambda value: json.dumps({"group_key": value, "attributes": value, "integrations": value}).encode()
    ),
    st.sampled_from(
        [b"a: &a [*a]", b"*x", b"? [a]\n: b", b"!!python/object:os.system x", b"a: 1\na: 2", b"- 1", b"\t", b"{"]
    ),
)


@_REUSED
@given(content=_YAML, file=st.sampled_from(["flatdrop.yaml", "groups/acme-se.yaml"]))
def test_any_configuration_gets_a_sentence(flatdrop: Flatdrop, home: Home, content: bytes, file: str) -> None:
    right = (home.path / file).read_bytes()
    try:
        (home.path / file).write_bytes(content)
        done = flatdrop("run", "--json")
    finally:
        (home.path / file).write_bytes(right)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(file)


@_REUSED
@given(
    words=st.lists(
        st.sampled_from("run show rerun batches --json --group --file acme-se x '' -1 --outcome é \n".split(" "))
    )
)
def test_any_words_end_well(flatdrop: Flatdrop, home: Home, words: list[str]) -> None:
    done = flatdrop(*words)
    assert done.code in (0, 1, 2)
    if "--json" in words and done.out:
        assert done.json is not None


# The process itself


def test_a_reader_that_leaves_is_no_fault(home: Home) -> None:
    script = f"{Path(sys.executable).with_name('flatdrop')} integrations --json | head -c 1"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("[", "")


def test_a_fault_of_the_program_is_a_sentence_with_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("a value: secret@example.com")

    monkeypatch.delenv("FLATDROP_DEBUG", raising=False)
    monkeypatch.setattr(cli, "app", broken)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().err
    assert ended.value.code == 1
    assert "fault of the program" in said
    assert "RuntimeError at test_cli" in said.replace("tests.jobs.", "")
    assert "secret@example.com" not in said
