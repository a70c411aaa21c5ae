"""A conformance kit as a Java program: Maven fetches it once into a folder, then it runs against a configuration."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.tck.kit_report import KitReport

DPS_MAIN: Final = "org.eclipse.dataspacetck.dps.DpsTckSuite"
_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_ABSENT: Final = re.compile(r"Could not find artifact (org\.eclipse\.dataspacetck\.\S+)")
"""How Maven says that a registry answered, and has no such part of a kit."""
_FETCH_SECONDS: Final = 600
_RUN_SECONDS: Final = 900


class KitUnavailableError(Exception):
    """The kit cannot be had."""


class KitNotInRegistryError(KitUnavailableError):
    """The registry that Maven reaches does not hold the kit."""


def library(pom: Path, folder: Path, *, given_by: str) -> Path:
    """The folder of the kit's jars: the one that the environment variable `given_by` names, else `folder`, fetched.

    Raises:
        KitNotInRegistryError: The registry answered, and does not hold the kit.
        KitUnavailableError: The named folder has no jar; or Maven is not there, or failed for another reason.
    """
    given = os.environ.get(given_by)
    if not given:
        return fetched(pom, folder, given_by=given_by)
    if not any(Path(given).glob("*.jar")):
        raise KitUnavailableError(f"{given_by} names {given}, where no jar is: name the folder of the kit's jars.")
    return Path(given)


def fetched(pom: Path, folder: Path, *, given_by: str) -> Path:
    """The folder with the kit and all that it needs; fetched when the pom is younger than it.

    Raises:
        KitNotInRegistryError: The registry answered, and does not hold the kit.
        KitUnavailableError: Maven is not there, or failed for another reason.
    """
    done = folder / ".done"
    if done.exists() and done.stat().st_mtime >= pom.stat().st_mtime:
        return folder
    # Jars of the version before would stay on the class path.
    shutil.rmtree(folder, ignore_errors=True)
    # With the group in each file's name, because several jars of the kit are called alike.
    goals = [_COPY, "-DincludeScope=runtime", "-Dmdep.prependGroupId=true", f"-DoutputDirectory={folder.resolve()}"]
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
        raise _unavailable(f"{got.stdout}{got.stderr}", given_by)
    folder.mkdir(parents=True, exist_ok=True)
    done.touch()
    return folder


def _unavailable(said: str, given_by: str) -> KitUnavailableError:
    absent = _ABSENT.search(said)
    if absent is None:
        return KitUnavailableError(f"Maven did not fetch the conformance kit:\n{said}")
    return KitNotInRegistryError(
        f"The registry that Maven reaches does not hold {absent[1]}, so not one test of the conformance kit has run. "
        f"Let Maven's settings name a registry that holds it, or name a folder of the kit's jars in {given_by}."
    )


def run(jars: Path, main: str, configuration: Path, log: Path, *further: str) -> KitReport:
    """Run the kit; what it prints goes to `log`.

    `main`: its main class, or a Java source file that drives it. `further`: arguments that only this program has.
    """
    with log.open("w") as output:
        subprocess.run(
            ["java", "-cp", f"{jars}/*", main, "-config", str(configuration), *further],
            check=False,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=_RUN_SECONDS,
        )
    return KitReport.of(log.read_text())
