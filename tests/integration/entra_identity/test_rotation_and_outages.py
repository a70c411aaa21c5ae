"""A secret that changes while the process runs, and a token service that refuses, throttles or is away."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from azure.core.credentials_async import AsyncTokenCredential
from azure.storage.blob.aio import BlobServiceClient

from connector_spi.clock import SystemClock
from connector_spi.errors import ConfigurationError, SecretNotFoundError
from connector_spi.vault import Vault
from entra_identity.credential import EntraCredential
from entra_identity.credentials import EntraCredentials
from entra_identity.errors import IdentityLostError, IdentityRefusedError, IdentityUnavailableError
from entra_identity.settings import ClientSecretSettings, EntraIdentitySettings, WorkloadIdentitySettings
from tests.emulated import RunningEntra, running_entra
from tests.identities import SECRET_VARIABLE
from tests.integration.azure_key_vault.opened_vaults import application
from vault_adapters.cached import CachedVault
from vault_adapters.memory import InMemoryVault

STORAGE = "https://storage.azure.com/.default"
KEY_VAULT = "https://vault.azure.net/.default"
MANAGEMENT = "https://management.azure.com/.default"


class CountingVault(InMemoryVault):
    """Counts how often a secret was read."""

    reads = 0

    async def resolve(self, alias: str) -> str:
        self.reads += 1
        return await super().resolve(alias)


@pytest.fixture
async def entra(tmp_path: Path) -> AsyncIterator[RunningEntra]:
    async with running_entra(tmp_path) as running:
        yield running


@asynccontextmanager
async def credential(
    settings: EntraIdentitySettings, *, environ: Mapping[str, str] | None = None, vault: Vault | None = None
) -> AsyncIterator[AsyncTokenCredential]:
    credentials = EntraCredentials({"app": settings}, environ=environ or {}, vault=vault)
    try:
        yield credentials.of("app")
    finally:
        await credentials.aclose()


def with_alias(entra: RunningEntra) -> ClientSecretSettings:
    return application(entra, client_secret_env=None, client_secret_alias="entra/secret")


async def token_requests(entra: RunningEntra) -> int:
    return sum(asked["path"].endswith("/token") for asked in await entra.requests())


async def test_a_rotated_secret_is_read_again_without_a_restart(entra: RunningEntra, tmp_path: Path) -> None:
    file = tmp_path / "client-secret"
    file.write_text(entra.client_secret)
    async with credential(application(entra, client_secret_env=None, client_secret_file=file)) as app:
        await app.get_token(STORAGE)
        file.write_text(await entra.rotate_client_secret())
        assert (await app.get_token(KEY_VAULT)).token


async def test_an_identity_that_is_refused_after_it_worked_is_waited_for(entra: RunningEntra, tmp_path: Path) -> None:
    file = tmp_path / "client-secret"
    file.write_text(entra.client_secret)
    async with credential(application(entra, client_secret_env=None, client_secret_file=file)) as app:
        await app.get_token(STORAGE)
        fresh = await entra.rotate_client_secret()
        assert isinstance(app, EntraCredential)
        await app.renew()  # as after the token that is kept has ended
        with pytest.raises(IdentityLostError, match="AADSTS7000215"):
            await app.get_token(STORAGE)
        file.unlink()
        with pytest.raises(IdentityLostError, match="client_secret_file"):
            await app.get_token(STORAGE)
        file.write_text(fresh)
        assert (await app.get_token(STORAGE)).token


async def test_two_refusals_at_once_read_the_secret_once(entra: RunningEntra) -> None:
    vault = CountingVault({"entra/secret": entra.client_secret})
    async with credential(with_alias(entra), vault=vault) as app:
        await app.get_token(STORAGE)
        await vault.store("entra/secret", await entra.rotate_client_secret())
        await asyncio.gather(app.get_token(KEY_VAULT), app.get_token(MANAGEMENT))
    assert vault.reads == 2


async def test_a_secret_that_was_rotated_behind_a_cache_is_read_from_the_vault_itself(entra: RunningEntra) -> None:
    behind = InMemoryVault({"entra/secret": entra.client_secret})
    vault = CachedVault(behind, kept_for=timedelta(hours=1), clock=SystemClock())
    async with credential(with_alias(entra), vault=vault) as app:
        await app.get_token(STORAGE)
        await behind.store("entra/secret", await entra.rotate_client_secret())
        assert (await app.get_token(KEY_VAULT)).token


async def test_a_secret_that_stays_wrong_is_read_once_more_and_refused(entra: RunningEntra) -> None:
    vault = CountingVault({"entra/secret": "planted-wrong-secret"})
    async with credential(with_alias(entra), vault=vault) as app:
        with pytest.raises(IdentityRefusedError, match="client secret is wrong") as raised:
            await app.get_token(STORAGE)
    assert raised.value.aadsts == "AADSTS7000215"
    assert "planted" not in f"{raised.value!r} {raised.value} {vars(raised.value)}"
    assert vault.reads == 2
    assert await token_requests(entra) == 1


async def test_a_federated_token_that_was_replaced_is_read_again(entra: RunningEntra, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(entra.cluster.federated_token(seconds=-60))
    settings = WorkloadIdentitySettings(
        type="workload-identity",
        tenant_id=entra.tenant,
        client_id=entra.client_id,
        token_file=file,
        authority=entra.url,
        instance_discovery=False,
        ca_file=entra.ca_file,
    )
    async with credential(settings) as app:
        with pytest.raises(IdentityRefusedError, match=r"AADSTS700024.*clocks"):
            await app.get_token(STORAGE)
        file.write_text(entra.cluster.federated_token())
        assert (await app.get_token(STORAGE)).token


async def test_many_who_need_the_same_token_share_one_request(entra: RunningEntra) -> None:
    async with credential(application(entra), environ={SECRET_VARIABLE: entra.client_secret}) as app:
        tokens = await asyncio.gather(*(app.get_token(STORAGE) for _ in range(100)))
        impatient = asyncio.create_task(app.get_token(KEY_VAULT))
        patient = asyncio.create_task(app.get_token(KEY_VAULT))
        await asyncio.sleep(0)
        impatient.cancel()
        assert (await patient).token
    assert len({token.token for token in tokens}) == 1
    assert await token_requests(entra) == 2


@pytest.mark.parametrize(
    ("changes", "aadsts"),
    [
        ({"client_id": "unknown"}, "AADSTS700016"),
        ({"tenant_id": "elsewhere.example"}, "AADSTS90002"),
    ],
)
async def test_a_refusal_keeps_entras_number(entra: RunningEntra, changes: dict[str, str], aadsts: str) -> None:
    environ = {SECRET_VARIABLE: entra.client_secret}
    async with credential(application(entra, **changes), environ=environ) as app:
        with pytest.raises(IdentityRefusedError) as raised:
            await app.get_token(STORAGE)
    assert raised.value.aadsts == aadsts


async def test_a_service_that_entra_does_not_know_is_refused(entra: RunningEntra) -> None:
    async with credential(application(entra), environ={SECRET_VARIABLE: entra.client_secret}) as app:
        with pytest.raises(IdentityRefusedError, match="AADSTS500011"):
            await app.get_token("https://unknown.example/.default")


@pytest.mark.parametrize("fault", ["throttled", "failing"])
async def test_a_token_service_that_cannot_serve_is_unavailable(entra: RunningEntra, fault: str) -> None:
    async with credential(application(entra), environ={SECRET_VARIABLE: entra.client_secret}) as app:
        await (entra.throttle(3) if fault == "throttled" else entra.fail(3, status=503))
        with pytest.raises(IdentityUnavailableError, match="AADSTS90"):
            await app.get_token(STORAGE)
        assert (await app.get_token(STORAGE)).token


async def test_clients_of_storage_pass_our_errors_on_unchanged(entra: RunningEntra) -> None:
    async with (
        credential(application(entra), environ={SECRET_VARIABLE: "wrong"}) as app,
        BlobServiceClient("https://127.0.0.1:9", credential=app) as storage,
    ):
        with pytest.raises(IdentityRefusedError, match="AADSTS7000215"):
            await storage.get_service_properties()
        await entra.fail(1000, status=503)
        with pytest.raises(IdentityUnavailableError):
            await storage.get_service_properties()
    assert await token_requests(entra) == 4  # one refused; one that failed, and its two repetitions


async def test_a_token_service_that_is_away_is_unavailable(entra: RunningEntra) -> None:
    async with credential(application(entra), environ={SECRET_VARIABLE: entra.client_secret}) as app:
        await entra.kill()
        with pytest.raises(IdentityUnavailableError):
            await app.get_token(STORAGE)
        await entra.start_again()
        assert (await app.get_token(STORAGE)).token


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(entra: RunningEntra) -> None:
    environ = {SECRET_VARIABLE: entra.client_secret}
    async with credential(application(entra, ca_file=None), environ=environ) as app:
        with pytest.raises(IdentityUnavailableError, match="Certificate"):
            await app.get_token(STORAGE)


async def test_a_secret_that_is_nowhere_is_a_matter_of_configuration(entra: RunningEntra, tmp_path: Path) -> None:
    absent = application(entra, client_secret_env=None, client_secret_file=tmp_path / "absent")
    for settings, key in [
        (application(entra), "app.client_secret_env"),
        (absent, "app.client_secret_file"),
        (with_alias(entra), "app.client_secret_alias"),
    ]:
        async with credential(settings) as app:
            with pytest.raises(ConfigurationError, match=key):
                await app.get_token(STORAGE)
    async with credential(with_alias(entra), vault=InMemoryVault()) as app:
        with pytest.raises(SecretNotFoundError, match="entra/secret"):
            await app.get_token(STORAGE)
