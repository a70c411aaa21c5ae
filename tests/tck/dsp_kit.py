"""`make tck-dsp`: the public conformance kit of the Dataspace Protocol (dsp-tck 1.0.0-RC6) against our connector.

Exit status 0: every test that the kit enables was successful, and it enables all that we demand. 3: the registry that
Maven reaches does not hold the kit, so nothing was run. 1: anything else. (`make` itself turns both into its own 2.)

The environment variable `DSP_TCK_LIB` names a folder of jars to run instead of asking Maven: the kit and all that it
needs. An argument, a regular expression such as `CN:.*`, chooses tests by their ids while one works on them; the status
is 0 only when all were run.
"""

import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from connector_cli.demo.ports import free_ports
from connector_cli.logging_setup import TextLines
from control_plane.domain.contract_definition import OfferId
from tests.tck import java_kit
from tests.tck.control_plane_under_test import US
from tests.tck.dsp_connector import TRANSFER_TYPE, ConnectorUnderTest, connector_under_test
from tests.tck.dsp_report import DspReport
from tests.tck.dsp_scripts import DATASETS, NEGOTIATIONS, TRANSFERS, dataset_or_agreement_of, method_of
from tests.tck.dsp_seed import DEFINITION, KIT

HERE: Final = Path(__file__).parent
RUN: Final = HERE.parent.parent / ".run" / "tck"
FAILED: Final = 1
NOT_IN_REGISTRY: Final = 3
_MAIN: Final = HERE / "DspTck.java"


def main() -> int:
    """Fetch, run, count; the exit status."""
    RUN.mkdir(parents=True, exist_ok=True)
    try:
        jars = java_kit.library(HERE / "dsp_pom.xml", RUN / "dsp-tck", given_by="DSP_TCK_LIB")
    except java_kit.KitUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_IN_REGISTRY if isinstance(error, java_kit.KitNotInRegistryError) else FAILED
    log, connector_log = RUN / "dsp.log", RUN / "dsp-connector.log"
    _log_to(connector_log)
    began = time.monotonic()
    report = asyncio.run(run_kit(jars, log, *sys.argv[1:]))
    seconds = time.monotonic() - began
    sys.stdout.write(f"{report.failures}{report}\n")
    sys.stdout.write(f"dsp-tck ran for {seconds:.0f} seconds. It said: {log}; the connector said: {connector_log}\n")
    return 0 if report.passed() else FAILED


def _log_to(file: Path) -> None:
    handler = logging.FileHandler(file, mode="w")
    handler.setFormatter(TextLines())
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(logging.INFO)


async def run_kit(jars: Path, log: Path, *chosen: str) -> DspReport:
    """Run the kit against a connector in this process; what the kit prints goes to `log`."""
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as folder:
        async with connector_under_test(Path(folder)) as connector:
            configuration = log.with_suffix(".properties")
            configuration.write_text(configuration_for(connector, kit_url=f"http://127.0.0.1:{port}"))
            await asyncio.to_thread(java_kit.run, jars, str(_MAIN), configuration, log, *chosen)
    return DspReport.of(log.read_text())


def configuration_for(connector: ConnectorUnderTest, *, kit_url: str) -> str:
    """The kit's properties."""
    properties = {
        "dataspacetck.ansi": "false",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": kit_url.rpartition(":")[2],
        "dataspacetck.callback.address": kit_url,
        "dataspacetck.dsp.local.connector": "false",
        "dataspacetck.dsp.connector.agent.id": US,
        "dataspacetck.dsp.connector.http.url": connector.protocol_url,
        "dataspacetck.dsp.connector.http.base.url": connector.root_url,
        "dataspacetck.dsp.connector.http.headers.authorization": json.dumps({"clientId": KIT}),
        "dataspacetck.dsp.connector.negotiation.initiate.url": f"{connector.triggers_url}/negotiations",
        "dataspacetck.dsp.connector.transfer.initiate.url": f"{connector.triggers_url}/transfers",
        **_ids(),
    }
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _ids() -> dict[str, str]:
    """Test by test, the dataset, offer or agreement by which we know it."""
    ids = {f"{method_of(test)}_DATASETID": dataset for test, dataset in DATASETS.items()}
    for test in NEGOTIATIONS:
        dataset = dataset_or_agreement_of(test)
        ids[f"{method_of(test)}_DATASETID"] = dataset
        ids[f"{method_of(test)}_OFFERID"] = str(OfferId(definition_id=DEFINITION, asset_id=dataset))
    for test in TRANSFERS:
        ids[f"{method_of(test)}_AGREEMENTID"] = dataset_or_agreement_of(test)
        ids[f"{method_of(test)}_FORMAT"] = TRANSFER_TYPE
    return ids


if __name__ == "__main__":
    sys.exit(main())
