"""What can go wrong with storage. `error_catalogue` says which answer of the service is which of these.

Every leaf states its cause and what to do about it. Texts name the operation and the resource's path; they never
hold a query string, so no signature.
"""

from dataclasses import dataclass, replace

from connector_spi.errors import ConflictError, PermanentError, TransientError


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the service answered to which operation.

    `operation` such as `Put Block`; `resource` is the path of account, container and blob; `status` is the HTTP
    status; `error_code` is `x-ms-error-code`; `request_id` is `x-ms-request-id`, which Azure's support asks for;
    `finding` is a sentence on what else is known of the cause.
    """

    operation: str
    resource: str
    status: int
    error_code: str = ""
    request_id: str = ""
    finding: str = ""

    def having(self, finding: str) -> "Refusal":
        """The same with this finding."""
        return replace(self, finding=finding)

    def described(self, cause: str, remedy: str) -> str:
        """One text for humans: what failed, why, what to do."""
        answer = f"HTTP {self.status} {self.error_code}".rstrip()
        request = f", request {self.request_id}" if self.request_id else ""
        sentences = (f"{self.operation} of {self.resource}: {cause} ({answer}{request}).", self.finding, remedy)
        return " ".join(sentence for sentence in sentences if sentence)


class StorageRefusedError(PermanentError):
    """Storage refused for good. The leaves below are the refusals with a cause that is known."""

    code = "StorageRefused"
    cause = "the storage service refused the request"
    remedy = "The error code tells why; Azure's list of error codes of Blob Storage explains it."

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.described(self.cause, self.remedy))
        self.refusal = refusal


class StorageTransientError(TransientError):
    """Storage could not do it now. Never raised itself."""

    code = "StorageTransient"
    cause = "the storage service could not do it now"
    remedy = "It is tried again."

    def __init__(self, refusal: Refusal, *, retry_after_seconds: float | None = None) -> None:
        text = refusal.described(self.cause, self.remedy)
        super().__init__(text, retry_after_seconds=retry_after_seconds)
        self.refusal = refusal


class BlobNotFoundError(StorageRefusedError):
    """No such blob."""

    code = "BlobNotFound"
    cause = "the blob does not exist"
    remedy = "Check the blob's name, or whether it was deleted."


class ContainerNotFoundError(StorageRefusedError):
    """No such container."""

    code = "ContainerNotFound"
    cause = "the container does not exist"
    remedy = "Check the container's name and the account (upper and lower case count), or whether it was deleted."


class ResourceNotFoundError(StorageRefusedError):
    """No such account, or another thing that is not a container or blob."""

    code = "ResourceNotFound"
    cause = "the storage account, or what was asked of it, does not exist"
    remedy = "Check the account's name, and the endpoint that is configured for it."


class ContainerExistsError(StorageRefusedError):
    """A container of this name exists and is not this process's."""

    code = "ContainerExists"
    cause = "a container of this name exists already and belongs to something else"
    remedy = "Choose another container name, or leave it out and one will be chosen."


class ContainerNotOursError(StorageRefusedError):
    """The container was not created by this process, so this process does not delete it."""

    code = "ContainerNotOurs"
    cause = "the container was not created for this transfer"
    remedy = "Delete it by hand if it is not needed."


class BlobAlreadyExistsError(StorageRefusedError, ConflictError):
    """A blob of this name is there, and is not overwritten."""

    code = "BlobAlreadyExists"
    cause = "a blob of this name exists already, and nothing is overwritten"
    remedy = "Choose an empty folder or another name."


class BlobLeasedError(StorageRefusedError):
    """Somebody holds a lease on the blob."""

    code = "BlobLeased"
    cause = "somebody holds a lease on the blob or container"
    remedy = "Release or break the lease."


class BlobArchivedError(StorageRefusedError):
    """The blob rests in the archive tier."""

    code = "BlobArchived"
    cause = "the blob is in the archive tier and cannot be read"
    remedy = "Rehydrate it to the hot or cool tier first."


class BlobTooLargeError(PermanentError):
    """A blob that must be small is not."""

    code = "BlobTooLarge"
    cause = "a marker, manifest page or another small file of ours is larger than one may be"
    remedy = (
        "Look at what lies under that name: it was not written by a connector, or was altered. Transfer again into "
        "another container or folder."
    )

    def __init__(self, *, resource: str, max_bytes: int) -> None:
        super().__init__(f"{resource} is larger than the {max_bytes} bytes that are accepted here.")
        self.max_bytes = max_bytes


