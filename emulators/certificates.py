"""A certificate authority of one run, and a server certificate of it for loopback.

`python -m emulators.certificates FOLDER` writes `ca.pem`, `server.pem` and `server.key`; with `--self-signed` one
certificate that is its own authority, `self-signed.pem` and `self-signed.key`.
"""

import argparse
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

_HOSTS: Final = ("localhost", "127.0.0.1")
_LIFE: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: `ca_file` for clients; `certificate_file` (with its chain) and `key_file` for servers."""

    ca_file: Path
    certificate_file: Path
    key_file: Path


def write_certificates(folder: Path) -> Certificates:
    """Make an authority and a certificate for `localhost` and `127.0.0.1`, and write them into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = Certificates(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    authority = trustme.CA()
    issued = authority.issue_cert(*_HOSTS)
    authority.cert_pem.write_to_path(str(files.ca_file))
    files.key_file.touch(mode=0o600)
    issued.private_key_pem.write_to_path(str(files.key_file))
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(files.certificate_file), append=number > 0)
    return files


def write_self_signed(folder: Path) -> Certificates:
    """The same without an authority: the certificate is its own, as Azurite needs it.

    When Azurite copies from a URL of its own, it trusts its own certificate alone, and none that signed that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    certificate_file, key_file = folder / "self-signed.pem", folder / "self-signed.key"
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "emulator")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFE)
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Certificates(certificate_file, certificate_file, key_file)


def main() -> None:
    """Write the files into the folder that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m emulators.certificates", description=__doc__)
    parser.add_argument("folder", type=Path, help="made when missing")
    parser.add_argument("--self-signed", action="store_true", help="one certificate that Azurite trusts when it copies")
    given = parser.parse_args()
    (write_self_signed if given.self_signed else write_certificates)(given.folder)


if __name__ == "__main__":
    main()
