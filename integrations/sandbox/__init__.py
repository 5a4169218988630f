"""The sandbox: stand-ins for every integration of the catalog, on this machine.

They answer as their vendors do, keep the contacts that they are given, refuse some by their addresses (see
`integrations.playing`), go wrong on demand, and keep a journal of every record that they took.
"""

from integrations.sandbox.faults import Faults
from integrations.sandbox.journal import Journal
from integrations.sandbox.server import app, running, serve, settings_for

__all__ = ["Faults", "Journal", "app", "running", "serve", "settings_for"]
