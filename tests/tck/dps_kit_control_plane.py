"""The public conformance kit of Data Plane Signaling (dps-tck 1.2.0) against our control plane."""

import asyncio
from pathlib import Path
from typing import Final

from connector_cli.demo.ports import free_ports
from tests.tck import java_kit
from tests.tck.control_plane_under_test import (
    AS_CONSUMER,
    AS_PROVIDER,
    ControlPlaneUnderTest,
    control_plane_under_test,
)
from tests.tck.kit_report import KitReport

CONTROL_PLANE_TESTS: Final = 10
_SEQUENCES: Final = ("01_01", "01_02", "02_01", "02_02", "03_01")
_AGREEMENTS: Final = {
    **{f"CP_C_{number}_AGREEMENTID": AS_CONSUMER for number in _SEQUENCES},
    **{f"CP_P_{number}_AGREEMENTID": AS_PROVIDER for number in _SEQUENCES},
}


def control_plane_configuration(cut: ControlPlaneUnderTest, *, kit_url: str) -> str:
    """The kit's properties for its control-plane tests."""
    properties = {
        "dataspacetck.ansi": "false",
        "dataspacetck.callback.address": kit_url,
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": kit_url.rpartition(":")[2],
        "dataspacetck.test.package": "org.eclipse.dataspacetck.dps.verification.controlplane",
        "dataspacetck.dps.controlplane.webhook.url": cut.webhook_url,
        "dataspacetck.dps.controlplane.protocol.url": cut.protocol_url,
        "dataspacetck.dps.controlplane.signaling.url": cut.signaling_url,
        **_AGREEMENTS,
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


async def run_kit(library: Path, folder: Path) -> KitReport:
    """Run the kit's control-plane tests against a control plane in this process; its files go to `folder`."""
    [port] = free_ports(1)
    kit_url = f"http://localhost:{port}"
    async with control_plane_under_test(kit_url) as cut:
        configuration = folder / "dps-control-plane.properties"
        configuration.write_text(control_plane_configuration(cut, kit_url=kit_url))
        log = folder / "dps-control-plane.log"
        return await asyncio.to_thread(java_kit.run, library, java_kit.DPS_MAIN, configuration, log)
