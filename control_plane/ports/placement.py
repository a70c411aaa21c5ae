"""DestinationPlacement: moves what has arrived in a staging container into the client's own."""

from typing import Protocol

from connector_spi.errors import PermanentError
from control_plane.domain.placement import PlacementPosition, TakenBack
from control_plane.domain.transfer_process import TransferProcess


class DestinationFolderTakenError(PermanentError):
    """The folder holds what another transfer left, or what the chosen access leaves no room for."""

    code = "DestinationFolderTaken"
    cause = "the transfer's folder in the client's container is not its own"
    remedy = "Request the transfer again with another folderName, or leave it out: the folder is then new."


class DestinationObjectsExistError(PermanentError):
    """Objects of the same names are in the client's folder, and nothing is overwritten."""

    code = "DestinationObjectsExist"
    cause = "objects of the same names are in the folder already, and nothing is overwritten"
    remedy = 'Request the transfer again with another folderName, or with ifExists "skip" or "rename".'


class StagingAlteredError(PermanentError):
    """What lies in the staging container is not what its receipt was checked for."""

    code = "StagingAltered"
    cause = "the staging container was written to after its receipt had been checked"
    remedy = "Request the transfer again; if it happens again, ask the provider what writes there."


class DestinationPlacement(Protocol):
    """Places the objects of one transfer. Every call may be repeated, also after a crash in the middle of it.

    Both methods raise transient errors when the storage or the vault does not answer, and permanent ones for what no
    repetition mends. They stop as soon as they can after `seconds`.
    """

    async def place(self, process: TransferProcess, *, seconds: float) -> PlacementPosition:
        """Go on from the process's position; the position that was reached. All is done at PlacementStage.END.

        Nothing that is there is overwritten or changed. The receipts are placed last, and `.complete` after all else.

        Raises:
            DestinationFolderTakenError: there is a receipt of another transfer in the folder.
            DestinationObjectsExistError: names are taken, and the client chose to refuse that; some are named.
            StagingAlteredError: not the objects that the receipt counts.
        """
        ...

    async def take_back(self, process: TransferProcess, *, seconds: float) -> TakenBack:
        """Delete what this process has placed, unless all of it is. Goes on where `taken_back_to` says.

        Only objects that carry the process's mark are deleted, and only as they are when that is read.
        """
        ...
