"""Key Vault's answers that are no secret: missing, forbidden, throttled and away are four different errors."""

from pathlib import Path

import pytest
from azure.core.credentials import AccessTokenInfo, TokenRequestOptions

from connector_spi.errors import (
    SecretNotFoundError,
    VaultForbiddenError,
    VaultThrottledError,
    VaultUnavailableError,
)
from entra_identity.credential import EntraCredential
from entra_identity.proofs import SourceOpener
from tests.emulated import RunningEntra, RunningKeyVault, running_entra, running_key_vault
from tests.identities import SECRET_VARIABLE
from tests.integration.azure_key_vault.opened_vaults import (
    application,
    opened,
    operator_at,
    vault_settings,
)
from vault_adapters.azure_key_vault import open_key_vault

AN_HOUR = 3600


async def test_a_missing_secret(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server) as vault:
        with pytest.raises(SecretNotFoundError, match="'never/there'"):
            await vault.resolve("never/there")


async def test_an_identity_without_a_role_is_forbidden(tmp_path: Path, entra_server: RunningEntra) -> None:
    others = (entra_server.managed_identity_object_id,)
    async with running_key_vault(tmp_path, entra_server, object_ids=others) as key_vault, opened(key_vault) as vault:
        for call in (vault.resolve("alias"), vault.store("alias", "value"), vault.delete("alias"), vault.aliases()):
            with pytest.raises(VaultForbiddenError, match=r"403 Forbidden ForbiddenByRbac.*Secrets Officer"):
                await call


async def test_a_disabled_secret_is_forbidden_and_not_missing(key_vault_server: RunningKeyVault) -> None:
    async with operator_at(key_vault_server) as operator, opened(key_vault_server) as vault:
        await operator.set_secret("switched-off", "value", enabled=False)
        with pytest.raises(VaultForbiddenError, match="disabled"):
            await vault.resolve("switched-off")


async def test_throttling_is_waited_for_within_the_limit(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server) as vault:
        await vault.store("throttled", "value")
        await key_vault_server.throttle(2)
        assert await vault.resolve("throttled") == "value"


async def test_lasting_throttling_says_when_to_come_back_and_is_not_made_worse(
    tmp_path: Path, entra_server: RunningEntra
) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as key_vault,
        opened(key_vault, call_seconds=2) as vault,
    ):
        await key_vault.throttle(1000)
        with pytest.raises(VaultThrottledError) as raised:
            await vault.resolve("throttled")
        assert raised.value.retry_after_seconds == 1
        assert len(await key_vault.requests()) <= 3  # a second between them, within two seconds


async def test_a_failing_server_is_asked_again_and_then_unavailable(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server) as vault:
        await vault.store("failing", "value")
        await key_vault_server.fail(3, status=503)
        assert await vault.resolve("failing") == "value"
        await key_vault_server.fail(4, status=500)
        with pytest.raises(VaultUnavailableError, match="500"):
            await vault.resolve("failing")


async def test_a_server_that_is_away_is_unavailable_until_it_is_back(
    tmp_path: Path, entra_server: RunningEntra
) -> None:
    async with running_key_vault(tmp_path, entra_server) as key_vault, opened(key_vault) as vault:
        await vault.store("alias", "value")
        await key_vault.kill()
        with pytest.raises(VaultUnavailableError):
            await vault.resolve("alias")
        await key_vault.start_again()
        assert await vault.resolve("alias") == "value"


async def test_an_answer_that_does_not_come_is_not_waited_for(tmp_path: Path, entra_server: RunningEntra) -> None:
    async with (
        running_key_vault(tmp_path, entra_server) as key_vault,
        opened(key_vault, call_seconds=1) as vault,
    ):
        await vault.store("alias", "value")
        await key_vault.delay(100, seconds=60)
        with pytest.raises(VaultUnavailableError):
            await vault.resolve("alias")


async def test_a_token_service_that_is_away_makes_the_vault_unavailable(tmp_path: Path) -> None:
    async with (
        running_entra(tmp_path / "entra") as entra,
        running_key_vault(tmp_path, entra) as key_vault,
        opened(key_vault) as vault,
    ):
        await entra.kill()
        with pytest.raises(VaultUnavailableError):
            await vault.store("alias", "value")
        await entra.start_again()
        await vault.store("alias", "value")


async def test_another_server_is_not_taken_for_an_empty_vault(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server, url=key_vault_server.entra.url) as vault:
        with pytest.raises(VaultForbiddenError, match=r"vault\.url"):
            await vault.resolve("alias")


async def test_a_server_that_wants_a_foreign_token_gets_none(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server, verify_challenge_resource=True) as vault:
        with pytest.raises(VaultForbiddenError, match="verify_challenge_resource"):
            await vault.resolve("alias")


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server, ca_file=None) as vault:
        with pytest.raises(VaultUnavailableError, match="Certificate"):
            await vault.resolve("alias")


async def test_a_wrong_client_secret_is_forbidden_by_entras_number(key_vault_server: RunningKeyVault) -> None:
    async with opened(key_vault_server, environ={SECRET_VARIABLE: "planted-wrong-secret"}) as vault:
        with pytest.raises(VaultForbiddenError, match="AADSTS7000215") as raised:
            await vault.resolve("alias")
    assert "planted" not in f"{raised.value!r} {raised.value}"


async def test_a_vault_of_another_tenant_is_forbidden(tmp_path: Path, entra_server: RunningEntra) -> None:
    async with (
        running_entra(tmp_path / "entra") as other,
        running_key_vault(tmp_path, other) as key_vault,
        opened(key_vault, application(entra_server), environ={SECRET_VARIABLE: entra_server.client_secret}) as vault,
    ):
        with pytest.raises(VaultForbiddenError, match="another tenant"):
            await vault.resolve("alias")


class TokenOfAnotherService(EntraCredential):
    """Asks for a token of storage, whatever is wanted."""

    async def get_token_info(self, *_scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        return await super().get_token_info("https://storage.azure.com/.default", options=options)


async def test_a_token_for_another_service_is_forbidden(key_vault_server: RunningKeyVault) -> None:
    entra = key_vault_server.entra
    opener = SourceOpener("other", application(entra), environ={SECRET_VARIABLE: entra.client_secret}, vault=None)
    credential = TokenOfAnotherService("other", opener)
    vault = open_key_vault(vault_settings(key_vault_server), credential)
    try:
        with pytest.raises(VaultForbiddenError, match=r"401 Unauthorized.*does not accept the identity's token"):
            await vault.resolve("alias")
    finally:
        await vault.aclose()
        await credential.aclose()


async def test_a_token_that_has_ended_by_the_vaults_clock_is_replaced_once(tmp_path: Path) -> None:
    async with (
        running_entra(tmp_path / "entra") as entra,
        running_key_vault(tmp_path, entra) as key_vault,
        opened(key_vault) as vault,
    ):
        await vault.store("alias", "value")
        await key_vault.set_clock(offset_seconds=2 * AN_HOUR)
        with pytest.raises(VaultForbiddenError, match=r"401 Unauthorized.*clocks"):
            await vault.resolve("alias")
        await entra.set_clock(offset_seconds=2 * AN_HOUR)
        assert await vault.resolve("alias") == "value"
