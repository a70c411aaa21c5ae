"""SecretLedger on SQLite and PostgreSQL."""

from collections.abc import Collection, Sequence

from sqlmodel import col, delete, select

from connector_spi.clock import Clock
from data_plane.adapters.sql_mapping import to_millis, to_moment
from data_plane.adapters.sql_tables import SecretLedgerRow
from data_plane.ports.secret_ledger import LedgerEntry, SecretOwner
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted


class SqlSecretLedger:
    """Implements `data_plane.ports.secret_ledger.SecretLedger`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @uninterrupted
    async def note(self, owner: SecretOwner, owner_id: str, aliases: Collection[str]) -> None:
        """Write down that secrets are about to be stored."""
        if not aliases:
            return
        now = to_millis(self._clock.now())
        async with self._database.writing() as session:
            for alias in sorted(aliases):
                await session.merge(SecretLedgerRow(alias=alias, owner=owner.value, owner_id=owner_id, noted_at=now))

    @uninterrupted
    async def of(self, owner: SecretOwner, owner_id: str) -> Sequence[str]:
        """The aliases of this owner, sorted."""
        own = (col(SecretLedgerRow.owner) == owner.value, col(SecretLedgerRow.owner_id) == owner_id)
        async with self._database.reading() as session:
            return sorted((await session.exec(select(SecretLedgerRow.alias).where(*own))).all())

    @uninterrupted
    async def entries(self) -> Sequence[LedgerEntry]:
        """Everything that is noted."""
        async with self._database.reading() as session:
            rows = (await session.exec(select(SecretLedgerRow).order_by(col(SecretLedgerRow.alias)))).all()
        return [LedgerEntry(r.alias, SecretOwner(r.owner), r.owner_id, to_moment(r.noted_at)) for r in rows]

    @uninterrupted
    async def strike(self, aliases: Collection[str]) -> None:
        """Take these out."""
        if not aliases:
            return
        async with self._database.writing() as session:
            for alias in sorted(aliases):
                await session.exec(delete(SecretLedgerRow).where(col(SecretLedgerRow.alias) == alias))
