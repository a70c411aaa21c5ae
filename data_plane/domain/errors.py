"""What can go wrong in a flow, beyond the errors that all packages share."""

from connector_spi.errors import ConflictError, PermanentError, TransientError
from data_plane.domain.data_flow import DataFlowFailure


class DataFlowExistsError(ConflictError):
    """A flow for this process id exists already."""

    code = "DataFlowExists"

    def __init__(self, *, flow_id: str) -> None:
        super().__init__(f"A data flow for the process {flow_id!r} exists already.")


class StaleDataFlowError(TransientError):
    """The flow was changed by somebody else since it was read; read it again."""

    code = "StaleDataFlow"


class UnsupportedAddressTypeError(PermanentError):
    """No source or sink is registered for the address type."""

    code = "UnsupportedAddressType"

    def __init__(self, *, direction: str, address_type: str, known: tuple[str, ...]) -> None:
        super().__init__(f"No {direction} is known for the address type {address_type!r}; known: {', '.join(known)}.")


class PluginBrokenError(PermanentError):
    """The plug-in that serves the address type could not be loaded when the data plane was started."""

    code = "PluginBroken"

    def __init__(self, *, direction: str, address_type: str, reason: str) -> None:
        super().__init__(f"The {direction} for the address type {address_type!r} could not be loaded: {reason}")


class SourceEmptyError(PermanentError):
    """The source address matches no object."""

    code = "SourceEmpty"


class ObjectTooLargeError(PermanentError):
    """The object is larger than the destination can hold."""

    code = "ObjectTooLarge"


class StagedBlocksLostError(TransientError):
    """The destination no longer knows the staged blocks; the object has to be sent again under a new nonce."""

    code = "StagedBlocksLost"


class ListingPositionLostError(TransientError):
    """The source cannot go on with its listing where it stopped; the plan has to be made from the beginning."""

    code = "ListingPositionLost"


class SourceObjectChangedError(PermanentError):
    """The source object is no longer the version that was listed."""

    code = "SourceObjectChanged"


class SourceDigestMismatchError(PermanentError):
    """What was read is not what the source's own digest says: it was damaged at rest, or on the way from there."""

    code = "SourceDigestMismatch"


class CopyUnavailableError(PermanentError):
    """The destination's service cannot fetch from this source; the bytes have to pass through the data plane."""

    code = "CopyUnavailable"


class CopySourceSilentError(TransientError):
    """The destination's service got no answer from the source this time."""

    code = "CopySourceSilent"


class BlocksLostRepeatedlyError(PermanentError):
    """The destination lost the staged blocks of an object again and again: somebody else writes to its name."""

    code = "BlocksLostRepeatedly"


class NoProgressError(PermanentError):
    """Not one block moved for the whole of the no-progress deadline."""

    code = "NoProgress"

    def __init__(self, *, seconds: float, last_error: str) -> None:
        cause = f" The last error was: {last_error}" if last_error else ""
        super().__init__(f"No byte was moved for {seconds:g} seconds.{cause}")


class FlowTimeLimitError(PermanentError):
    """The flow ran longer than the absolute cap."""

    code = "TimeLimit"

    def __init__(self, *, seconds: float) -> None:
        super().__init__(f"The flow took longer than the limit of {seconds:g} seconds.")


class FlowFailedError(PermanentError):
    """A flow's final error, with the object that it concerns."""

    code = "FlowFailed"

    def __init__(self, failure: DataFlowFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @classmethod
    def of(cls, error: PermanentError, *, object_name: str | None = None) -> "FlowFailedError":
        """The final error for this cause."""
        if isinstance(error, cls):
            return error
        retryable = isinstance(error, NoProgressError)
        return cls(DataFlowFailure(error.code, error.message, object_name, retryable))


class FlowStoppedError(TransientError):
    """The flow was suspended, terminated or completed by a message while it was worked on."""

    code = "FlowStopped"


class InvalidGrantError(PermanentError):
    """A refresh token opens nothing (RFC 6749, section 5.2)."""

    code = "InvalidGrant"


class TooManyReadsError(TransientError):
    """This data plane serves as many reads as it may at the same time."""

    code = "TooManyReads"
