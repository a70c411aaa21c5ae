"""When a transfer's credential may be renewed while data moves. An extension of this project, between its own kind."""

from typing import Final

from connector_spi.errors import ConflictError, TransientError
from control_plane.domain.transfer_process import OUTCOMES, TransferProcess, TransferProcessState

_S = TransferProcessState
_PAUSED: Final = frozenset({_S.SUSPENDING, _S.SUSPENDING_REQUESTED, _S.SUSPENDED})
_ENDED: Final = OUTCOMES | {_S.COMPLETING, _S.COMPLETING_REQUESTED, _S.TERMINATING, _S.TERMINATING_REQUESTED}
_BEFORE: Final = frozenset({_S.INITIAL, _S.PROVISIONING, _S.PREPARATION_REQUESTED, _S.PROVISIONED})


class RenewalRefusedError(ConflictError):
    """No fresh credential is given for this transfer, now or later."""

    code = "CredentialRenewalRefused"
    cause = "a fresh credential was asked for a transfer that has ended or never had one"
    remedy = (
        "Start a new transfer. A data plane that still asks has not heard of the end, and hears of it within "
        "`transfer.flow_check_seconds`."
    )


class RenewalNotNowError(TransientError):
    """No fresh credential is given while the transfer is paused; once it goes on, one may be."""

    code = "CredentialRenewalNotNow"
    cause = "a fresh credential was asked for while the transfer is paused"
    remedy = "Resume the transfer; the data plane then asks again by itself."


class TooManyRenewalsError(TransientError):
    """A fresh credential for this transfer was given a moment ago."""

    code = "TooManyCredentialRenewals"
    cause = "fresh credentials are asked for more often than is allowed"
    remedy = (
        "It is asked again later. When it lasts, raise `storage.sas_seconds`, or lower "
        "`transfer.renewal_interval_seconds`."
    )


def check_consumer_may_issue(process: TransferProcess) -> None:
    """The consumer's rule.

    Raises:
        RenewalRefusedError: the outcome is known or about to be, or there never was a credential.
        RenewalNotNowError: the transfer is paused, and this side has not heard that it goes on.
    """
    _check_not_ended(process)
    if process.is_pull or process.secret_alias is None or process.state in _BEFORE:
        raise RenewalRefusedError(f"Transfer {process.id!r} has no credential of this side's that could be renewed.")
    _check_not_paused(process)


def check_provider_may_ask(process: TransferProcess) -> None:
    """The provider's rule.

    Raises:
        RenewalRefusedError, RenewalNotNowError: as for the consumer.
    """
    _check_not_ended(process)
    if process.is_pull or process.secret_alias is None:
        raise RenewalRefusedError(f"Transfer {process.id!r} has no credential of the consumer's that could be renewed.")
    _check_not_paused(process)


def _check_not_ended(process: TransferProcess) -> None:
    if process.state in _ENDED:
        raise RenewalRefusedError(f"Transfer {process.id!r} is {process.state.name}: no credential is needed any more.")


def _check_not_paused(process: TransferProcess) -> None:
    if process.state in _PAUSED:
        text = f"Transfer {process.id!r} is {process.state.name}: a credential is given once it goes on."
        raise RenewalNotNowError(text, retry_after_seconds=1.0)
