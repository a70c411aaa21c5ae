"""A complete in-process ControlPlaneRegistry: for tests and for trying things out."""

from data_plane.domain.registered_control_plane import RegisteredControlPlane


class MemoryControlPlaneRegistry:
    """Implements `data_plane.ports.control_plane_registry.ControlPlaneRegistry`."""

    def __init__(self) -> None:
        self._known: dict[str, RegisteredControlPlane] = {}

    async def save(self, control_plane: RegisteredControlPlane) -> None:
        """Keep it."""
        self._known[control_plane.id] = control_plane

    async def find(self, control_plane_id: str) -> RegisteredControlPlane | None:
        """The control plane, or None."""
        return self._known.get(control_plane_id)

    async def delete(self, control_plane_id: str) -> bool:
        """Forget it; whether it was there."""
        return self._known.pop(control_plane_id, None) is not None
