"""What the control plane's unit tests share."""

import pytest

from control_plane.adapters.memory_stores import memory_stores
from control_plane.ports.stores import Stores
from tests.unit.control_plane.protocol_rig import ProtocolRig
from tests.unit.control_plane.transfer_rig import TransferRig


@pytest.fixture
def rig() -> TransferRig:
    return TransferRig()


@pytest.fixture
def protocol() -> ProtocolRig:
    return ProtocolRig()


@pytest.fixture
def stores() -> Stores:
    return memory_stores()
