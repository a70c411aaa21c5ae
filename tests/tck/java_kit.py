"""A conformance kit as a Java program: Maven fetches it once into a folder, then it runs against a configuration."""

import re
import subprocess
from pathlib import Path
from typing import Final

from tests.tck.kit_report import KitReport

DPS_MAIN: Final = "org.eclipse.dataspacetck.dps.DpsTckSuite"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_ABSENT: Final = re.compile(r"Could not find artifact (org\.eclipse\.dataspacetck\.\S+)")
"""How Maven says that a registry answered, and has no such part of a kit."""
_FETCH_SECONDS: Final = 600
_RUN_SECONDS: Final = 300


class KitUnavailableError(Exception):
    """The kit cannot be had."""


class KitNotInRegistryError(KitUnavailableError):
    """The registry that Maven reaches does not hold the kit."""


def given(library: Path) -> Path:
    """A folder of jars that somebody else has put together.

    Raises:
        KitUnavailableError: No jar is there.
    """
    if not any(library.glob("*.jar")):
        raise KitUnavailableError(f"DPS_TCK_LIB names {library}, where no jar is: name the folder of the kit's jars.")
    return library


def fetched(pom: Path, library: Path) -> Path:
    """The folder with the kit and all that it needs; fetched when the pom is younger than it.

    Raises:
        KitNotInRegistryError: The registry answered, and does not hold the kit.
        KitUnavailableError: Maven is not there, or failed for another reason.
    """
    done = library / ".done"
    if done.exists() and done.stat().st_mtime >= pom.stat().st_mtime:
        return library
    # With the group in each file's name, because several jars of the kit are called alike.
    goals = [_COPY, "-DincludeScope=runtime", "-Dmdep.prependGroupId=true", f"-DoutputDirectory={library.resolve()}"]
    try:
        got = subprocess.run(
            # -U: ask the registry again for what it did not have the last time.
            ["mvn", "-q", "-B", "-U", "-f", str(pom), *goals],
            check=False,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
        )
    except FileNotFoundError as error:
        raise KitUnavailableError("Maven is needed (the command mvn).") from error
    if got.returncode:
        raise _unavailable(f"{got.stdout}{got.stderr}")
    done.touch()
    return library


def _unavailable(said: str) -> KitUnavailableError:
    absent = _ABSENT.search(said)
    if absent is None:
        return KitUnavailableError(f"Maven did not fetch the conformance kit:\n{said}")
    return KitNotInRegistryError(
        f"The registry that Maven reaches does not hold {absent[1]}, so not one test of the conformance kit has run. "
        "Let Maven's settings name a registry that holds it, or name a folder of the kit's jars in DPS_TCK_LIB."
    )


def run(library: Path, main: str, configuration: Path, log: Path) -> KitReport:
    """Run the kit; what it prints goes to `log` as well."""
    with log.open("w") as output:
        subprocess.run(
            ["java", "-cp", f"{library}/*", main, "-config", str(configuration)],
            check=False,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_RUN_SECONDS,
        )
    return KitReport.of(log.read_text())
