"""The server: the application on a port, in a thread of its own, until it is told to stop."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from api.protocol import Bounded
from config.errors import ConfigError, Problem

_DRAIN = 30  # seconds in which requests that came before the stop are answered
_BACKLOG = 2048
_IDLE = 75  # seconds; load balancers reuse a connection for 60, and lose a request when we close it first
_GLANCE = 0.01


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve an application while the block lasts; requests that were let in are answered before it is left."""
    config = uvicorn.Config(
        app,
        lifespan="on",
        http=Bounded,
        ws="none",
        log_config=None,
        log_level=logging.ERROR,  # what is no HTTP is answered, and told to nobody else: anyone may send it
        access_log=False,
        server_header=False,
        proxy_headers=False,  # who speaks for another's address is the proxy's business, and no signature's
        timeout_keep_alive=_IDLE,
        timeout_graceful_shutdown=_DRAIN,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="api")
    thread.start()
    try:
        while thread.is_alive() and not server.started:
            time.sleep(_GLANCE)
        yield
    finally:
        server.should_exit = True
        thread.join()


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        ConfigError: when the port cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        reason = f"cannot listen on {host}:{port}: {error.strerror}; set another `api.port` or `api.host`"
        raise ConfigError([Problem(reason)]) from None
    return listener


def address(listener: socket.socket) -> str:
    """Return the address of what listens, like `http://127.0.0.1:8080`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
