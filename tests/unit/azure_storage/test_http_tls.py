"""TLS: bytes pass both ways, and a certificate that is not the host's or of an unknown authority is refused."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from azure_storage.block_client import BlockBlobClient
from azure_storage.errors import StorageUnavailableError
from azure_storage.sas import SasToken
from azure_storage.session import open_storage_session
from tests.unit.azure_storage.raw_server import raw_server, request_of

CONTENT = bytes(range(256)) * 20_000


def certified(folder: Path, *names: x509.GeneralName) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Contexts of a server with a certificate for these names that it signed itself, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cafile=str(pem))


async def store(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes CONTENT as a block, and answers reads with it."""
    while True:
        head, body = await request_of(reader)
        if head.startswith("PUT"):
            status = b"201 Created" if body == CONTENT else b"400 Bad Request"
            writer.write(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)
        else:
            writer.write(b"HTTP/1.1 206 Partial\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT)
        await writer.drain()


async def test_blocks_pass_both_ways_on_one_connection(tmp_path: Path) -> None:
    serving, trusting = certified(tmp_path, x509.DNSName("localhost"))
    async with raw_server(store, tls=serving) as server, open_storage_session(tls=trusting) as session:
        url = SasToken("sig=topsecret").applied_to(f"https://localhost:{server.origin.port}/acme1/data/a.bin")
        blobs = BlockBlobClient(session, call_seconds=20)
        for _ in range(3):
            await blobs.put_block(url, "1", CONTENT)
            assert await blobs.get_range(url, offset=0, length=len(CONTENT), if_match='"1"') == CONTENT
        assert len(server.connections) == 1


@pytest.mark.parametrize("trusts", [True, False])
async def test_another_hosts_certificate_and_one_of_an_unknown_authority_are_refused(
    tmp_path: Path, *, trusts: bool
) -> None:
    name = x509.DNSName("other.example") if trusts else x509.IPAddress(ip_address("127.0.0.1"))
    serving, trusting = certified(tmp_path, name)
    async with (
        raw_server(store, tls=serving) as server,
        open_storage_session(tls=trusting if trusts else None) as session,
    ):
        url = SasToken("sig=topsecret").applied_to(f"https://127.0.0.1:{server.origin.port}/acme1/data/a.bin")
        with pytest.raises(StorageUnavailableError, match="SSLCertVerificationError") as refused:
            await BlockBlobClient(session, call_seconds=20).put_block(url, "1", CONTENT)
    assert "topsecret" not in repr(refused.value)


async def test_a_server_without_tls_is_refused(tmp_path: Path) -> None:
    _, trusting = certified(tmp_path, x509.DNSName("localhost"))

    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 201 Created\r\n\r\n")

    async with raw_server(speak_plainly) as server, open_storage_session(tls=trusting) as session:
        url = SasToken("sig=topsecret").applied_to(f"https://localhost:{server.origin.port}/acme1/data/a.bin")
        with pytest.raises(StorageUnavailableError, match="SSL"):
            await BlockBlobClient(session, call_seconds=20).put_block(url, "1", CONTENT)
