"""A request as it came over the wire, and the only forms of its parts in which all clients sign them alike.

Some clients sign a path or a query as it stands, others normalise, escape or sort it first. Where those would
disagree a signature could also be carried over to another request, so such parts are refused and not repaired.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from api.refused import Refused
from api.signing import canonical_path, canonical_value, joined, parameters

_ONCE = frozenset({b"host", b"x-amz-date", b"authorization", b"content-type", b"content-length"})


@dataclass(frozen=True, slots=True)
class Received:
    """A request as the server got it: nothing decoded, no header dropped or merged."""

    method: str
    path: bytes
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes = field(repr=False)


def fields(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Return the headers by name, their values in canonical form; the values of a repeated one joined by commas.

    Raises:
        Refused: when a header came twice of which programs on the way might see the first, or the last.
    """
    found: dict[bytes, bytes] = {}
    for given, value in headers:
        name = given.lower()
        if name not in found:
            found[name] = canonical_value(value)
        elif name in _ONCE:
            raise Refused("request.header.twice", f"The header {name.decode()} must come once.")
        else:
            found[name] += b"," + canonical_value(value)
    return found


def plain_path(path: bytes) -> bytes:
    """Return a path that is its own canonical form.

    Raises:
        Refused: when it has escapes, or empty or dot segments.
    """
    if canonical_path(path) != path:
        raise Refused("request.path", "The path must have unreserved characters only, and no empty or dot segments.")
    return path


def plain_query(query: bytes) -> dict[bytes, bytes]:
    """Return the parameters of a query, still escaped.

    Raises:
        Refused: when it is not escaped as RFC 3986 has it, or names a parameter twice.
    """
    if not query:
        return {}
    pairs = parameters(query)
    if joined(pairs) != query:
        message = (
            "Write the query as name=value&name=value, and escape as RFC 3986: all but A-Z a-z 0-9 - . _ ~ as %XX."
        )
        raise Refused("request.query", message)
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refused("request.query", "Each parameter of the query must come once.")
    return found
