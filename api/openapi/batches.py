"""The operations on batches."""

from __future__ import annotations

from api.batches import PAGE
from api.openapi import examples
from api.openapi.answers import SIGNED, answered, refusals
from api.openapi.operation import Operation, link, operation, parameter
from api.openapi.schemas import GROUP_KEY, ID, Schema, words
from batch.batch import State

_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": PAGE, "default": PAGE}


def listed() -> Operation:
    """Return the operation that lists batches."""
    following = link("listBatches", "before", "next")
    return operation(
        "listBatches",
        "batches",
        "List batches",
        "Tells of the batches of the key's groups, newest first: files, and records that were taken together.",
        {
            "200": answered("A page of them.", "Batches", page=examples.BATCHES) | following,
            **refusals((*SIGNED, "request.parameter", "group", "batch")),
        },
        parameters=[
            parameter("query", "group_key", GROUP_KEY, "Only those of this group.", examples.GROUP),
            parameter("query", "state", words(State), "Only those in this state.", "partial"),
            parameter("query", "limit", _LIMIT, "How many at most.", 20),
            parameter("query", "before", ID, "Only those that are older than this batch.", examples.BATCH),
        ],
    )


def get() -> Operation:
    """Return the operation that tells a receipt."""
    return operation(
        "getBatch",
        "batches",
        "Ask for a batch's receipt",
        "Tells the account of a batch: in which outcome its rows ended on each integration.",
        {
            "200": answered("The receipt as it stands.", "Receipt", closed=examples.RECEIPT),
            **refusals((*SIGNED, "path", "batch")),
        },
        parameters=[parameter("path", "batch", ID, "The batch's id.", examples.BATCH)],
    )
