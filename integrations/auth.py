"""Authorization headers in the two common schemes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping


def basic(user: str, password: str) -> Mapping[str, str]:
    """Return the header of HTTP Basic authentication (RFC 7617)."""
    return {"authorization": f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"}


def bearer(token: str) -> Mapping[str, str]:
    """Return the header of a bearer token (RFC 6750)."""
    return {"authorization": f"Bearer {token}"}
