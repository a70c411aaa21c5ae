"""CredentialRenewal: a fresh credential for a flow's destination, while the flow runs."""

from typing import Protocol

from connector_spi.errors import PermanentError
from data_plane.domain.data_flow import DataFlow


class RenewalUnavailableError(PermanentError):
    """No renewal is to be had for this flow: its control plane does not know how, or refuses for good."""

    code = "RenewalUnavailable"
    cause = "no fresh credential is to be had for this flow: its control plane does not know how, or refuses for good"
    remedy = "Raise `storage.sas_seconds` at the consumer, so that one credential lasts for the whole transfer."


class CredentialRenewal(Protocol):
    """Asks whoever may issue credentials for the flow's destination: its own control plane, and nobody else."""

    async def renewed(self, flow: DataFlow) -> None:
        """Have a fresh credential put into the vault, under the alias that the flow's destination names.

        It is there when this returns. The call may be repeated, and is bounded in time.

        Raises:
            RenewalUnavailableError: asking again is in vain; its text tells why.
            TransientError: the control plane, the vault or the database did not answer, or it is too early.
            PermanentError: the vault refused.
        """
        ...
