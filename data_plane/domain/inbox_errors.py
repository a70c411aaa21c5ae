"""Why an object that somebody sends to this data plane's public inbox is not taken."""

from connector_spi.errors import ConflictError, PermanentError, TransientError


class ObjectTakenError(ConflictError):
    """Another object has the name, and none is overwritten."""

    code = "ObjectTaken"
    cause = "an object of this name with other content is there already, and nothing is overwritten"
    remedy = "Send it under another name; sending the same content again is no error."

    def __init__(self, *, name: str) -> None:
        super().__init__(f"An object {name!r} with other content is there already, and nothing is overwritten.")


class LengthRequiredError(PermanentError):
    """The body does not say how long it is, and is too long to be kept in memory."""

    code = "LengthRequired"
    cause = "an upload does not announce its length, and is too long to be kept in memory"
    remedy = "Send Content-Length."


class UploadTooLargeError(PermanentError):
    """The body is larger than this data plane takes."""

    code = "UploadTooLarge"
    cause = "an upload is larger than this data plane takes"
    remedy = "Raise `data_plane.max_inbox_object_bytes`, or send the data in smaller objects."


class UploadIncompleteError(PermanentError):
    """The sender went away, or sent fewer bytes than it had announced."""

    code = "UploadIncomplete"
    cause = "the sender went away, or sent fewer bytes than it had announced"
    remedy = "Send the object again, whole; nothing of the torn upload is kept."


class UploadTooSlowError(TransientError):
    """The next block did not arrive in time."""

    code = "UploadTooSlow"
    cause = "the next block of an upload did not arrive in time"
    remedy = "Send it again over a better connection, or raise `data_plane.inbox_block_seconds`."


class InboxBusyError(TransientError):
    """As many uploads as there may be are under way, or another one of this very object."""

    code = "InboxBusy"
    cause = "as many uploads as allowed are under way, or another one of this very object"
    remedy = "Repeat a little later, one upload for each object; raise `data_plane.max_public_writes`."


class DestinationFullError(TransientError):
    """The destination has no room left."""

    code = "DestinationFull"
    cause = "the destination has no room left"
    remedy = "Make room; the copy goes on by itself."
