"""TransferProcessStore on SQL."""

from connector_spi.clock import Clock
from connector_spi.signaling import DataFlowProgress
from control_plane.adapters.record_values import PROGRESS
from control_plane.adapters.records import TRANSFER_PROCESS_CODEC
from control_plane.adapters.sql_stateful_store import SqlStatefulStore
from control_plane.adapters.sql_tables import TransferProcessRow, table_of
from control_plane.domain.transfer_process import TransferProcess
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted


class SqlTransferProcessStore(SqlStatefulStore[TransferProcess]):
    """Keeps transfer processes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, table_of(TransferProcessRow), TRANSFER_PROCESS_CODEC, clock)

    @uninterrupted
    async def record_progress(self, process_id: str, progress: DataFlowProgress) -> None:
        """See TransferProcessStore."""
        async with self._database.writing() as session:
            await self._update(await session.connection(), [process_id], {"progress": PROGRESS.encode(progress)})
