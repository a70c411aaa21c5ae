"""Two organisations with real processes and real storage, as the demo has them, for tests to play on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from connector_cli.demo.flow_watch import provider_process
from connector_cli.demo.organisation import Organisation
from connector_cli.demo.processes import ConnectorProcess
from connector_cli.demo.vaults.furniture import OrganisationVault
from connector_cli.demo.vaults.local import local_vault
from connector_cli.management_client import ENDED, ManagementError, offers_of
from tests.conftest import AzuriteForTests, AzuriteWithOAuth
from tests.eventually import eventually

USE = {"@type": "Set", "permission": [{"action": "use"}]}
PUSH = "AzureStorage-PUSH"


@dataclass(slots=True)
class Stage:
    """Provider and consumer, up and running."""

    provider: Organisation
    consumer: Organisation
    source_container: str
    processes: dict[str, ConnectorProcess] = field(default_factory=dict)

    async def upload(self, name: str, content: bytes) -> None:
        async with self.source() as container:
            await container.upload_blob(name, content, overwrite=True)

    def source(self) -> Any:
        """A client of the provider's container, with the provider's key."""
        return self.provider.container(self.source_container)

    def destination(self, container: str) -> Any:
        """A client of a consumer's container, with the consumer's key."""
        return self.consumer.container(container)

    async def offer(self, asset_id: str, **place: str) -> None:
        """Offer an asset of the provider's container under a contract that permits use."""
        address = {"type": "AzureStorage", "account": self.provider.account, "container": self.source_container}
        async with self.provider.client() as provider:
            await provider.create("assets", {"@id": asset_id, "properties": {}, "dataAddress": {**address, **place}})
            await provider.create("policydefinitions", {"@id": f"use-{asset_id}", "policy": USE})
            selector = [{"operandLeft": "id", "operator": "=", "operandRight": asset_id}]
            definition = {"@id": f"offer-{asset_id}", "assetsSelector": selector}
            policies = {"accessPolicyId": f"use-{asset_id}", "contractPolicyId": f"use-{asset_id}"}
            await provider.create("contractdefinitions", {**definition, **policies})

    async def agree(self, asset_id: str) -> str:
        """Negotiate a contract for the asset; returns the agreement's id."""
        address, provider_id = self.provider.protocol_url, self.provider.name
        async with self.consumer.client() as consumer:
            offers = offers_of(await consumer.catalog(address, provider_id))
            return await consumer.negotiate(address, provider_id, asset_id, offers[asset_id], wait_seconds=60)

    def request(self, agreement_id: str, **members: Any) -> dict[str, Any]:
        """A transfer request of the consumer's client."""
        return {
            "@type": "TransferRequest",
            "contractId": agreement_id,
            "counterPartyAddress": self.provider.protocol_url,
            "protocol": "dataspace-protocol-http:2025-1",
            "transferType": PUSH,
            "dataDestination": {"type": "AzureStorage", "account": self.consumer.account},
            **members,
        }

    async def start(self, agreement_id: str, **members: Any) -> str:
        """Start a transfer; returns the process id."""
        async with self.consumer.client() as consumer:
            return await consumer.create("transferprocesses", self.request(agreement_id, **members))

    async def ended(
        self, process_id: str, *, seconds: float = 120, meanwhile: Callable[[], Awaitable[None]] | None = None
    ) -> dict[str, Any]:
        """Wait for the end; a consumer that is down for a moment is waited for."""
        async with self.consumer.client() as consumer, asyncio.timeout(seconds):
            while True:
                try:
                    process = await consumer.transfer(process_id)
                except ManagementError as error:
                    if error.status:
                        raise
                    process = {"state": "?"}
                if process["state"] in ENDED:
                    return process
                if meanwhile is not None:
                    await meanwhile()
                await asyncio.sleep(0.05)

    async def ended_at_provider(self, process_id: str, *, seconds: float = 120) -> dict[str, Any]:
        """Wait for the end of the provider's process that serves the consumer's."""

        async def has_ended() -> bool:
            return (await provider_process(self.provider, process_id))["state"] in ENDED

        await eventually(has_ended, seconds=seconds)
        return await provider_process(self.provider, process_id)

    async def deprovision(self, process_id: str) -> None:
        async with self.consumer.client() as consumer:
            await consumer.deprovision(process_id, wait_seconds=60)


@asynccontextmanager
async def two_organisations(
    azurite: AzuriteForTests,
    folder: Path,
    source_container: str,
    environment: dict[str, dict[str, str]] | None = None,
    *,
    embedded: bool = False,
    shares_vault: bool = True,
    vaults: Mapping[str, OrganisationVault] | None = None,
    before_start: Callable[[Stage], Awaitable[None]] | None = None,
) -> AsyncIterator[Stage]:
    """Start both, with settings by process name ("provider", "consumer", "data plane") that win over the files.

    `shares_vault`: whether the provider's data plane uses the vault of its control plane. `vaults`: by organisation, in
    place of local files.
    """
    template, keys = azurite.endpoint_template, azurite.keys
    ca_file = azurite.ca_file if isinstance(azurite, AzuriteWithOAuth) else None

    def organisation(name: str, *, has_data_plane: bool, own_vault: bool) -> Organisation:
        place, account = folder / name, f"{name}org"
        vault = vaults[name] if vaults else local_vault(place)
        second = local_vault(place, "data-plane-vault") if own_vault else None
        return Organisation(name, account, keys[account], place, template, has_data_plane, vault, second, ca_file)

    provider = organisation("provider", has_data_plane=not embedded, own_vault=not shares_vault)
    consumer = organisation("consumer", has_data_plane=False, own_vault=False)
    for side in (provider, consumer):
        await side.furnish()
    provider.write_configuration(consumer)
    consumer.write_configuration(provider)
    stage = Stage(provider, consumer, source_container)
    async with stage.source() as container:
        await container.create_container()
    if not embedded:
        stage.processes["data plane"] = provider.data_plane()
    stage.processes |= {"provider": provider.connector(), "consumer": consumer.connector()}
    for name, settings in (environment or {}).items():
        stage.processes[name].environment.update(settings)
    if before_start is not None:
        await before_start(stage)
    try:
        for process in stage.processes.values():
            await process.start()
        yield stage
    finally:
        for process in stage.processes.values():
            await process.stop()
