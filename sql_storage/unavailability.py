"""Which errors of a driver mean that the database is not there now, and which that it never was."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from connector_spi.errors import ConfigurationError, StoreUnavailableError

_PASSING_STATES: Final = ("08", "40", "53", "55P03", "57P")
"""SQLSTATE of PostgreSQL, or its beginning: connection, rollback by conflict, resources, lock, shutdown or start-up."""

_CONFIGURED_STATES: Final = ("28", "3D", "SQLITE_NOTADB")
"""Authorisation, the name of the database, and a file that is something else."""


@asynccontextmanager
async def translated_errors() -> AsyncIterator[None]:
    """Turn what a driver raises when the database does not answer into one error.

    Raises:
        StoreUnavailableError: the database did not answer, or stayed locked.
        ConfigurationError: the server does not let this user in, or there is no such database.
    """
    try:
        yield
    except (OperationalError, PoolTimeoutError, OSError) as error:
        raise StoreUnavailableError("The database did not answer.") from error
    except DBAPIError as error:
        state = _state_of(error)
        if state.startswith(_CONFIGURED_STATES):
            raise ConfigurationError(
                key="database.url", problem="names a user, a database or a file that is not to be used"
            ) from error
        if error.connection_invalidated or state.startswith(_PASSING_STATES):
            raise StoreUnavailableError("The connection to the database was lost.") from error
        raise


def _state_of(error: DBAPIError) -> str:
    """SQLSTATE on PostgreSQL, the name of the result code on SQLite, empty when there is neither."""
    return getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None) or ""
