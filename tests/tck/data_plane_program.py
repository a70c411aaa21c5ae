"""A data plane in a process of its own, for the conformance kit: `python -m tests.tck.data_plane_program OWN KIT`.

OWN is its own address, KIT the address at which the kit plays the control plane.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from data_plane.bootstrap import build_data_plane
from tests.tck.scripted_plane import EXTENSIONS, FACTORIES, settings_for
from vault_adapters.memory import InMemoryVault


async def _serve(own_url: str, kit_url: str, folder: Path) -> None:
    own = urlsplit(own_url)
    settings = settings_for(
        database_url=f"sqlite:///{folder}/flows.db",
        own_url=own_url,
        control_plane_url=kit_url,
        kit_host=urlsplit(kit_url).netloc,
    )
    vault = InMemoryVault({})
    async with build_data_plane(settings, vault=vault, further=FACTORIES, extensions=EXTENSIONS) as plane:
        config = uvicorn.Config(plane.app, host="127.0.0.1", port=own.port or 80, log_level="warning", lifespan="on")
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(_serve(sys.argv[1], sys.argv[2], Path(folder)))