class SourceChangedError(StorageRefusedError):
    """The source object is no longer the one that was listed."""

    code = "SourceChanged"
    cause = "the object was changed or deleted after the transfer began"
    remedy = "Start a new transfer; nothing of the mixed content was published."


class SasExpiredError(StorageRefusedError):
    """The SAS is past its end. Another SAS is needed; staged blocks survive the change."""

    code = "SasExpired"
    cause = "the shared access signature has expired"
    remedy = "A fresh signature is needed; raise its lifetime if transfers take longer."


class AuthenticationFailedError(StorageRefusedError):
    """Storage does not accept the key or signature."""

    code = "AuthenticationFailed"
    cause = "the account key or the signature was not accepted"
    remedy = (
        "The key was rotated, is a stale copy, holds stray white space or is another account's, or the signature was "
        "revoked or altered. Store the present account key in the vault and check the machine's clock."
    )


class SasNotYetValidError(AuthenticationFailedError):
    """The SAS begins later than now, by the service's clock or by ours."""

    code = "SasNotYetValid"
    cause = "the shared access signature is not valid yet"
    remedy = "Check the clock of the machine that issued it; an issuer should set the start a few minutes back."


class SasRevokedError(AuthenticationFailedError):
    """The stored access policy that the SAS is bound to is not there (any more)."""

    code = "SasRevoked"
    cause = "the shared access signature was revoked: its stored access policy does not exist"
    remedy = "A fresh signature is needed. A policy that was made less than half a minute ago may not be known yet."


class SasSignatureMismatchError(AuthenticationFailedError):
    """The signature does not fit what it should sign."""

    code = "SasSignatureMismatch"
    cause = "the signature does not match"
    remedy = (
        "The account key that made it was rotated, it was made for another account, container or blob, or it was "
        "altered. A fresh signature is needed."
    )


class AuthorizationFailureError(StorageRefusedError):
    """Storage knows the caller, or does not say, and forbids the request."""

    code = "AuthorizationFailure"
    cause = "the request is not authorised"
    remedy = (
        "The signature was revoked, the key is wrong, or the account's firewall keeps this machine out: look at the "
        "account's network rules."
    )


class AuthorizationPermissionMismatchError(StorageRefusedError):
    """The SAS or identity does not include this operation."""

    code = "AuthorizationPermissionMismatch"
    cause = "the signature or identity does not include the permission for this operation"
    remedy = (
        "Signature: ask for one that includes it, or use it for what it was made for. Identity: give it the role "
        "Storage Blob Data Contributor (to read only: Reader) on the account; a new role may need ten minutes."
    )


class IdentityForbiddenError(AuthorizationPermissionMismatchError):
    """The identity lacks the role for this operation."""

    code = "IdentityForbidden"
    cause = "the identity does not hold the right to do this"
    remedy = (
        "Grant it the role Storage Blob Data Contributor (to provide data only: Reader) on the account or container; "
        "a new role may need ten minutes."
    )


class DelegationKeyForbiddenError(AuthorizationPermissionMismatchError):
    """The identity gets no user delegation key, so that it cannot sign."""

    code = "DelegationKeyForbidden"
    cause = "the identity does not hold the right to get user delegation keys, which signatures are made with"
    remedy = (
        "Grant it the role Storage Blob Delegator on the account; Storage Blob Data Contributor and Reader on all of "
        "the account include it. A new role may need ten minutes."
    )


class IdentityTokenRefusedError(AuthenticationFailedError):
    """Storage does not accept the identity's token."""

    code = "IdentityTokenRefused"
    cause = "the token of the identity was not accepted"
    remedy = (
        "Check that the identity belongs to the tenant of the account's subscription, that its authority is that of "
        "the account's cloud, and the machine's clock."
    )


class AccountKeyNotPermittedError(StorageRefusedError):
    """The account does not let anybody in by its key, nor by signatures made with it."""

    code = "AccountKeyNotPermitted"
    cause = "the storage account has access by account key switched off, and so by signatures made with one"
    remedy = "Have its owner configure an identity for the account in place of the key."


class AccountKeyAwaitedError(StorageTransientError):
    """The account was opened by its key before, and now it is not: the key was regenerated, and the vault is behind."""

    code = "AccountKeyAwaited"
    cause = "the account's key has worked before and is refused now"
    remedy = (
        "Store the account's present key in the vault; what waits goes on by itself. Else look at its network rules."
    )


