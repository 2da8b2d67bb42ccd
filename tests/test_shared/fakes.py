"""Servers in place of Redis that do what a good one does not, or that lead to one by TLS."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


async def until(seen: Callable[[], object], seconds: float = 10.0) -> None:
    """Return once something is seen that a background task or another process does."""
    async with asyncio.timeout(seconds):
        while not seen():  # noqa: ASYNC110  # what is waited for sets no event
            await asyncio.sleep(0.01)


@dataclass
class Odd:
    """Answers each command with the same bytes, after some seconds; with none it hangs."""

    answer: bytes
    seconds: float = 0.0
    connections: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    url: str = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        while data := await reader.read(65_536):
            await asyncio.sleep(self.seconds)
            # one answer a command, which begins with the number of its parts
            writer.write(self.answer * (data.count(b"\r\n*") + data.startswith(b"*")))


@asynccontextmanager
async def odd_redis(answer: bytes = b"", seconds: float = 0.0) -> AsyncIterator[Odd]:
    odd = Odd(answer, seconds)
    server = await asyncio.start_server(odd.serve, "127.0.0.1", 0)
    odd.url = f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield odd
    finally:
        server.close()
        for writer in odd.writers:
            writer.close()
        await server.wait_closed()
        await asyncio.sleep(0)


def certificate(path: Path, host: str) -> Path:
    """Write a key and a certificate of its own for a host name, and return where."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    moment = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - timedelta(days=1))
        .not_valid_after(moment + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(private + made.public_bytes(Encoding.PEM))
    return path


@asynccontextmanager
async def tls_before(port: int, pem: Path) -> AsyncIterator[int]:
    """Yield a port where TLS leads to a server that has none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    writers: list[asyncio.StreamWriter] = []

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, inner_writer))
        await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)
