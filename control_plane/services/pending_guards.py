"""The guards that come with the connector."""


class HoldsNothing:
    """Everything goes on by itself."""

    def holds(self, _entity: object, /) -> bool:
        """Never."""
        return False
