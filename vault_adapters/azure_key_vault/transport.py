"""The connections to a Key Vault whose certificate is of a private authority."""

import ssl
from pathlib import Path

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport

from connector_spi.errors import ConfigurationError


class PrivateAuthorityTransport(AioHttpTransport):  # type: ignore[misc]  # azure-core exports it lazily, untyped
    """Trusts the authorities of one file alone, by one TLS context.

    The SDK's own way, `connection_verify`, builds a context for each request, so that no connection is used twice.
    """

    session: aiohttp.ClientSession | None

    def __init__(self, ca_file: Path, *, connection_timeout: float, read_timeout: float) -> None:
        """Read the file; blocks briefly.

        Raises:
            ConfigurationError: it cannot be read, or holds no certificate.
        """
        super().__init__(connection_timeout=connection_timeout, read_timeout=read_timeout)
        try:
            self._tls = ssl.create_default_context(cafile=ca_file)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigurationError(key="vault.ca_file", problem=f"{ca_file} cannot be used ({error})") from None

    async def open(self) -> None:
        """As the SDK's, with our context; sessions want a running event loop, so not earlier."""
        if self.session is None and not self._has_been_opened:
            self.session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls),
                trust_env=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
            )
        await super().open()
