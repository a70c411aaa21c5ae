"""A process that writes to an embedded vault: run by the tests, as another connector process would.

Prints one line for each acknowledged write. The key comes by the environment, as in production.
"""

import asyncio
import os
import resource
import sys
from itertools import count
from pathlib import Path

from connector_spi.errors import ConnectorError
from vault_adapters.local import EncryptedLocalVault, VaultKey


async def main(path: Path, task: str, *arguments: str) -> None:
    key = VaultKey.parse(os.environ["VAULT_WORKER_KEY"], setting="VAULT_WORKER_KEY")
    vault = EncryptedLocalVault.create(path, key)
    match task, *arguments:
        case "create", *_:
            pass
        case "store-many", name, number:
            async with asyncio.TaskGroup() as tasks:
                for n in range(int(number)):
                    tasks.create_task(vault.store(f"{name}/{n}", f"{name} value {n}"))
        case "store-for-ever", name:
            for n in count():
                await vault.store(f"{name}/{n}", f"value of {name}/{n}")
                tell(f"{name}/{n}")
        case "store-with-file-size-limit", limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
            try:
                await vault.store("large", "x" * 20_000)
            except ConnectorError as error:
                tell(f"{error.code}: {error}")


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
