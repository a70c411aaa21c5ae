"""Left operands of third parties: by a parameter, and by the entry points of installed packages."""

import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from connector_spi.clock import SystemClock
from connector_spi.errors import ConfigurationError
from connector_spi.outbound_addresses import OutboundAddressPolicy
from control_plane.adapters.memory_stores import memory_stores
from control_plane.bootstrap.policies import policy_engine
from control_plane.ports.policy_function import PolicyFunction, PolicyPluginContext
from control_plane.services.policy_engine import PolicyEngine
from tests.unit.control_plane.policy_rig import Told, constraint, context, permitting
from vault_adapters.memory import InMemoryVault

MODULE = """
    from tests.unit.control_plane.policy_rig import Told

    def membership(context):
        return Told(context.settings["left_operand"])

    def count(context):
        return Told("mine", "count")

    def first(context):
        return Told("contested")

    def second(context):
        return Told("contested", "second's own")

    def not_a_function(context):
        return object()

    def without_check(context):
        function = Told("unchecked")
        function.check = None
        return function

    def raising(context):
        raise RuntimeError("no licence")
"""
ENTRY_POINTS = """
    [dataspace_connector.policy_functions]
    membership = planted_policies:membership
    count = planted_policies:count
    first = planted_policies:first
    second = planted_policies:second
    not-a-function = planted_policies:not_a_function
    without-check = planted_policies:without_check
    raising = planted_policies:raising
    missing = planted_policies_that_are_not_there:membership
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package as an installer leaves it."""
    (tmp_path / "planted_policies.py").write_text(dedent(MODULE))
    info = tmp_path / "planted-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: planted\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(dedent(ENTRY_POINTS))
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("planted_policies", None)


def engine_of(*given: PolicyFunction) -> PolicyEngine:
    def plugin_context(name: str) -> PolicyPluginContext:
        return PolicyPluginContext(
            vault=InMemoryVault({}),
            clock=SystemClock(),
            outbound=OutboundAddressPolicy(),
            settings={"left_operand": f"{name}-of-the-caller"},
        )

    return policy_engine(memory_stores().transfer_processes, given, plugin_context)


async def knows(engine: PolicyEngine, left_operand: str) -> bool:
    return await engine.denial(permitting(constraint(left_operand, "eq", "yes")), context()) is None


async def test_a_function_that_is_given_answers() -> None:
    assert await knows(engine_of(Told("mine")), "mine")


def test_a_function_that_is_given_cannot_replace_a_built_in_one() -> None:
    with pytest.raises(ConfigurationError, match="'count'"):
        engine_of(Told("count"))


@pytest.mark.usefixtures("installed")
async def test_a_plugin_answers_with_its_own_settings() -> None:
    assert await knows(engine_of(), "membership-of-the-caller")


@pytest.mark.usefixtures("installed")
async def test_a_plugin_that_claims_what_is_taken_is_left_out_and_named(caplog: pytest.LogCaptureFixture) -> None:
    engine = engine_of()
    assert not await knows(engine, "mine")
    left_out = {record.__dict__["plugin"].rpartition(":")[2] for record in caplog.records}
    assert left_out == {"count", "first", "second", "not-a-function", "without-check", "raising", "missing"}


@pytest.mark.usefixtures("installed")
async def test_of_two_plugins_that_claim_the_same_neither_is_used() -> None:
    engine = engine_of()
    assert not await knows(engine, "contested")
    assert not await knows(engine, "second's own")


@pytest.mark.usefixtures("installed")
async def test_what_is_given_counts_before_a_plugin() -> None:
    engine = engine_of(Told("contested", scopes=frozenset()))
    assert not await knows(engine, "contested")
