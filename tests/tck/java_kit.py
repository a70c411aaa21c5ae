"""A conformance kit as a Java program: Maven fetches it once into a folder, then it runs against a configuration."""

import subprocess
from pathlib import Path
from typing import Final

from tests.tck.kit_report import KitReport

_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_FETCH_SECONDS: Final = 600
_RUN_SECONDS: Final = 300


class KitUnavailableError(Exception):
    """Maven cannot fetch the kit."""


def fetched(pom: Path, library: Path) -> Path:
    """The folder with the kit and all that it needs; fetched when the pom is younger than it.

    Raises:
        KitUnavailableError: Maven is not there, or what it asks does not serve the kit.
    """
    done = library / ".done"
    if done.exists() and done.stat().st_mtime >= pom.stat().st_mtime:
        return library
    # With the group in each file's name, because several jars of the kit are called alike.
    goals = [_COPY, "-DincludeScope=runtime", "-Dmdep.prependGroupId=true", f"-DoutputDirectory={library.resolve()}"]
    try:
        got = subprocess.run(
            ["mvn", "-q", "-B", "-f", str(pom), *goals],
            check=False,
            capture_output=True,
            text=True,
            timeout=_FETCH_SECONDS,
        )
    except FileNotFoundError as error:
        raise KitUnavailableError("Maven is needed (the command mvn).") from error
    if got.returncode:
        raise KitUnavailableError(f"Maven did not fetch the conformance kit:\n{got.stdout}{got.stderr}")
    done.touch()
    return library


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
