"""The wire below the HTTP client: aiohttp pools connections and reads answers, in C."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import aiohttp
import httpx2
from yarl import URL

from kai_erp.proxies import proxy_for

_LONGEST_LINE = 64 * 1024
_MEANINGS: tuple[tuple[type[Exception], type[httpx2.TransportError]], ...] = (
    (aiohttp.ConnectionTimeoutError, httpx2.ConnectTimeout),
    (aiohttp.ServerTimeoutError, httpx2.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx2.ConnectError),
    (aiohttp.ClientHttpProxyError, httpx2.ProxyError),
    (aiohttp.ClientOSError, httpx2.ReadError),
    (aiohttp.ClientError, httpx2.RemoteProtocolError),
)


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Carries what an `httpx2.AsyncClient` sends and receives; what goes wrong keeps httpx2's names.

    It is made within a running loop. It adds nothing to a request and follows nothing; bodies come whole, as they
    are encoded. Proxies are those of the environment, never for this machine.

    Args:
        context: what certificates are verified by.
        connections: how many may be open.
    """

    def __init__(self, context: ssl.SSLContext, connections: int) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=context, limit=connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            skip_auto_headers=("User-Agent", "Content-Type"),
            auto_decompress=False,
            middlewares=(_once,),
            max_line_size=_LONGEST_LINE,
            max_field_size=_LONGEST_LINE,
        )
        self._proxies: dict[str, str | None] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Return the answer when its headers are here. Raises httpx2.TransportError."""
        body = await request.aread()
        with _httpx_errors():
            response = await self._session.request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=[(name.decode(), value.decode()) for name, value in request.headers.raw],
                data=body or None,
                proxy=self._proxy(request.url),
                timeout=_timeout(request.extensions.get("timeout", {})),
                allow_redirects=False,
            )
        return httpx2.Response(response.status, headers=response.raw_headers, stream=_Body(response))

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.close()

    def _proxy(self, url: httpx2.URL) -> str | None:
        origin = f"{url.scheme}://{url.netloc.decode()}"
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]


class _Body(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            body = await self._response.read()
        yield body

    async def aclose(self) -> None:
        self._response.release()


def _timeout(seconds: dict[str, float | None]) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(
        total=None,
        connect=seconds.get("pool"),
        sock_connect=seconds.get("connect"),
        sock_read=seconds.get("read"),
    )


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Send a request once: after a failure by its own name aiohttp sends it again, past the budget and unseen."""
    with _httpx_errors():
        return await handler(request)


@contextmanager
def _httpx_errors() -> Iterator[None]:
    """Raise what goes wrong within the context by its name in httpx2; its text may hold a proxy's password."""
    try:
        yield
    except aiohttp.ClientError as failure:
        raise _meaning(failure)(type(failure).__name__) from None


def _meaning(failure: aiohttp.ClientError) -> type[httpx2.TransportError]:
    if isinstance(failure, aiohttp.ClientPayloadError) and "Reset" in str(failure):
        return httpx2.ReadError  # the connection broke; otherwise the server itself has cut the body off
    return next(meaning for kind, meaning in _MEANINGS if isinstance(failure, kind))
