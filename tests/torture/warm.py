"""Warm starts: a command runs in a fork of a process that has everything imported, which saves a second of each run."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path

_PRELOADED = ["torture.warm", "jobs.cli", "jobs.run", "jobs.rerun", "batch.pipeline", "mappers.schema", "config.load"]
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(_PRELOADED)


def begun(code: str, words: Sequence[str], env: Mapping[str, str], cwd: Path, said: Path) -> BaseProcess:
    """Run Python code as a program with its words; it writes to `said`."""
    process = _context.Process(target=_program, args=(code, list(words), dict(env), str(cwd), str(said)))
    process.start()
    return process


def completed(
    code: str, words: Sequence[str], env: Mapping[str, str], cwd: Path, seconds: float
) -> subprocess.CompletedProcess[str]:
    """Run Python code as a program to its end, or to its death; what it writes is in `stderr`.

    Raises:
        subprocess.TimeoutExpired: when it takes longer.
    """
    with tempfile.NamedTemporaryFile() as said:
        process = begun(code, words, env, cwd, Path(said.name))
        process.join(seconds)
        if process.exitcode is None:
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(list(words), seconds)
        return subprocess.CompletedProcess(list(words), process.exitcode, "", Path(said.name).read_text("utf-8"))


def _program(code: str, words: list[str], env: dict[str, str], cwd: str, said: str) -> None:
    from batch import failpoints

    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(out, stream.fileno())
    sys.argv = ["flatdrop", *words]
    failpoints._ORDERS = failpoints._orders()  # which are read once, when the program starts
    exec(code, {"__name__": "__main__"})
