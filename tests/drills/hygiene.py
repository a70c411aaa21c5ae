"""Nothing of a transfer stays: not in a vault, not in what a vault server keeps, not in a log or a database."""

import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from connector_cli.demo.flow_watch import provider_process
from connector_cli.demo.organisation import Organisation
from connector_spi.errors import SecretNotFoundError
from tests.drills.clients import Record, is_audit, records_in
from tests.drills.transfers import Transfer
from tests.end_to_end.secret_search import holds
from tests.end_to_end.stage import Stage
from tests.eventually import eventually

_SIGNATURE: Final = re.compile(r"sig=([^&\"\\]+)")
_OPERATIONS: Final = ("resolve", "store", "delete")


@dataclass(slots=True)
class Hygiene:
    """Looks at both organisations. `servers`: where vault servers keep what they have; none with local vaults."""

    stage: Stage
    servers: tuple[Path, ...] = ()
    lasting: frozenset[str] = frozenset()
    """What was in the vaults before there was a transfer: `<owner> <alias>`."""
    known: set[str] = field(default_factory=set)
    """Lasting secrets, also those that have been replaced."""
    signatures: set[str] = field(default_factory=set)

    async def begin(self) -> None:
        """Remember what belongs in the vaults."""
        self.lasting = frozenset(await self._secrets())

    async def look(self) -> None:
        """The signatures of what runs lie in both vaults, and servers have them: else the search means nothing."""
        secrets = await self._secrets()
        owners = {name.split()[0] for name, secret in secrets.items() if _SIGNATURE.search(secret)}
        assert owners == {"provider", "consumer"}
        assert self._servers_with_signatures() == [*self.servers]

    async def nothing_is_left_in_vaults(self) -> None:
        """Everything but what was there before is gone, as adapters see it and as the servers keep it."""
        with suppress(TimeoutError):
            await eventually(self._is_clean, seconds=60)
        assert frozenset(await self._secrets()) == self.lasting
        assert not self._servers_with_signatures()

    def nothing_is_written_down(self) -> None:
        """No secret that was ever seen is in a log, a database or a configuration."""
        assert self.signatures, "no signature was ever seen: the search means nothing"
        for side in self._sides():
            for file in written_by(side):
                content = file.read_bytes()
                found = [secret[:6] for secret in self.known | self.signatures if holds(content, secret)]
                assert not found, f"{file.name} of the {side.name}: {found}"

    async def accesses_are_on_record(self, transfers: Iterable[Transfer]) -> None:
        """Each access is told with alias and reason; of each transfer its storing, reading and deleting, at both."""
        for side in self._sides():
            for record in audited(side):
                told = {name: record.get(name) for name in ("actor", "alias", "operation", "outcome", "purpose")}
                assert all(told.values()), record
                assert told["purpose"] != "not told", record
        for transfer in transfers:
            theirs = (await provider_process(self.stage.provider, transfer.process_id))["@id"]
            for side, process_id in ((self.stage.consumer, transfer.process_id), (self.stage.provider, theirs)):
                alias = f"transfer-process-{process_id}-data-address"
                done = [r["operation"] for r in audited(side) if r["alias"] == alias and r["outcome"] == "ok"]
                assert set(_OPERATIONS) <= set(done), f"{side.name}: {done}"

    async def _is_clean(self) -> bool:
        return frozenset(await self._secrets()) == self.lasting and not self._servers_with_signatures()

    def _servers_with_signatures(self) -> list[Path]:
        return [file for file in self.servers if b"sig=" in file.read_bytes()]

    async def _secrets(self) -> dict[str, str]:
        found = {}
        for side in self._sides():
            vault = side.open_vault()
            try:
                for alias in await vault.aliases():
                    # Between the two calls a transfer may have ended, and its secret been deleted.
                    with suppress(SecretNotFoundError):
                        found[f"{side.name} {alias}"] = await vault.resolve(alias)
            finally:
                await vault.aclose()
        for secret in found.values():
            signatures = set(_SIGNATURE.findall(secret))
            self.signatures |= signatures
            self.known |= set() if signatures else {secret}
        return found

    def _sides(self) -> tuple[Organisation, Organisation]:
        return self.stage.provider, self.stage.consumer


def written_by(side: Organisation) -> list[Path]:
    """Logs, configurations, databases with their journals, and the sealed file of a local vault, but not its key."""
    return [file for file in side.folder.iterdir() if file.is_file() and file.suffix != ".key"]


def audited(side: Organisation) -> list[Record]:
    """The audit records of all processes of the organisation."""
    return [record for log in side.folder.glob("*.log") for record in records_in(log) if is_audit(record)]
