"""The programs of others that are used: where they are, and how they are got. All fit into one cache folder."""

import platform
import shutil
import subprocess
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkError, UnavailableError

CACHE: Final = Path(__file__).resolve().parent.parent / ".run" / "benchmarks"
"""Ignored by git, removed by `make clean`."""
DEBIAN: Final = CACHE / "debian"
"""Debian packages, unpacked."""
LIBRARIES: Final = DEBIAN / "usr/lib" / f"{platform.machine()}-linux-gnu"
DEBIAN_PACKAGES: Final = ("rclone", "libsecret-1-0")
"""rclone, and a library that AzCopy needs."""
AZCOPY_PACKAGE: Final = "@azure-tools/azcopy-linux@10.32.2"
STUB_SOURCE: Final = Path(__file__).parent / "stub"
_AZCOPY_IN_PACKAGE: Final = "node_modules/@azure-tools/azcopy-linux/dist/bin/azcopy_linux_amd64"
_FETCH: Final = "make benchmark ARGS=--fetch-peers (Debian or Ubuntu), or install it yourself"
_GO_USUAL_PLACE: Final = Path("/usr/local/go/bin/go")
_BUILD_SECONDS: Final = 300


def find_rclone() -> Path:
    """The program on the path, or unpacked in the cache.

    Raises:
        UnavailableError: it is in neither place.
    """
    return _found("rclone", DEBIAN / "usr/bin/rclone", _FETCH)


def find_azcopy() -> Path:
    """The program on the path, or in the npm package in the cache.

    Raises:
        UnavailableError: it is in neither place.
    """
    found = _found("azcopy", CACHE / _AZCOPY_IN_PACKAGE, _FETCH)
    found.chmod(found.stat().st_mode | 0o100)
    return found


def find_go() -> Path:
    """Go, on the path or where its installer puts it.

    Raises:
        UnavailableError: it is in neither place.
    """
    return _found("go", _GO_USUAL_PLACE, "install Go 1.21 or newer; without it, only Azurite can be used")


def built_stub() -> Path:
    """The stub server, built into the cache; quick when nothing has changed. Needs Go's standard library only.

    Raises:
        UnavailableError: there is no Go.
        BenchmarkError: it does not build.
    """
    go = find_go()
    program = CACHE / "stub"
    CACHE.mkdir(parents=True, exist_ok=True)
    built = subprocess.run(
        [str(go), "build", "-buildvcs=false", "-o", str(program), "."],
        cwd=STUB_SOURCE,
        capture_output=True,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    if built.returncode:
        raise BenchmarkError(f"The stub does not build: {built.stderr[-1000:]}")
    return program


def _found(name: str, elsewhere: Path, remedy: str) -> Path:
    on_path = shutil.which(name)
    if on_path:
        return Path(on_path)
    if elsewhere.is_file():
        return elsewhere
    raise UnavailableError(f"{name} is not on this machine. To get it: {remedy}")
