"""Which operation of the storage service a request is, and what the proxy keeps of it."""

from dataclasses import dataclass
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fault_proxy.http_wire import Head


@dataclass(frozen=True, slots=True)
class StorageRequest:
    """A request in the service's words. `blob`: the name in its container, or nothing."""

    method: str
    operation: str
    account: str
    container: str
    blob: str
    block_id: str
    head: Head

    @classmethod
    def of(cls, head: Head) -> "StorageRequest":
        """The request with this head; its path begins with the account, as on an emulator."""
        method, target, _ = head.lines[0].split(" ")
        parts = urlsplit(target)
        account, container, blob = [*unquote(parts.path).lstrip("/").split("/", 2), "", ""][:3]
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        operation = _operation(method, query.get("comp", ""), head, has_blob=bool(blob))
        return cls(method, operation, account, container, blob, query.get("blockid", ""), head)

    @property
    def length(self) -> int:
        """Bytes of its body."""
        return int(self.head.get("Content-Length") or 0)


@dataclass(slots=True)
class Recorded:
    """A request that came: how much of its body, which fault it met, and what the client was answered."""

    request: StorageRequest
    at: float
    """When it came, in seconds of the monotonic clock."""
    body_bytes: int = 0
    answered_bytes: int = 0
    fault: str = ""
    status: int | None = None
    """None: the client has got no whole answer."""
    upstream_status: int | None = None
    """What the service answered; None: the request has not reached it, or it has not answered."""

    @property
    def operation(self) -> str:
        """The service's name of the operation."""
        return self.request.operation

    @property
    def blob(self) -> str:
        """The blob's name."""
        return self.request.blob


def _operation(method: str, comp: str, head: Head, *, has_blob: bool) -> str:
    from_url = head.get("x-ms-copy-source") is not None
    if method == "PUT" and has_blob and not comp:
        if head.get("x-ms-blob-type") is None:
            return "Copy Blob"
        return "Put Blob From URL" if from_url else "Put Blob"
    known = {
        ("PUT", "block"): "Put Block From URL" if from_url else "Put Block",
        ("PUT", "blocklist"): "Put Block List",
        ("GET", "list"): "List Blobs",
        ("GET", ""): "Get Blob" if has_blob else "Get Container Properties",
        ("HEAD", ""): "Get Blob Properties" if has_blob else "Get Container Properties",
    }
    return known.get((method, comp), f"{method} {comp}".strip())
