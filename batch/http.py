"""One HTTP exchange with a destination: an answer read up to a limit, or an error that says what is known."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

import aiohttp
from yarl import URL

from batch.failpoints import reached
from config.limits import USUAL
from integrations.errors import Ambiguous, Retryable, Unauthorized
from integrations.exchange import Reply
from integrations.request import Request

_CONNECT_SECONDS = 10
_KEEP_SECONDS = 3  # an idle connection that the destination has closed looks like an answer that never came
_HEADERS = {"user-agent": "flatdrop", "accept": "application/json", "accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds that an answer may take, and bytes that it may have; Mailchimp's to 500 members has about 2 MB."""

    seconds: float = 60
    size: int = USUAL.reply


def session(connections: int) -> aiohttp.ClientSession:
    """Return a session that follows no redirects' cookies, unpacks nothing, and keeps few idle connections."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=connections, keepalive_timeout=_KEEP_SECONDS),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        headers=_HEADERS,
    )


async def exchange(client: aiohttp.ClientSession, request: Request, bounds: Bounds) -> Reply:
    """Send a request and return its reply, whatever its status.

    Raises:
        Retryable: when no connection was made, so that nothing can have been sent.
        Unauthorized: when the address is no address, or leads to no TLS connection that can be trusted.
        Ambiguous: when it was sent and no whole answer came within `bounds`.
    """
    seconds = bounds.seconds
    connecting = min(_CONNECT_SECONDS, seconds / 2)  # a connection that is never made must show before time is up
    timeout = aiohttp.ClientTimeout(total=seconds, connect=connecting)
    try:
        url = URL(request.url, encoded=request.foreign)  # one that is signed must not be written otherwise
    except ValueError:
        raise Unauthorized("address.refused", "the integration's address is not a URL") from None
    try:
        reached("send.before")
        async with client.request(
            request.method,
            url,
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            timeout=timeout,
        ) as response:
            reached("send.answered")
            body = await _read(response, bounds.size)
            reached("send.after")
            return Reply(response.status, {k.lower(): v for k, v in response.headers.items()}, body)
    except aiohttp.ClientConnectorCertificateError:
        raise Unauthorized("address.refused", "the destination's TLS certificate is not trusted") from None
    except (aiohttp.ClientConnectorSSLError, ssl.SSLError):
        raise Unauthorized("address.refused", "the destination does not agree on a TLS connection") from None
    except aiohttp.InvalidURL:
        raise Unauthorized("address.refused", "the integration's address is not a URL") from None
    except aiohttp.ClientConnectorError as error:
        raise Retryable("unreachable", f"no connection could be made: {_reason(error)}") from None
    except aiohttp.ConnectionTimeoutError:
        raise Retryable("unreachable", f"no connection within {connecting:g} s") from None
    except TimeoutError:
        raise Ambiguous("no_answer", f"the request was sent and no whole answer came within {seconds:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise Ambiguous("no_answer", f"the connection broke after sending ({type(error).__name__})") from None


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    pieces, size = [], 0
    async for piece in response.content.iter_chunked(1 << 16):
        size += len(piece)
        if size > most:
            response.close()
            raise Ambiguous("bad_answer", f"the answer is larger than {most:,} bytes")
        pieces.append(piece)
    return b"".join(pieces)


def _reason(error: aiohttp.ClientConnectorError) -> str:
    return error.os_error.strerror or type(error.os_error).__name__
