"""The kit: all that a file of the catalog is written with, under one name."""

from integrations.alternatives import one_of, together
from integrations.auth import basic, bearer
from integrations.download import entries
from integrations.errors import Ambiguous, Gone, Refused, Retryable, Unauthorized
from integrations.exchange import JSON, Attempt, Connection, Reply, Sent, Verdict, texts
from integrations.integration import (
    ADDRESS,
    Answers,
    Example,
    Exchange,
    Field,
    Integration,
    Item,
    Limits,
    Resend,
    Setting,
    fields,
)
from integrations.job import Job
from integrations.playing import Asked, Desk, always, no
from integrations.preparing import ANY, asking, expect_known, knowing, members, renaming
from integrations.reply import document, identifier, kind, slow_down, tidy, whole
from integrations.steps import Call, Pause, Started, Steps, get, send
from integrations.table import rows, table
from integrations.waiting import epoch_in, local_time, retry_after, seconds_in

__all__ = [
    "ADDRESS",
    "ANY",
    "JSON",
    "Ambiguous",
    "Answers",
    "Asked",
    "Attempt",
    "Call",
    "Connection",
    "Desk",
    "Example",
    "Exchange",
    "Field",
    "Gone",
    "Integration",
    "Item",
    "Job",
    "Limits",
    "Pause",
    "Refused",
    "Reply",
    "Resend",
    "Retryable",
    "Sent",
    "Setting",
    "Started",
    "Steps",
    "Unauthorized",
    "Verdict",
    "always",
    "asking",
    "basic",
    "bearer",
    "document",
    "entries",
    "epoch_in",
    "expect_known",
    "fields",
    "get",
    "identifier",
    "kind",
    "knowing",
    "local_time",
    "members",
    "no",
    "one_of",
    "renaming",
    "retry_after",
    "rows",
    "seconds_in",
    "send",
    "slow_down",
    "table",
    "texts",
    "tidy",
    "together",
    "whole",
]
