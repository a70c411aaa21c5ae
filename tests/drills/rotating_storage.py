"""An Azurite whose account keys are regenerated while transfers run, in the order of docs/azure.md."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from connector_cli.azurite import new_account_key, running_azurite
from tests.conftest import AzuriteForTests


@dataclass(slots=True)
class RotatingStorage:
    """As in the service each account has two keys at once."""

    folder: Path
    keys: dict[str, tuple[str, str]]
    endpoint_template: str = ""
    _running: AsyncExitStack = field(default_factory=AsyncExitStack)

    def for_tests(self) -> AzuriteForTests:
        """Its address, and the keys that connectors use at first."""
        return AzuriteForTests(self.endpoint_template, {account: first for account, (first, _) in self.keys.items()})

    def second_key(self, account: str) -> str:
        """The key that is not in use."""
        return self.keys[account][1]

    async def regenerate_first_key(self, account: str) -> None:
        """From now on storage refuses it, and everything that was signed with it; the second key becomes the first."""
        self.keys[account] = (self.second_key(account), new_account_key())
        await self.stop()
        await self.start()

    async def start(self) -> None:
        """Listen, at the same address as before if there was one."""
        accounts = {account: ":".join(pair) for account, pair in self.keys.items()}
        port = urlsplit(self.endpoint_template).port or 0
        running = running_azurite(accounts=accounts, data_folder=self.folder, port=port)
        self.endpoint_template = (await self._running.enter_async_context(running)).endpoint_template

    async def stop(self) -> None:
        """End the process; what is stored stays."""
        await self._running.aclose()


@asynccontextmanager
async def rotating_storage(folder: Path) -> AsyncIterator[RotatingStorage]:
    """Start it, and stop it at the end."""
    keys = {account: (new_account_key(), new_account_key()) for account in ("providerorg", "consumerorg")}
    storage = RotatingStorage(folder, keys)
    await storage.start()
    try:
        yield storage
    finally:
        await storage.stop()
