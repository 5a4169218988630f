"""Certificates for destinations: what a server shows that an authority vouches for."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta

import trustme

HERE = "127.0.0.1"


def vouched(authority: trustme.CA, address: str = HERE, days: int = 1) -> ssl.SSLContext:
    """Return what a server at the address shows, good for so many days from now."""
    today = datetime.now(UTC)
    certificate = authority.issue_cert(
        address, not_before=today - timedelta(days=9), not_after=today + timedelta(days=days)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context
