"""What stands in the place of a transfer that never completed: its owner has to know, for nobody else can remove it."""

from dataclasses import dataclass, field
from typing import Any, Final

from azure_storage.receipt_errors import ReceiptMissingError
from azure_storage.receipt_place import ReceiptPlace

_NAMED_AT_MOST: Final = 1000
_SHOWN_AT_MOST: Final = 20


@dataclass(slots=True)
class Leftovers:
    """Objects without a receipt; the first thousand by name."""

    objects: int = 0
    size_bytes: int = 0
    names: list[str] = field(default_factory=list)

    @classmethod
    async def of(cls, place: ReceiptPlace) -> "Leftovers":
        """List the place.

        Raises:
            TransientError, PermanentError: it cannot be listed.
        """
        left = cls()
        async for found in place.objects():
            left.objects += 1
            left.size_bytes += found.size_bytes
            if left.objects <= _NAMED_AT_MOST:
                left.names.append(found.name)
        return left

    def __str__(self) -> str:
        if not self.objects:
            return "It left no objects."
        shown = ", ".join(repr(name) for name in self.names[:_SHOWN_AT_MOST])
        more = ", ..." if self.objects > _SHOWN_AT_MOST else ""
        return (
            f"It left {self.objects} objects of {self.size_bytes} bytes: {shown}{more}. A container that was made for "
            "the transfer goes with them by `connector deprovision`."
        )

    def to_json(self) -> dict[str, Any]:
        """For scripts."""
        return {"objects": self.objects, "bytes": self.size_bytes, "names": self.names}


class UncompletedTransferError(ReceiptMissingError):
    """There is no receipt, because the transfer failed, has not ended, or this is no transfer's place."""

    code = "TransferUncompleted"
    cause = "there is no receipt because the transfer failed, has not ended, or has another place"
    remedy = (
        "Read the reason in the message; compare the place with `connector status ID`, and start a new transfer when "
        "it failed."
    )

    def __init__(self, reason: str, left: Leftovers) -> None:
        super().__init__(f"{reason} {left}")
        self.left = left
