"""ControlPlaneRegistry on SQLite and PostgreSQL."""

from dataclasses import asdict

from data_plane.adapters.sql_tables import ControlPlaneRow
from data_plane.domain.registered_control_plane import RegisteredControlPlane
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted


class SqlControlPlaneRegistry:
    """Implements `data_plane.ports.control_plane_registry.ControlPlaneRegistry`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @uninterrupted
    async def save(self, control_plane: RegisteredControlPlane) -> None:
        """Store it, in the place of an earlier registration under its id."""
        async with self._database.writing() as session:
            await session.merge(ControlPlaneRow(**asdict(control_plane)))

    @uninterrupted
    async def find(self, control_plane_id: str) -> RegisteredControlPlane | None:
        """The control plane, or None."""
        async with self._database.reading() as session:
            row = await session.get(ControlPlaneRow, control_plane_id)
            return None if row is None else RegisteredControlPlane(**row.model_dump())

    @uninterrupted
    async def delete(self, control_plane_id: str) -> bool:
        """Forget it; whether it was there."""
        async with self._database.writing() as session:
            row = await session.get(ControlPlaneRow, control_plane_id)
            if row is not None:
                await session.delete(row)
            return row is not None
