"""PolicyFunctionRegistry: which function answers to a left operand. Each name belongs to one function."""

from collections.abc import Iterable

from connector_spi.errors import ConfigurationError
from control_plane.ports.policy_function import PolicyFunction


class PolicyFunctionRegistry:
    """Functions by the names that they answer to."""

    def __init__(self, functions: Iterable[PolicyFunction]) -> None:
        """Register the functions.

        Raises:
            ConfigurationError: two functions answer to the same left operand.
        """
        self._functions: dict[str, PolicyFunction] = {}
        for function in functions:
            self._register(function)
        self._prefixes = sorted((name for name in self._functions if name.endswith(":")), key=len, reverse=True)

    @property
    def names(self) -> list[str]:
        """Every name that is answered to."""
        return sorted(self._functions)

    def find(self, left_operand: str) -> PolicyFunction | None:
        """The function that answers to the left operand, the most specific one, or None."""
        if left_operand in self._functions:
            return self._functions[left_operand]
        prefix = next((name for name in self._prefixes if left_operand.startswith(name)), None)
        return None if prefix is None else self._functions[prefix]

    def _register(self, function: PolicyFunction) -> None:
        for name in function.names:
            if name in self._functions:
                raise ConfigurationError(
                    key=f"policy function {name!r}",
                    problem="is registered twice",
                    remedy="Each left operand belongs to one function: remove one of the plug-ins.",
                )
            self._functions[name] = function
