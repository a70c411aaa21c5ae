"""`connector verify` where an identity opens the account and the vault holds no key."""

from pathlib import Path
from typing import Any

import pytest
from azure.storage.blob.aio import ContainerClient

from connector_cli.demo.sample_files import container_client
from tests.conftest import AzuriteWithOAuth
from tests.deliveries import PROVIDER, deliver
from tests.identities import SECRET_VARIABLE
from tests.integration.connector_cli.test_verify import ACCOUNT, SIGNER, run
from tests.unit.control_plane.keys import key_of, public_pem
from vault_adapters.factory import create_vault
from vault_adapters.settings import LocalVaultSettings

pytestmark = pytest.mark.azurite


@pytest.fixture
async def config(azurite_oauth: AzuriteWithOAuth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    entra = azurite_oauth.entra
    monkeypatch.setenv(SECRET_VARIABLE, entra.client_secret)
    vault = create_vault(
        LocalVaultSettings(type="local", file=tmp_path / "vault.bin", key_file=tmp_path / "vault.key"), {}
    )
    await vault.aclose()
    (tmp_path / "provider.pem").write_text(public_pem(key_of(PROVIDER)))
    config = tmp_path / "consumer.toml"
    config.write_text(
        f"""
[participant]
id = "did:web:us"
[vault]
type = "local"
file = "vault.bin"
key_file = "vault.key"
[storage]
endpoint_template = "{azurite_oauth.endpoint_template}"
ca_file = "{azurite_oauth.ca_file}"
delegation_sas_seconds = 60
[[storage.accounts]]
name = "{ACCOUNT}"
identity = "own"
[azure_identities.own]
type = "client-secret"
authority = "{entra.url}"
instance_discovery = false
ca_file = "{entra.ca_file}"
tenant_id = "{entra.tenant}"
client_id = "{entra.client_id}"
client_secret_env = "{SECRET_VARIABLE}"
[[counterparties]]
id = "{PROVIDER}"
public_key_file = "provider.pem"
"""
    )
    return config


async def test_what_was_delivered_is_verified_as_the_identity(
    azurite_oauth: AzuriteWithOAuth, container_name: str, config: Path
) -> None:
    key, template = azurite_oauth.keys[ACCOUNT], azurite_oauth.endpoint_template
    client: ContainerClient = container_client(template, ACCOUNT, key, container_name, ca_file=azurite_oauth.ca_file)
    async with client:
        await client.create_container()

        async def write(name: str, content: bytes, _content_type: str) -> Any:
            return await client.upload_blob(name, content)

        await deliver({"a.txt": b"as an identity", "b/c.bin": b"12345"}, write, signer=SIGNER)
        arguments = ("--account", ACCOUNT, "--container", container_name, "--config", str(config), "--json")
        code, output = await run(*arguments)
        assert code == 0, output
        await client.upload_blob("a.txt", b"as somebody..", overwrite=True)
        code, output = await run(*arguments)
        assert code == 1, output
