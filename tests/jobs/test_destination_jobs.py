"""Destinations whose requests start jobs: no job is started twice, and no end is made up."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from os import environ
from pathlib import Path
from threading import Timer
from typing import Any

import pytest
from support.failing import failing
from support.installation import KEY, Installation, table
from support.nights import FILE, contacts, installed, journalled

from batch.outcome import Outcome
from batch.runtime import silent
from integrations.catalog import CATALOG
from integrations.playing import Desk, Unknown
from integrations.sandbox import running
from jobs import rerun
from jobs import run as runs

KLAVIYO = CATALOG["klaviyo"]
ROWS = 12


@pytest.fixture
def sandbox() -> Iterator[str]:
    with running() as base:
        yield base


@pytest.fixture
def it(tmp_path: Path, sandbox: str) -> Installation:
    found = installed(tmp_path, KLAVIYO, sandbox)
    found.drop(FILE, table([n, f"p{n}@example.com"] for n in range(1, ROWS + 1)))
    return found


def killed(it: Installation, order: str) -> None:
    """Run, and be killed at a failpoint."""
    code = "import jobs.run; jobs.run.LEASE = 0.1; from jobs.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "run"],
        cwd=it.home,
        env={**environ, **failing(order)},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr


def after_the_lease(it: Installation) -> dict[str, Any]:
    while not (report := it.run()).receipts:
        assert not report.problems
    (receipt,) = report.receipts
    return receipt


def said(receipt: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = receipt["integrations"]["it"]
    return found


def test_a_killed_process_goes_on_with_the_job_that_it_started(it: Installation, sandbox: str) -> None:
    killed(it, "ledger.put_chunks.after=kill:3")  # the check, the intent, the job's id
    assert journalled(sandbox) == ROWS
    receipt = after_the_lease(it)
    assert said(receipt)["delivered"] == ROWS
    assert journalled(sandbox) == ROWS, "it was not started again"
    assert said(receipt)["possible_duplicates"] == ROWS, "an upper bound: the chunk was open"


def test_a_job_whose_id_was_never_committed_is_started_again_and_that_is_declared(
    it: Installation, sandbox: str
) -> None:
    killed(it, "send.after=kill:2")  # the question beforehand, the request
    receipt = after_the_lease(it)
    assert said(receipt)["delivered"] == ROWS
    assert journalled(sandbox) == 2 * ROWS
    assert said(receipt)["possible_duplicates"] == ROWS
    assert len(contacts(sandbox, KLAVIYO)) == ROWS


def again(it: Installation, batch: str) -> dict[str, Any]:
    with it.opened() as runtime:
        plan = rerun.plan(runtime, batch, outcomes=[Outcome.UNKNOWN])
        return rerun.carry_out(runtime, plan, lambda _batch: silent)


def test_a_job_that_does_not_end_in_time_is_unknown_and_a_rerun_only_asks_again(tmp_path: Path, sandbox: str) -> None:
    it = installed(tmp_path, KLAVIYO, sandbox, poll_seconds=0.2, job_patience=0.1)
    it.drop(FILE, table([n, f"p{n}@example.com"] for n in range(1, ROWS + 1)))
    receipt = it.one()
    for _ in range(2):
        assert said(receipt)["unknown"] == ROWS
        assert {line["code"] for line in receipt["codes"]} == {"job.unfinished"}
        receipt = again(it, receipt["batch"])
    assert said(receipt)["delivered"] == ROWS
    assert journalled(sandbox) == ROWS


def test_a_job_that_is_gone_when_it_is_asked_again_is_started_anew(
    it: Installation, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(it, "ledger.put_chunks.after=kill:3")
    look = Desk.look

    def forgets(desk: Desk, job: str, states: Any) -> Any:
        monkeypatch.setattr(Desk, "look", look)
        raise Unknown(job)

    monkeypatch.setattr(Desk, "look", forgets)
    receipt = after_the_lease(it)
    assert said(receipt)["delivered"] == ROWS
    assert journalled(sandbox) == 2 * ROWS
    assert said(receipt)["possible_duplicates"] == ROWS


def test_a_job_that_has_ended_without_a_word_is_not_asked_again_but_sent_anew(
    it: Installation, sandbox: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = Desk.look
    monkeypatch.setattr(Desk, "look", lambda desk, job, states: ("cancelled", look(desk, job, states)[1]))
    receipt = it.one()
    assert said(receipt)["unknown"] == ROWS
    assert {line["code"] for line in receipt["codes"]} == {"bad_answer"}
    monkeypatch.setattr(Desk, "look", look)
    receipt = again(it, receipt["batch"])
    assert said(receipt)["delivered"] == ROWS
    assert journalled(sandbox) == 2 * ROWS
    assert said(receipt)["possible_duplicates"] == ROWS


def test_a_job_that_is_gone_at_once_is_unknown(it: Installation, sandbox: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgets(desk: Desk, job: str, states: Any) -> Any:
        raise Unknown(job)

    monkeypatch.setattr(Desk, "look", forgets)
    receipt = it.one()
    assert said(receipt)["unknown"] == ROWS
    assert journalled(sandbox) == ROWS


def test_a_program_that_is_to_stop_leaves_the_job_to_the_next(it: Installation, sandbox: str) -> None:
    it.groups[KEY]["integrations"]["it"]["settings"]["poll_seconds"] = 1
    it.write()
    with it.opened() as runtime:
        Timer(0.5, runtime.stopping.set).start()
        report = runs.run(runtime, [KEY])
    assert not report.receipts
    receipt = after_the_lease(it)
    assert said(receipt)["delivered"] == ROWS
    assert journalled(sandbox) == ROWS
