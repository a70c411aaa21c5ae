"""ControlPlaneRegistry: the control planes that registered themselves."""

from typing import Protocol

from data_plane.domain.registered_control_plane import RegisteredControlPlane


class ControlPlaneRegistry(Protocol):
    """Durable. Every method raises StoreUnavailableError when the database does not answer."""

    async def save(self, control_plane: RegisteredControlPlane) -> None:
        """Store it, in the place of an earlier registration under its id."""
        ...

    async def find(self, control_plane_id: str) -> RegisteredControlPlane | None:
        """The control plane, or None."""
        ...

    async def delete(self, control_plane_id: str) -> bool:
        """Forget it; whether it was there."""
        ...
