"""Endpoint data references (EDRs): what a consumer's client opens the data of a running pull with."""

from dataclasses import replace

from connector_spi.data_address import DataAddress
from connector_spi.errors import NotFoundError
from control_plane.domain.query import Criterion, QuerySpec
from control_plane.domain.transfer_process import TransferProcess, TransferProcessState, TransferProcessType
from control_plane.ports.stores import TransferProcessStore
from control_plane.services.transfer_addresses import TransferAddresses

_OF_RUNNING_PULLS = (
    Criterion(operand_left="type", operator="=", operand_right="CONSUMER"),
    Criterion(operand_left="state", operator="=", operand_right="STARTED"),
    Criterion(operand_left="transferType", operator="ilike", operand_right="%-pull"),
)


class EndpointDataReferenceService:
    """Questions and commands of clients about EDRs; each has the id of its transfer process."""

    def __init__(self, processes: TransferProcessStore, addresses: TransferAddresses) -> None:
        self._processes = processes
        self._addresses = addresses

    async def data_address(self, process_id: str) -> DataAddress:
        """Where the data is fetched, secrets included.

        Raises:
            NotFoundError: no such pull, or it is not running now.
        """
        process = await self._running_pull(process_id)
        address = await self._addresses.of(process)
        if address is None:
            raise _unknown(process_id)
        return address

    async def query(self, query: QuerySpec) -> list[TransferProcess]:
        """The processes of one page that have an EDR now.

        Raises:
            InvalidInputError: a field of the query does not exist.
        """
        narrowed = replace(query, criteria=(*query.criteria, *_OF_RUNNING_PULLS))
        found = await self._processes.query(narrowed)
        return [process for process in found if await self._addresses.of(process) is not None]

    async def delete(self, process_id: str) -> None:
        """Forget the EDR; the transfer goes on.

        Raises:
            NotFoundError: there is none.
        """
        await self.data_address(process_id)
        await self._addresses.forget(await self._running_pull(process_id))

    async def _running_pull(self, process_id: str) -> TransferProcess:
        process = await self._processes.find(process_id)
        if process is None or process.type is not TransferProcessType.CONSUMER or not process.is_pull:
            raise _unknown(process_id)
        if process.state is not TransferProcessState.STARTED:
            # What is in the vault meanwhile, or for a moment longer, opens nothing.
            raise _unknown(process_id)
        return process


def _unknown(process_id: str) -> NotFoundError:
    return NotFoundError(kind="EndpointDataReference", object_id=process_id)
