"""Which errors of a driver mean that the database is not there now and may be later, and which that it is another."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connector_spi.errors import ConfigurationError, StoreUnavailableError

_PASSING_STATES: Final = ("08", "40", "53", "55P03", "57P")
"""SQLSTATE of PostgreSQL, or its beginning: connection, rollback by conflict, resources, lock, shutdown or start-up."""

_CONFIGURED_STATES: Final = ("28", "3D")
"""Authorisation, and the name of the database."""


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Turn what a driver raises when the database does not answer into one error.

    Raises:
        StoreUnavailableError: the database did not answer, or stayed locked.
        ConfigurationError: the server knows neither this user nor this database.
    """
    try:
        yield
    except (OperationalError, PoolTimeoutError, OSError) as error:
        raise StoreUnavailableError("The database did not answer.") from error
    except DBAPIError as error:
        state = _state_of(error)
        if state.startswith(_CONFIGURED_STATES):
            raise ConfigurationError(
                key="database.url", problem="names a user or a database that the server does not let in"
            ) from error
        if error.connection_invalidated or state.startswith(_PASSING_STATES):
            raise StoreUnavailableError("The connection to the database was lost.") from error
        raise


def _state_of(error: DBAPIError) -> str:
    return getattr(error.orig, "sqlstate", None) or ""
