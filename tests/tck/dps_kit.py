"""`make tck-dps`: the public conformance kit of Data Plane Signaling (dps-tck 1.2.0) against our data plane.

Fails on anything but 28 successful tests, and when the kit cannot be fetched.
"""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket
from typing import Final

from tests.tck import java_kit
from tests.tck.scripted_plane import ASYNCHRONOUS, COMPLETING, HELD

HERE: Final = Path(__file__).parent
RUN: Final = HERE.parent.parent / ".run" / "tck"
MAIN: Final = "org.eclipse.dataspacetck.dps.DpsTckSuite"
DATA_PLANE_TESTS: Final = 28
_READY_SECONDS: Final = 30

_SENTINELS: Final = {
    **{f"DP_{kind}_04_01_AGREEMENTID": ASYNCHRONOUS for kind in ("C_PULL", "P_PULL", "C_PUSH", "P_PUSH")},
    **{f"DP_{kind}_03_01_AGREEMENTID": COMPLETING for kind in ("C_PULL", "P_PUSH")},
    **{f"DP_C_HTTP_PULL_0{number}_01_DATASETID": HELD for number in (1, 2)},
}
"""What tells our scripted data plane apart what the kit's messages do not."""


def data_plane_configuration(*, own_url: str, kit_url: str) -> str:
    """The kit's properties for its data-plane tests."""
    port = kit_url.rpartition(":")[2]
    properties = {
        "dataspacetck.ansi": "false",
        "dataspacetck.callback.address": kit_url,
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": port,
        "dataspacetck.test.package": "org.eclipse.dataspacetck.dps.verification.dataplane",
        "dataspacetck.dps.dataplane.url": own_url,
        "dataspacetck.dps.dataplane.counterparty.id": f"did:web:localhost%3A{port}",
        **_SENTINELS,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def main() -> int:
    """Fetch, run, count; the exit code."""
    RUN.mkdir(parents=True, exist_ok=True)
    try:
        library = java_kit.fetched(HERE / "pom.xml", RUN / "dps-tck")
    except java_kit.KitUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    own_url, kit_url = f"http://127.0.0.1:{_free_port()}", f"http://localhost:{_free_port()}"
    configuration = RUN / "dps-data-plane.properties"
    configuration.write_text(data_plane_configuration(own_url=own_url, kit_url=kit_url))
    with _data_plane(own_url, kit_url):
        report = java_kit.run(library, MAIN, configuration, RUN / "dps-data-plane.log")
    sys.stdout.write(f"dps-tck, data plane: {report}\n")
    return 0 if report.passed(DATA_PLANE_TESTS) else 1


@contextmanager
def _data_plane(own_url: str, kit_url: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", "tests.tck.data_plane_program", own_url, kit_url])
    try:
        _wait_until_ready(f"{own_url}/api/check/readiness")
        yield
    finally:
        process.terminate()
        process.wait()


def _wait_until_ready(url: str) -> None:
    ends = time.monotonic() + _READY_SECONDS
    while time.monotonic() < ends:
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - our own loopback address
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise TimeoutError(f"The data plane did not answer at {url} within {_READY_SECONDS} seconds.")


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
