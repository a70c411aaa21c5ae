"""The real `connector data-plane` command in a process of its own, configured for one run."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from benchmarks.errors import BenchmarkError
from benchmarks.stage import SOURCE_ACCOUNT, Stage
from connector_cli.demo.ports import free_ports
from vault_adapters.factory import create_vault
from vault_adapters.settings import LocalVaultSettings

_TOKEN: Final = "token-of-the-benchmark"
_TOKEN_ALIAS: Final = "signaling-token"
_SIGNING_KEY_ALIAS: Final = "participant-signing-key"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 0.02
_OK: Final = 200
_REPOSITORY: Final = Path(__file__).resolve().parents[2]
_LOG_TAIL: Final = 300

CONFIGURATION: Final = """\
[vault]
type = "local"
file = "vault.bin"
key_file = "vault.key"

[storage]
endpoint_template = "{endpoint_template}"

[data_plane]
port = {port}
database_url = "sqlite:///data-plane.db"
control_plane_url = "{control_plane}"
signaling_token_alias = "{token_alias}"
callback_token_alias = "{token_alias}"
receipt_signing_key_alias = "{signing_key_alias}"
{settings}
[logging]
level = "WARNING"
"""


@asynccontextmanager
async def running_data_plane(
    folder: Path, stage: Stage, *, control_plane: str, settings: Mapping[str, str | int]
) -> AsyncIterator[tuple[int, httpx.AsyncClient]]:
    """Start it, and stop it at the end; gives its process id and a client that may give it orders.

    `folder` takes its files, `control_plane` is where its call-backs go, `settings` belong to `[data_plane]`.

    Raises:
        BenchmarkError: it did not start. What fails while it runs is raised again with the end of its log.
    """
    await _store_secrets(folder, stage)
    [port] = free_ports(1)
    text = configuration_text(stage.endpoint_template, port, control_plane=control_plane, settings=settings)
    (folder / "data-plane.toml").write_text(text)
    log = folder / "data-plane.log"
    with log.open("wb") as stream:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "connector_cli", "data-plane", "--config", str(folder / "data-plane.toml")),
            stdout=stream,
            stderr=stream,
            cwd=_REPOSITORY,
        )
    try:
        async with _ordering(port) as client:
            await _until_ready(process, client)
            yield process.pid, client
    except BenchmarkError as error:
        raise BenchmarkError(f"{error}\n{log.read_text()[-_LOG_TAIL:]}") from error
    finally:
        await _stopped(process)


def configuration_text(
    endpoint_template: str, port: int, *, control_plane: str, settings: Mapping[str, str | int]
) -> str:
    """The data plane's TOML file."""
    lines = (
        f'{name} = "{value}"' if isinstance(value, str) else f"{name} = {value}" for name, value in settings.items()
    )
    return CONFIGURATION.format(
        endpoint_template=endpoint_template,
        port=port,
        control_plane=control_plane,
        token_alias=_TOKEN_ALIAS,
        signing_key_alias=_SIGNING_KEY_ALIAS,
        settings="".join(f"{line}\n" for line in lines),
    )


async def _store_secrets(folder: Path, stage: Stage) -> None:
    files = LocalVaultSettings(type="local", file=folder / "vault.bin", key_file=folder / "vault.key")
    vault = create_vault(files, {})
    try:
        await vault.store(_TOKEN_ALIAS, _TOKEN)
        await vault.store(_SIGNING_KEY_ALIAS, _new_signing_key())
        await vault.store(SOURCE_ACCOUNT, stage.keys[SOURCE_ACCOUNT])
    finally:
        await vault.aclose()


def _new_signing_key() -> str:
    """What `connector identity create` makes: receipts are signed, as in use."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _ordering(port: int) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {_TOKEN}"},
        timeout=_START_SECONDS,
        trust_env=False,
    )


async def _until_ready(process: Process, client: httpx.AsyncClient) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while process.returncode is None:
                if await _is_ready(client):
                    return
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise BenchmarkError(f"The data plane was not ready within {_START_SECONDS:.0f} seconds.") from None
    raise BenchmarkError("The data plane ended while it started.")


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/api/check/readiness")).status_code == _OK
    except httpx.TransportError:
        return False


async def _stopped(process: Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
