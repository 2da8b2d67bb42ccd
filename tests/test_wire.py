"""The wire below the HTTP client, over sockets: what arrives, and by which name goes wrong what goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import traceback
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from kai_erp.wire import AiohttpTransport
from tests.test_shared.fakes import certificate, tls_before

Reply = bytes | None
OK = b"HTTP/1.1 200 OK\r\n"
WHOLE = OK + b"Content-Length: 2\r\n\r\n{}"
LAST = OK + b"content-length: 2\r\n\r\n{}"


@dataclass
class Server:
    """A server that answers each request with the next of its replies, and closes after any but WHOLE."""

    replies: list[Reply]
    heard: list[bytes] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not reader.at_eof():
                self.heard.append(await self._request(reader))
                reply = self.replies.pop(0)
                if reply is None:
                    await asyncio.sleep(60)
                writer.write(reply or b"")
                await writer.drain()
                if reply != WHOLE:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def _request(reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return head + (await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b"")


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[tuple[Server, httpx2.AsyncClient]]:
    """Run a server that gives these replies, and yield it with a client of it."""
    server = Server(list(replies))
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening, client_of(f"http://127.0.0.1:{server.port}") as client:
        yield server, client


@asynccontextmanager
async def client_of(
    base: str, trust: ssl.SSLContext | None = None, read: float = 5
) -> AsyncIterator[httpx2.AsyncClient]:
    transport = AiohttpTransport(trust or ssl.create_default_context(), connections=4)
    timeout = httpx2.Timeout(5, read=read)
    async with httpx2.AsyncClient(transport=transport, base_url=base, timeout=timeout) as client:
        yield client


async def test_a_request_arrives_as_it_was_written() -> None:
    async with serving(WHOLE) as (server, client):
        target = "/ido/load/SLJobs?filter=Job%20%3D%20%27%20%20A%2BB%27&bookmark=%3CB%3E%2F%3D"
        answer = await client.get(
            target, headers={"Authorization": "Bearer secret", "X-Infor-MongooseConfig": "SITE"}
        )
    assert (answer.status_code, answer.json()) == (200, {})
    head, *lines = server.heard[0].decode().split("\r\n")
    assert head == f"GET {target} HTTP/1.1"
    sent = {name.casefold(): value for name, _, value in (line.partition(": ") for line in lines if line)}
    assert sent["authorization"] == "Bearer secret"
    assert sent["x-infor-mongooseconfig"] == "SITE"
    assert sent["host"] == f"127.0.0.1:{server.port}"
    assert "content-type" not in sent
    assert sent["user-agent"].startswith("python-httpx2/")


async def test_a_body_is_sent_once_with_its_length_and_type() -> None:
    async with serving(WHOLE) as (server, client):
        await client.post("/token", data={"grant_type": "password", "name": "é&="})
    head, _, body = server.heard[0].partition(b"\r\n\r\n")
    assert body == b"grant_type=password&name=%C3%A9%26%3D"
    assert head.lower().count(b"content-length:") == 1
    assert b"content-type: application/x-www-form-urlencoded" in head.lower()


async def test_connections_are_used_again() -> None:
    async with serving(WHOLE, WHOLE, WHOLE) as (server, client):
        for _ in range(3):
            await client.get("/")
    assert (server.connections, len(server.heard)) == (1, 3)


async def test_a_kept_connection_that_is_closed_is_replaced() -> None:
    async with serving(LAST, WHOLE) as (server, client):
        await client.get("/")
        await asyncio.sleep(0.01)
        assert (await client.get("/")).status_code == 200
    assert server.connections == 2


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_what_fails_is_not_sent_again_without_being_counted(method: str) -> None:
    async with serving(WHOLE, b"", WHOLE) as (server, client):
        await client.get("/")
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.request(method, "/jobs")
    assert len(server.heard) == 2


async def test_redirects_are_not_followed() -> None:
    moved = b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"
    async with serving(moved) as (server, client):
        assert (await client.get("/")).status_code == 302
    assert len(server.heard) == 1


async def test_an_encoded_body_is_decoded_and_a_broken_encoding_said() -> None:
    def encoded(content: bytes) -> bytes:
        head = b"Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(content)
        return OK + head + content

    async with serving(encoded(gzip.compress(b'{"a": 1}')), encoded(b"no gzip")) as (_, client):
        assert (await client.get("/")).json() == {"a": 1}
        with pytest.raises(httpx2.DecodingError):
            await client.get("/")


async def test_long_header_lines_are_read() -> None:
    async with serving(OK + b"X-Long: " + b"x" * 30_000 + b"\r\nContent-Length: 2\r\n\r\n{}") as (_, client):
        assert len((await client.get("/")).headers["X-Long"]) == 30_000


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        b"HTTP/1.1 200",
        b"no answer of HTTP\r\n\r\n",
        OK + b"Content-Length: 100\r\n\r\ncut",
        OK + b"Transfer-Encoding: chunked\r\n\r\n64\r\ncut",
        OK + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
    ],
)
async def test_an_answer_that_is_none_breaks_the_protocol(reply: bytes) -> None:
    async with serving(reply) as (server, client):
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/")
    assert len(server.heard) == 1


async def test_a_connection_that_is_reset_within_a_body_is_no_answer() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 100\r\n\r\ncut")
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    listening = await asyncio.start_server(reset, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, client_of(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(httpx2.ReadError):
            await client.get("/")


async def test_a_server_that_says_nothing_times_out() -> None:
    async with serving(None) as (server, _), client_of(f"http://127.0.0.1:{server.port}", read=0.05) as hasty:
        with pytest.raises(httpx2.ReadTimeout):
            await hasty.get("/")


async def test_nobody_there_is_no_connection() -> None:
    async with serving() as (server, _):
        port = server.port
    async with client_of(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(httpx2.ConnectError):
            await client.get("/")


@pytest.mark.parametrize("vouched_for", [True, False])
async def test_only_who_is_vouched_for_is_talked_to(tmp_path: Path, *, vouched_for: bool) -> None:
    pem = certificate(tmp_path / "erp.pem", "localhost")
    trust = ssl.create_default_context(cafile=str(pem) if vouched_for else None)
    async with (
        serving(WHOLE) as (server, _),
        tls_before(server.port, pem) as port,
        client_of(f"https://localhost:{port}", trust) as client,
    ):
        if vouched_for:
            assert (await client.get("/")).status_code == 200
        else:
            with pytest.raises(httpx2.ConnectError, match=r"(?i)certificate"):
                await client.get("/")


async def test_a_cancelled_request_leaves_no_connection_behind() -> None:
    async with serving(None, WHOLE) as (server, client):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await client.get("/")
        assert (await client.get("/")).status_code == 200
    assert server.connections == 2


async def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(WHOLE) as (proxy, _):
        monkeypatch.setenv("http_proxy", f"http://us%40er:pass%40word@127.0.0.1:{proxy.port}")
        async with client_of("http://erp.test") as client:
            assert (await client.get("/load")).status_code == 200
    head, *lines = proxy.heard[0].split(b"\r\n")
    assert head == b"GET http://erp.test/load HTTP/1.1"
    assert b"Proxy-Authorization: Basic " + b64encode(b"us@er:pass@word") in lines


@pytest.mark.parametrize("host", ["127.0.0.1:9", "[::1]:9", "localhost:9"])
async def test_this_machine_is_asked_directly(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    async with serving(WHOLE) as (proxy, _):
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        async with client_of(f"http://{host}") as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get("/load")
    assert proxy.heard == []


async def test_to_a_host_of_https_a_proxy_is_a_tunnel_that_hears_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    async with serving(refused) as (proxy, _):
        monkeypatch.setenv("https_proxy", f"http://user:p4ssw0rd@127.0.0.1:{proxy.port}")
        async with client_of("https://erp.test") as client:
            with pytest.raises(httpx2.ProxyError) as raised:
                await client.get("/load", headers={"Authorization": "Bearer TOKEN"})
    assert proxy.heard[0].startswith(b"CONNECT erp.test:443 HTTP/1.1")
    assert b"TOKEN" not in proxy.heard[0]
    assert "p4ssw0rd" not in "".join(traceback.format_exception(raised.value))


async def test_passwords_of_a_netrc_file_are_not_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    async with serving(WHOLE) as (server, client):
        await client.get("/", headers={"Authorization": "Bearer own"})
    assert b"Bearer own" in server.heard[0]
