"""Task groups raise groups of errors; a flow ends for one reason."""

from collections.abc import Iterator
from contextlib import contextmanager

from connector_spi.errors import PermanentError, TransientError


@contextmanager
def single_error() -> Iterator[None]:
    """Raise the one error that matters of a group: a defect first, then a permanent error, then a transient one.

    The group stays attached as the cause of a defect, so that no traceback is lost.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        defects = [e for e in leaves if not isinstance(e, (PermanentError, TransientError))]
        if defects:
            raise defects[0] from group
        raise next((e for e in leaves if isinstance(e, PermanentError)), leaves[0]) from None


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for child in error.exceptions:
            yield from _leaves(child)
    else:
        yield error
