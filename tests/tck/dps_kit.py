"""`make tck-dps`: the public conformance kit of Data Plane Signaling (dps-tck 1.2.0) against our planes.

Exit status 0: all 28 tests of a data plane and all 10 of a control plane were successful. 3: the registry that Maven
reaches does not hold the kit, so nothing was run. 1: anything else. (`make` itself turns both into its own 2.)

The environment variable `DPS_TCK_LIB` names a folder of jars to run instead of asking Maven: the kit and all that it
needs.
"""

import asyncio
import sys
from pathlib import Path
from typing import Final

from tests.tck import dps_kit_control_plane, dps_kit_data_plane, java_kit

HERE: Final = Path(__file__).parent
RUN: Final = HERE.parent.parent / ".run" / "tck"
FAILED: Final = 1
NOT_IN_REGISTRY: Final = 3


def main() -> int:
    """Fetch, run, count; the exit status."""
    RUN.mkdir(parents=True, exist_ok=True)
    try:
        library = java_kit.library(HERE / "pom.xml", RUN / "dps-tck", given_by="DPS_TCK_LIB")
    except java_kit.KitNotInRegistryError as error:
        sys.stderr.write(f"{error}\n")
        return NOT_IN_REGISTRY
    except java_kit.KitUnavailableError as error:
        sys.stderr.write(f"{error}\n")
        return FAILED
    data_plane = dps_kit_data_plane.run_kit(library, RUN)
    sys.stdout.write(f"dps-tck, data plane: {data_plane}\n")
    control_plane = asyncio.run(dps_kit_control_plane.run_kit(library, RUN))
    sys.stdout.write(f"dps-tck, control plane: {control_plane}\n")
    passed = data_plane.passed(dps_kit_data_plane.DATA_PLANE_TESTS) and control_plane.passed(
        dps_kit_control_plane.CONTROL_PLANE_TESTS
    )
    return 0 if passed else FAILED


if __name__ == "__main__":
    sys.exit(main())
