"""Whether secrets may be sent to the address that the configuration names."""

import ipaddress
import ssl
from pathlib import Path
from urllib.parse import urlsplit

from connector_spi.errors import ConfigurationError
from vault_adapters.settings import HashiCorpVaultSettings


def check_address(settings: HashiCorpVaultSettings) -> None:
    """Check the address, the paths in it, and the file of authorities.

    Raises:
        ConfigurationError: one of them cannot work, or is not safe.
    """
    try:
        parts = urlsplit(settings.url)
        _ = parts.port
    except ValueError:
        raise ConfigurationError(key="vault.url", problem="is not an address") from None
    if not parts.hostname or parts.username or parts.password:
        raise ConfigurationError(key="vault.url", problem="has no host, or carries a user name or password")
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ConfigurationError(
            key="vault.url", problem="would send secrets without encryption", remedy="Use https://."
        )
    for key, path in {"vault.mount": settings.mount, "vault.folder": settings.folder}.items():
        if any(part in {"", ".", ".."} for part in path.strip("/").split("/")):
            raise ConfigurationError(key=key, problem=f"{path!r} is not a path")
    if settings.ca_file is not None:
        _check_authorities(settings.ca_file)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_authorities(file: Path) -> None:
    try:
        ssl.create_default_context(cafile=str(file))
    except OSError as error:  # which ssl.SSLError is, too
        raise ConfigurationError(
            key="vault.ca_file", problem=f"{file} is missing or holds no certificate ({error.strerror})"
        ) from error
