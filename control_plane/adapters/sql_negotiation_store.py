"""ContractNegotiationStore on SQL; agreements that bind this side have a table of their own."""

from typing import Final

from sqlalchemy import and_, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from connector_spi.clock import Clock
from control_plane.adapters.records import AGREEMENT_CODEC, NEGOTIATION_CODEC, binding_agreement, void_agreement
from control_plane.adapters.sql_reader import SqlReader
from control_plane.adapters.sql_stateful_store import SqlStatefulStore
from control_plane.adapters.sql_tables import ContractAgreementRow, ContractNegotiationRow, table_of
from control_plane.domain.contract_agreement import ContractAgreement
from control_plane.domain.contract_negotiation import ContractNegotiation
from control_plane.domain.query import QuerySpec
from sql_storage.database import Database
from sql_storage.uninterrupted import uninterrupted

_AGREEMENTS: Final = table_of(ContractAgreementRow)


class SqlContractNegotiationStore(SqlStatefulStore[ContractNegotiation]):
    """Keeps contract negotiations; `create` and `save` of one that binds this side publish its agreement.

    One that ends after all takes it back.
    Both also raise ConflictError when another negotiation has an agreement under the same id.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        super().__init__(database, table_of(ContractNegotiationRow), NEGOTIATION_CODEC, clock)
        self._agreements = SqlReader(database, _AGREEMENTS, AGREEMENT_CODEC)

    @uninterrupted
    async def find_agreement(self, agreement_id: str) -> ContractAgreement | None:
        """See ContractNegotiationStore."""
        return await self._agreements.find(agreement_id)

    @uninterrupted
    async def query_agreements(self, query: QuerySpec) -> list[ContractAgreement]:
        """See ContractNegotiationStore."""
        return await self._agreements.query(query)

    async def _saved(self, connection: AsyncConnection, entity: ContractNegotiation) -> None:
        columns = _AGREEMENTS.c
        if void := void_agreement(entity):
            gone = and_(columns.id == void.id, columns.negotiation_id == entity.id)
            await connection.execute(delete(_AGREEMENTS).where(gone))
        agreement = binding_agreement(entity)
        if agreement is None:
            return
        same = and_(columns.id == agreement.id, columns.negotiation_id == agreement.negotiation_id)
        if (await connection.execute(select(columns.id).where(same))).first() is None:
            await connection.execute(insert(_AGREEMENTS).values(**AGREEMENT_CODEC.to_record(agreement)))
