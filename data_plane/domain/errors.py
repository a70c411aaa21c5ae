"""What can go wrong in a flow, beyond the errors that all packages share."""

from connector_spi.errors import ConflictError, PermanentError, TransientError
from data_plane.domain.data_flow import DataFlowFailure


class DataFlowExistsError(ConflictError):
    """A flow for this process id exists already."""

    code = "DataFlowExists"
    cause = "a data flow for this process id exists already"
    remedy = "Ask for its state instead of starting it again; a new transfer needs a new process id."

    def __init__(self, *, flow_id: str) -> None:
        super().__init__(f"A data flow for the process {flow_id!r} exists already.")


class StaleDataFlowError(TransientError):
    """The flow was changed by somebody else since it was read; read it again."""

    code = "StaleDataFlow"
    cause = "the flow was changed by another request or worker since it was read"
    remedy = "It is tried again by itself; send the request again if you got this as an answer."


class UnsupportedAddressTypeError(PermanentError):
    """No source or sink is registered for the address type."""

    code = "UnsupportedAddressType"
    cause = "this data plane has no source or sink for the address type"
    remedy = (
        "Use one of the types in the message, install the plug-in, or name in `[[data_planes]]` one that serves the "
        "type (`transfer_types`, `source_types`)."
    )

    def __init__(self, *, direction: str, address_type: str, known: tuple[str, ...]) -> None:
        super().__init__(f"No {direction} is known for the address type {address_type!r}; known: {', '.join(known)}.")


class PluginBrokenError(PermanentError):
    """The plug-in that serves the address type could not be loaded when the data plane was started."""

    code = "PluginBroken"
    cause = "the plug-in for the address type could not be loaded when the data plane was started"
    remedy = (
        "Read the reason in the message, install what it lacks into the data plane's environment, and start again; "
        "`data_plane.plugins` holds its settings."
    )
    outward = "A plug-in of this data plane could not be loaded; its operator's log tells why."

    def __init__(self, *, direction: str, address_type: str, reason: str) -> None:
        super().__init__(f"The {direction} for the address type {address_type!r} could not be loaded: {reason}")


class SourceEmptyError(PermanentError):
    """The source address matches no object."""

    code = "SourceEmpty"
    cause = "the source address matches no object"
    remedy = (
        "Compare container, blobName or prefix of the asset's address with what is in the account; names are "
        "case-sensitive."
    )


class ObjectTooLargeError(PermanentError):
    """The object is larger than the destination can hold."""

    code = "ObjectTooLarge"
    cause = "the object is larger than the destination can hold: 50,000 blocks make a blob"
    remedy = "Split the object, or offer it for a pull."


class StagedBlocksLostError(TransientError):
    """The destination no longer knows the staged blocks; the object has to be sent again under a new nonce."""

    code = "StagedBlocksLost"
    cause = "the destination no longer knows the staged blocks: another writer committed the name, or a week has passed"
    remedy = "The object is sent again by itself. When it recurs, find the other writer."


class ListingPositionLostError(TransientError):
    """The source cannot go on with its listing where it stopped; the plan has to be made from the beginning."""

    code = "ListingPositionLost"
    cause = "the source cannot go on with its listing where it stopped"
    remedy = "It is listed again from the beginning; nothing that was copied is lost."


class SourceObjectChangedError(PermanentError):
    """The source object is no longer the version that was listed."""

    code = "SourceObjectChanged"
    cause = "an object was changed or deleted after the transfer had listed it"
    remedy = "Start a new transfer once nobody writes to the source, or set `data_plane.on_source_change` to restart."


class SourceDigestMismatchError(PermanentError):
    """What was read is not what the source's own digest says: it was damaged at rest, or on the way from there."""

    code = "SourceDigestMismatch"
    cause = (
        "what was read is not what the source's own digest (Content-MD5) says: damaged at rest or on the way, or set "
        "wrongly"
    )
    remedy = (
        "Compare the object's Content-MD5 with its content; write the object anew, or clear a wrong digest, and start"
        " a new transfer."
    )


