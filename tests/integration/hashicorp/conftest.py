"""Vaults of the HashiCorp adapter, opened on the emulated server, and what an operator does there by hand."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from connector_spi.vault import Vault
from tests.conformance.vaults import closing
from tests.emulated import RunningVault
from vault_adapters.hashicorp import open_hashicorp_vault
from vault_adapters.settings import HashiCorpVaultSettings

OpenVault = Callable[[HashiCorpVaultSettings, Mapping[str, str]], Vault]
"""Opens a vault, which is closed after the test."""


class Operator:
    """Calls the server with the root token, as people do with the `vault` command."""

    def __init__(self, server: RunningVault) -> None:
        self._server = server

    async def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> httpx.Response:
        """Any call of the server's API, with the root token or another one."""
        headers = {"X-Vault-Token": token or self._server.root_token}
        async with httpx.AsyncClient(base_url=f"{self._server.url}/v1/", trust_env=False) as http:
            return await http.request(method, path, json=body, headers=headers)

    async def put(self, path: str, fields: Mapping[str, Any]) -> None:
        """`vault kv put`."""
        answer = await self.call("POST", f"{self._server.mount}/data/{path}", {"data": fields})
        answer.raise_for_status()

    async def new_token(self) -> str:
        """`vault token create`."""
        answer = await self.call("POST", "auth/token/create", {"policies": ["root"]})
        return str(answer.raise_for_status().json()["auth"]["client_token"])

    async def revoke(self, token: str) -> None:
        """`vault token revoke`."""
        (await self.call("POST", "auth/token/revoke-self", token=token)).raise_for_status()


async def paths_asked(server: RunningVault) -> list[str]:
    """Method and path of each call that the server got, below /v1/."""
    return [f"{asked['method']} {asked['path'].removeprefix('/v1/')}" for asked in await server.requests()]


async def logins(server: RunningVault) -> int:
    """How many logins the server has seen, whatever their outcome."""
    return sum(path.endswith("/login") for path in await paths_asked(server))


@pytest.fixture
def operator(vault_server: RunningVault) -> Operator:
    return Operator(vault_server)


@pytest.fixture
async def open_vault() -> AsyncIterator[OpenVault]:
    async with AsyncExitStack() as stack:
        opened: list[Vault] = []

        def open_one(settings: HashiCorpVaultSettings, environ: Mapping[str, str]) -> Vault:
            opened.append(open_hashicorp_vault(settings, environ))
            return opened[-1]

        yield open_one
        for vault in opened:
            await stack.enter_async_context(closing(vault))
