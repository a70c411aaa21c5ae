"""How long the machines search: in the test run always in the same way, in a soak at random and for long."""

from typing import Final

from hypothesis import HealthCheck, Phase, settings

_STEPS: Final = 40


def machine_settings(examples: int) -> settings:
    """For one state machine in the test run."""
    return settings(
        max_examples=examples,
        stateful_step_count=_STEPS,
        derandomize=True,
        deadline=None,
        database=None,
        print_blob=True,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )


def soak_settings(examples: int) -> settings:
    """For one round of a soak: longer runs, another seed each time."""
    return settings(machine_settings(examples), stateful_step_count=2 * _STEPS, derandomize=False)
