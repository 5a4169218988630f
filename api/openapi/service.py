"""The operations on the service itself."""

from __future__ import annotations

from api.openapi import examples
from api.openapi.answers import answered, refusals
from api.openapi.operation import Operation, unsigned


def openapi() -> Operation:
    """Return the operation that tells the document that this is."""
    answer = answered("This document.", "OpenApi", beginning={"openapi": "3.1.0"})
    return unsigned("getOpenapi", "This document", "Tells of every path, request and answer.", {"200": answer})


def alive() -> Operation:
    """Return the operation that tells whether the process answers."""
    answer = answered("It answers.", "Alive", alive=examples.ALIVE)
    return unsigned("getHealthz", "Is the process alive?", "For a supervisor: restart it if not.", {"200": answer})


def ready() -> Operation:
    """Return the operation that tells whether the process can do its work."""
    described = "For a load balancer: send it requests only if the ledger and the drop zone answer."
    down = answered("The ledger or the drop zone does not answer.", "Ready", ledger_down=examples.NOT_READY)
    answers = {"200": answered("Both answer.", "Ready", ready=examples.READY), "503": down}
    return unsigned("getReadyz", "Can it do its work?", described, {**answers, **refusals(["fault"])})
