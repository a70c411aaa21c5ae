"""The public conformance kit of Data Plane Signaling (dps-tck 1.2.0) against our data plane."""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from connector_cli.demo.ports import free_ports
from tests.tck import java_kit
from tests.tck.kit_report import KitReport
from tests.tck.scripted_plane import ASYNCHRONOUS, COMPLETING, HELD

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


def run_kit(library: Path, folder: Path) -> KitReport:
    """Run the kit's data-plane tests against a data plane in a process of its own; its files go to `folder`."""
    own_port, kit_port = free_ports(2)
    own_url, kit_url = f"http://127.0.0.1:{own_port}", f"http://localhost:{kit_port}"
    configuration = folder / "dps-data-plane.properties"
    configuration.write_text(data_plane_configuration(own_url=own_url, kit_url=kit_url))
    with _data_plane(own_url, kit_url):
        return java_kit.run(library, java_kit.DPS_MAIN, configuration, folder / "dps-data-plane.log")


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