class CopyUnavailableError(PermanentError):
    """The destination's service cannot fetch from this source; the bytes have to pass through the data plane."""

    code = "CopyUnavailable"
    cause = "the destination's service cannot fetch from this source by itself"
    remedy = (
        "Nothing to do while `data_plane.copy_mode` is auto: the bytes are streamed. With server-side only, open the "
        "source account's network rules, or choose auto."
    )


class CopySourceSilentError(TransientError):
    """The destination's service got no answer from the source this time."""

    code = "CopySourceSilent"
    cause = "the destination's service got no answer from the source this time"
    remedy = "It is tried again, and streamed in the end. Look at the source account's load and network rules."


class BlocksLostRepeatedlyError(PermanentError):
    """The destination lost the staged blocks of an object again and again: somebody else writes to its name."""

    code = "BlocksLostRepeatedly"
    cause = "the destination lost the staged blocks of an object again and again: somebody else writes to its name"
    remedy = "Find the other writer, or transfer into a container or folder of its own."


class NoProgressError(PermanentError):
    """Not one block moved for the whole of the no-progress deadline."""

    code = "NoProgress"
    cause = "not one block was moved for the whole of the no-progress limit"
    remedy = (
        "The last error in the message is the cause: look that up. Then start a new transfer; "
        "`data_plane.no_progress_seconds` says how long is waited."
    )

    def __init__(self, *, seconds: float, last_error: TransientError | None) -> None:
        self._stood_still = f"No byte was moved for {seconds:g} seconds."
        self._last_error = last_error
        super().__init__(self._with_cause(last_error.message if last_error else ""))

    @property
    def told_outside(self) -> str:
        """With what the last error tells outside."""
        return self._with_cause(self._last_error.told_outside if self._last_error else "")

    def _with_cause(self, cause: str) -> str:
        return f"{self._stood_still} The last error was: {cause}" if cause else self._stood_still


class FlowTimeLimitError(PermanentError):
    """The flow ran longer than the absolute cap."""

    code = "TimeLimit"
    cause = "the flow ran longer than the limit for one flow"
    remedy = "Raise `data_plane.max_flow_seconds`, or transfer the data in smaller parts."

    def __init__(self, *, seconds: float) -> None:
        super().__init__(f"The flow took longer than the limit of {seconds:g} seconds.")


class FlowFailedError(PermanentError):
    """A flow's final error, with the object that it concerns."""

    code = "FlowFailed"
    cause = "the data flow ended with an error, whose code and object it carries"
    remedy = "Look up the code that it carries: `connector explain CODE`."

    def __init__(self, failure: DataFlowFailure) -> None:
        super().__init__(failure.message)
        self.failure = failure

    @classmethod
    def of(cls, error: PermanentError, *, object_name: str | None = None) -> "FlowFailedError":
        """The final error for this cause."""
        if isinstance(error, cls):
            return error
        retryable = isinstance(error, NoProgressError)
        return cls(DataFlowFailure(error.code, error.told_outside, object_name, retryable, error.told_inside))


class FlowStoppedError(TransientError):
    """The flow was suspended, terminated or completed by a message while it was worked on."""

    code = "FlowStopped"
    cause = "the flow was suspended, terminated or completed while it was worked on"
    remedy = "Nothing to do: the message that stopped it counts. Resume a suspended transfer to go on."


class InvalidGrantError(PermanentError):
    """A refresh token opens nothing (RFC 6749, section 5.2)."""

    code = "InvalidGrant"
    cause = "the refresh token opens nothing: used before, expired, or of a transfer that has ended"
    remedy = (
        "Take the present address (`connector address ID`); of two clients that refresh one token only the first gets"
        " the next one."
    )


class TooManyReadsError(TransientError):
    """This data plane serves as many reads as it may at the same time."""

    code = "TooManyReads"
    cause = "this data plane serves as many reads as it may"
    remedy = (
        "Repeat after the time in Retry-After; raise `data_plane.max_public_reads` or "
        "`data_plane.max_public_reads_each`."
    )
