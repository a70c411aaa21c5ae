"""The guards that come with the connector."""


class HoldsNothing:
    """Everything goes on by itself."""

    def holds(self, _entity: object, /) -> bool:
        """Never."""
        return False


class HoldsEverything:
    """Every decision is somebody's: each waits for a command."""

    def holds(self, _entity: object, /) -> bool:
        """Always."""
        return True
