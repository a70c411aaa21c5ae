"""Why an object that somebody sends to this data plane's public inbox is not taken."""

from connector_spi.errors import ConflictError, PermanentError, TransientError


class ObjectTakenError(ConflictError):
    """Another object has the name, and none is overwritten."""

    code = "ObjectTaken"

    def __init__(self, *, name: str) -> None:
        super().__init__(f"An object {name!r} with other content is there already, and nothing is overwritten.")


class LengthRequiredError(PermanentError):
    """The body does not say how long it is, and is too long to be kept in memory."""

    code = "LengthRequired"


class UploadTooLargeError(PermanentError):
    """The body is larger than this data plane takes."""

    code = "UploadTooLarge"


class UploadIncompleteError(PermanentError):
    """The sender went away, or sent fewer bytes than it had announced."""

    code = "UploadIncomplete"


class UploadTooSlowError(TransientError):
    """The next block did not arrive in time."""

    code = "UploadTooSlow"


class InboxBusyError(TransientError):
    """As many uploads as there may be are under way, or another one of this very object."""

    code = "InboxBusy"


class DestinationFullError(TransientError):
    """The destination has no room left."""

    code = "DestinationFull"
