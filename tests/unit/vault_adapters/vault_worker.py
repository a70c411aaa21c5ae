"""A process that writes to an embedded vault: run by the tests, as another connector process would.

Prints one line for each acknowledged write. The keys come by a file or by the environment, as in production.
"""

import asyncio
import os
import resource
import sys
from itertools import count
from pathlib import Path

from connector_spi.errors import ConnectorError
from vault_adapters.local import EncryptedLocalVault, KeyRing, VaultKey, parse_keys, read_key_file, rotate_key_file


async def main(path: Path, task: str, *arguments: str) -> None:
    vault = EncryptedLocalVault.create(path, KeyRing(keys))
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
        case "rotate-for-ever", key_file:
            for n in count():
                rotate_key_file(path, Path(key_file))
                tell(str(n))
        case "store-with-file-size-limit", limit:
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
            try:
                await vault.store("large", "x" * 20_000)
            except ConnectorError as error:
                tell(f"{error.code}: {error}")


def keys() -> tuple[VaultKey, ...]:
    """As in production: from the key file where there is one, else from the environment."""
    if "VAULT_WORKER_KEY_FILE" in os.environ:
        return read_key_file(Path(os.environ["VAULT_WORKER_KEY_FILE"]))
    return parse_keys(os.environ["VAULT_WORKER_KEY"], setting="VAULT_WORKER_KEY")


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
