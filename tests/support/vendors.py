"""A vendor as its stand-in plays it, asked in process by a plain reading of how an integration talks."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from support.examples import sent, text

from integrations import request as requests
from integrations.exchange import JSON, Connection, Reply, Verdict
from integrations.integration import Integration
from integrations.reply import accepted, judge, trusted
from integrations.request import Request
from integrations.sandbox.journal import Journal
from integrations.sandbox.standin import Call, StandIn
from integrations.steps import Call as Asking
from integrations.steps import Started, Steps

NOW = 1_700_000_000
_T = TypeVar("_T")


class Kept(Journal):
    """A journal in memory."""

    def __init__(self) -> None:
        self.records: list[JSON] = []

    def add(self, integration: str, key: str | None, records: Iterable[Mapping[str, Any]]) -> None:
        self.records += records


@dataclass
class Vendor:
    """One integration and its stand-in; `talk` is all that was said, `jobs` the ids of jobs as they were told."""

    integration: Integration
    settings: Mapping[str, Any] = field(default_factory=dict)
    base: str = "https://vendor.example"
    talk: list[tuple[Request, Reply]] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.journal = Kept()
        self.stand_in = StandIn(self.integration, self.integration.sample.credentials, self.journal)
        address = self.integration.url[1 : self.integration.url.index("}")]
        settings = {**self.integration.sample.settings, **self.settings, address: self.base}
        self.connection = Connection(settings, self.integration.sample.credentials)

    def ask(self, request: Request) -> Reply:
        parts = urlsplit(request.url)
        path = (parts.path).removeprefix(urlsplit(self.base).path)
        call = Call(request.method, path, request.headers, request.body, dict(parse_qsl(parts.query)), self.base)
        reply = self.stand_in.answer(call)
        self.talk.append((request, reply))
        return reply

    def deliver(self, built: Sequence[Any], shared: Any = None) -> Sequence[Verdict]:
        """Send records all the way, and return the verdicts.

        Raises:
            DeliveryError: as sending does.
        """
        integration, job = self.integration, self.integration.job
        if job is None:
            return judge(integration, self.post(built, shared), sent(integration, built))
        if job.submit is not None:
            self.play(job.submit(self.connection, text(built).encode()))
        else:
            assert job.started is not None
            self.jobs.append(job.started(accepted(integration, self.post(built, shared))))
        return trusted(
            self.play(job.follow(self.connection, self.jobs[-1], sent(integration, built))), sent(integration, built)
        )

    def post(self, built: Sequence[Any], shared: Any = None) -> Reply:
        items, common = text(built).encode(), json.dumps(shared).encode()
        return self.ask(requests.build(self.integration, self.connection, items, "chunk-1", NOW, shared=common))

    def play(self, steps: Steps[_T]) -> _T:
        reply: Reply | None = None
        while True:
            try:
                step = next(steps) if reply is None else steps.send(reply)
            except StopIteration as end:
                value: _T = end.value
                return value
            if isinstance(step, Started):
                self.jobs.append(step.job)
            elif isinstance(step, Asking):
                request = requests.call(self.integration, self.connection, step, NOW)
                reply = accepted(self.integration, self.ask(request))

    def journalled(self) -> list[JSON]:
        return self.journal.records


def exchanges(integration: Integration, steps: Steps[_T], answers: Sequence[tuple[str, Reply]]) -> _T:
    """Answer steps as written down, each call in its turn."""
    reply: Reply | None = None
    left = list(answers)
    connection = Connection(
        {**integration.sample.settings, _address(integration): "https://vendor.example"}, integration.sample.credentials
    )
    while True:
        try:
            step = next(steps) if reply is None else steps.send(reply)
        except StopIteration as end:
            assert not left, f"never asked: {left[0][0]}"
            value: _T = end.value
            return value
        if isinstance(step, Asking):
            assert left, f"asked once more than was answered: {step.path}"
            expected, reply = left.pop(0)
            made = requests.call(integration, connection, step, NOW)
            assert f"{made.method} {made.url.removeprefix('https://vendor.example')}" == expected


def _address(integration: Integration) -> str:
    return integration.url[1 : integration.url.index("}")]
