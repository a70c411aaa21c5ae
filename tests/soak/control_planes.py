"""A soak: two control planes under random disturbances until the time is up. Run it with `make soak-protocol`.

Each round plays a hundred runs of one state machine of `tests/property`, under a seed of its own. `SOAK_MINUTES` says
how long; `SOAK_SEED`, with the number that a failed round printed, plays that round alone.
"""

import os
import secrets
import sys
import time
from itertools import cycle
from typing import Final

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.property.disturbances import Disturbances
from tests.property.profiles import soak_settings
from tests.property.test_negotiations import Negotiations
from tests.property.test_transfers import Transfers

pytestmark = [pytest.mark.slow]

MINUTES: Final = float(os.environ.get("SOAK_MINUTES", "10"))
SEED: Final = os.environ.get("SOAK_SEED", "")
RUNS_IN_A_ROUND: Final = 100
MACHINES: Final[tuple[type[Disturbances], ...]] = (Negotiations, Transfers)


def test_control_planes_under_random_disturbances(capsys: pytest.CaptureFixture[str]) -> None:
    if SEED:
        for machine in MACHINES:
            play(machine, int(SEED))
        return
    end = time.monotonic() + MINUTES * 60
    for round_number, machine in enumerate(cycle(MACHINES), start=1):
        if time.monotonic() > end:
            return
        round_seed = secrets.randbelow(2**32)
        with capsys.disabled():
            sys.stdout.write(f"round {round_number}: {machine.__name__}, SOAK_SEED={round_seed}\n")
        play(machine, round_seed)


def play(machine: type[Disturbances], round_seed: int) -> None:
    """One round."""

    @seed(round_seed)
    class Seeded(machine):  # type: ignore[valid-type, misc]
        """The machine, under this seed."""

    run_state_machine_as_test(Seeded, settings=soak_settings(RUNS_IN_A_ROUND))
