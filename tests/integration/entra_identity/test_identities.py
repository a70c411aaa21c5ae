"""Each kind of identity gets tokens of the emulated Entra ID and works on a real client of Key Vault with them."""

from pathlib import Path
from typing import Any

import pytest

from connector_spi.errors import ConfigurationError
from entra_identity.credentials import EntraCredentials
from entra_identity.errors import IdentityRefusedError
from entra_identity.settings import (
    DefaultChainSettings,
    EntraIdentitySettings,
    ManagedIdentitySettings,
    WorkloadIdentitySettings,
)
from tests.emulated import RunningEntra, RunningKeyVault
from tests.identities import SECRET_VARIABLE
from tests.integration.azure_key_vault.opened_vaults import application, opened

SCOPE = "https://storage.azure.com/.default"
HOST_VARIABLES = (
    *("AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS"),
    *("AZURE_FEDERATED_TOKEN_FILE", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
    *("IMDS_ENDPOINT", "MSI_ENDPOINT", "MSI_SECRET"),
)


@pytest.fixture(autouse=True)
def _no_identity_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in HOST_VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def place(entra: RunningEntra) -> dict[str, Any]:
    """Where tokens come from."""
    return {"authority": entra.url, "instance_discovery": False, "ca_file": entra.ca_file}


def workload(entra: RunningEntra, token_file: Path) -> WorkloadIdentitySettings:
    """The application, proved by a federated token."""
    return WorkloadIdentitySettings(
        type="workload-identity",
        tenant_id=entra.tenant,
        client_id=entra.client_id,
        token_file=token_file,
        **place(entra),
    )


async def stores_and_resolves(
    key_vault: RunningKeyVault, identity: EntraIdentitySettings, alias: str, **environ: str
) -> None:
    async with opened(key_vault, identity, environ=environ) as vault:
        await vault.store(alias, alias)
        assert await vault.resolve(alias) == alias


async def callers(entra: RunningEntra) -> list[str]:
    return [str(asked["caller"]) for asked in await entra.requests()]


async def test_an_application_with_a_secret_in_a_file(tmp_path: Path, key_vault_server: RunningKeyVault) -> None:
    entra = key_vault_server.entra
    file = tmp_path / "secret"
    file.write_text(entra.client_secret + "\n")
    identity = application(entra, client_secret_env=None, client_secret_file=file)
    await stores_and_resolves(key_vault_server, identity, "by/client-secret")


async def test_a_workload_with_a_federated_token(tmp_path: Path, key_vault_server: RunningKeyVault) -> None:
    entra = key_vault_server.entra
    (tmp_path / "token").write_text(entra.cluster.federated_token())
    await stores_and_resolves(key_vault_server, workload(entra, tmp_path / "token"), "by/workload")


async def test_a_workload_that_is_described_by_the_environment(
    tmp_path: Path, key_vault_server: RunningKeyVault
) -> None:
    entra = key_vault_server.entra
    (tmp_path / "token").write_text(entra.cluster.federated_token())
    identity = WorkloadIdentitySettings(type="workload-identity", instance_discovery=False, ca_file=entra.ca_file)
    await stores_and_resolves(
        key_vault_server,
        identity,
        "by/workload-environment",
        AZURE_TENANT_ID=entra.tenant,
        AZURE_CLIENT_ID=entra.client_id,
        AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "token"),
        AZURE_AUTHORITY_HOST=entra.url,
    )


@pytest.mark.parametrize("host", ["machine", "app service"])
@pytest.mark.parametrize("user_assigned", [True, False])
async def test_a_managed_identity(
    key_vault_server: RunningKeyVault, monkeypatch: pytest.MonkeyPatch, host: str, user_assigned: bool
) -> None:
    entra = key_vault_server.entra
    for name, value in (entra.imds_environment if host == "machine" else entra.app_service_environment).items():
        monkeypatch.setenv(name, value)
    client_id = entra.managed_identity_client_id if user_assigned else None
    identity = ManagedIdentitySettings(type="managed-identity", client_id=client_id)
    await stores_and_resolves(key_vault_server, identity, "by/managed-identity")
    assert f"managed identity {entra.managed_identity_client_id} for https://vault.azure.net" in await callers(entra)


async def test_the_default_chain(key_vault_server: RunningKeyVault, monkeypatch: pytest.MonkeyPatch) -> None:
    entra = key_vault_server.entra
    monkeypatch.setenv("AZURE_TENANT_ID", entra.tenant)
    monkeypatch.setenv("AZURE_CLIENT_ID", entra.client_id)
    monkeypatch.setenv("AZURE_CLIENT_SECRET", entra.client_secret)
    await stores_and_resolves(key_vault_server, DefaultChainSettings(type="default-chain", **place(entra)), "by/chain")


async def test_a_managed_identity_is_never_replaced_by_the_pods_workload_identity(
    tmp_path: Path, entra_server: RunningEntra, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text(entra_server.cluster.federated_token())
    for name, value in {
        **entra_server.imds_environment,
        "AZURE_TENANT_ID": entra_server.tenant,
        "AZURE_CLIENT_ID": entra_server.client_id,
        "AZURE_AUTHORITY_HOST": entra_server.url,
        "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
    }.items():
        monkeypatch.setenv(name, value)
    identity = ManagedIdentitySettings(type="managed-identity", **place(entra_server))
    credentials = EntraCredentials({"host": identity}, environ={})
    try:
        await credentials.of("host").get_token(SCOPE)
    finally:
        await credentials.aclose()
    assert (await callers(entra_server))[-1].startswith("managed identity")


async def test_an_identity_that_is_refused_is_not_replaced_by_another(
    entra_server: RunningEntra, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in entra_server.imds_environment.items():
        monkeypatch.setenv(name, value)
    stranger = ManagedIdentitySettings(type="managed-identity", client_id="of-another-host")
    credentials = EntraCredentials(
        {"stranger": stranger, "good": application(entra_server)},
        environ={SECRET_VARIABLE: entra_server.client_secret},
    )
    try:
        with pytest.raises(IdentityRefusedError, match=r"'stranger'.*assigned"):
            await credentials.of("stranger").get_token(SCOPE)
    finally:
        await credentials.aclose()


async def test_a_default_chain_that_finds_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    credentials = EntraCredentials({"chain": DefaultChainSettings(type="default-chain")}, environ={})
    try:
        with pytest.raises(IdentityRefusedError, match="finds nothing"):
            await credentials.of("chain").get_token(SCOPE)
    finally:
        await credentials.aclose()


async def test_an_unknown_name_is_refused_with_those_that_are_known(entra_server: RunningEntra) -> None:
    credentials = EntraCredentials({"storage": application(entra_server)}, environ={})
    assert credentials.has("storage")
    assert not credentials.has("vault")
    assert credentials.of("storage") is credentials.of("storage")
    with pytest.raises(ConfigurationError, match=r"azure_identities\.vault.*storage"):
        credentials.of("vault")
    await credentials.aclose()


async def test_an_authority_that_is_not_https_is_refused_by_the_name_of_the_identity(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token")
    identity = WorkloadIdentitySettings(
        type="workload-identity", tenant_id="tenant", client_id="client", token_file=tmp_path / "token"
    )
    credentials = EntraCredentials({"pod": identity}, environ={"AZURE_AUTHORITY_HOST": "http://elsewhere.example"})
    with pytest.raises(ConfigurationError, match=r"azure_identities\.pod.*https"):
        await credentials.of("pod").get_token(SCOPE)
    await credentials.aclose()
