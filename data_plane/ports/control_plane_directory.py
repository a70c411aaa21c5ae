"""ControlPlaneDirectory: a control plane that this data plane makes itself known to."""

from typing import Protocol


class ControlPlaneDirectory(Protocol):
    """One control plane. Both calls are bounded in time and may be repeated."""

    @property
    def name(self) -> str:
        """What it is called in logs."""
        ...

    async def register(self) -> None:
        """Make this data plane known, or say again that it is there.

        Raises:
            PeerUnavailableError: no answer, or none now.
            PeerRefusedError: the control plane refused.
            PermanentError, TransientError: what is needed for the call is not in the vault.
        """
        ...

    async def leave(self) -> None:
        """Take the registration back; does nothing when it is gone.

        Raises:
            As for `register`.
        """
        ...
