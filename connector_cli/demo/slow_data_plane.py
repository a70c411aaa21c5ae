"""Makes the data plane slow enough that a large file has a middle, in which it can be killed or paused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from connector_cli.demo.processes import ConnectorProcess

_BYTES_PER_SECOND: Final = 20 * 1024 * 1024


@asynccontextmanager
async def slowly(data_plane: ConnectorProcess) -> AsyncIterator[None]:
    """The data plane with a limited bandwidth while this is open: a fast machine is done before anything arrives."""
    limit = {
        "CONNECTOR_DATA_PLANE__FLOW_BYTES_PER_SECOND": str(_BYTES_PER_SECOND),
        # What goes from service to service does not pass through the limit.
        "CONNECTOR_DATA_PLANE__COPY_MODE": "streamed",
    }
    before = dict(data_plane.environment)
    await data_plane.stop()
    data_plane.environment.update(limit)
    await data_plane.start()
    try:
        yield
    finally:
        await data_plane.stop()
        data_plane.environment.clear()
        data_plane.environment.update(before)
        await data_plane.start()
