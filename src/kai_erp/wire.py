"""The wire below the HTTP client: aiohttp pools connections and reads answers, in C."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
from yarl import URL

from kai_erp.config import is_loopback

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

    It is made within a running loop. It adds nothing to a request, follows nothing and remembers no cookie; bodies
    come whole, as they are encoded. Proxies are those of the environment, never for this machine.

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
        if url.host not in self._proxies:
            direct = is_loopback(url.host) or proxy_bypass(url.host)
            self._proxies[url.host] = None if direct else getproxies().get(url.scheme)
        return self._proxies[url.host]


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
    """Raise what goes wrong within the context by its name in httpx2."""
    try:
        yield
    except aiohttp.ClientError as failure:
        meaning = next(meaning for kind, meaning in _MEANINGS if isinstance(failure, kind))
        raise meaning(str(failure)) from failure