class InsufficientAccountPermissionsError(StorageRefusedError):
    """The account itself does not allow the operation."""

    code = "InsufficientAccountPermissions"
    cause = "the storage account does not allow this operation (disabled or read-only)"
    remedy = "Allow it in the account's settings, or use an Entra identity where key access is switched off."


class InvalidBlockListError(StorageRefusedError):
    """A block in the list is not staged: another writer committed, or the blocks have lapsed after a week."""

    code = "InvalidBlockList"
    cause = "a block of the list is not there: another writer committed this name, or the blocks have lapsed"
    remedy = "The object is staged again from its beginning."


class ListingPositionInvalidError(StorageRefusedError):
    """The service does not accept the position at which a listing should go on."""

    code = "ListingPositionInvalid"
    cause = "the position at which the listing should go on is not accepted"
    remedy = "List again from the beginning."


class ChecksumMismatchError(StorageTransientError):
    """The bytes that arrived are not those that were sent: sent again."""

    code = "ChecksumMismatch"
    cause = "the checksum does not agree with the bytes that arrived"
    remedy = "It is tried again. When it lasts, something on the way alters bytes: a proxy, or failing memory."


class ContainerBeingDeletedError(StorageTransientError):
    """A container of this name is being deleted; its name is free again in about half a minute."""

    code = "ContainerBeingDeleted"
    cause = "a container of this name is being deleted"
    remedy = "It is tried again; the name is free after half a minute or more. Another name is free at once."


class StorageBusyError(StorageTransientError):
    """Throttled, or the service failed inside."""

    code = "StorageBusy"
    throttled = True
    cause = "the storage service is busy or failed"
    remedy = "It is tried again. When it lasts, look at the account's metrics, and lower what runs in parallel."


class StorageUnavailableError(TransientError):
    """No answer, or one that broke off: connection, name resolution or time-out."""

    code = "StorageUnavailable"
    cause = (
        "no answer of the storage service, or one that broke off: connection, name resolution, certificate or time-out"
    )
    remedy = (
        "It is tried again. Check `storage.endpoint_template` or the account's `endpoint`, DNS, proxy and firewall, "
        "and for a private certificate `storage.ca_file`."
    )

    def __init__(self, *, operation: str, resource: str, problem: str) -> None:
        super().__init__(f"{operation} of {resource}: no complete answer ({problem}). It is tried again.")


class AccountKeyMalformedError(PermanentError):
    """What the vault holds under the alias is not an account key."""

    code = "AccountKeyMalformed"
    cause = (
        "what the vault holds under the alias is no account key: cut off, with white space inside, or a connection "
        "string or SAS in its place"
    )
    remedy = (
        "Copy the key again (`az storage account keys list --account-name NAME`) and store it: `connector vault set "
        "ALIAS --config FILE`."
    )
    outward = "This connector has no usable key for its storage account; its operator's log tells more."

    def __init__(self, *, alias: str) -> None:
        super().__init__(
            f"The secret under the alias {alias!r} is not a storage account key (base64 text). "
            "Copy the key again from the storage account into the vault."
        )
        self.alias = alias


class SasMalformedError(PermanentError):
    """What should be a SAS is not. Never shows the value."""

    code = "SasMalformed"
    cause = "what should be a shared access signature is not one, or lacks a part that is needed"
    remedy = "Ask its issuer for a new one; it is the query string alone, with sv, sig and se."

    def __init__(self, *, problem: str) -> None:
        super().__init__(f"The shared access signature cannot be used: {problem}. Ask its issuer for a new one.")


class TooManyPoliciesError(PermanentError):
    """The container has no room for another stored access policy."""

    code = "TooManyPolicies"
    cause = "the container has five stored access policies, which is Azure's limit"
    remedy = (
        "List them (`az storage container policy list`) and remove what no transfer needs, or name another container."
    )

    def __init__(self, *, account: str, container: str, limit: int) -> None:
        super().__init__(
            f"The container {account}/{container} has {limit} stored access policies, which is the service's limit. "
            "Remove one that is no longer needed, or use another container."
        )


class MarkerMalformedError(PermanentError):
    """A marker or manifest page does not follow its format."""

    code = "MarkerMalformed"
    cause = "a marker or manifest page in the container does not follow its format"
    remedy = (
        "Look whether something else writes into the transfer's container; then transfer again into another container"
        " or folder."
    )

    def __init__(self, *, name: str, problem: str) -> None:
        super().__init__(f"{name} does not follow its format: {problem}.")
